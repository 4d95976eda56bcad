/* product.c: products against double, in every arrangement and destination; the same bits at any thread count and address. */
#define LAMINA_MATH
#include "common/math/product.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/private.h"
#include "common/tensor/convert.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-23f - 1;
}
static void *fresh(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    ck_assert_ptr_nonnull(p);
    return p;
}

/* A stored matrix of random numbers, its rows `pad` longer than they need, and the same numbers in fp32. */
struct stored {
    struct matrix matrix;
    float *value;
    void *data;
};
static struct stored stored_make(int64_t rows, int64_t cols, enum dtype dtype, bool transposed, int64_t pad)
{
    const int64_t lines = transposed ? cols : rows, ld = (transposed ? rows : cols) + pad;
    struct stored s = { .value = fresh((size_t)(lines * ld) * 4), .data = fresh((size_t)(lines * ld) * 4) };
    for (int64_t i = 0; i < lines * ld; i++) {
        const float f = uniform();
        const uint16_t h = f32_to_bf16(f);
        s.value[i] = dtype == DT_BF16 ? bf16_to_f32(h) : f;
        if (dtype == DT_BF16)
            ((uint16_t *)s.data)[i] = h;
        else
            ((float *)s.data)[i] = f;
    }
    s.matrix = (struct matrix){ s.data, dtype, ld, transposed };
    return s;
}
static void stored_free(struct stored *s) { free(s->value), free(s->data); }
static double value_at(const struct stored *s, int64_t row, int64_t col)
{
    return (double)s->value[s->matrix.transposed ? col * s->matrix.ld + row : row * s->matrix.ld + col];
}

static void run(const struct product *p)
{
    const size_t bytes = product_scratch(p->m, p->n, p->k, p->a.dtype);
    void *scratch = fresh(bytes * (size_t)parallel_threads());
    product_run(p, scratch, bytes);
    free(scratch);
}

static const struct {
    int64_t m, n, k;
} shapes[] = { { 1, 1, 1 },     { 3, 5, 7 },        { 17, 1, 300 },   { 1, 777, 129 }, { 8, 300, 64 },    { 100, 130, 2100 },
               { 512, 48, 40 }, { 256, 512, 1030 }, { 61, 1537, 33 }, { 770, 40, 50 }, { 1024, 70, 1100 } };
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* sum of a[i,l] b[l,j], and of its absolute values: the error of an fp32 sum is a share of that. */
static double exact(const struct stored *a, const struct stored *b, int64_t i, int64_t j, int64_t k, double *size)
{
    double sum = 0;
    *size = 0;
    for (int64_t l = 0; l < k; l++) {
        const double term = value_at(a, i, l) * value_at(b, l, j);
        sum += term, *size += fabs(term);
    }
    return sum;
}

static void check_product(enum dtype dtype, int64_t m, int64_t n, int64_t k, bool ta, bool tb, bool add, bool with_bias, enum dtype c_dtype)
{
    struct stored a = stored_make(m, k, dtype, ta, 3), b = stored_make(k, n, dtype, tb, 5), before = stored_make(m, n, c_dtype, false, 2);
    struct stored bias = stored_make(1, n, DT_F32, false, 0);
    const int64_t ld = n + 2;
    const struct product p = { .m = m,
                               .n = n,
                               .k = k,
                               .a = a.matrix,
                               .b = b.matrix,
                               .c = before.data,
                               .c_dtype = c_dtype,
                               .c_ld = ld,
                               .add = add,
                               .bias = with_bias ? bias.value : NULL };
    run(&p);
    for (int64_t i = 0; i<m; i += m> 64 ? 7 : 1)
        for (int64_t j = 0; j<n; j += n> 64 ? 5 : 1) {
            double size;
            double want = exact(&a, &b, i, j, k, &size);
            want += (add ? value_at(&before, i, j) : 0) + (with_bias ? (double)bias.value[j] : 0);
            const int64_t at = i * ld + j;
            const double got = c_dtype == DT_BF16 ? (double)bf16_to_f32(((uint16_t *)before.data)[at]) : (double)((float *)before.data)[at];
            const double bound = 1e-6 * (size + 1) + (c_dtype == DT_BF16 ? fabs(want) * 0x1p-8 : 0);
            ck_assert_msg(fabs(got - want) <= bound, "%dx%dx%d at %d,%d: %g, not %g", (int)m, (int)n, (int)k, (int)i, (int)j, got, want);
        }
    for (int64_t i = 0; i < m; i++) /* the gap between rows is nobody's */
        for (int64_t j = n; j < ld; j++) {
            const int64_t at = i * ld + j;
            const float gap = c_dtype == DT_BF16 ? bf16_to_f32(((uint16_t *)before.data)[at]) : ((float *)before.data)[at];
            ck_assert(gap == before.value[at]);
        }
    stored_free(&a), stored_free(&b), stored_free(&before), stored_free(&bias);
}

START_TEST(products_are_right_in_every_arrangement_and_destination)
{
    const bool ta = _i & 1, tb = _i & 2;
    for (int s = 0; s < N_SHAPES; s++)
        for (int how = 0; how < 4; how++) {
            const bool add = how & 1, bias = how & 2;
            const enum dtype other = how == 1 || how == 2 ? DT_BF16 : DT_F32;
            check_product(DT_F32, shapes[s].m, shapes[s].n, shapes[s].k, ta, tb, add, bias, other);
            check_product(DT_BF16, shapes[s].m, shapes[s].n, shapes[s].k, ta, tb, add, bias, how == 3 ? DT_F32 : DT_BF16);
        }
}
END_TEST

/* Leading dimensions of a power of two take the copying path of small tiles. */
START_TEST(aliasing_strides_change_no_value)
{
    struct stored a = stored_make(256, 640, DT_F32, true, 0), b = stored_make(640, 512, DT_F32, false, 0);
    float *c = fresh(256 * 512 * sizeof *c);
    const struct product p = { .m = 256, .n = 512, .k = 640, .a = a.matrix, .b = b.matrix, .c = c, .c_ld = 512 };
    run(&p);
    for (int64_t i = 0; i < 256; i += 3)
        for (int64_t j = 0; j < 512; j += 7) {
            double size;
            const double want = exact(&a, &b, i, j, 640, &size);
            ck_assert_double_eq_tol((double)c[i * 512 + j], want, 1e-6 * size);
        }
    free(c), stored_free(&a), stored_free(&b);
}
END_TEST

struct copy {
    float *c;
    int64_t ld;
};
static void copy_tile(void *context, int64_t row, int64_t col, int64_t rows, int64_t cols, const float *tile, int64_t ld)
{
    const struct copy *to = context;
    for (int64_t i = 0; i < rows; i++) memcpy(to->c + (row + i) * to->ld + col, tile + i * ld, (size_t)cols * sizeof *tile);
}

START_TEST(a_tile_callback_sees_every_element_once)
{
    struct stored a = stored_make(700, 90, DT_F32, false, 0), b = stored_make(90, 900, DT_F32, true, 0),
                  bias = stored_make(1, 900, DT_F32, false, 0);
    float *c = fresh(700 * 900 * 4), *direct = fresh(700 * 900 * 4);
    memset(c, 0xff, 700 * 900 * 4);
    struct copy to = { c, 900 };
    struct product p = { .m = 700, .n = 900, .k = 90, .a = a.matrix, .b = b.matrix, .tile = copy_tile, .context = &to, .bias = bias.value };
    run(&p);
    p.tile = NULL, p.c = direct, p.c_ld = 900;
    run(&p);
    for (int i = 0; i < 700 * 900; i++) ck_assert(fabsf(c[i] - direct[i]) <= 1e-4f);
    free(c), free(direct), stored_free(&a), stored_free(&b), stored_free(&bias);
}
END_TEST

/* K long enough that a library with 16 threads would split it. */
static const struct {
    int64_t m, n, k;
    bool ta, tb;
} wide[] = {
    { 192, 512, 4096, true, false }, { 640, 768, 1024, false, true }, { 1024, 192, 512, false, false }, { 1, 768, 3072, false, true }
};

START_TEST(bits_do_not_depend_on_threads_or_addresses)
{
    const enum dtype dtype = _i & 1 ? DT_BF16 : DT_F32;
    for (size_t s = 0; s < sizeof wide / sizeof *wide; s++) {
        const int64_t m = wide[s].m, n = wide[s].n, k = wide[s].k;
        struct stored a = stored_make(m, k, dtype, wide[s].ta, 0), b = stored_make(k, n, dtype, wide[s].tb, 0);
        const size_t bytes = (size_t)(m * n) * sizeof(float), size = dtype_bytes(dtype);
        float *first = fresh(bytes), *again = fresh(bytes + 64);
        struct product p = { .m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .c = first, .c_ld = n };
        parallel_set_threads(1);
        run(&p);
        p.c = again;
        static const int threads[] = { 2, 3, 16 };
        for (int t = 0; t < 3; t++) {
            parallel_set_threads(threads[t]);
            memset(again, 0, bytes);
            run(&p);
            ck_assert_msg(memcmp(first, again, bytes) == 0, "%d threads", threads[t]);
        }
        unsigned char *moved = fresh((size_t)(m * k) * size + 64); /* A three elements off, C one off */
        memcpy(moved + 3 * size, a.data, (size_t)(m * k) * size);
        p.a.data = moved + 3 * size, p.c = again + 1;
        run(&p);
        ck_assert_msg(memcmp(first, again + 1, bytes) == 0, "moved operands");
        free(moved), free(first), free(again), stored_free(&a), stored_free(&b);
    }
}
END_TEST

START_TEST(tiles_cover_the_product_and_follow_its_shape_alone)
{
    for (int64_t m = 1; m < 6000; m += 1 + m / 3)
        for (int64_t n = 1; n < 60000; n += 1 + n / 2) {
            const struct tiling t = product_tiling(m, n);
            ck_assert(t.rows >= 1 && t.cols >= 1 && t.rows <= 768 && t.cols <= 768 && t.rows * t.cols <= 512 * 768);
            ck_assert(t.down * t.rows >= m && (t.down - 1) * t.rows < m && t.across * t.cols >= n && (t.across - 1) * t.cols < n);
        }
    const struct tiling gpt2 = product_tiling(4096, 768), small = product_tiling(192, 512);
    ck_assert(gpt2.rows == 512 && gpt2.cols == 768);
    ck_assert_int_gt(small.down * small.across, 1);
}
END_TEST

/* The primitive path, which bf16 hardware takes, tried in fp32 on any machine. */
START_TEST(primitives_give_what_sgemm_gives)
{
    enum { M = 70, N_ = 90, K = 110, ROOM = 16 << 20 };
    struct stored a = stored_make(M, K, DT_F32, _i & 1, 1), b = stored_make(K, N_, DT_F32, _i & 2, 1),
                  bias = stored_make(1, N_, DT_F32, false, 0);
    struct stored c = stored_make(M, N_, DT_F32, false, 4);
    struct gemm g = {
        .m = M, .n = N_, .k = K, .a = a.data, .b = b.data, .c = c.data, .lda = a.matrix.ld, .ldb = b.matrix.ld, .ldc = N_ + 4
    };
    g.a_transposed = _i & 1, g.b_transposed = _i & 2, g.add = _i & 4, g.bias = _i & 8 ? bias.value : NULL;
    struct gemm_primitive *p = gemm_backend()->prepare(&g, ROOM);
    if (p == NULL) {
        printf("primitives: skipped, the library has none\n");
    } else {
        ck_assert_ptr_eq(p, gemm_backend()->prepare(&g, ROOM)); /* kept */
        void *scratch = fresh(ROOM);
        gemm_backend()->execute(p, &g, scratch);
        free(scratch);
        for (int64_t i = 0; i < M; i++)
            for (int64_t j = 0; j < N_; j++) {
                double size, want = exact(&a, &b, i, j, K, &size);
                want += (g.add ? value_at(&c, i, j) : 0) + (g.bias != NULL ? (double)bias.value[j] : 0);
                ck_assert_double_eq_tol((double)((float *)c.data)[i * (N_ + 4) + j], want, 1e-6 * (size + 1));
            }
    }
    stored_free(&a), stored_free(&b), stored_free(&c), stored_free(&bias);
}
END_TEST

struct nest {
    struct product p;
    void *scratch;
    size_t bytes;
    float *c;
};
static void product_task(void *context, int64_t task, int thread)
{
    const struct nest *nest = context;
    struct product p = nest->p;
    p.c = nest->c + task * p.m * p.n;
    product_run(&p, nest->scratch, nest->bytes);
}

START_TEST(inside_a_task_a_product_has_the_same_bits)
{
    struct stored a = stored_make(100, 2000, DT_F32, false, 0), b = stored_make(2000, 300, DT_F32, true, 0);
    struct nest nest = { .bytes = product_scratch(100, 300, 2000, DT_F32), .c = fresh(9 * 30000 * sizeof(float)) };
    nest.p = (struct product){ .m = 100, .n = 300, .k = 2000, .a = a.matrix, .b = b.matrix, .c = nest.c + 8 * 30000, .c_ld = 300 };
    parallel_set_threads(4);
    run(&nest.p);
    nest.scratch = fresh(nest.bytes * 4);
    parallel_for(8, product_task, &nest);
    for (int task = 0; task < 8; task++) ck_assert_mem_eq(nest.c + task * 30000, nest.c + 8 * 30000, 30000 * sizeof(float));
    free(nest.scratch), free(nest.c), stored_free(&a), stored_free(&b);
}
END_TEST

START_TEST(the_machine_is_described)
{
    ck_assert_ptr_nonnull(strstr(product_describe(DT_F32), "tiles 512x768"));
    ck_assert_ptr_nonnull(strstr(product_describe(DT_BF16), product_bf16_native() ? "bf16" : "converted to fp32"));
    ck_assert_int_gt((int)strlen(math_libraries()), 0);
    const char *core = math_openblas_coretype_needed();
    ck_assert(core == NULL || strcmp(core, "SkylakeX") == 0 || strcmp(core, "Haswell") == 0 || strcmp(core, "Nehalem") == 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("product");
    TCase *c = tcase_create("product");
    tcase_set_timeout(c, 90);
    tcase_add_loop_test(c, products_are_right_in_every_arrangement_and_destination, 0, 4);
    tcase_add_test(c, aliasing_strides_change_no_value);
    tcase_add_test(c, a_tile_callback_sees_every_element_once);
    tcase_add_loop_test(c, bits_do_not_depend_on_threads_or_addresses, 0, 2);
    tcase_add_test(c, tiles_cover_the_product_and_follow_its_shape_alone);
    tcase_add_loop_test(c, primitives_give_what_sgemm_gives, 0, 16);
    tcase_add_test(c, inside_a_task_a_product_has_the_same_bits);
    tcase_add_test(c, the_machine_is_described);
    tcase_add_checked_fixture(c, parallel_init, NULL); /* denormals are zero, as in a run; in the child, which has no threads yet */
    suite_add_tcase(s, c);
    return suite_main(s, CK_FORK);
}
