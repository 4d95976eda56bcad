/* storage.h: optimizer state in fewer bytes than fp32. Pure functions of their arguments: the same bits on every machine, for any cut of
 * a tensor (8-bit: on edges of blocks), whether or not the processor flushes subnormal numbers (they count as zeros here). */
#ifndef LAMINA_OPTIM_STORAGE_H
#define LAMINA_OPTIM_STORAGE_H

#include "common/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* 8 bits: `block` values share one scale, their largest magnitude; a code is the entry of a map of 256 that is nearest to value / scale
 * (one rounding; halfway: the smaller magnitude). The map has seven decades, finer towards 1 (tests/golden/generate_q8_map.py).
 * positive: no value is below zero, and the sign's bit goes into the map. There a value that is not zero never becomes zero: a second
 * moment of zero beside a first moment that is not would turn the next step into m / eps. The map of both signs has 1 but not -1: a block
 * whose largest magnitude is negative loses 0.7 % of it. A block of zeros has scale 0 and decodes to zeros. One that holds an infinity or a
 * NaN has the scale NaN and decodes to NaNs: it is seen, as in fp32. n values from the edge of a block on; the last block may be shorter.
 * Scales: one per block. Source: Dettmers et al. 2021 (arXiv 2110.02861), sections 2.1 and 2.2. */
void storage_q8_encode(uint8_t *codes, float *scales, const float *x, int64_t n, int64_t block, bool positive);
void storage_q8_decode(float *out, const uint8_t *codes, const float *scales, int64_t n, int64_t block, bool positive);

/* bf16, rounded up or down at random so that the mean is the value: an average with a weight of 0.001 for the new number would otherwise
 * stand still, as its steps are smaller than half a place of bf16. The 16 random bits are a function of (key, step, first + i) alone, one
 * Philox block per 8 elements. What bf16 has is unchanged, also infinities and NaNs; a finite value stays finite: above bf16's largest it
 * becomes that. Decoding is convert_bf16_to_f32. */
void storage_bf16_encode(uint16_t *out, const float *x, int64_t n, struct rng_key key, int64_t step, int64_t first);

#endif
