/* join.h: from segments to token files. */
#ifndef LAMINA_DATA_BUILD_JOIN_H
#define LAMINA_DATA_BUILD_JOIN_H

#include "units.h"

/* Reads what the segments tell, lays the token files out (rank 0), has every rank copy its share of the segments to their places, and gives
 * the files their names. All that can fail for want of space comes before the first name.
 * Collective: yes, equal settings and units, all segments complete. Fails: ST_DATA where a side is empty; ST_IO. */
enum status join_segments(const struct comm *world, const struct setting *s, const struct units *units, struct data_built *result) MUST_USE;

#endif
