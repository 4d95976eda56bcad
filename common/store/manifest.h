/* manifest.h: manifest.json, which says what the bytes of state.h5 must be: a digest per 4 MiB block, and where each dataset stands, so
 * that damage can be named without HDF5. No MPI, no files here: text in, text out (FORMAT.md). */
#ifndef LAMINA_STORE_MANIFEST_H
#define LAMINA_STORE_MANIFEST_H

#include "common/base/arena.h"
#include "common/base/digest.h"
#include "common/base/str.h"

enum { MANIFEST_BLOCK_BYTES = 4 << 20 };

struct manifest_dataset {
    const char *name;
    int64_t offset, bytes;
};
struct manifest {
    int64_t step, bytes, n_blocks; /* bytes of state.h5; n_blocks = ceil(bytes / 4 MiB) */
    struct digest128 *block;       /* [n_blocks]; the last one may be short */
    struct manifest_dataset *dataset;
    int n_datasets;
};

int64_t manifest_blocks(int64_t bytes);
void manifest_print(const struct manifest *m, struct text *out);
/* name: for messages. Owns: what out points to lives in arena (a growing one). Fails: ST_DAMAGED for anything that is not a manifest, that
 * contradicts itself, or whose digest of digests is another. */
enum status manifest_parse(struct arena *arena, const char *name, const char *text, size_t n, struct manifest *out) MUST_USE;

#endif
