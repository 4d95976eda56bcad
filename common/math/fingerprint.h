/* fingerprint.h: what this machine's kernels compute, as a digest. Ranks whose fingerprints differ may not share a run. */
#ifndef LAMINA_MATH_FINGERPRINT_H
#define LAMINA_MATH_FINGERPRINT_H

#include "common/base/digest.h"
#include "common/tensor/tensor.h"

enum { FINGERPRINT_MAX = 64, FINGERPRINT_NAME = 48 };
/* One row per kernel and tile shape: name and digest of its result on Philox numbers. */
struct fingerprint {
    int n;
    char kernel[FINGERPRINT_MAX][FINGERPRINT_NAME]; /* "exp", "product 512x768x1024 bf16" */
    struct digest128 digest[FINGERPRINT_MAX];
};
/* The vec kernels, an attention-sized softmax, conversions. */
void fingerprint_start(struct fingerprint *f);
/* What a product is for says how its operands are stored: y = x W^T, dx = dy W, dW = dy^T x. */
enum product_use { PRODUCT_Y, PRODUCT_DX, PRODUCT_DW };
/* The tile that a product [m,k] x [k,n] of this use is made of, K cut to 1024. A tile already in f costs nothing. Rows beyond
 * FINGERPRINT_MAX are mixed into the last. */
void fingerprint_product(struct fingerprint *f, enum product_use use, int64_t m, int64_t n, int64_t k, enum dtype dtype);
/* The three products of a weight [rows, cols] that meets so many tokens at once. Twenty weights take under a second. */
void fingerprint_weights(struct fingerprint *f, int64_t tokens, int64_t rows, int64_t cols, enum dtype dtype);
/* Products and decompositions of whole matrices, for runs whose optimizers work on these. What the build lacks adds nothing. */
void fingerprint_linalg(struct fingerprint *f);
struct digest128 fingerprint_digest(const struct fingerprint *f);

#endif
