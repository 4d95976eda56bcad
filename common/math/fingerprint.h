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
/* The tile that a product of this shape is made of, in the three arrangements of training (y = x W^T, dx = dy W, dW = dy^T x), K cut to
 * 1024. A tile already in f costs nothing; 20 tiles take under a second. Rows beyond FINGERPRINT_MAX are mixed into the last. */
void fingerprint_product(struct fingerprint *f, int64_t m, int64_t n, int64_t k, enum dtype dtype);
/* Decompositions and products in double, for runs whose optimizers work on whole matrices. Adds nothing where the build lacks LAPACK. */
void fingerprint_linalg(struct fingerprint *f);
struct digest128 fingerprint_digest(const struct fingerprint *f);

#endif
