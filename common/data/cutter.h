/* cutter.h: where documents begin, by a regular expression. PCRE2 stays behind this header. */
#ifndef LAMINA_DATA_CUTTER_H
#define LAMINA_DATA_CUTTER_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct cutter;
/* Bytes, not UTF-8; anchored. pattern NULL gives NULL: each file is one document. Owns: until cutter_close.
 * Fails: ST_USAGE with the place of the error; ST_LAUNCH where Lamina was built without PCRE2. */
enum status cutter_open(const char *pattern, struct cutter **out) MUST_USE;
void cutter_close(struct cutter *c); /* legal on NULL */
/* Does a document begin with this line (its end not included)? Under match limits. Fails: ST_DATA where they are reached. */
enum status cutter_matches(const struct cutter *c, const unsigned char *line, size_t n, bool *begins) MUST_USE;

#endif
