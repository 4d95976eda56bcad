/* h5_damage.h: HDF5 files damaged with a plan: by somebody who knows where the headers are and makes their checksums right again, so that
 * what reads them must judge their content. */
#ifndef LAMINA_TESTS_SUPPORT_H5_DAMAGE_H
#define LAMINA_TESTS_SUPPORT_H5_DAMAGE_H

#include "fuzz.h"

/* The checksummed pieces of a good file (superblock, object headers, heaps, trees). */
struct h5_piece {
    size_t offset, length, checksum; /* checksum: where it stands in the piece */
};
enum { H5_PIECES = 512 };
struct h5_map {
    int n;
    struct h5_piece piece[H5_PIECES];
};
void h5_map_of(const unsigned char *bytes, size_t n, struct h5_map *out);
/* Makes the checksums of all pieces that still lie in the file right. */
void h5_seal(unsigned char *bytes, size_t n, const struct h5_map *map);
/* One of: bytes at random (fuzz_damage), a piece of headers changed and sealed, pieces exchanged, a page of zeros, an end that is missing.
 * Returns the new length. */
size_t h5_damage(struct fuzz *f, unsigned char *bytes, size_t n, size_t room, const struct h5_map *map);

#endif
