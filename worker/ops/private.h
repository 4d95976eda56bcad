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

/* Where documents are kept apart, ops that mix or number tokens have a second input: starts [B,T], the place in the window where the
 * document of each token begins (0 <= start[t] <= t, growing). NULL: a window is one document. */
static inline bool starts_fit(const struct op_shape *s)
{
    const struct tensor *starts = &s->in[1];
    return s->n_in == 1 ||
           (s->n_in == 2 && starts->dtype == DT_I32 && starts->dim[0] == s->in[0].dim[0] && starts->dim[1] == s->in[0].dim[1]);
}
static inline const int32_t *starts_of(const struct op_call *c) { return c->shape->n_in == 2 ? tensor_i32(&c->in[1]) : NULL; }
/* The place of a token row in its document; what came before this call is not counted. */
static inline int64_t place_in_document(const int32_t *starts, int64_t row, int64_t T)
{
    const int64_t start = starts != NULL ? starts[row] : 0;
    CHECK(start >= 0 && start <= row % T);
    return row % T - start;
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
