#include "convert.h"
#include "common/base/clones.h"

VECTOR_CLONES void convert_bf16_to_f32(float *restrict out, const uint16_t *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(in[i]);
}

VECTOR_CLONES void convert_f32_to_bf16(uint16_t *restrict out, const float *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = f32_to_bf16(in[i]);
}

VECTOR_CLONES void convert_f32_to_bf16_stochastic(uint16_t *restrict out, const float *restrict in, const uint32_t *restrict random,
                                                  int64_t n)
{
    const uint32_t infinite = 0x7f800000u;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        const uint32_t magnitude = bits & 0x7fffffffu, sum = magnitude + (random[i] & 0xffffu);
        uint32_t rounded = sum < infinite ? sum : infinite - 1; /* the largest finite one */
        rounded = magnitude < infinite ? rounded : magnitude;   /* an infinity stays */
        rounded |= magnitude > infinite ? 0x400000u : 0;        /* a NaN stays a (quiet) NaN */
        out[i] = (uint16_t)((rounded | (bits & 0x80000000u)) >> 16);
    }
}
