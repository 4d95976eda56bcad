/* prefetch.h: a thread that reads the samples of the next request while the current ones are computed on. It never calls HDF5 or MPI. */
#ifndef LAMINA_DATA_PREFETCH_H
#define LAMINA_DATA_PREFETCH_H

#include "common/data/corpus.h"

struct prefetch;
/* All its memory is allocated here. The corpus must outlive it, and not be changed from the first batch on. Fails: ST_IO where there can be
 * no thread. */
enum status prefetch_open(const struct corpus *c, int64_t sequences_per_batch, struct prefetch **out) MUST_USE;
/* The `count` samples from number `first` on, at most sequences_per_batch. Hints what will be asked for next (count 0: nothing), so that
 * the thread reads it ahead; a wrong hint costs time only. Fails: ST_DATA. */
struct sample_range {
    int64_t first, count;
};
enum status prefetch_batch(struct prefetch *p, struct sample_range wanted, struct sample_range next, struct samples out) MUST_USE;
void prefetch_close(struct prefetch *p); /* legal on NULL */

#endif
