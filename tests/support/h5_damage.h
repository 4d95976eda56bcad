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

/* A good file, and damaged copies in its place, round after round. */
enum { H5_SAMPLE = 1 << 16 };
struct h5_sample {
    const char *path;
    size_t n;
    unsigned char good[H5_SAMPLE];
    struct h5_map map;
};
/* Of the file at path, which stays the caller's text; abort() where it does not fit, or has fewer pieces than that. */
void h5_sample_take(struct h5_sample *s, const char *path, int pieces);
/* The file is now damaged by the round's seed. */
void h5_sample_damage(struct fuzz *f, const struct h5_sample *s);

#endif
