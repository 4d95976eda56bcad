#include "blocks.h"
#include "common/base/check.h"
#include "common/comm/agree.h"
#include "folder.h"
#include "manifest.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status digest_range(int fd, const char *path, enum status bad, int64_t bytes, int64_t first, int64_t last,
                                struct digest128 *out)
{
    unsigned char *const buffer = malloc(MANIFEST_BLOCK_BYTES);
    CHECK(buffer != NULL);
    enum status s = ST_OK;
    for (int64_t i = first; i < last && !s; i++) {
        const int64_t offset = i * MANIFEST_BLOCK_BYTES;
        const size_t n = (size_t)min_i64(MANIFEST_BLOCK_BYTES, bytes - offset);
        s = file_read_at(fd, path, bad, offset, buffer, n);
        if (!s) out[i - first] = digest_bytes(buffer, n);
    }
    free(buffer);
    return s;
}

static enum status digest_share(const char *path, enum status bad, int64_t bytes, int64_t first, int64_t last, struct digest128 *out)
{
    if (first >= last) return ST_OK;
    int fd;
    int64_t ignored;
    TRY(file_open(path, bad, &fd, &ignored));
    const enum status s = digest_range(fd, path, bad, bytes, first, last, out);
    (void)close(fd);
    return s;
}

enum status blocks_digest(const struct comm *comm, const char *path, enum status bad, int64_t bytes, struct digest128 *out)
{
    const int64_t blocks = manifest_blocks(bytes), ranks = comm_size(comm), share = ceil_div(blocks, ranks);
    const int64_t first = min_i64(blocks, comm_rank(comm) * share), last = min_i64(blocks, first + share);
    struct digest128 *const mine = calloc((size_t)share + 1, sizeof *mine), *const all = calloc((size_t)(share * ranks) + 1, sizeof *all);
    CHECK(mine != NULL && all != NULL);
    enum status s = comm_agree(comm, digest_share(path, bad, bytes, first, last, mine));
    if (!s) s = comm_gather_all(comm, COMM_CONTROL, mine, (size_t)share * sizeof *mine, all);
    if (!s) memcpy(out, all, (size_t)blocks * sizeof *out);
    free(mine);
    free(all);
    return s;
}
