/* vec.c: accuracy against libm in double, the same bits wherever a row is cut, sums in their documented order; every instruction set that
 * this machine has. */
#define LAMINA_MATH
#include "common/math/vec.h"
#include "common/base/parallel.h"
#include "common/math/private.h"
#include "common/math/product.h"
#include "common/tensor/convert.h"
#include "tests/support/suite.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3000 };

static uint32_t state = 1;
static float uniform(float low, float high)
{
    state = state * 1664525u + 1013904223u;
    return low + (high - low) * (float)(state >> 8) * 0x1p-24f;
}
static void fill(float *x, int64_t n, float low, float high)
{
    for (int64_t i = 0; i < n; i++) x[i] = uniform(low, high);
}

/* The macros of math.h promote to double. */
static bool is_nan(float x) { return x != x; }
static bool is_inf(float x) { return x > FLT_MAX; }

/* |got - want| in units of the last place of want, which is at least the least normal number. */
static double ulps(float got, double want)
{
    const double size = fmax(fabs(want), FLT_MIN);
    return fabs((double)got - want) / ldexp(1, ilogb(size) - 23);
}
typedef void (*row_fn)(float *, const float *, int64_t);
static double worst(row_fn f, double (*reference)(double), float low, float high)
{
    static float x[1 << 20], y[1 << 20];
    const int64_t n = 1 << 20;
    double most = 0;
    for (int64_t i = 0; i < n; i++) x[i] = low + (high - low) * ((float)i + 0.5f) / (float)n;
    f(y, x, n);
    for (int64_t i = 0; i < n; i++) most = fmax(most, ulps(y[i], reference((double)x[i])));
    return most;
}

static const struct vec_table *table; /* of the set that the loop test runs for */
static bool start(int isa)
{
    if (!isa_supported((enum isa)isa)) return false;
    ck_assert_int_eq(math_start(isa_name((enum isa)isa)), ST_OK);
    table = vec_table();
    ck_assert_ptr_eq(table, vec_table_of((enum isa)isa));
    return true;
}

START_TEST(exp_log_and_tanh_are_within_two_places)
{
    if (!start(_i)) return;
    ck_assert_double_lt(worst(vec_exp, exp, -87, 88.72f), 2);
    ck_assert_double_lt(worst(vec_exp, exp, -1, 1), 2);
    ck_assert_double_lt(worst(vec_log, log, FLT_MIN, 4), 2);
    ck_assert_double_lt(worst(vec_log, log, 0.9f, 1.1f), 2);
    ck_assert_double_lt(worst(vec_log, log, 1, 1e30f), 2);
    ck_assert_double_lt(worst(vec_tanh, tanh, -10, 10), 2);
    ck_assert_double_lt(worst(vec_tanh, tanh, -0.7f, 0.7f), 2);
}
END_TEST

START_TEST(the_ends_of_the_range_are_exact)
{
    if (!start(_i)) return;
    ck_assert(scalar_exp(0) == 1);
    ck_assert(scalar_exp(-87.01f) == 0);
    ck_assert(scalar_exp(-INFINITY) == 0);
    ck_assert(is_inf(scalar_exp(88.73f)) && is_inf(scalar_exp(INFINITY)) && is_nan(scalar_exp(NAN)));
    ck_assert(scalar_log(1) == 0);
    ck_assert(scalar_log(0) == -INFINITY && scalar_log(INFINITY) == INFINITY && is_nan(scalar_log(-1)) && is_nan(scalar_log(NAN)));
    ck_assert(scalar_tanh(INFINITY) == 1);
    ck_assert(scalar_tanh(-40) == -1);
    ck_assert(scalar_tanh(0) == 0);
    ck_assert(is_nan(scalar_tanh(NAN)));
    ck_assert(vec_max(NULL, 0) == -INFINITY && vec_sum(NULL, 0) == 0);
}
END_TEST

/* Every elementwise kernel on [first, first + n) of fixed rows, results into out[0], out[1]. */
static void run_kernel(int kernel, float *out0, float *out1, const float *x, const float *y, const float *d, int64_t n)
{
    static uint16_t half[N];
    switch (kernel) {
    case 0: table->exp(out0, x, n); break;
    case 1: table->log(out0, d, n); break;
    case 2: table->tanh(out0, x, n); break;
    case 3: table->axpy(out0, 0.37f, x, n); break;
    case 4: table->scale(out0, 0.37f, x, n); break;
    case 5: table->add(out0, x, n); break;
    case 6: (void)table->softmax_body(out0, x, 11, n); break;
    case 7: table->gelu(out0, x, n); break;
    case 8: table->gelu_backward(out0, x, y, n); break;
    case 9: table->swiglu(out0, x, y, n); break;
    case 10: table->swiglu_backward(out0, out1, x, y, d, n); break;
    case 11: table->to_bf16(half, x, n), table->from_bf16(out0, half, n); break;
    }
}
enum { N_KERNELS = 12 };

START_TEST(a_row_cut_anywhere_gives_the_same_bits)
{
    if (!start(_i)) return;
    static float x[N], y[N], d[N], whole[2][N], cut[2][N];
    fill(x, N, -12, 12), fill(y, N, -2, 2), fill(d, N, 0.01f, 3);
    for (int kernel = 0; kernel < N_KERNELS; kernel++) {
        memset(whole, 0, sizeof whole);
        run_kernel(kernel, whole[0], whole[1], x, y, d, N);
        for (int trial = 0; trial < 20; trial++) {
            memset(cut, 0, sizeof cut);
            for (int64_t at = 0, n; at < N; at += n) {
                n = 1 + (int64_t)uniform(0, trial % 2 ? 7 : 400);
                if (n > N - at) n = N - at;
                run_kernel(kernel, cut[0] + at, cut[1] + at, x + at, y + at, d + at, n);
            }
            ck_assert_msg(memcmp(whole, cut, sizeof whole) == 0, "kernel %d of %s depends on the cut", kernel, table->name);
        }
    }
}
END_TEST

START_TEST(an_output_may_be_an_input)
{
    if (!start(_i)) return;
    static float x[N], y[N], apart[N], inplace[N];
    fill(x, N, -5, 5), fill(y, N, -2, 2);
    const double sum = table->softmax_body(apart, x, 5, N);
    memcpy(inplace, x, sizeof x);
    ck_assert_double_eq(table->softmax_body(inplace, inplace, 5, N), sum);
    ck_assert_mem_eq(apart, inplace, sizeof apart);
    table->gelu_backward(apart, x, y, N);
    memcpy(inplace, y, sizeof y);
    table->gelu_backward(inplace, x, inplace, N);
    ck_assert_mem_eq(apart, inplace, sizeof apart);
}
END_TEST

/* The order of README.md, written out: 16 lanes, then halves. */
static double ordered_dot(const float *x, const float *y, int64_t n)
{
    double lane[16] = { 0 };
    for (int64_t i = 0; i < n; i++) lane[i % 16] += (double)x[i] * (double)y[i];
    for (int w = 8; w > 0; w /= 2)
        for (int j = 0; j < w; j++) lane[j] += lane[j + w];
    return lane[0];
}

START_TEST(sums_follow_their_documented_order)
{
    if (!start(_i)) return;
    static float x[N + 3], y[N + 3], one[N + 3], e[N + 3];
    fill(x, N + 3, -3, 3), fill(y, N + 3, -1e4f, 1e4f);
    for (int i = 0; i < N + 3; i++) one[i] = 1;
    for (int64_t n = 0; n < N; n += n < 70 ? 1 : 531)
        for (int offset = 0; offset < 3; offset++) {
            const float *p = x + offset, *q = y + offset;
            ck_assert_double_eq(vec_dot(p, q, n), ordered_dot(p, q, n));
            ck_assert_double_eq(vec_sum(p, n), ordered_dot(p, one, n));
            ck_assert_double_eq(vec_sum_squares(q, n), ordered_dot(q, q, n));
            const double body = vec_softmax_body(e, p, 3, n);
            ck_assert_double_eq(body, ordered_dot(e, one, n));
            float most = -INFINITY;
            for (int64_t i = 0; i < n; i++) most = p[i] > most ? p[i] : most;
            ck_assert(vec_max(p, n) == most);
        }
}
END_TEST

START_TEST(gelu_and_swiglu_are_their_formulas)
{
    if (!start(_i)) return;
    static float x[N], b[N], dy[N], y[N], dx[N], da[N], db[N], gate[N];
    fill(x, N, -9, 9), fill(b, N, -2, 2), fill(dy, N, -1, 1);
    vec_gelu(y, x, N);
    vec_gelu_backward(dx, x, dy, N);
    vec_swiglu(gate, x, b, N);
    vec_swiglu_backward(da, db, x, b, dy, N);
    for (int i = 0; i < N; i++) {
        const double v = (double)x[i], w = (double)b[i], d = (double)dy[i], c = sqrt(2 / acos(-1));
        const double t = tanh(c * (v + 0.044715 * v * v * v)), s = 1 / (1 + exp(-v));
        const double slope = 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * c * (1 + 3 * 0.044715 * v * v);
        ck_assert_double_eq_tol((double)y[i], 0.5 * v * (1 + t), 1e-6 * fmax(1, fabs(v)));
        ck_assert_double_eq_tol((double)dx[i], d * slope, 2e-6);
        ck_assert_double_eq_tol((double)gate[i], v * s * w, 4e-6);
        ck_assert_double_eq_tol((double)da[i], d * w * (s + v * s * (1 - s)), 2e-6);
        ck_assert_double_eq_tol((double)db[i], d * v * s, 2e-6);
    }
}
END_TEST

START_TEST(sets_with_fused_multiply_add_agree_bit_for_bit)
{
    if (!isa_supported(ISA_AVX512)) return;
    static float x[N], y[N], d[N], narrow[2][N], wide[2][N];
    fill(x, N, -12, 12), fill(y, N, -2, 2), fill(d, N, 0.01f, 3);
    for (int kernel = 0; kernel < N_KERNELS; kernel++) {
        memset(narrow, 0, sizeof narrow), memset(wide, 0, sizeof wide);
        table = vec_table_of(ISA_AVX2), run_kernel(kernel, narrow[0], narrow[1], x, y, d, N);
        table = vec_table_of(ISA_AVX512), run_kernel(kernel, wide[0], wide[1], x, y, d, N);
        ck_assert_msg(memcmp(narrow, wide, sizeof wide) == 0, "kernel %d", kernel);
    }
}
END_TEST

START_TEST(rows_convert_as_single_elements_do)
{
    uint16_t stored[40], expected[40];
    float row[40], scratch[40];
    for (int i = 0; i < 40; i++) stored[i] = f32_to_bf16(uniform(-100, 100));
    const struct tensor t = tensor_make(DT_BF16, 2, (int64_t[]){ 2, 20 }, stored);
    const float *loaded = row_load(&t, 7, 29, scratch);
    ck_assert_ptr_eq(loaded, scratch);
    for (int i = 0; i < 29; i++) ck_assert(loaded[i] == bf16_to_f32(stored[7 + i]));

    fill(row, 40, -1e3f, 1e3f);
    row[3] = NAN, row[4] = INFINITY, row[5] = 1.00390625f, row[6] = FLT_MAX; /* a tie to even; rounds to infinity */
    for (int i = 0; i < 40; i++) expected[i] = f32_to_bf16(row[i]);
    ck_assert_ptr_eq(row_open(&t, 0, 40, scratch), scratch);
    row_store(&t, 0, 40, row);
    ck_assert_mem_eq(stored, expected, sizeof stored);

    const struct tensor f = tensor_make(DT_F32, 1, (int64_t[]){ 40 }, row);
    ck_assert_ptr_eq(row_load(&f, 5, 10, scratch), row + 5);
    ck_assert_ptr_eq(row_open(&f, 5, 10, scratch), row + 5);
}
END_TEST

START_TEST(an_unknown_or_missing_set_is_refused_with_its_remedy)
{
    ck_assert_int_eq(math_start("avx9"), ST_LAUNCH);
    ck_assert_ptr_nonnull(strstr(status_text(), "generic, avx2"));
    for (enum isa i = ISA_GENERIC; i < ISA_COUNT; i++)
        if (!isa_supported(i)) ck_assert_int_eq(math_start(isa_name(i)), ST_LAUNCH);
    ck_assert_int_eq(math_start(NULL), ST_OK);
    ck_assert(isa_supported(isa_current()));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vec");
    TCase *c = tcase_create("vec");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, exp_log_and_tanh_are_within_two_places, 0, ISA_COUNT);
    tcase_add_loop_test(c, the_ends_of_the_range_are_exact, 0, ISA_COUNT);
    tcase_add_loop_test(c, a_row_cut_anywhere_gives_the_same_bits, 0, ISA_COUNT);
    tcase_add_loop_test(c, an_output_may_be_an_input, 0, ISA_COUNT);
    tcase_add_loop_test(c, sums_follow_their_documented_order, 0, ISA_COUNT);
    tcase_add_loop_test(c, gelu_and_swiglu_are_their_formulas, 0, ISA_COUNT);
    tcase_add_test(c, sets_with_fused_multiply_add_agree_bit_for_bit);
    tcase_add_test(c, rows_convert_as_single_elements_do);
    tcase_add_test(c, an_unknown_or_missing_set_is_refused_with_its_remedy);
    tcase_add_checked_fixture(c, parallel_init, NULL); /* denormals are zero, as in a run; in the child, which has no threads yet */
    suite_add_tcase(s, c);
    return suite_run(s, CK_FORK);
}
