/* vec.h: elementwise kernels and row sums in the best instruction set chosen at run time; vector body and tail use the same formulas,
 * so a row cut anywhere gives the same bits, and every instruction set of one binary and lane order is documented in README.md.
 * All counts may be any n >= 0; pointers need no alignment. An output may be one of the inputs itself (exp in place), but may not overlap
 * one otherwise. */
#ifndef LAMINA_MATH_VEC_H
#define LAMINA_MATH_VEC_H

#include <stdint.h>

/* exp, log, tanh of fp32 to 2 ulp; exp of less than -87 is 0, log of zero or a denormal is -inf, NaN stays NaN. 1 / sqrtf(x) needs no
 * kernel: IEEE rounds both exactly, on every machine. */
void vec_exp(float *out, const float *x, int64_t n);
void vec_log(float *out, const float *x, int64_t n);
void vec_tanh(float *out, const float *x, int64_t n);
float scalar_exp(float x);
float scalar_log(float x);
float scalar_tanh(float x);

/* Sums in double in a fixed order that depends on n only (16 partial sums, then a fixed tree). */
double vec_sum(const float *x, int64_t n);
double vec_sum_squares(const float *x, int64_t n);
double vec_dot(const float *x, const float *y, int64_t n);
float vec_max(const float *x, int64_t n); /* NaN is passed over; n = 0: -inf */

void vec_add(float *out, const float *x, int64_t n);            /* out += x */
void vec_axpy(float *out, float a, const float *x, int64_t n);  /* out += a*x, fused where the set has FMA */
void vec_scale(float *out, float a, const float *x, int64_t n); /* out = a*x */

/* exp(x - max) into out, and their sum in double: the body of a softmax row. */
double vec_softmax_body(float *out, const float *x, float max, int64_t n);

/* GELU, tanh form (Hendrycks & Gimpel 2016), and its derivative times dy. */
void vec_gelu(float *out, const float *x, int64_t n);
void vec_gelu_backward(float *dx, const float *x, const float *dy, int64_t n);
/* y = silu(a) * b (Shazeer 2020), and da, db. */
void vec_swiglu(float *y, const float *a, const float *b, int64_t n);
void vec_swiglu_backward(float *da, float *db, const float *a, const float *b, const float *dy, int64_t n);

/* Rows between storage and fp32: returns x itself when it is fp32, else converts into scratch. */
#include "common/tensor/tensor.h"
const float *row_load(const struct tensor *t, int64_t first, int64_t n, float *scratch);
/* Writable fp32 row: the tensor itself when fp32, else scratch; row_store rounds it back (no-op when fp32). */
float *row_open(const struct tensor *t, int64_t first, int64_t n, float *scratch);
void row_store(const struct tensor *t, int64_t first, int64_t n, const float *row);

#endif
