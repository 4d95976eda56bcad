/* convert.h: between fp32 and bf16. bf16 is the upper half of an fp32; rounding is to nearest, ties to even. */
#ifndef LAMINA_TENSOR_CONVERT_H
#define LAMINA_TENSOR_CONVERT_H

#include <stdint.h>
#include <string.h>

static inline float bf16_to_f32(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t f32_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u); /* a NaN stays a (quiet) NaN */
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

void convert_bf16_to_f32(float *restrict out, const uint16_t *restrict in, int64_t n);
void convert_f32_to_bf16(uint16_t *restrict out, const float *restrict in, int64_t n);
/* Stochastic rounding: adds random[i] & 0xffff below the kept half, then truncates. Finite values only change by one
 * place; the expectation is the value. Above bf16's largest they become that, not infinity. */
void convert_f32_to_bf16_stochastic(uint16_t *restrict out, const float *restrict in, const uint32_t *restrict random, int64_t n);

#endif
