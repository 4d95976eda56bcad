/* try_file.h: the problem file of `lamina optim try`: JSON in, arrays out. */
#ifndef LAMINA_COORDINATOR_TRY_FILE_H
#define LAMINA_COORDINATOR_TRY_FILE_H

#include "worker/worker.h"

enum { TRY_FILE_MAX_BYTES = 16 << 20, TRY_FILE_MAX_VALUES = 1000000 }; /* of the file; elements times steps */

/* Everything in the answer lives in the arena; path is borrowed as its name.
 * Fails: ST_DATA with a sentence that names the file and the key. */
enum status try_file_read(const char *path, const struct variant *optimizer, struct arena *arena, struct try_problem *out) MUST_USE;

#endif
