#include "utf8.h"

/* Length that a first byte announces; 1 for bytes that cannot begin a character. */
static size_t announced(unsigned char c)
{
    if (c >= 0xC2 && c <= 0xDF) return 2;
    if (c >= 0xE0 && c <= 0xEF) return 3;
    if (c >= 0xF0 && c <= 0xF4) return 4;
    return 1;
}

size_t utf8_complete(const char *bytes, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        const unsigned char c = (unsigned char)bytes[n - back];
        if ((c & 0xC0) == 0x80) continue; /* a later byte of a character */
        return announced(c) > back ? n - back : n;
    }
    return n;
}
