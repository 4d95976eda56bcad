/* gemm_cblas.c: products by any CBLAS, one thread per call; built where oneDNN is not. It has no primitives and no bf16. */
#ifndef LAMINA_HAVE_DNNL
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/libraries.h"
#include "common/base/parallel.h"
#include "private.h"
#include "product.h"
#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int narrow(int64_t n)
{
    CHECK(n <= INT_MAX);
    return (int)n;
}

static void multiply(const struct gemm *g)
{
    cblas_sgemm(CblasRowMajor, g->a_transposed ? CblasTrans : CblasNoTrans, g->b_transposed ? CblasTrans : CblasNoTrans, narrow(g->m),
                narrow(g->n), narrow(g->k), 1, g->a, narrow(g->lda), g->b, narrow(g->ldb), g->add ? 1 : 0, g->c, narrow(g->ldc));
}
static void sgemm(const struct gemm *g)
{
    libraries_single_threaded(); /* the tasks are the threads */
    multiply(g);
}

static bool bf16_native(void) { return false; }
static struct gemm_primitive *prepare(const struct gemm *g, size_t room) { return NULL; }
static void execute(struct gemm_primitive *p, const struct gemm *g, void *scratch) { CHECK(p != NULL); }
static void describe(enum dtype dtype, char *out, size_t size) { (void)snprintf(out, size, "CBLAS sgemm, %s", math_libraries()); }
static void limit(enum isa isa) {} /* OPENBLAS_CORETYPE chooses, before the program starts */

static double peak(int64_t m, int64_t n, int64_t k, int64_t pad, bool packed, enum dtype dtype, int times)
{
    if (packed || dtype != DT_F32) return -1;
    float *a = calloc((size_t)(m * (k + pad)), sizeof *a), *b = calloc((size_t)(k * (n + pad)), sizeof *b);
    float *c = calloc((size_t)(m * (n + pad)), sizeof *c);
    CHECK(a != NULL && b != NULL && c != NULL);
    for (int64_t i = 0; i < m * (k + pad); i++) a[i] = (float)(i % 101) / 101;
    for (int64_t i = 0; i < k * (n + pad); i++) b[i] = (float)(i % 103) / 103;
    const struct gemm g = { .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .lda = k + pad, .ldb = n + pad, .ldc = n + pad };
    double best = -1;
    libraries_single_threaded(); /* not in the middle of what follows */
    libraries_threads(parallel_threads());
    multiply(&g);
    for (int i = 0; i < times; i++) {
        const double start = clock_seconds();
        multiply(&g);
        const double seconds = clock_seconds() - start;
        if (best < 0 || seconds < best) best = seconds;
    }
    libraries_threads(1);
    free(a), free(b), free(c);
    return best;
}

const char *library_dnnl(void) { return NULL; }

const struct gemm_backend *gemm_backend(void)
{
    static const struct gemm_backend cblas = {
        .describe = describe,
        .sgemm = sgemm,
        .bf16_native = bf16_native,
        .prepare = prepare,
        .execute = execute,
        .limit = limit,
        .peak = peak,
    };
    return &cblas;
}
#else
enum { GEMM_CBLAS_IS_NOT_BUILT };
#endif
