#include "linalg.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "private.h"

#include <limits.h>
#include <math.h>
#ifdef LAMINA_HAVE_LAPACKE
#include <cblas.h>
#include <lapacke.h>
#endif

enum {
    GRAM_BLOCK = 256, /* rows of a block of a gram matrix: those above the diagonal are copied */
    ALIAS_LD = 1024,  /* rows a multiple of 4 KiB apart share few cache sets: K goes in chunks, as in product.c */
    ALIAS_K = 1024,
};

/* ---- floats ---- */

/* c[m,n] = a b with leading dimensions, in this thread. */
static void multiply(float *c, int64_t ldc, int64_t m, int64_t n, int64_t k, const float *a, bool ta, const float *b, bool tb)
{
    const int64_t lda = ta ? m : k, ldb = tb ? k : n;
    const int64_t chunk = lda % ALIAS_LD == 0 || ldb % ALIAS_LD == 0 ? ALIAS_K : k;
    const int before = parallel_library_threads(1); /* oneDNN opens threads where it is called outside a task */
    for (int64_t at = 0; at < k; at += chunk) {
        const struct gemm g = { .m = m,
                                .n = n,
                                .k = min_i64(chunk, k - at),
                                .add = at > 0,
                                .c = c,
                                .ldc = ldc,
                                .a = a + (ta ? at * lda : at),
                                .lda = lda,
                                .a_transposed = ta,
                                .b = b + (tb ? at : at * ldb),
                                .ldb = ldb,
                                .b_transposed = tb };
        gemm_backend()->sgemm(&g);
    }
    (void)parallel_library_threads(before);
}

void linalg_product_f32(float *c, int64_t m, int64_t n, int64_t k, const float *a, bool a_transposed, const float *b, bool b_transposed)
{
    CHECK(m > 0 && n > 0 && k > 0);
    multiply(c, n, m, n, k, a, a_transposed, b, b_transposed);
}

void linalg_gram_f32(float *c, int64_t n, int64_t k, const float *a)
{
    CHECK(n > 0 && k > 0);
    for (int64_t row = 0; row < n; row += GRAM_BLOCK) {
        const int64_t rows = min_i64(GRAM_BLOCK, n - row);
        multiply(c + row * n, n, rows, row + rows, k, a + row * k, false, a, true);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) c[i * n + j] = c[j * n + i];
}

/* ---- doubles ---- */

#ifdef LAMINA_HAVE_LAPACKE

bool linalg_has_lapack(void) { return true; }

static int narrow(int64_t n)
{
    CHECK(0 < n && n <= INT_MAX);
    return (int)n;
}

void linalg_product_f64(double *c, int64_t m, int64_t n, int64_t k, const double *a, bool a_transposed, const double *b, bool b_transposed)
{
    libraries_single_threaded(); /* before the first call, whoever makes it */
    cblas_dgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, narrow(m), narrow(n),
                narrow(k), 1, a, narrow(a_transposed ? m : k), b, narrow(b_transposed ? k : n), 0, c, narrow(n));
}

void linalg_gram_f64(double *c, int64_t n, int64_t k, const double *a, bool transposed)
{
    libraries_single_threaded();
    cblas_dsyrk(CblasRowMajor, CblasLower, transposed ? CblasTrans : CblasNoTrans, narrow(n), narrow(k), 1, a, narrow(transposed ? n : k),
                0, c, narrow(n));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) c[i * n + j] = c[j * n + i];
}

static bool all_finite(const double *x, int64_t n)
{
    bool all = true;
    for (int64_t i = 0; i < n; i++) all = all && isfinite(x[i]);
    return all;
}

/* Sizes of work that LAPACK asks for: doubles, then integers behind them. */
struct work {
    lapack_int doubles, integers;
};
static size_t doubles_bytes(const struct work *w) { return ((size_t)w->doubles * sizeof(double) + 63) / 64 * 64; }
static size_t work_bytes(const struct work *w) { return doubles_bytes(w) + ((size_t)w->integers * sizeof(lapack_int) + 63) / 64 * 64; }
static lapack_int *integers_in(void *scratch, const struct work *w)
{
    return (lapack_int *)(void *)((unsigned char *)scratch + doubles_bytes(w));
}

/* Eigenvectors are columns in LAPACK's column order: rows in ours. A symmetric matrix is its own transpose. */
static struct work eigen_work(int n)
{
    double doubles, unused = 0;
    lapack_int integers;
    CHECK(LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', n, &unused, n, &unused, &doubles, -1, &integers, -1) == 0);
    return (struct work){ (lapack_int)doubles, integers };
}
size_t linalg_eigen_scratch(int64_t n)
{
    const struct work w = eigen_work(narrow(n));
    return work_bytes(&w);
}
bool linalg_eigen(int64_t n, double *a, double *values, void *scratch)
{
    libraries_single_threaded();
    const int side = narrow(n);
    const struct work w = eigen_work(side);
    if (!all_finite(a, n * n)) return false;
    const lapack_int info =
        LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', side, a, side, values, scratch, w.doubles, integers_in(scratch, &w), w.integers);
    CHECK(info >= 0);
    return info == 0;
}

/* a^T is column-major [m,n]: its columns are our rows. The first doubles of the scratch are tau and the signs. */
static struct work rows_work(int n, int m)
{
    double factor, form, unused = 0;
    CHECK(LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, &unused, m, &unused, &factor, -1) == 0);
    CHECK(LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, m, n, n, &unused, m, &unused, &form, -1) == 0);
    return (struct work){ .doubles = (lapack_int)(factor > form ? factor : form) };
}
static size_t column_bytes(int64_t n) { return ((size_t)n * sizeof(double) + 63) / 64 * 64; }
size_t linalg_orthonormal_rows_scratch(int64_t n, int64_t m)
{
    const struct work w = rows_work(narrow(n), narrow(m));
    return 2 * column_bytes(n) + work_bytes(&w);
}
void linalg_orthonormal_rows(int64_t n, int64_t m, double *a, void *scratch)
{
    libraries_single_threaded();
    CHECK(n <= m);
    const int rows = narrow(n), cols = narrow(m);
    const struct work w = rows_work(rows, cols);
    double *tau = scratch, *sign = (double *)(void *)((unsigned char *)scratch + column_bytes(n));
    double *work = (double *)(void *)((unsigned char *)scratch + 2 * column_bytes(n));
    CHECK(LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, cols, rows, a, cols, tau, work, w.doubles) == 0);
    for (int64_t i = 0; i < n; i++) sign[i] = a[i * m + i] < 0 ? -1 : 1;
    CHECK(LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, cols, rows, rows, a, cols, tau, work, w.doubles) == 0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) a[i * m + j] *= sign[i];
}

/* a^T = right^T diag left^T, column-major [m,n]: what LAPACK calls U is our right, its V^T our left. */
static struct work svd_work(int n, int m)
{
    const int k = n < m ? n : m;
    double doubles, unused = 0;
    lapack_int integers;
    CHECK(LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', m, n, &unused, m, &unused, &unused, m, &unused, k, &doubles, -1, &integers) == 0);
    return (struct work){ (lapack_int)doubles, 8 * k };
}
size_t linalg_svd_scratch(int64_t n, int64_t m)
{
    const struct work w = svd_work(narrow(n), narrow(m));
    return work_bytes(&w);
}
bool linalg_svd(int64_t n, int64_t m, double *a, double *left, double *values, double *right, void *scratch)
{
    libraries_single_threaded();
    const int rows = narrow(n), cols = narrow(m), k = rows < cols ? rows : cols;
    const struct work w = svd_work(rows, cols);
    if (!all_finite(a, n * m)) return false;
    const lapack_int info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', cols, rows, a, cols, values, right, cols, left, k, scratch,
                                                w.doubles, integers_in(scratch, &w));
    CHECK(info >= 0);
    return info == 0;
}

#else

/* Rules that need these are refused when they are configured. */
bool linalg_has_lapack(void) { return false; }
static void absent(void) { CHECK(!"LAPACK, which this build lacks"); }
void linalg_product_f64(double *c, int64_t m, int64_t n, int64_t k, const double *a, bool a_transposed, const double *b, bool b_transposed)
{
    absent();
}
void linalg_gram_f64(double *c, int64_t n, int64_t k, const double *a, bool transposed) { absent(); }
bool linalg_eigen(int64_t n, double *a, double *values, void *scratch) { return absent(), false; }
size_t linalg_eigen_scratch(int64_t n) { return absent(), (size_t)0; }
void linalg_orthonormal_rows(int64_t n, int64_t m, double *a, void *scratch) { absent(); }
size_t linalg_orthonormal_rows_scratch(int64_t n, int64_t m) { return absent(), (size_t)0; }
bool linalg_svd(int64_t n, int64_t m, double *a, double *left, double *values, double *right, void *scratch) { return absent(), false; }
size_t linalg_svd_scratch(int64_t n, int64_t m) { return absent(), (size_t)0; }

#endif
