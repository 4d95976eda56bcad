/* exact.h: sums whose bits do not depend on the order of their terms. No MPI here: integers are added by whoever likes.
 * Three forms: fixed point for gradients (int64), a superaccumulator for scalars, 128-bit fixed point for vectors. */
#ifndef LAMINA_COMM_EXACT_H
#define LAMINA_COMM_EXACT_H

#include <stdbool.h>
#include <stdint.h>

/* 1. Fixed point. A contribution g becomes round(g * 2^F) in int64; with K contributions in the whole world a contribution may use
 *    b = min(51, 62 - ceil(log2 K)) bits. */
int exact_bits(int64_t contributions);
/* F = b - 8 - (exponent of max + 1); max_bits are the uint32 bits of the largest |g| (0 keeps `before`; 40 at first). */
int exact_exponent(uint32_t max_bits, int bits, int before);
enum { EXACT_EXPONENT_FIRST = 40 };

/* Where the gradient of one tensor goes: its int64 rows, and the largest |g| seen, as uint32 bits (monotone; NaN > Inf > finite). */
struct exact_sink {
    int64_t *sum; /* the whole tensor, row-major [rows, cols] */
    int64_t cols;
    int exponent, bits;
    uint32_t *max_bits; /* updated by an order-free integer maximum, from any thread */
};
/* Add a block of rows x cols values (leading dimension ld) at (row, col) of the tensor. A value at or above 2^b after scaling, or not
 * finite, adds 0; the maximum reports it. Adds are unsigned (wrap is defined). Two calls on the same elements must not run at one time. */
void exact_add(const struct exact_sink *sink, int64_t row, int64_t col, const float *g, int64_t ld, int64_t rows, int64_t cols);

/* The verdict on one tensor. before_max: the maximum that set F (0: none yet). */
enum exact_verdict { EXACT_GOOD, EXACT_OVERFLOW, EXACT_FIRST, EXACT_SHRUNK, EXACT_NONFINITE };
enum exact_verdict exact_judge(uint32_t max_bits, uint32_t before_max, int exponent, int bits);

/* out[i] = sum[i] * (2^-F / divisor), through double, rounded to fp32 at the end. */
void exact_decode(float *restrict out, const int64_t *restrict sum, int64_t n, int exponent, double divisor);

/* 2. Superaccumulator over double's whole range: 64-bit limbs that carry 32 bits of payload, so 2^31 normalised values may be
 *    added limb by limb (MPI_SUM of int64) before normalising again. Infinities and NaN count in their own limb. */
enum { SUPER_LIMBS = 70 };
struct super {
    int64_t limb[SUPER_LIMBS];
};
void super_clear(struct super *s);
void super_add(struct super *s, double x);
void super_merge(struct super *s, const struct super *other);
void super_normalize(struct super *s);
/* The sum rounded to nearest double (ties to even; infinite beyond double's range); NaN when anything not finite was added. */
double super_value(const struct super *s);

/* 3. Vectors: 128-bit fixed point as two int64 limbs (high, low with 32 bits of payload head-room handled by normalising). */
struct wide {
    int64_t high, low;
};
/* x * 2^exponent, rounded to an integer, in two limbs; |x * 2^exponent| < 2^93 is an invariant, and the sum of all terms must stay there.
 * Limbs may also be added one by one (MPI_SUM) over up to 2^30 ranks. */
struct wide wide_from(double x, int exponent);
void wide_add(struct wide *a, struct wide b);
double wide_value(struct wide a, int exponent);
/* wide_add(&a[i], wide_from(x[i], exponent)) for all i. */
void wide_add_from(struct wide *restrict a, const double *restrict x, int64_t n, int exponent);

#endif
