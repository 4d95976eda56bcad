#include "fingerprint.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"
#include "linalg.h"
#include "private.h"
#include "product.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROW = 1037, /* body and tail of every vector width */
    POOL = 64 * 1024,
    PRODUCT_K = 1024,
    LINALG_ROWS = 96, /* blocked code, and the ends of its blocks */
    LINALG_COLS = 131,
    LINALG_DEPTH = 640 /* sums longer than a library's blocks: short ones come out alike in many kernels */
};

static void row_add(struct fingerprint *f, const char *name, struct digest128 digest)
{
    if (f->n < FINGERPRINT_MAX) {
        (void)snprintf(f->kernel[f->n], FINGERPRINT_NAME, "%s", name);
        f->digest[f->n++] = digest;
        return;
    }
    struct digest128 both[2] = { f->digest[FINGERPRINT_MAX - 1], digest };
    (void)snprintf(f->kernel[FINGERPRINT_MAX - 1], FINGERPRINT_NAME, "further products");
    f->digest[FINGERPRINT_MAX - 1] = digest_bytes(both, sizeof both);
}

/* Element i of stream s in (-scale, scale). */
static void numbers(float *out, int64_t n, uint32_t stream, double scale)
{
    const struct rng_key key = { .purpose = RNG_FINGERPRINT, .stream = stream };
    for (int64_t i = 0; i < n; i++) out[i] = (float)(scale * (2 * rng_uniform(key, 0, i) - 1));
}

/* ---- elementwise kernels: each row of this table is a kernel and how it is fed ---- */

struct feed {
    float x[ROW], y[ROW], d[ROW], out[2][ROW];
    uint16_t half[ROW];
    double sum[2];
};
static const struct vec_table *v(void) { return vec_table(); }

static void run_exp(struct feed *f) { v()->exp(f->out[0], f->x, ROW); }
static void run_log(struct feed *f)
{
    for (int i = 0; i < ROW; i++) f->out[1][i] = f->x[i] * f->x[i] + 1e-3f;
    v()->log(f->out[0], f->out[1], ROW);
}
static void run_tanh(struct feed *f) { v()->tanh(f->out[0], f->x, ROW); }
static void run_sum(struct feed *f) { f->sum[0] = v()->sum(f->x, ROW), f->sum[1] = v()->sum_squares(f->y, ROW); }
static void run_dot(struct feed *f) { f->sum[0] = v()->dot(f->x, f->y, ROW), f->out[0][0] = v()->max(f->x, ROW); }
static void run_linear(struct feed *f)
{
    v()->scale(f->out[0], 1.7f, f->x, ROW);
    v()->axpy(f->out[0], 0.3f, f->y, ROW);
    v()->add(f->out[0], f->d, ROW);
}
static void run_softmax(struct feed *f) { f->sum[0] = v()->softmax_body(f->out[0], f->x, v()->max(f->x, ROW), ROW); }
static void run_gelu(struct feed *f)
{
    v()->gelu(f->out[0], f->x, ROW);
    v()->gelu_backward(f->out[1], f->x, f->d, ROW);
}
static void run_swiglu(struct feed *f) { v()->swiglu(f->out[0], f->x, f->y, ROW); }
static void run_swiglu_backward(struct feed *f) { v()->swiglu_backward(f->out[0], f->out[1], f->x, f->y, f->d, ROW); }
static void run_convert(struct feed *f)
{
    v()->to_bf16(f->half, f->x, ROW);
    v()->from_bf16(f->out[0], f->half, ROW);
}

static const struct {
    const char *name;
    void (*run)(struct feed *f);
} kernels[] = { { "exp", run_exp },         { "log", run_log },
                { "tanh", run_tanh },       { "sum", run_sum },
                { "dot", run_dot },         { "linear", run_linear },
                { "softmax", run_softmax }, { "gelu", run_gelu },
                { "swiglu", run_swiglu },   { "swiglu backward", run_swiglu_backward },
                { "bf16", run_convert } };

void fingerprint_start(struct fingerprint *f)
{
    memset(f, 0, sizeof *f);
    struct feed feed;
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        memset(&feed, 0, sizeof feed);
        numbers(feed.x, ROW, 1, 12), numbers(feed.y, ROW, 2, 3), numbers(feed.d, ROW, 3, 1);
        kernels[k].run(&feed);
        row_add(f, kernels[k].name, digest_bytes(&feed, sizeof feed));
    }
}

/* ---- products ---- */

/* Philox numbers repeated with a period that no power of two divides. */
static void fill(void *out, int64_t n, enum dtype dtype, const float *pool)
{
    enum { PERIOD = POOL - 17 };
    for (int64_t i = 0; i < n; i += PERIOD) {
        const int64_t count = min_i64(PERIOD, n - i);
        if (dtype == DT_BF16)
            v()->to_bf16((uint16_t *)out + i, pool, count);
        else
            memcpy((float *)out + i, pool, (size_t)count * sizeof(float));
    }
}

/* C = A B for one tile, operands stored straight or transposed, into c. */
static void tile_product(float *c, int64_t m, int64_t n, int64_t k, enum dtype dtype, const void *a, const void *b, bool ta, bool tb)
{
    const size_t bytes = product_tile_scratch(m, n, k, dtype);
    void *scratch = malloc(bytes * (size_t)parallel_threads());
    CHECK(scratch != NULL);
    const struct product p = {
        .m = m, .n = n, .k = k, .a = { a, dtype, ta ? m : k, ta }, .b = { b, dtype, tb ? k : n, tb }, .c = c, .c_ld = n
    };
    product_run_tile(&p, scratch, bytes);
    free(scratch);
}

void fingerprint_product(struct fingerprint *f, enum product_use use, int64_t m, int64_t n, int64_t k, enum dtype dtype)
{
    static const struct {
        const char *name;
        bool a, b; /* transposed */
    } uses[] = { [PRODUCT_Y] = { "y", false, true }, [PRODUCT_DX] = { "dx", false, false }, [PRODUCT_DW] = { "dw", true, false } };
    const struct tiling t = product_tiling(m, n);
    const int64_t rows = t.rows, cols = t.cols, depth = min_i64(k, PRODUCT_K);
    char name[FINGERPRINT_NAME];
    (void)snprintf(name, sizeof name, "product %s %dx%dx%d %s", uses[use].name, (int)rows, (int)cols, (int)depth, dtype_name(dtype));
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->kernel[i], name) == 0) return;

    const size_t size = dtype_bytes(dtype);
    float *pool = malloc(POOL * sizeof *pool), *c = malloc((size_t)(rows * cols) * sizeof *c);
    void *a = malloc((size_t)(rows * depth) * size), *b = malloc((size_t)(depth * cols) * size);
    CHECK(pool != NULL && c != NULL && a != NULL && b != NULL);
    numbers(pool, POOL, 4, 1);
    fill(a, rows * depth, dtype, pool);
    numbers(pool, POOL, 5, 1);
    fill(b, depth * cols, dtype, pool);
    tile_product(c, rows, cols, depth, dtype, a, b, uses[use].a, uses[use].b);
    row_add(f, name, digest_bytes(c, (size_t)(rows * cols) * sizeof *c));
    free(pool), free(c), free(a), free(b);
}

void fingerprint_weights(struct fingerprint *f, int64_t tokens, int64_t rows, int64_t cols, enum dtype dtype)
{
    fingerprint_product(f, PRODUCT_Y, tokens, rows, cols, dtype);
    fingerprint_product(f, PRODUCT_DX, tokens, cols, rows, dtype);
    fingerprint_product(f, PRODUCT_DW, rows, cols, tokens, dtype);
}

/* ---- whole matrices ---- */

static struct digest128 products_fp32(const float *pool)
{
    enum { N = LINALG_ROWS, K = LINALG_DEPTH };
    float *square = malloc(sizeof(float) * N * (N + K)), *wide = square + N * N;
    CHECK(square != NULL);
    linalg_gram_f32(square, N, K, pool);
    linalg_product_f32(wide, N, K, N, square, false, pool, false);
    const struct digest128 digest = digest_bytes(square, sizeof(float) * N * (N + K));
    free(square);
    return digest;
}

static struct digest128 gram_fp64(const float *pool)
{
    enum { N = LINALG_ROWS, K = LINALG_DEPTH };
    double *a = malloc(sizeof(double) * N * (N + K)), *square = a + N * K;
    CHECK(a != NULL);
    for (int64_t i = 0; i < N * K; i++) a[i] = (double)pool[i];
    linalg_gram_f64(square, N, K, a, false);
    const struct digest128 digest = digest_bytes(square, sizeof(double) * N * N);
    free(a);
    return digest;
}

static void linalg_digests(struct digest128 out[3], const float *pool)
{
    enum { N = LINALG_ROWS, M = LINALG_COLS };
    const size_t scratch_bytes = linalg_svd_scratch(N, M) + linalg_eigen_scratch(N) + linalg_orthonormal_rows_scratch(N, N);
    double *a = aligned_alloc(64, sizeof(double) * N * M * 4), *scratch = aligned_alloc(64, (scratch_bytes + 63) / 64 * 64);
    CHECK(a != NULL && scratch != NULL);
    double *square = a + N * M, *left = square + N * M, *right = left + N * M, values[N];
    memset(a, 0, sizeof(double) * N * M * 4);
    for (int64_t i = 0; i < N * M; i++) a[i] = (double)pool[i];
    linalg_gram_f64(square, N, M, a, false);
    CHECK(linalg_eigen(N, square, values, scratch));
    out[0] = digest_bytes(square, sizeof(double) * N * N);
    linalg_product_f64(left, N, N, N, square, true, a, false);
    linalg_orthonormal_rows(N, N, left, scratch);
    out[1] = digest_bytes(left, sizeof(double) * N * N);
    CHECK(linalg_svd(N, M, a, left, values, right, scratch));
    out[2] = digest_bytes(right, sizeof(double) * N * M);
    free(a), free(scratch);
}

void fingerprint_linalg(struct fingerprint *f)
{
    static const char *const name[3] = { "eigenvectors fp64", "orthonormal rows fp64", "singular vectors fp64" };
    struct digest128 digest[3];
    float *pool = malloc(POOL * sizeof *pool);
    CHECK(pool != NULL);
    numbers(pool, POOL, 6, 1);
    row_add(f, "whole products fp32", products_fp32(pool));
    if (linalg_has_lapack()) {
        row_add(f, "whole products fp64", gram_fp64(pool));
        linalg_digests(digest, pool);
        for (int i = 0; i < 3; i++) row_add(f, name[i], digest[i]);
    }
    free(pool);
}

struct digest128 fingerprint_digest(const struct fingerprint *f)
{
    struct digest_stream *stream = digest_begin();
    digest_add(stream, f->kernel, (size_t)f->n * sizeof f->kernel[0]);
    digest_add(stream, f->digest, (size_t)f->n * sizeof f->digest[0]);
    return digest_end(stream);
}
