/* packers.h: the other way round, for each kind of the table that this build can unpack; the plain one comes first. */
#ifndef LAMINA_TESTS_SUPPORT_PACKERS_H
#define LAMINA_TESTS_SUPPORT_PACKERS_H

#include "common/data/packed.h"
#include <stddef.h>

struct packer {
    const struct packed_desc *desc;
    size_t (*pack)(const unsigned char *in, size_t n, unsigned char *out, size_t room); /* one member; returns its size */
};
extern const struct packer packers[];
extern const int packers_count;

#endif
