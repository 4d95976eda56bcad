/* prefetch.h: a thread that reads the samples of the next request while the current ones are computed on. It never calls HDF5 or MPI. */
#ifndef LAMINA_DATA_PREFETCH_H
#define LAMINA_DATA_PREFETCH_H

#include "common/data/corpus.h"

struct prefetch;
/* All its memory is allocated here. The corpus must outlive it. Fails: ST_IO where there can be no thread. */
enum status prefetch_open(const struct corpus *c, int64_t sequences_per_batch, struct prefetch **out) MUST_USE;
/* The `count` samples from number `first` on, at most sequences_per_batch; those at or past `limit` are padding.
 * Hints the next request (-1: none) so that the thread reads ahead; a wrong hint costs time only. */
enum status prefetch_batch(struct prefetch *p, int64_t first, int64_t count, int64_t limit, int64_t next, struct samples out) MUST_USE;
void prefetch_close(struct prefetch *p); /* legal on NULL */

#endif
