/* building.h: the folder OUT.building, where what is encoded waits until the token file is laid out. One process, rank 0. */
#ifndef LAMINA_DATA_BUILD_BUILDING_H
#define LAMINA_DATA_BUILD_BUILDING_H

#include "setting.h"

/* The folder is there, ours alone, and holds nothing of other settings: such a build is told and removed. Owns: a lock until
 * building_close. Fails: ST_BUSY where another process builds there; ST_IO. */
enum status building_open(const struct setting *s, int *lock) MUST_USE;
/* Its files and the folder go. Fails: ST_IO. */
enum status building_remove(const struct setting *s) MUST_USE;
/* Is there anything that a later build could take up? */
bool building_holds_segments(const struct setting *s);
void building_close(int lock);

#endif
