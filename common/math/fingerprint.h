/* fingerprint.h: what this machine's kernels compute, as a digest. Ranks whose fingerprints differ may not share a run. */
#ifndef LAMINA_MATH_FINGERPRINT_H
#define LAMINA_MATH_FINGERPRINT_H

#include "common/base/digest.h"
#include "common/tensor/tensor.h"

enum { FINGERPRINT_MAX = 64 };
/* One row per kernel and tile shape: name and digest of its result on Philox numbers. */
struct fingerprint {
    int n;
    const char *kernel[FINGERPRINT_MAX];
    struct digest128 digest[FINGERPRINT_MAX];
};
/* products: distinct (m, n, k) of the plan's tiles are added by the caller through fingerprint_product. Takes under a second. */
void fingerprint_start(struct fingerprint *f); /* the vec kernels, an attention-sized softmax, conversions */
void fingerprint_product(struct fingerprint *f, int64_t m, int64_t n, int64_t k, enum dtype dtype);
struct digest128 fingerprint_digest(const struct fingerprint *f);

#endif
