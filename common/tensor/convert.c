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

void convert_f32_to_bf16_stochastic(uint16_t *restrict out, const float *restrict in, const uint32_t *restrict random, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        const uint32_t finite = (bits & 0x7f800000u) != 0x7f800000u;
        const uint16_t rounded = (uint16_t)((bits + (random[i] & 0xffffu)) >> 16);
        out[i] = finite ? rounded : f32_to_bf16(in[i]);
    }
}
