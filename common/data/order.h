/* order.h: which tokens sample (step, slot) reads, as a pure function of the seed. So resume is instant and any rank may compute
 * any microbatch. */
#ifndef LAMINA_DATA_ORDER_H
#define LAMINA_DATA_ORDER_H

#include <stdint.h>

/* A sample of an epoch is a window of context + 1 tokens of the file read as one stream; windows start at
 * shift(epoch) + i * context, 0 <= shift < context, i < windows(epoch). Sample index s = step * sequences + slot, from 0; epoch and place
 * follow from s and from the fixed number of windows per epoch: (n_tokens - context) / context ... the smallest over all shifts, so that
 * every epoch has the same count. Attention runs across document boundaries: a window may hold several documents, separated by the
 * end-of-document token. */
struct order {
    uint64_t seed;
    uint32_t stream;
    int64_t n_tokens, context, windows;
};

/* n_tokens must hold at least one window: windows = 0 tells the caller (who fails with ST_DATA). */
struct order order_make(uint64_t seed, uint32_t stream, int64_t n_tokens, int64_t context);
/* First token of sample s. Cost: O(1). */
int64_t order_position(const struct order *o, int64_t sample);
/* Permutation of [0, n) keyed by (seed, stream, epoch): Feistel network on the enclosing power of four with cycle walking; bijective. */
int64_t order_permute(const struct order *o, int64_t epoch, int64_t index);

#endif
