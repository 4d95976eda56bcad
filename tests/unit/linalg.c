/* linalg.c: products against sums in double, decompositions put together again, the same bits whoever calls at the same time. */
#include "common/math/linalg.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "tests/support/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;
static double uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) * 0x1p-23 - 1;
}
static void *fresh(int64_t n, size_t size)
{
    void *p = aligned_alloc(64, ((size_t)n * size + 63) / 64 * 64);
    ck_assert_ptr_nonnull(p);
    return p;
}
static double *doubles(int64_t n)
{
    double *x = fresh(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = uniform();
    return x;
}
static float *floats(const double *x, int64_t n)
{
    float *y = fresh(n, sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = (float)x[i];
    return y;
}

static const int64_t sides[][3] = { { 1, 1, 1 },    { 1, 9, 3 },      { 9, 1, 2 },      { 17, 31, 31 },
                                    { 64, 64, 64 }, { 130, 77, 300 }, { 300, 20, 1024 } };
enum { N_SIDES = sizeof sides / sizeof *sides };

static double element(const double *x, bool transposed, int64_t i, int64_t j, int64_t rows, int64_t cols)
{
    return transposed ? x[j * rows + i] : x[i * cols + j];
}

START_TEST(products_are_sums_of_products_in_every_arrangement)
{
    const int64_t m = sides[_i][0], n = sides[_i][1], k = sides[_i][2];
    double *a = doubles(m * k), *b = doubles(k * n), *c = fresh(m * n, sizeof *c);
    float *fa = floats(a, m * k), *fb = floats(b, k * n), *fc = fresh(m * n, sizeof *fc);
    for (int64_t i = 0; i < m * k; i++) a[i] = (double)fa[i];
    for (int64_t i = 0; i < k * n; i++) b[i] = (double)fb[i];
    for (int way = 0; way < 4; way++) {
        const bool ta = way % 2 == 1, tb = way / 2 == 1;
        linalg_product_f32(fc, m, n, k, fa, ta, fb, tb);
        if (linalg_has_lapack()) linalg_product_f64(c, m, n, k, a, ta, b, tb);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++) sum += element(a, ta, i, l, m, k) * element(b, tb, l, j, k, n);
                ck_assert_double_eq_tol((double)fc[i * n + j], sum, 1e-6 * (double)k);
                if (linalg_has_lapack()) ck_assert_double_eq_tol(c[i * n + j], sum, 1e-14 * (double)k);
            }
    }
    free(a), free(b), free(c), free(fa), free(fb), free(fc);
}
END_TEST

START_TEST(a_gram_matrix_is_the_product_with_the_transpose_and_symmetric_to_the_bit)
{
    const int64_t n = _i == N_SIDES ? 600 : sides[_i][0], k = _i == N_SIDES ? 33 : sides[_i][1]; /* 600 rows: three blocks */
    double *a = doubles(n * k), *c = fresh(n * n, sizeof *c);
    float *fa = floats(a, n * k), *fc = fresh(n * n, sizeof *fc);
    for (int64_t i = 0; i < n * k; i++) a[i] = (double)fa[i];
    linalg_gram_f32(fc, n, k, fa);
    for (int way = 0; way < 2; way++) {
        if (linalg_has_lapack()) linalg_gram_f64(c, n, k, a, way == 1);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++) sum += element(a, way == 1, i, l, n, k) * element(a, way == 1, j, l, n, k);
                if (way == 0) ck_assert_double_eq_tol((double)fc[i * n + j], sum, 1e-6 * (double)k);
                ck_assert(memcmp(&fc[i * n + j], &fc[j * n + i], sizeof *fc) == 0);
                if (!linalg_has_lapack()) continue;
                ck_assert_double_eq_tol(c[i * n + j], sum, 1e-14 * (double)k);
                ck_assert(memcmp(&c[i * n + j], &c[j * n + i], sizeof *c) == 0);
            }
    }
    free(a), free(c), free(fa), free(fc);
}
END_TEST

/* |a a^T - 1| for rows of length m. */
static void ck_orthonormal_rows(const double *a, int64_t n, int64_t m)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0;
            for (int64_t l = 0; l < m; l++) sum += a[i * m + l] * a[j * m + l];
            ck_assert_double_eq_tol(sum, i == j, 1e-12);
        }
}

START_TEST(eigenvectors_are_orthonormal_rows_and_make_the_matrix_again)
{
    const int64_t n = sides[_i][0], k = sides[_i][1]; /* k < n: eigenvalues that are zero */
    double *a = doubles(n * k), *square = fresh(n * n, sizeof *square), *v = fresh(n * n, sizeof *v), *values = fresh(n, sizeof *values);
    void *scratch = fresh((int64_t)linalg_eigen_scratch(n), 1);
    linalg_gram_f64(square, n, k, a, false);
    memcpy(v, square, (size_t)(n * n) * sizeof *v);
    ck_assert(linalg_eigen(n, v, values, scratch));
    ck_orthonormal_rows(v, n, n);
    for (int64_t i = 0; i < n; i++) {
        ck_assert(i == 0 || values[i - 1] <= values[i]);
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < n; l++) sum += v[l * n + i] * values[l] * v[l * n + j];
            ck_assert_double_eq_tol(sum, square[i * n + j], 1e-12 * (1 + values[n - 1]));
        }
    }
    v[n * n / 2] = (double)NAN;
    ck_assert(!linalg_eigen(n, v, values, scratch));
    free(a), free(square), free(v), free(values), free(scratch);
}
END_TEST

START_TEST(orthonormal_rows_span_what_they_came_from_and_point_the_same_way)
{
    const int64_t n = sides[_i][0] < sides[_i][1] ? sides[_i][0] : sides[_i][1], m = sides[_i][0] + sides[_i][1] - n;
    double *a = doubles(n * m), *q = fresh(n * m, sizeof *q), *again = fresh(n * m, sizeof *again);
    void *scratch = fresh((int64_t)linalg_orthonormal_rows_scratch(n, m), 1);
    memcpy(q, a, (size_t)(n * m) * sizeof *q);
    linalg_orthonormal_rows(n, m, q, scratch);
    ck_orthonormal_rows(q, n, m);
    for (int64_t i = 0; i < n; i++) { /* a_i = sum over j <= i of (a_i, q_j) q_j, with a positive last term */
        for (int64_t l = 0; l < m; l++) again[l] = 0;
        for (int64_t j = 0; j <= i; j++) {
            double dot = 0;
            for (int64_t l = 0; l < m; l++) dot += a[i * m + l] * q[j * m + l];
            if (j == i) ck_assert_double_gt(dot, 0);
            for (int64_t l = 0; l < m; l++) again[l] += dot * q[j * m + l];
        }
        for (int64_t l = 0; l < m; l++) ck_assert_double_eq_tol(again[l], a[i * m + l], 1e-12 * (double)m);
    }
    memcpy(again, q, (size_t)(n * m) * sizeof *q);
    linalg_orthonormal_rows(n, m, again, scratch);
    for (int64_t i = 0; i < n * m; i++) ck_assert_double_eq_tol(again[i], q[i], 1e-12); /* what is orthonormal stays */
    memset(q, 0, (size_t)(n * m) * sizeof *q);
    linalg_orthonormal_rows(n, m, q, scratch);
    ck_orthonormal_rows(q, n, m); /* also rows that span nothing */
    free(a), free(q), free(again), free(scratch);
}
END_TEST

START_TEST(singular_vectors_make_the_matrix_again)
{
    const int64_t n = sides[_i][0], m = sides[_i][1], k = n < m ? n : m;
    double *a = doubles(n * m), *copy = fresh(n * m, sizeof *copy), *left = fresh(n * k, sizeof *left),
           *right = fresh(k * m, sizeof *right);
    double *values = fresh(k, sizeof *values);
    void *scratch = fresh((int64_t)linalg_svd_scratch(n, m), 1);
    memcpy(copy, a, (size_t)(n * m) * sizeof *a);
    ck_assert(linalg_svd(n, m, copy, left, values, right, scratch));
    ck_orthonormal_rows(right, k, m);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += left[i * k + l] * values[l] * right[l * m + j];
            ck_assert_double_eq_tol(sum, a[i * m + j], 1e-12 * (1 + values[0]));
        }
    for (int64_t l = 1; l < k; l++) ck_assert(values[l - 1] >= values[l] && values[l] >= 0);
    a[n * m - 1] = (double)INFINITY;
    ck_assert(!linalg_svd(n, m, a, left, values, right, scratch));
    free(a), free(copy), free(left), free(right), free(values), free(scratch);
}
END_TEST

/* ---- many at once ---- */

enum { SIDE = 150, LONG = 203, TASKS = 12 };
struct crowd {
    const double *input;
    const float *input_f32;
    unsigned char *result; /* [TASKS] blocks */
    size_t block, scratch;
};

static void everything(void *context, int64_t task, int thread)
{
    const struct crowd *c = context;
    double *out = (double *)(void *)(c->result + (size_t)task * c->block);
    double *gram = out, *rows = gram + SIDE * SIDE, *left = rows + SIDE * LONG, *right = left + SIDE * SIDE, *values = right + SIDE * LONG;
    float *product = (float *)(void *)(values + 2 * SIDE + 4), *square = product + SIDE * SIDE;
    unsigned char *work = fresh((int64_t)c->scratch + SIDE * LONG * 8, 1);
    double *copy = (double *)(void *)(work + c->scratch);
    linalg_product_f32(product, SIDE, SIDE, LONG, c->input_f32, false, c->input_f32, true);
    linalg_gram_f32(square, SIDE, LONG, c->input_f32);
    if (linalg_has_lapack()) {
        linalg_gram_f64(gram, SIDE, LONG, c->input, false);
        ck_assert(linalg_eigen(SIDE, gram, values, work));
        memcpy(rows, c->input, SIDE * LONG * sizeof *rows);
        linalg_orthonormal_rows(SIDE, LONG, rows, work);
        memcpy(copy, c->input, SIDE * LONG * sizeof *rows);
        ck_assert(linalg_svd(SIDE, LONG, copy, left, values + SIDE, right, work));
    }
    free(work);
}

START_TEST(bits_do_not_depend_on_threads_or_on_who_else_calls)
{
    static const int threads[] = { 1, 2, 16 };
    double *input = doubles(SIDE * LONG);
    float *input_f32 = floats(input, SIDE * LONG);
    struct crowd c = { .input = input,
                       .input_f32 = input_f32,
                       .block = (2 * SIDE * SIDE + 2 * SIDE * LONG + 2 * SIDE + 4) * sizeof(double) };
    c.block = (c.block + 2 * SIDE * SIDE * sizeof(float) + 63) / 64 * 64;
    c.scratch = 64;
    if (linalg_has_lapack())
        c.scratch += linalg_svd_scratch(SIDE, LONG) + linalg_eigen_scratch(SIDE) + linalg_orthonormal_rows_scratch(SIDE, LONG);
    unsigned char *first = NULL;
    for (int i = 0; i < 3; i++) {
        parallel_set_threads(threads[i]);
        c.result = fresh(TASKS * (int64_t)c.block, 1);
        memset(c.result, 0, TASKS * c.block);
        parallel_for(TASKS, everything, &c);
        for (int task = 1; task < TASKS; task++) ck_assert_mem_eq(c.result, c.result + (size_t)task * c.block, c.block);
        if (first == NULL)
            first = c.result;
        else {
            ck_assert_mem_eq(first, c.result, TASKS * c.block);
            free(c.result);
        }
    }
    c.result = fresh((int64_t)c.block, 1);
    memset(c.result, 0, c.block);
    everything(&c, 0, 0); /* outside a task, where a library would open threads */
    ck_assert_mem_eq(first, c.result, c.block);
    free(first), free(c.result), free(input), free(input_f32);
}
END_TEST

int main(void)
{
    parallel_init();
    Suite *s = suite_create("linalg");
    TCase *c = tcase_create("linalg");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, products_are_sums_of_products_in_every_arrangement, 0, N_SIDES);
    tcase_add_loop_test(c, a_gram_matrix_is_the_product_with_the_transpose_and_symmetric_to_the_bit, 0, N_SIDES + 1);
    if (linalg_has_lapack()) {
        tcase_add_loop_test(c, eigenvectors_are_orthonormal_rows_and_make_the_matrix_again, 0, N_SIDES);
        tcase_add_loop_test(c, orthonormal_rows_span_what_they_came_from_and_point_the_same_way, 0, N_SIDES);
        tcase_add_loop_test(c, singular_vectors_make_the_matrix_again, 0, N_SIDES);
    }
    tcase_add_test(c, bits_do_not_depend_on_threads_or_on_who_else_calls);
    suite_add_tcase(s, c);
    return suite_main(s, CK_NOFORK);
}
