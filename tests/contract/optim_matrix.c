/* Where the optimizers of whole matrices must meet simpler ones, or each other. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/linalg.h"
#include "common/math/vec.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/newton_schulz.h"
#include "worker/optim/optim.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HYPER = 32 };
static const double RATE = 0.01;

/* A world of one rank: the rule with these settings on these tensors, without weight decay and clip. */
static void open_world(struct virtual_world *w, const struct opt_desc *opt, const char *settings, double hyper[MOST_HYPER], int n,
                       const struct virtual_tensor *tensors)
{
    struct virtual_setup setup = { .n_tensors = n, .opt = opt, .hyper = hyper, .common = { .lr = RATE, .clip = CLIP_NONE } };
    ck_assert(opt->variant.bytes <= MOST_HYPER * sizeof(double));
    fields_fill(&opt->variant, settings, hyper);
    memcpy(setup.tensor, tensors, (size_t)n * sizeof *tensors);
    virtual_open(w, &setup, 1, 0);
}

static int64_t size_of(const struct virtual_world *w, int t) { return w->setup.tensor[t].rows * w->setup.tensor[t].cols; }

/* Random numbers of one gradient, times scale. */
static float *gradient(int64_t n, int seed, double scale)
{
    float *g = malloc((size_t)n * sizeof *g);
    ck_assert_ptr_nonnull(g);
    const struct rng_key key = { .seed = 7, .purpose = RNG_TEST, .stream = (uint32_t)seed };
    for (int64_t i = 0; i < n; i++) g[i] = (float)(scale * rng_normal(key, 0, i));
    return g;
}
static void give_gradients(struct virtual_world *w, int seed, double scale)
{
    for (int t = 0; t < w->setup.n_tensors; t++) {
        float *g = gradient(size_of(w, t), seed * 100 + t, scale);
        virtual_gradient(w, t, g);
        free(g);
    }
}
static void step(struct virtual_world *w, int seed, double scale)
{
    give_gradients(w, seed, scale);
    virtual_step(w, RATE);
}

static void ck_near(const float *a, const float *b, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= tolerance, "[%d]: %.9g and %.9g", (int)i, (double)a[i], (double)b[i]);
}

static double difference(const float *a, const float *b, int64_t n)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}

/* A column has one more side, of length 1, whose basis is 1: it goes through the bases all the same. */
START_TEST(soap_without_rotation_is_adam_after_its_first_step)
{
    static const struct virtual_tensor shapes[] = { { 17, 31, 2, 0 }, { 7, 1, 2, 0 }, { 1, 9, 2, 0 }, { 1, 12, 1, 0 } };
    double hyper[2][MOST_HYPER];
    struct virtual_world soap, adam;
    open_world(&soap, &opt_soap, "max_dim=1 eps=0 betas=[0.9,0.999] every=2", hyper[0], 4, shapes);
    open_world(&adam, &opt_adam, "eps=0", hyper[1], 4, shapes);
    step(&soap, 99, 1); /* seen by the statistics only */
    for (int t = 0; t < 4; t++) ck_assert_mem_eq(soap.theta[t], adam.theta[t], (size_t)size_of(&soap, t) * sizeof(float));
    for (int i = 0; i < 5; i++) {
        step(&soap, i, 1);
        step(&adam, i, 1);
        for (int t = 0; t < 4; t++) ck_near(soap.theta[t], adam.theta[t], size_of(&soap, t), 1e-6);
    }
    virtual_close(&soap);
    virtual_close(&adam);
}
END_TEST

START_TEST(soap_neither_moves_nor_decays_in_its_first_step)
{
    static const struct virtual_tensor shapes[] = { { 5, 8, 2, 0 }, { 1, 12, 1, 0 } };
    double hyper[MOST_HYPER];
    struct virtual_setup setup = { .n_tensors = 2, .opt = &opt_soap, .hyper = hyper, .common = { .lr = RATE, .weight_decay = 0.5 } };
    struct virtual_world w, start;
    fields_fill(&opt_soap.variant, "", hyper);
    memcpy(setup.tensor, shapes, sizeof shapes);
    virtual_open(&start, &setup, 1, 0);
    virtual_open(&w, &setup, 1, 0);
    step(&w, 1, 1);
    for (int t = 0; t < 2; t++) ck_assert_mem_eq(w.theta[t], start.theta[t], (size_t)size_of(&w, t) * sizeof(float));
    step(&w, 2, 1);
    for (int t = 0; t < 2; t++) ck_assert_double_gt(difference(w.theta[t], start.theta[t], size_of(&w, t)), 0.5 * RATE);
    virtual_close(&w);
    virtual_close(&start);
}
END_TEST

START_TEST(shampoo_of_one_gradient_is_its_orthogonal_factor)
{
    static const struct virtual_tensor shapes[] = { { 8, 8, 2, 0 }, { 6, 11, 2, 0 }, { 11, 6, 2, 0 } };
    double hyper[MOST_HYPER];
    struct virtual_world w, start;
    open_world(&start, &opt_shampoo, "betas=[0,1]", hyper, 3, shapes);
    open_world(&w, &opt_shampoo, "betas=[0,1]", hyper, 3, shapes);
    step(&w, 1, 1);
    for (int t = 0; t < 3; t++) {
        const int64_t n = shapes[t].rows, m = shapes[t].cols, k = min_i64(n, m);
        float *g = gradient(n * m, 100 + t, 1);
        double a[121], left[121], right[121], values[11];
        void *scratch = aligned_alloc(64, linalg_svd_scratch(n, m));
        for (int64_t i = 0; i < n * m; i++) a[i] = (double)g[i];
        ck_assert(linalg_svd(n, m, a, left, values, right, scratch));
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++) {
                double factor = 0;
                for (int64_t l = 0; l < k; l++) factor += left[i * k + l] * right[l * m + j];
                const double expected = (double)start.theta[t][i * m + j] - RATE * factor;
                ck_assert_double_eq_tol((double)w.theta[t][i * m + j], expected, 2e-7);
            }
        free(g);
        free(scratch);
    }
    virtual_close(&w);
    virtual_close(&start);
}
END_TEST

/* Weights and gradient of one part of a tensor as a tensor of their own. */
static void take_part(struct virtual_world *part, const struct virtual_world *w, int64_t row, int64_t col)
{
    const struct virtual_tensor *p = &part->setup.tensor[0], *whole = &w->setup.tensor[0];
    for (int64_t i = 0; i < p->rows; i++)
        memcpy(part->theta[0] + i * p->cols, w->theta[0] + (row + i) * whole->cols + col, (size_t)p->cols * sizeof(float));
}
static void step_part(struct virtual_world *part, const struct virtual_world *w, int64_t row, int64_t col, int seed)
{
    const struct virtual_tensor *p = &part->setup.tensor[0], *whole = &w->setup.tensor[0];
    float *g = gradient(whole->rows * whole->cols, seed * 100, 1), *own = malloc((size_t)(p->rows * p->cols) * sizeof *own);
    ck_assert_ptr_nonnull(own);
    for (int64_t i = 0; i < p->rows; i++) memcpy(own + i * p->cols, g + (row + i) * whole->cols + col, (size_t)p->cols * sizeof(float));
    virtual_gradient(part, 0, own);
    virtual_step(part, RATE);
    free(g);
    free(own);
}
static void ck_same_part(const struct virtual_world *part, const struct virtual_world *w, int64_t row, int64_t col)
{
    const struct virtual_tensor *p = &part->setup.tensor[0], *whole = &w->setup.tensor[0];
    for (int64_t i = 0; i < p->rows; i++)
        ck_assert_mem_eq(part->theta[0] + i * p->cols, w->theta[0] + (row + i) * whole->cols + col, (size_t)p->cols * sizeof(float));
}

/* Parts of `split` rows, or blocks, of one tensor against tensors of their own. */
static void ck_parts_are_tensors(const struct opt_desc *opt, const char *of_whole, const char *of_part, struct virtual_tensor whole,
                                 const int64_t at[][4], int n)
{
    enum { STEPS = 4 };
    double hyper[2][MOST_HYPER];
    struct virtual_world w, part[8];
    open_world(&w, opt, of_whole, hyper[0], 1, &whole);
    for (int i = 0; i < n; i++) {
        const struct virtual_tensor own = { at[i][2], at[i][3], 2, 0 };
        open_world(&part[i], opt, of_part, hyper[1], 1, &own);
        take_part(&part[i], &w, at[i][0], at[i][1]);
    }
    for (int s = 0; s < STEPS; s++) {
        step(&w, s, 1);
        for (int i = 0; i < n; i++) step_part(&part[i], &w, at[i][0], at[i][1], s);
        for (int i = 0; i < n; i++) ck_same_part(&part[i], &w, at[i][0], at[i][1]);
    }
    for (int i = 0; i < n; i++) virtual_close(&part[i]);
    virtual_close(&w);
}

START_TEST(parts_of_a_fused_tensor_are_matrices_of_their_own_for_muon)
{
    static const int64_t one[][4] = { { 0, 0, 13, 9 } }, three[][4] = { { 0, 0, 4, 9 }, { 4, 0, 1, 9 }, { 5, 0, 8, 9 } };
    const struct virtual_tensor whole = { 13, 9, 2, 0 };
    ck_parts_are_tensors(&opt_muon, "split=[13]", "", whole, one, 1);
    ck_parts_are_tensors(&opt_muon, "split=[4,1,8] scale=rms", "scale=rms", whole, three, 3);
}
END_TEST

START_TEST(blocks_of_a_tensor_are_matrices_of_their_own_for_shampoo)
{
    static const int64_t blocks[][4] = { { 0, 0, 6, 6 }, { 0, 6, 6, 6 }, { 0, 12, 6, 1 }, { 6, 0, 3, 6 }, { 6, 6, 3, 6 }, { 6, 12, 3, 1 } };
    const struct virtual_tensor whole = { 9, 13, 2, 0 };
    ck_parts_are_tensors(&opt_shampoo, "block=6", "", whole, blocks, 6);
    ck_parts_are_tensors(&opt_shampoo, "block=6 every=2 graft=adam", "every=2 graft=adam", whole, blocks, 6);
}
END_TEST

/* With as many directions as the short side is long nothing is lost: Adam in turned coordinates, whose first step has size 1 everywhere;
 * and Adam itself where that side is 1. */
START_TEST(galore_of_full_rank_is_adam_in_turned_coordinates)
{
    static const struct virtual_tensor shapes[] = { { 17, 31, 2, 0 }, { 31, 17, 2, 0 }, { 7, 1, 2, 0 }, { 1, 9, 2, 0 }, { 1, 12, 1, 0 } };
    double hyper[2][MOST_HYPER];
    struct virtual_world galore, adam;
    open_world(&galore, &opt_galore, "scale=1 eps=0", hyper[0], 5, shapes);
    open_world(&adam, &opt_adam, "eps=0", hyper[1], 5, shapes);
    for (int i = 0; i < 5; i++) {
        float before[17 * 31];
        memcpy(before, galore.theta[0], sizeof before);
        step(&galore, i, 1);
        step(&adam, i, 1);
        if (i == 0) ck_assert_double_eq_tol(difference(before, galore.theta[0], 17 * 31), RATE * sqrt(17 * 31), 1e-5);
        for (int t = 2; t < 5; t++) ck_near(galore.theta[t], adam.theta[t], size_of(&galore, t), 1e-6);
    }
    virtual_close(&galore);
    virtual_close(&adam);
}
END_TEST

START_TEST(a_clip_does_not_shrink_the_steps_of_muon)
{
    static const struct virtual_tensor shapes[] = { { 17, 31, 2, 0 }, { 31, 17, 2, 0 }, { 1, 9, 2, 0 } };
    double hyper[MOST_HYPER];
    struct virtual_world free_world, clipped;
    open_world(&free_world, &opt_muon, "", hyper, 3, shapes);
    struct virtual_setup setup = free_world.setup;
    setup.clip = 1;
    setup.common.clip = CLIP_GLOBAL;
    virtual_open(&clipped, &setup, 1, 0);
    for (int i = 0; i < 4; i++) {
        step(&free_world, 1, 1);
        step(&clipped, 1, 1);                  /* the same gradient again: its norm weighs no step more than another */
        ck_assert_double_gt(clipped.norm, 20); /* every gradient is divided by that */
        for (int t = 0; t < 3; t++) ck_near(free_world.theta[t], clipped.theta[t], size_of(&clipped, t), 1e-4 * RATE);
    }
    virtual_close(&free_world);
    virtual_close(&clipped);
}
END_TEST

/* Five steps of Keller's polynomial bring singular values of 0.01 and more into [0.68, 1.14]; sides beyond one block of a gram matrix. */
START_TEST(newton_schulz_brings_singular_values_near_one)
{
    const int64_t n = _i == 0 ? 300 : 520, m = _i == 0 ? 520 : 300, k = 300;
    float *u = gradient(n * m, 1, 1);
    double *a = malloc((size_t)(n * m) * sizeof *a), *left = malloc((size_t)(n * k) * sizeof *left), *values = malloc(300 * sizeof *values);
    double *right = malloc((size_t)(k * m) * sizeof *right);
    void *scratch = aligned_alloc(64, newton_schulz_scratch(n, m)), *lapack = aligned_alloc(64, linalg_svd_scratch(n, m));
    const struct newton_schulz how = { COEFFICIENTS_KELLER, 5, 1e-7, 2 };
    newton_schulz(&how, n, m, u, scratch);
    for (int64_t i = 0; i < n * m; i++) a[i] = (double)u[i];
    ck_assert(linalg_svd(n, m, a, left, values, right, lapack));
    ck_assert_double_lt(values[0], 2 * 1.14);
    ck_assert_double_gt(values[k - 1], 2 * 0.68);
    free(u), free(a), free(left), free(values), free(right), free(scratch), free(lapack);
}
END_TEST

/* A row of the first step has the norm sqrt(rank) |g| / |P g|, and |P g| is |g| but for 1 / sqrt(2 rank). */
START_TEST(apollo_draws_projections_of_unit_size_for_each_tensor_and_period)
{
    static const struct virtual_tensor shapes[] = { { 40, 12, 2, 0 }, { 40, 12, 2, 0 }, { 12, 40, 2, 0 } };
    double hyper[2][MOST_HYPER];
    struct virtual_world w, often, start;
    open_world(&start, &opt_apollo, "", hyper[0], 3, shapes);
    open_world(&w, &opt_apollo, "rank=800 eps=0", hyper[0], 3, shapes);
    open_world(&often, &opt_apollo, "rank=800 eps=0 every=1", hyper[1], 3, shapes);
    float *g = gradient(480, 5, 1);
    for (int t = 0; t < 3; t++) virtual_gradient(&w, t, g), virtual_gradient(&often, t, g);
    memcpy(w.theta[1], w.theta[0], 480 * sizeof(float));
    virtual_step(&w, RATE);
    virtual_step(&often, RATE);
    for (int64_t i = 0; i < 40; i++) {
        double row = 0, column = 0;
        for (int64_t j = 0; j < 12; j++) {
            row += pow((double)(w.theta[0][i * 12 + j] - start.theta[0][i * 12 + j]), 2);
            column += pow((double)(w.theta[2][j * 40 + i] - start.theta[2][j * 40 + i]), 2);
        }
        ck_assert_double_eq_tol(sqrt(row) / (RATE * sqrt(800)), 1, 0.15);
        ck_assert_double_eq_tol(sqrt(column) / (RATE * sqrt(800)), 1, 0.15);
    }
    ck_assert_double_gt(difference(w.theta[0], w.theta[1], 480), 1e-4); /* another tensor, another P */
    ck_assert_mem_eq(w.theta[0], often.theta[0], 480 * sizeof(float));
    virtual_step(&w, RATE);
    virtual_step(&often, RATE);
    ck_assert_double_gt(difference(w.theta[0], often.theta[0], 480), 1e-4); /* another period, another P */
    free(g);
    virtual_close(&w);
    virtual_close(&often);
    virtual_close(&start);
}
END_TEST

START_TEST(what_a_rule_cannot_do_is_said_when_it_is_configured)
{
    const struct param gain = { .rows = 1, .cols = 9, .n_dims = 1 }, matrix = { .rows = 9, .cols = 4, .n_dims = 2 };
    double hyper[MOST_HYPER];
    const struct rule_common common = { .lr = RATE };
    fields_fill(&opt_muon.variant, "", hyper);
    ck_assert_ptr_nonnull(strstr(opt_muon.refuse(&gain, hyper), "adamw"));
    ck_assert_ptr_null(opt_muon.refuse(&matrix, hyper));
    fields_fill(&opt_muon.variant, "split=[4,4]", hyper);
    ck_assert_ptr_nonnull(strstr(opt_muon.refuse(&matrix, hyper), "split"));
    fields_fill(&opt_muon.variant, "split=[4,5]", hyper);
    ck_assert_ptr_null(opt_muon.refuse(&matrix, hyper));
    fields_fill(&opt_shampoo.variant, "betas=[1,1]", hyper);
    ck_assert_ptr_nonnull(strstr(opt_problem(&(struct opt_rule){ &opt_shampoo, hyper, &common }), "betas"));
    static const struct opt_desc *const needing[] = { &opt_soap, &opt_shampoo, &opt_galore };
    for (int i = 0; i < 3; i++) {
        fields_fill(&needing[i]->variant, "", hyper);
        const char *problem = opt_problem(&(struct opt_rule){ needing[i], hyper, &common });
        ck_assert(linalg_has_lapack() ? problem == NULL : strstr(problem, "LAPACK") != NULL);
    }
}
END_TEST

int main(void)
{
    parallel_init();
    parallel_set_threads(1);
    TCase *t = tcase_create("matrices");
    tcase_set_timeout(t, 60);
    if (!suite_without(linalg_has_lapack(), "LAPACKE")) {
        tcase_add_test(t, soap_without_rotation_is_adam_after_its_first_step);
        tcase_add_test(t, soap_neither_moves_nor_decays_in_its_first_step);
        tcase_add_test(t, shampoo_of_one_gradient_is_its_orthogonal_factor);
        tcase_add_test(t, blocks_of_a_tensor_are_matrices_of_their_own_for_shampoo);
        tcase_add_test(t, galore_of_full_rank_is_adam_in_turned_coordinates);
        tcase_add_loop_test(t, newton_schulz_brings_singular_values_near_one, 0, 2);
    }
    tcase_add_test(t, parts_of_a_fused_tensor_are_matrices_of_their_own_for_muon);
    tcase_add_test(t, a_clip_does_not_shrink_the_steps_of_muon);
    tcase_add_test(t, apollo_draws_projections_of_unit_size_for_each_tensor_and_period);
    tcase_add_test(t, what_a_rule_cannot_do_is_said_when_it_is_configured);
    Suite *suite = suite_create("contract optim_matrix");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
