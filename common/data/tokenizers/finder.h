/* finder.h: added tokens in a text: the leftmost, and of those that begin there the longest. */
#ifndef LAMINA_DATA_TOKENIZERS_FINDER_H
#define LAMINA_DATA_TOKENIZERS_FINDER_H

#include "common/base/arena.h"
#include <stdint.h>

/* A tree of bytes. Zero-initialised it finds nothing. */
struct finder {
    struct finder_node {
        int32_t child, sibling; /* 0: none */
        int32_t found;          /* what ends here; -1: nothing */
        unsigned char byte;
    } * node; /* [0] is not used */
    int32_t n, cap;
    int32_t first[256];
};
/* Room for contents of `bytes` bytes together. Owns: lives in arena. */
void finder_open(struct arena *arena, int64_t bytes, struct finder *out);
/* n > 0 bytes. Returns false where this content is there already. */
bool finder_add(struct finder *f, const unsigned char *content, int64_t n, int32_t what);

struct finding {
    int64_t begin, end;
    int32_t what; /* -1: nothing from there on */
};
struct finding finder_next(const struct finder *f, const unsigned char *text, int64_t n, int64_t from);

#endif
