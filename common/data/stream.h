/* stream.h: what a sample is, and an open training source that gives them by number. Read order.h first. */
#ifndef LAMINA_DATA_STREAM_H
#define LAMINA_DATA_STREAM_H

#include "common/data/order.h"
#include "common/data/tokens.h"

/* Samples one after the other, [n,T] each. All that a model is told of a token stands here, so whoever moves samples moves all of it. */
struct samples {
    int32_t *inputs, *targets; /* targets: what follows each input; -1: no loss */
};
/* The samples from the i-th on. */
struct samples samples_from(struct samples s, int64_t i, int64_t context);
void samples_copy(struct samples to, struct samples from, int64_t n, int64_t context);
/* Padding: inputs 0, and no loss. */
void samples_pad(struct samples s, int64_t n, int64_t context);

/* The sample that begins at token `first`: context inputs, and the same shifted by one as targets. Fails: ST_DATA. */
enum status samples_window(const struct tokens *t, int64_t first, int64_t context, struct samples out) MUST_USE;

struct stream {
    struct tokens tokens;
    struct order order;
};
/* key: the source's own stream of random numbers (order.h). Owns: until stream_close. Fails: ST_DATA, also where the file holds no window.
 */
enum status stream_open(const char *path, uint64_t seed, uint32_t key, int64_t context, struct stream *out) MUST_USE;
void stream_close(struct stream *s);
/* Samples of one epoch: number i and number i + stream_epoch differ by an epoch. */
int64_t stream_epoch(const struct stream *s);
/* Sample number index >= 0 of this source, a pure function of it. Any thread. Fails: ST_DATA. Cost: O(T). */
enum status stream_sample(const struct stream *s, int64_t index, struct samples out) MUST_USE;

#endif
