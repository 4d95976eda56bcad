#include "utf8.h"
#include <string.h>

/* Table 3-7: what may follow each first byte, and what is left of it for the character. Later bytes are 80..BF, but the second one is
 * narrower after four of them: that is what keeps out overlong forms, surrogates and what lies above U+10FFFF. */
static size_t lead(unsigned char first, unsigned char *least, unsigned char *most)
{
    *least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t utf8_read(const unsigned char *s, size_t n, uint32_t *character)
{
    unsigned char least, most;
    const size_t length = lead(s[0], &least, &most);
    *character = 1;
    if (length == 0) return 0;
    uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        *character = (uint32_t)i;
        if (i >= n || s[i] < least || s[i] > most) return 0;
        c = c << 6 | (s[i] & 0x3fu);
        least = 0x80, most = 0xbf;
    }
    *character = c;
    return length;
}

/* Bytes from s on that are ASCII, in words of eight; the last few are left to the caller. */
static int64_t ascii_run(const unsigned char *s, int64_t n)
{
    int64_t i = 0;
    for (uint64_t word; i + 8 <= n; i += 8) {
        memcpy(&word, s + i, 8);
        if (word & 0x8080808080808080u) break;
    }
    return i;
}

int64_t utf8_run(const unsigned char *bytes, int64_t n)
{
    int64_t i = ascii_run(bytes, n);
    while (i < n) {
        uint32_t character;
        const size_t length = utf8_read(bytes + i, (size_t)(n - i), &character);
        if (length == 0) break;
        i += (int64_t)length;
        if (length == 1) i += ascii_run(bytes + i, n - i);
    }
    return i;
}

struct utf8_check utf8_check(const unsigned char *bytes, int64_t n)
{
    struct utf8_check c = { .first = -1 };
    for (int64_t i = ascii_run(bytes, n); i < n;) {
        uint32_t character;
        const size_t length = utf8_read(bytes + i, (size_t)(n - i), &character);
        if (length == 0 && c.bad++ == 0) c.first = i;
        i += length > 0 ? (int64_t)length : character;
        if (length > 0 && i < n && bytes[i] < 0x80) i += ascii_run(bytes + i, n - i);
    }
    return c;
}

void utf8_repair(const unsigned char *bytes, int64_t n, struct text *out)
{
    int64_t good = 0; /* where what is not yet appended begins */
    for (int64_t i = ascii_run(bytes, n); i < n;) {
        uint32_t character;
        const size_t length = utf8_read(bytes + i, (size_t)(n - i), &character);
        if (length > 0) {
            i += (int64_t)length;
            continue;
        }
        text_add_bytes(out, (const char *)bytes + good, (size_t)(i - good));
        text_add_bytes(out, "\xef\xbf\xbd", 3);
        i += character;
        good = i;
    }
    text_add_bytes(out, (const char *)bytes + good, (size_t)(n - good));
}
