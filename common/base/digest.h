/* digest.h: XXH3-128 over bytes, printed as 32 hex digits. A check against damage and difference, not against malice. */
#ifndef LAMINA_BASE_DIGEST_H
#define LAMINA_BASE_DIGEST_H

#include "status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest128 {
    uint64_t high, low;
};
enum { DIGEST_HEX = 33 }; /* 32 digits and the end */

struct digest128 digest_bytes(const void *bytes, size_t n);
bool digest_equal(struct digest128 a, struct digest128 b);
char *digest_hex(struct digest128 d, char out[DIGEST_HEX]);
/* Fails: ST_DATA when text is not 32 hex digits. */
enum status digest_parse(const char *text, struct digest128 *out) MUST_USE;

/* Streaming. Owns: state until digest_end. */
struct digest_stream;
struct digest_stream *digest_begin(void);
void digest_add(struct digest_stream *stream, const void *bytes, size_t n);
struct digest128 digest_end(struct digest_stream *stream);

/* Digest of a whole file read with read(2). Fails: ST_IO. */
enum status digest_file(const char *path, struct digest128 *out) MUST_USE;

#endif
