/* order.h: which tokens sample (step, slot) reads, as a pure function of the seed. So resume is instant and any rank may compute
 * any microbatch. */
#ifndef LAMINA_DATA_ORDER_H
#define LAMINA_DATA_ORDER_H

#include <stdint.h>

/* A sample is a window of context + 1 tokens of the file read as one stream: context inputs, and the same shifted by one as targets.
 * In epoch e the windows start at shift(e) + i * context, 0 <= i < windows, so that within an epoch no token is predicted twice and none
 * between the first and the last window is left out. The number of windows is the same in every epoch:
 *     windows = floor((n_tokens - 1) / context), less one where that is 64 or more,
 * and shift(e) is uniform in [0, n_tokens - 1 - windows * context], all the places there are. So a long file gives up at most a 64th of an
 * epoch for windows that fall elsewhere each time, and a short one (a test, a text to learn by heart) loses nothing. Sample index s = step
 * * sequences + slot, from 0: epoch = s / windows, and place s % windows of the epoch's permutation. Attention runs across document
 * boundaries: a window may hold several documents, separated by the end-of-document token.
 * Where documents are kept apart, windows are what pack.h makes of them: as many, the same in every epoch, and nothing shifts. */
struct order {
    uint64_t seed;
    uint32_t stream;
    int64_t n_tokens, context, windows;
};
enum { ORDER_LONG = 64 }; /* windows from which on one is given up for the shift */

/* n_tokens must hold at least one window: windows = 0 tells the caller (who fails with ST_DATA). */
struct order order_make(uint64_t seed, uint32_t stream, int64_t n_tokens, int64_t context);
/* The order of `windows` windows that lie where they lie, for order_window alone. */
struct order order_of_windows(uint64_t seed, uint32_t stream, int64_t windows);
/* The window of sample s >= 0. Cost: O(1). */
int64_t order_window(const struct order *o, int64_t sample);
/* First token of sample s >= 0. Cost: O(1). */
int64_t order_position(const struct order *o, int64_t sample);
/* First token of the windows of an epoch. */
int64_t order_shift(const struct order *o, int64_t epoch);
/* Permutation of [0, windows) keyed by (seed, stream, epoch): Feistel network on the enclosing power of four, its round function a
 * Philox block, with cycle walking (fewer than four steps on average); bijective.
 * Source: Black & Rogaway 2002, "Ciphers with arbitrary finite domains", method 3. */
int64_t order_permute(const struct order *o, int64_t epoch, int64_t index);

#endif
