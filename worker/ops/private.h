/* private.h: what the ops share: rows cut into tasks, rows of any stored type, sums over token rows. */
#ifndef LAMINA_OPS_INSIDE
#error "private to worker/ops"
#endif
#ifndef LAMINA_OPS_PRIVATE_H
#define LAMINA_OPS_PRIVATE_H

#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/product.h"
#include "common/math/vec.h"
#include "worker/ops/ops.h"

#include <string.h>

enum { ROW_BLOCK = 64 }; /* token rows per task; part of the bits, as partial sums follow it */

static inline int64_t row_blocks(int64_t rows) { return ceil_div(rows, ROW_BLOCK); }
static inline int64_t block_first(int64_t block) { return block * ROW_BLOCK; }
static inline int64_t block_last(int64_t block, int64_t rows) { return min_i64(rows, (block + 1) * ROW_BLOCK); } /* exclusive */

static inline size_t size_most(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t floats(int64_t n) { return ((size_t)n * sizeof(float) + 63) / 64 * 64; } /* bytes, in whole cache lines */

/* This thread's part of the scratch memory. */
static inline void *thread_scratch(const struct op_call *c, int thread)
{
    return (unsigned char *)c->scratch + (size_t)thread * c->shape->scratch_bytes;
}
/* Hand out `bytes` (whole cache lines) of a region. */
static inline void *take(unsigned char **region, size_t bytes)
{
    void *p = *region;
    *region += bytes;
    return p;
}

/* The same rows with another last dimension, in the compute type. */
struct tensor tensor_with_cols(const struct tensor *t, int64_t cols);

/* d[first..first+n) = row, or += row: how a gradient is written. spare: n floats. */
void gradient_write(const struct tensor *d, int64_t first, int64_t n, const float *row, bool add, float *spare);

/* Sums over token rows (gradients of gains and biases): each block of rows sums into its own line of partial [row_blocks, cols]; here the
 * lines are added in index order, in double, and leave as one contribution to columns of the sink. */
size_t partial_bytes(int64_t rows, int64_t cols);
void partial_reduce(const float *partial, int64_t rows, int64_t ld, int64_t cols, const struct exact_sink *sink);

/* base^exponent for base > 0, exponent <= 0, and sine and cosine of x >= 0: plain arithmetic in double, so that no machine's libm shows. */
double angle_power(double base, double exponent);
void angle_sin_cos(double x, float *sine, float *cosine);

#endif
