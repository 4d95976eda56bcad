/* Fixed point for gradients, and 128-bit fixed point for vectors. The superaccumulator is in super.c. */
#include "exact.h"
#include "common/base/check.h"
#include "common/base/clones.h"
#include <math.h>
#include <string.h>

int exact_bits(int64_t contributions)
{
    CHECK(contributions >= 1);
    int log2_up = 0;
    while (log2_up < 62 && ((int64_t)1 << log2_up) < contributions) log2_up++;
    return 62 - log2_up < 51 ? 62 - log2_up : 51;
}

enum { INFINITY_BITS = 0x7f800000 }; /* of fp32; NaN lies above */

/* Exponent e of a positive fp32 given by its bits: 2^e <= x < 2^(e+1). */
static int exponent_of(uint32_t bits)
{
    if (bits >= 0x00800000u) return (int)(bits >> 23) - 127;
    int e = -149;
    while (bits >>= 1) e++;
    return e;
}

int exact_exponent(uint32_t max_bits, int bits, int before)
{
    if (max_bits == 0 || max_bits >= INFINITY_BITS) return before; /* nothing finite was measured */
    return bits - 8 - (exponent_of(max_bits) + 1);
}

/* 2^e as a double, for -1022 <= e <= 1023. */
static double power_of_two(int e)
{
    CHECK(e >= -1022 && e <= 1023);
    const uint64_t bits = (uint64_t)(e + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |g| below this scales to less than 2^b. fp32 exponents reach from -149 to 127, F from about -136 to 200: no overflow in double. */
static double limit_of(int exponent, int bits) { return power_of_two(bits - exponent); }

/* Adding 1.5 * 2^52 to |x| < 2^51 leaves round-to-nearest-even(x) in the low bits of the sum. */
static const double magic = 6755399441055744.0;

VECTOR_CLONES static uint32_t add_row(int64_t *restrict sum, const float *restrict g, int64_t n, double scale, double limit)
{
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &g[i], sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
        const double x = (double)g[i];
        const double y = (x < limit && x > -limit ? x * scale : 0.0) + magic; /* NaN fails both comparisons */
        int64_t fixed, zero;
        memcpy(&fixed, &y, sizeof fixed);
        memcpy(&zero, &magic, sizeof zero);
        sum[i] = (int64_t)((uint64_t)sum[i] + ((uint64_t)fixed - (uint64_t)zero));
    }
    return most;
}

void exact_add(const struct exact_sink *sink, int64_t row, int64_t col, const float *g, int64_t ld, int64_t rows, int64_t cols)
{
    const double scale = power_of_two(sink->exponent), limit = limit_of(sink->exponent, sink->bits);
    uint32_t most = 0;
    for (int64_t r = 0; r < rows; r++) {
        const uint32_t m = add_row(sink->sum + (row + r) * sink->cols + col, g + r * ld, cols, scale, limit);
        most = m > most ? m : most;
    }
    uint32_t seen = __atomic_load_n(sink->max_bits, __ATOMIC_RELAXED);
    while (most > seen && !__atomic_compare_exchange_n(sink->max_bits, &seen, most, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

/* The value of fp32 bits, also of a denormal, which the processor may read as zero (DAZ). */
static double magnitude(uint32_t bits)
{
    const uint32_t fraction = bits & 0x7fffff;
    return bits < 0x00800000u ? (double)fraction * 0x1p-149 : (double)(fraction | 0x800000) * power_of_two((int)(bits >> 23) - 150);
}

enum exact_verdict exact_judge(uint32_t max_bits, uint32_t before_max, int exponent, int bits)
{
    if (max_bits >= INFINITY_BITS) return EXACT_NONFINITE;
    if (max_bits == 0) return EXACT_GOOD;
    if (exponent_of(max_bits) + exponent >= bits) return EXACT_OVERFLOW; /* the same as |g| * 2^F >= 2^b */
    if (before_max == 0) return EXACT_FIRST;
    return magnitude(max_bits) * 0x1p16 < magnitude(before_max) ? EXACT_SHRUNK : EXACT_GOOD;
}

static inline double double_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* (double)x, rounded once: the halves stand in the low bits of 2^84 + 2^63 + high 2^32 and of 2^52 + low, and only the last sum rounds.
 * Vectors of 64-bit integers have no conversion of their own before AVX-512. */
static inline double double_of_i64(int64_t x)
{
    const uint64_t u = (uint64_t)x;
    const double high = double_of_bits((u >> 32) ^ 0x4530000080000000u), low = double_of_bits((u & 0xffffffffu) | 0x4330000000000000u);
    return (high - 0x1.00000801p84) + low; /* 2^84 + 2^63 + 2^52 */
}

VECTOR_CLONES static void decode(float *restrict out, const int64_t *restrict sum, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i++) out[i] = (float)(double_of_i64(sum[i]) * scale);
}

void exact_decode(float *restrict out, const int64_t *restrict sum, int64_t n, int exponent, double divisor)
{
    decode(out, sum, n, power_of_two(-exponent) / divisor);
}

/* --- 128-bit fixed point ---------------------------------------------------------------------------------------------- */

struct wide wide_from(double x, int exponent)
{
    const double y = x * power_of_two(exponent);
    CHECK(fabs(y) < 0x1p93);
    const double high = floor(y * 0x1p-32); /* exact: a double above 2^52 is an integer */
    return (struct wide){ (int64_t)high, (int64_t)rint(y - high * 0x1p32) };
}

/* Carries at once, so that any number of terms may follow. */
void wide_add(struct wide *a, struct wide b)
{
    const int64_t low = a->low + b.low;
    a->high += b.high + (low >> 32);
    a->low = low & 0xffffffff;
}

void wide_add_from(struct wide *restrict a, const double *restrict x, int64_t n, int exponent)
{
    for (int64_t i = 0; i < n; i++) wide_add(&a[i], wide_from(x[i], exponent));
}

double wide_value(struct wide a, int exponent)
{
    __extension__ typedef __int128 int128;
    const int128 value = (int128)a.high * ((int64_t)1 << 32) + a.low; /* low may hold carries of MPI_SUM */
    return (double)value * power_of_two(-exponent);                   /* rounded once: the scaling is exact */
}
