/* blocks.h: digests of a file, block by block, the work shared over the ranks. */
#ifndef LAMINA_STORE_BLOCKS_H
#define LAMINA_STORE_BLOCKS_H

#include "common/comm/comm.h"

/* The digest of every block of 4 MiB of the first `bytes` bytes of path, on every rank: out[manifest_blocks(bytes)].
 * Collective: yes, equal path and bytes. Fails: bad where the file cannot be read or is too short. Cost: bytes / ranks are read. */
enum status blocks_digest(const struct comm *comm, const char *path, enum status bad, int64_t bytes, struct digest128 *out) MUST_USE;

#endif
