/* linalg.h: dense linear algebra in the calling thread, for whole matrices that are worked on one per task. Sequential, so the bits do not
 * depend on how many threads there are; nothing is allocated, scratch is the caller's. Matrices are row-major without gaps. Give
 * LAPACK 64-byte aligned memory, always the same for the same shape: some kernels treat the ends of unaligned rows apart. */
#ifndef LAMINA_MATH_LINALG_H
#define LAMINA_MATH_LINALG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False where this build has no LAPACK: then only the functions on floats may be called. */
bool linalg_has_lapack(void);

/* c[m,n] = a b, a logical [m,k], b logical [k,n]; a transposed operand is stored [k,m] or [n,k]. c is apart from a and b. */
void linalg_product_f32(float *c, int64_t m, int64_t n, int64_t k, const float *a, bool a_transposed, const float *b, bool b_transposed);
void linalg_product_f64(double *c, int64_t m, int64_t n, int64_t k, const double *a, bool a_transposed, const double *b, bool b_transposed);
/* c[n,n] = a a^T for a [n,k]; every pair c_ij = c_ji is equal to the bit.   Cost: half of the product (in blocks for floats). */
void linalg_gram_f32(float *c, int64_t n, int64_t k, const float *a);
/* c[n,n] = a a^T for a [n,k], or a^T a for a stored [k,n]. */
void linalg_gram_f64(double *c, int64_t n, int64_t k, const double *a, bool transposed);

/* Eigenvalues of a symmetric a [n,n] in rising order; row i of a becomes the unit eigenvector of values[i] (its sign is LAPACK's).
 * False, with a and values undefined: a has a number that is not finite, or no convergence. Source: LAPACK dsyevd. Cost: about 9 n^3. */
bool linalg_eigen(int64_t n, double *a, double *values, void *scratch);
size_t linalg_eigen_scratch(int64_t n); /* bytes */

/* Rows of a [n,m], n <= m, become orthonormal, row i in the span of rows 0..i: a^T = Q R, a <- Q^T, with the signs that make the diagonal
 * of R positive or zero, so rows that are nearly orthonormal stay where they are. Source: LAPACK dgeqrf, dorgqr. Cost: 4 n^2 (m - n/3). */
void linalg_orthonormal_rows(int64_t n, int64_t m, double *a, void *scratch);
size_t linalg_orthonormal_rows_scratch(int64_t n, int64_t m);

/* a [n,m] = left diag(values) right, left [n,k], right [k,m], k = min(n,m), values falling. a is destroyed. False as above.
 * Source: LAPACK dgesdd. Cost: about 4 max(n,m) k^2 + 13 k^3. */
bool linalg_svd(int64_t n, int64_t m, double *a, double *left, double *values, double *right, void *scratch);
size_t linalg_svd_scratch(int64_t n, int64_t m);

#endif
