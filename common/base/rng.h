/* rng.h: random numbers as a pure function of (seed, purpose, step, index). Never of a rank, a thread or an order of calls. */
#ifndef LAMINA_BASE_RNG_H
#define LAMINA_BASE_RNG_H

#include <stdint.h>

/* Each use has its own stream. Values are part of what makes two runs equal: append, never renumber. */
enum rng_purpose {
    RNG_INIT = 1,
    RNG_ORDER = 2,
    RNG_SAMPLE = 3,
    RNG_ROUND = 4,
    RNG_FINGERPRINT = 5,
    RNG_TEST = 6,
    RNG_PROJECT = 7,
    RNG_LABEL = 8
};

struct rng_key {
    uint64_t seed;
    uint32_t purpose;
    uint32_t stream;
}; /* stream: a tensor's id, an epoch, ... */

/* Philox4x32-10: the block number `index` of the stream at `step`; four 32-bit words.
 * Counter = (index low, index high, step low, purpose << 24 ^ stream), key = seed; steps < 2^32.
 * Source: Salmon et al. 2011; checked against Random123's known answers. */
void rng_block(struct rng_key key, int64_t step, int64_t index, uint32_t out[4]);
/* Blocks index .. index + n - 1, four words each, in order: the same bits, several counters side by side. */
void rng_blocks(struct rng_key key, int64_t step, int64_t index, int64_t n, uint32_t *out);
/* The bare cipher, for the known answers and the keyed permutation. */
void rng_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

uint64_t rng_u64(struct rng_key key, int64_t step, int64_t index);
/* In [0, 1), 53 bits. */
double rng_uniform(struct rng_key key, int64_t step, int64_t index);
/* Standard normal of element `index`: Box-Muller on one block in double, libm-free (own log, sine and cosine), so that
 * initial weights do not depend on the C library. */
double rng_normal(struct rng_key key, int64_t step, int64_t index);

#endif
