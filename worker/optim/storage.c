/* Optimizer state in 8 and in 16 bits. */
#define LAMINA_OPTIM_INSIDE
#include "storage.h"
#include "q8_map.h"

#include "common/base/clones.h"
#include "common/tensor/convert.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 256 }; /* elements between the passes below, on the stack */

static const uint32_t infinite = 0x7f800000u, smallest_normal = 0x00800000u; /* as bits: magnitudes order as their bits do */

static inline uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t magnitude_bits(float f) { return bits_of(f) & 0x7fffffffu; }

static inline int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- 8 bits ---- */

VECTOR_CLONES static uint32_t largest_magnitude(const float *x, int64_t n)
{
    int32_t largest = 0; /* signed: every processor has this maximum for vectors */
    for (int64_t i = 0; i < n; i++) {
        const int32_t bits = (int32_t)magnitude_bits(x[i]);
        largest = bits > largest ? bits : largest;
    }
    return (uint32_t)largest;
}

/* |x| / scale, as bits, and its bucket (q8_map.h). */
VECTOR_CLONES static void find_ratios(uint32_t *restrict ratio, uint16_t *restrict bucket, const float *restrict x, float scale,
                                      const struct q8_map *restrict map, int64_t n)
{
    const float least = map->least, most_negative = map->most_negative, buckets = map->buckets;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t magnitude = magnitude_bits(x[i]);
        float r = from_bits(magnitude) / scale;
        const float most = magnitude == bits_of(x[i]) ? 1 : most_negative;
        r = r < least ? least : r;
        r = r > most ? most : r;
        r = magnitude < smallest_normal ? 0 : r;
        ratio[i] = bits_of(r);
        bucket[i] = (uint16_t)(int32_t)(from_bits((bits_of(r) >> 2) + 0x2fa00000u) * buckets); /* 0x3f800000 * 3/4: 1 stays 1 */
    }
}

/* Loads that depend on data: not for vectors. */
static void look_up(uint8_t *restrict codes, const uint32_t *restrict ratio, const uint16_t *restrict bucket,
                    const uint64_t *restrict table, int64_t n)
{
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)((table[bucket[i]] + ratio[i]) >> 32);
}

VECTOR_CLONES static void apply_signs(uint8_t *restrict codes, const float *restrict x, uint8_t zero, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t minus = (uint8_t) - (bits_of(x[i]) >> 31); /* 0 or 255 */
        codes[i] = (uint8_t)(zero + ((codes[i] ^ minus) - minus));
    }
}

/* Returns the scale. */
static float encode_block(uint8_t *codes, const float *x, int64_t n, const struct q8_map *map)
{
    const uint32_t largest = largest_magnitude(x, n);
    if (largest >= infinite || largest < smallest_normal) {
        for (int64_t i = 0; i < n; i++) codes[i] = map->zero;
        return largest >= infinite ? NAN : 0;
    }
    const float scale = from_bits(largest);
    uint32_t ratio[CHUNK];
    uint16_t bucket[CHUNK];
    for (int64_t at = 0; at < n; at += CHUNK) {
        const int64_t m = min_i64(CHUNK, n - at);
        find_ratios(ratio, bucket, x + at, scale, map, m);
        look_up(codes + at, ratio, bucket, map->bucket, m);
        if (map->zero != 0) apply_signs(codes + at, x + at, map->zero, m);
    }
    return scale;
}

void storage_q8_encode(uint8_t *codes, float *scales, const float *x, int64_t n, int64_t block, bool positive)
{
    const struct q8_map *map = positive ? &q8_map_positive : &q8_map_signed;
    for (int64_t at = 0; at < n; at += block) *scales++ = encode_block(codes + at, x + at, min_i64(block, n - at), map);
}

static void decode_block(float *restrict out, const uint8_t *restrict codes, float scale, const float *restrict value, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = value[codes[i]] * scale;
}

void storage_q8_decode(float *out, const uint8_t *codes, const float *scales, int64_t n, int64_t block, bool positive)
{
    const float *value = positive ? q8_map_positive.value : q8_map_signed.value;
    for (int64_t at = 0; at < n; at += block) decode_block(out + at, codes + at, *scales++, value, min_i64(block, n - at));
}

/* ---- bf16 ---- */

void storage_bf16_encode(uint16_t *out, const float *x, int64_t n, struct rng_key key, int64_t step, int64_t first)
{
    enum { GROUP = 256, PER_BLOCK = 8, BLOCKS = GROUP / PER_BLOCK };
    uint32_t word[BLOCKS * 4], random[GROUP];
    for (int64_t i = 0; i < n;) {
        const int64_t group = (first + i) / GROUP, skip = (first + i) % GROUP, m = min_i64(GROUP - skip, n - i);
        rng_blocks(key, step, group * BLOCKS, BLOCKS, word);
        for (int k = 0; k < BLOCKS * 4; k++) random[2 * k] = word[k] & 0xffffu, random[2 * k + 1] = word[k] >> 16;
        convert_f32_to_bf16_stochastic(out + i, x + i, random + skip, m);
        i += m;
    }
}
