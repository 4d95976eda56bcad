/* utf8.h: text that arrives in pieces. */
#ifndef LAMINA_COORDINATOR_UTF8_H
#define LAMINA_COORDINATOR_UTF8_H

#include <stddef.h>

/* How many of n bytes do not end inside a character: all, or all but the 1 to 3 bytes of one that may still be completed. */
size_t utf8_complete(const char *bytes, size_t n);

#endif
