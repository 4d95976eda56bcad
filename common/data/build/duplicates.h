/* duplicates.h: texts that were there before, known by their digests alone. */
#ifndef LAMINA_DATA_BUILD_DUPLICATES_H
#define LAMINA_DATA_BUILD_DUPLICATES_H

#include "common/base/digest.h"

/* A table for at most n documents: 20 bytes each. Owns: until duplicates_close. Fails: ST_IO where memory is short. */
struct duplicates;
enum status duplicates_open(int64_t n, struct duplicates **out) MUST_USE;
/* Was this text added before? Adds it. */
bool duplicates_add(struct duplicates *d, struct digest128 text);
void duplicates_close(struct duplicates *d); /* legal on NULL */

#endif
