/* pack.h: the other way round, for each kind of the table that this build can unpack; the plain one comes first. */
#ifndef LAMINA_TESTS_SUPPORT_PACK_H
#define LAMINA_TESTS_SUPPORT_PACK_H

#include "common/data/packed.h"
#include <stddef.h>

struct pack {
    const struct packed_desc *desc;
    size_t (*pack)(const unsigned char *in, size_t n, unsigned char *out, size_t room); /* one member; returns its size */
};
extern const struct pack packs[];
extern const int packs_count;

#endif
