/* utf8.h: characters in bytes that claim to be UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
#ifndef LAMINA_BASE_UTF8_H
#define LAMINA_BASE_UTF8_H

#include "str.h"
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at s (n > 0 bytes follow), and the character. 0 where there is none: then *character is how many bytes, at
 * least 1, are the maximal part of one, or a byte that begins none: what one U+FFFD stands for.
 * Source: Unicode 15.0, section 3.9, table 3-7 and "U+FFFD substitution of maximal subparts"; Python and WHATWG decode like this. */
size_t utf8_read(const unsigned char *s, size_t n, uint32_t *character);

/* How many bytes from the beginning are whole characters. */
int64_t utf8_run(const unsigned char *bytes, int64_t n);

/* How many such parts are not UTF-8, and where the first is (-1: none). */
struct utf8_check {
    int64_t bad, first;
};
struct utf8_check utf8_check(const unsigned char *bytes, int64_t n);

/* Appends the bytes with U+FFFD for each part that is not UTF-8. */
void utf8_repair(const unsigned char *bytes, int64_t n, struct text *out);

#endif
