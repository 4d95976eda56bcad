/* What the driver itself does around a rule: norm and clip, decay, freezing, cautious steps, rounded copies. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/tensor/convert.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/optim.h"

#include <check.h>
#include <math.h>
#include <string.h>

static struct virtual_world w;
static double hyper[32];

/* Plain SGD: u = g, so what the driver adds is plain to see. */
static struct virtual_setup sgd(const char *settings, int64_t rows, int64_t cols)
{
    fields_fill(&opt_sgd.variant, settings, hyper);
    return (
        struct virtual_setup){ .n_tensors = 1, .tensor = { { rows, cols, 2, 0 } }, .opt = &opt_sgd, .hyper = hyper, .common = { .lr = 1 } };
}

static void start(const struct virtual_setup *setup, const float *theta)
{
    virtual_open(&w, setup, 1, 0);
    memcpy(w.theta[0], theta, (size_t)(setup->tensor[0].rows * setup->tensor[0].cols) * sizeof *theta);
}

static void ck_theta(int64_t i, double expected) { ck_assert_double_eq_tol((double)w.theta[0][i], expected, 1e-7); }

START_TEST(the_norm_is_over_sums_and_the_factor_is_pytorchs)
{
    struct virtual_setup setup = sgd("", 1, 2);
    setup.common.clip = CLIP_GLOBAL;
    setup.clip = 0.5;
    start(&setup, (float[]){ 0, 0 });
    w.divisor = 4;
    virtual_gradient(&w, 0, (float[]){ 3, 4 }); /* mean gradient (3/4, 1): norm 1.25 */
    virtual_step(&w, 1);
    ck_assert_double_eq_tol(w.norm, 1.25, 1e-15);
    ck_theta(0, -0.75 * 0.5 / (1.25 + 1e-6));
    ck_theta(1, -1.00 * 0.5 / (1.25 + 1e-6));
    ck_assert_double_eq_tol(driver_clip(1, 0.9), 1, 1e-300);
    ck_assert_double_eq_tol(driver_clip(0, 1e9), 1, 1e-300);
    ck_assert_double_eq_tol(driver_clip(1, 3), 1 / (3 + 1e-6), 1e-16);
    virtual_close(&w);
}
END_TEST

START_TEST(a_rule_without_clip_is_neither_clipped_nor_in_the_norm)
{
    struct virtual_setup setup = sgd("", 1, 2);
    setup.clip = 0.5;
    start(&setup, (float[]){ 0, 0 });
    virtual_gradient(&w, 0, (float[]){ 3, 4 });
    virtual_step(&w, 1);
    ck_assert_double_eq_tol(w.norm, 0, 1e-300);
    ck_theta(0, -3);
    virtual_close(&w);
}
END_TEST

START_TEST(the_norm_does_not_depend_on_cuts_and_changes_nothing)
{
    struct virtual_setup setup = sgd("momentum=0.9", 101, 13);
    setup.common.clip = CLIP_GLOBAL;
    struct virtual_world cut;
    virtual_open(&w, &setup, 1, 0);
    virtual_open(&cut, &setup, 4, 7);
    virtual_random_gradients(&w, 1e-3f);
    virtual_random_gradients(&cut, 1e-3f);
    struct super a, b;
    super_clear(&a);
    super_clear(&b);
    driver_norm(w.driver[0], 1, w.exponent, &a);
    for (int r = 0; r < 4; r++) driver_norm(cut.driver[r], 1, cut.exponent, &b);
    const double norm_a = super_value(&a), norm_b = super_value(&b);
    ck_assert(memcmp(&norm_a, &norm_b, sizeof norm_a) == 0 && norm_a > 0);
    ck_assert_ptr_null(virtual_difference(&w, &cut));
    ck_assert_int_eq(driver_updates(w.driver[0])[0], 0);
    virtual_close(&cut);
    virtual_close(&w);
}
END_TEST

START_TEST(decay_stands_where_the_rule_says_and_as_large_as_the_mode_says)
{
    static const struct {
        const char *settings;
        int mode;
        double expected; /* of theta 2, g 1, lr 0.1 at a base rate of 0.4, lambda 0.5 */
    } cases[] = { { "decay=before", DECAY_MODE_LR, 2 * (1 - 0.1 * 0.5) - 0.1 },
                  { "decay=before", DECAY_MODE_SCHEDULE, 2 * (1 - 0.25 * 0.5) - 0.1 },
                  { "decay=before", DECAY_MODE_INDEPENDENT, 2 * (1 - 0.5) - 0.1 },
                  { "decay=l2", DECAY_MODE_LR, 2 - 0.1 * (1 + 0.5 * 2) } };
    struct virtual_setup setup = sgd(cases[_i].settings, 1, 1);
    setup.common = (struct rule_common){ .lr = 0.4, .weight_decay = 0.5, .decay_mode = cases[_i].mode };
    start(&setup, (float[]){ 2 });
    virtual_gradient(&w, 0, (float[]){ 1 });
    virtual_step(&w, 0.1);
    ck_theta(0, cases[_i].expected);
    virtual_close(&w);
}
END_TEST

static void after_propose(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
}

START_TEST(decay_after_the_step_shrinks_the_step_too_and_a_step_of_its_own_has_no_rate)
{
    static const struct opt_desc after = { .decay = DECAY_AFTER, .propose = after_propose };
    static const struct opt_desc own = { .decay = DECAY_BEFORE, .flags = OPT_STEP_OWN, .propose = after_propose };
    struct virtual_setup setup = sgd("", 1, 1);
    setup.common.weight_decay = 0.5;
    setup.opt = &after;
    start(&setup, (float[]){ 2 });
    virtual_gradient(&w, 0, (float[]){ 1 });
    virtual_step(&w, 0.1);
    ck_theta(0, (2 - 0.1) * (1 - 0.05));
    virtual_close(&w);
    setup.opt = &own;
    start(&setup, (float[]){ 2 });
    virtual_gradient(&w, 0, (float[]){ 1 });
    virtual_step(&w, 0.1);
    ck_theta(0, 2 * (1 - 0.05) - 1);
    virtual_close(&w);
}
END_TEST

/* A rule that keeps its sums to the last bit: the two halves of each double in two slots. Weights in fp32 would hide an order of addition.
 */
static void keep_need(const struct param *p, const void *h, struct opt_need *out)
{
    (void)p, (void)h;
    out->scalars[0] = 1;
    out->column[0] = 2;
}
static void keep_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[0] = 0;
    for (int64_t j = 0; j < block->cols; j++) {
        terms->scalar[0] += (double)block->theta[j] * (double)block->grad[j];
        terms->column[j] = (double)block->grad[j] * (double)block->grad[j];
    }
}
static void keep_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    (void)s;
    memcpy(tensor->slot[0], &sums->scalar[0], sizeof(float));
    memcpy(tensor->slot[1], (const char *)&sums->scalar[0] + sizeof(float), sizeof(float));
    for (int64_t j = 0; j < tensor->param->cols; j++) {
        memcpy(tensor->slot[2] + j, &sums->column[j], sizeof(float));
        memcpy(tensor->slot[3] + j, (const char *)&sums->column[j] + sizeof(float), sizeof(float));
    }
}

START_TEST(sums_are_exact_to_the_last_bit_for_any_cut)
{
    static const struct opt_slot slots[] = { { .name = "low", .extent = PER_TENSOR },
                                             { .name = "high", .extent = PER_TENSOR },
                                             { .name = "column_low", .extent = PER_COL },
                                             { .name = "column_high", .extent = PER_COL } };
    static const struct opt_desc keep = { .slots = slots,
                                          .n_slots = 4,
                                          .need = keep_need,
                                          .propose = after_propose,
                                          .rounds = { { .partial = keep_partial, .settle = keep_settle } } };
    struct virtual_setup setup = sgd("", 157, 11);
    setup.opt = &keep;
    struct virtual_world cut;
    double most = 0, reference[11] = { 0 };
    virtual_open(&w, &setup, 1, 0);
    virtual_random_gradients(&w, 1e-4f);
    for (int64_t i = 0; i < 157 * 11; i++) reference[i % 11] += ldexp((double)w.sum[0][i], -40) * ldexp((double)w.sum[0][i], -40);
    virtual_step(&w, 0.1);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        virtual_open(&cut, &setup, 4, seed);
        virtual_random_gradients(&cut, 1e-4f);
        virtual_step(&cut, 0.1);
        ck_assert_ptr_null(virtual_difference(&w, &cut));
        virtual_close(&cut);
    }
    int64_t bytes;
    const float *low = virtual_slot(&w, 0, 2, &bytes), *high = virtual_slot(&w, 0, 3, &bytes);
    ck_assert(low != NULL && high != NULL && bytes == sizeof(float[11]));
    for (int j = 0; j < 11; j++) {
        double sum;
        memcpy(&sum, &low[j], sizeof(float));
        memcpy((char *)&sum + sizeof(float), &high[j], sizeof(float));
        most = fmax(most, fabs(sum - reference[j]) / reference[j]);
    }
    ck_assert_double_lt(most, 1e-6); /* gradients are read in fp32 */
    virtual_close(&w);
}
END_TEST

START_TEST(cautious_keeps_agreeing_elements_and_makes_up_for_the_others)
{
    struct virtual_setup setup = sgd("momentum=0.5", 4, 1);
    setup.common.cautious = true;
    virtual_open(&w, &setup, 4, 9); /* the count crosses ranks */
    memset(w.theta[0], 0, 4 * sizeof(float));
    virtual_gradient(&w, 0, (float[]){ 4, 4, -4, 4 });
    virtual_step(&w, 1); /* all agree */
    ck_theta(0, -4);
    virtual_gradient(&w, 0, (float[]){ 1, -1, 1, 0 }); /* momentum (3, 1, -1, 2): only the first agrees */
    virtual_step(&w, 1);
    ck_theta(0, -4 - 3 * 4);
    ck_theta(1, -4);
    ck_theta(2, 4);
    ck_theta(3, -4);
    virtual_close(&w);
}
END_TEST

START_TEST(cautious_decay_spares_weights_that_the_step_lets_grow)
{
    struct virtual_setup setup = sgd("decay=before", 1, 4);
    setup.common.cautious_decay = true;
    setup.common.weight_decay = 0.5;
    start(&setup, (float[]){ 2, 2, -2, -2 });
    virtual_gradient(&w, 0, (float[]){ 1, -1, 0, 1 });
    virtual_step(&w, 0.1);
    ck_theta(0, 2 * 0.95 - 0.1);
    ck_theta(1, 2 + 0.1);
    ck_theta(2, -2 * 0.95); /* u = 0 decays: >= */
    ck_theta(3, -2 - 0.1);
    virtual_close(&w);
}
END_TEST

START_TEST(a_frozen_tensor_rests_and_starts_fresh_while_the_exchange_keeps_its_length)
{
    double adalayer[32];
    fields_fill(&opt_adalayer.variant, "", adalayer);
    const struct virtual_setup setup = { .n_tensors = 3,
                                         .tensor = { { 3, 5, 2, 3 }, { 3, 5, 2, -1 }, { 3, 5, 2, 0 } },
                                         .opt = &opt_adalayer,
                                         .hyper = adalayer,
                                         .clip = 1,
                                         .common = { .lr = 1, .weight_decay = 0.1, .clip = CLIP_GLOBAL } };
    struct virtual_world still, late;
    virtual_open(&still, &setup, 1, 0);
    virtual_open(&w, &setup, 2, 4);
    for (int i = 0; i < 2; i++) {
        virtual_random_gradients(&w, 1);
        virtual_step(&w, 0.1);
    }
    ck_assert_mem_eq(w.theta[0], still.theta[0], 15 * sizeof(float));
    ck_assert_mem_eq(w.theta[1], still.theta[1], 15 * sizeof(float));
    ck_assert_mem_ne(w.theta[2], still.theta[2], 15 * sizeof(float));
    ck_assert_int_eq(driver_updates(w.driver[0])[0], 0);
    ck_assert_int_eq(driver_updates(w.driver[1])[2], 2);

    /* step 3 moves tensor 0 as the first step of a run would */
    struct virtual_setup alone = setup;
    alone.tensor[0].frozen_until = 0;
    alone.common.clip = CLIP_NONE;
    virtual_open(&late, &alone, 1, 0);
    virtual_close(&still);
    virtual_open(&still, &setup, 1, 0);
    late.step = 2;
    virtual_random_gradients(&late, 1);
    virtual_random_gradients(&w, 1);
    w.setup.clip = 0;
    virtual_step(&w, 0.1);
    virtual_step(&late, 0.1);
    ck_assert_mem_eq(w.theta[0], late.theta[0], 15 * sizeof(float));
    ck_assert_mem_eq(w.theta[1], still.theta[1], 15 * sizeof(float));
    ck_assert_int_eq(driver_updates(w.driver[1])[0], 1);
    struct driver_slot slot;
    ck_assert(!driver_slot(w.driver[0], 1, 0, &slot)); /* frozen for ever: no state */
    virtual_close(&still);
    virtual_close(&late);
    virtual_close(&w);
}
END_TEST

START_TEST(the_rounded_copy_follows_the_weights)
{
    double hypers[32];
    fields_fill(&opt_adalayer.variant, "", hypers);
    struct virtual_setup setup = sgd("", 3, 5);
    setup.opt = &opt_adalayer;
    setup.hyper = hypers;
    virtual_open(&w, &setup, 3, 1);
    virtual_random_gradients(&w, 1);
    virtual_step(&w, 0.1);
    for (int i = 0; i < 15; i++) ck_assert_uint_eq(w.rounded[0][i], f32_to_bf16(w.theta[0][i]));
    virtual_close(&w);
}
END_TEST

START_TEST(a_rule_with_a_bound_of_its_own_is_clipped_by_its_own_norm)
{
    struct virtual_setup setup = sgd("", 1, 2);
    setup.common.clip = 0.25;
    setup.clip = 1e-3; /* the global bound is not for it */
    start(&setup, (float[]){ 0, 0 });
    virtual_gradient(&w, 0, (float[]){ 3, 4 });
    virtual_step(&w, 1);
    ck_theta(0, -3 * 0.25 / (5 + 1e-6));
    virtual_close(&w);
}
END_TEST

START_TEST(rows_are_clipped_beside_their_weights)
{
    struct virtual_setup setup = sgd("", 3, 2);
    setup.common.agc = 0.1;
    start(&setup, (float[]){ 3, 4, 0, 0, 30, 40 });
    virtual_gradient(&w, 0, (float[]){ 0, 2, 0, 1, 0, 2 }); /* bounds: 0.1 * 5, 0.1 * 1e-3, 0.1 * 50 */
    virtual_step(&w, 1);
    ck_theta(1, 4 - 0.5);
    ck_theta(3, -1e-4);
    ck_assert_double_eq_tol((double)w.theta[0][5], 40 - 2, 1e-5);
    virtual_close(&w);
}
END_TEST

START_TEST(layers_below_learn_at_smaller_rates)
{
    static const struct rule_common common = { .lr = 2, .layer_decay = 0.5 };
    const struct opt_rule rule = { &opt_sgd, hyper, &common };
    const struct param embedding = { .unit = 0, .role = ROLE_EMBEDDING }, low = { .unit = 1 }, top = { .unit = 3, .role = ROLE_NORM },
                       tied = { .unit = 0, .role = ROLE_HEAD };
    ck_assert_double_eq(opt_base(&rule, &top, 4).lr, 2);
    ck_assert_double_eq(opt_base(&rule, &low, 4).lr, 0.5);
    ck_assert_double_eq(opt_base(&rule, &embedding, 4).lr, 0.25);
    ck_assert_double_eq(opt_base(&rule, &tied, 4).lr, 2);
}
END_TEST

START_TEST(an_average_follows_the_weights_and_changes_places_with_them)
{
    struct virtual_setup setup = sgd("", 1, 1);
    setup.common.average = 0.75;
    start(&setup, (float[]){ 8 });
    ck_assert(!driver_evaluate(w.driver[0], true)); /* before the first update there is none */
    ck_assert(!driver_evaluate(w.driver[0], false));
    for (int i = 0; i < 2; i++) {
        virtual_gradient(&w, 0, (float[]){ 4 });
        virtual_step(&w, 1);
    }
    ck_theta(0, 0);
    ck_assert(driver_evaluate(w.driver[0], true));
    ck_theta(0, 0.75 * (0.75 * 8 + 0.25 * 4) + 0.25 * 0);
    ck_assert_uint_eq(w.rounded[0][0], f32_to_bf16(w.theta[0][0]));
    ck_assert(driver_evaluate(w.driver[0], false));
    ck_theta(0, 0);
    virtual_close(&w);
}
END_TEST

/* Column sums of a whole matrix: what an owner that saw only some of the rows would get wrong. */
static void whole_need(const struct param *p, const void *h, struct opt_need *out) { (void)h, out->whole = p->n_dims == 2; }
static double whole_flops(const struct param *p, const void *h) { return (void)h, (double)(p->rows * p->cols); }
static void whole_direction(const struct opt_step *s, struct opt_matrix *m)
{
    const struct param *p = m->tensor->param;
    m->slot[0][0] += 1;
    for (int64_t j = 0; j < p->cols; j++) {
        float sum = 0;
        for (int64_t i = 0; i < p->rows; i++) sum += m->u[i * p->cols + j];
        for (int64_t i = 0; i < p->rows; i++) m->u[i * p->cols + j] = sum * m->slot[0][0] * (float)s->t;
    }
}
static const struct opt_slot whole_slots[] = { { .name = "calls", .extent = AT_OWNER } };
static const struct opt_desc whole = { .slots = whole_slots,
                                       .n_slots = 1,
                                       .need = whole_need,
                                       .propose = after_propose,
                                       .direction = whole_direction,
                                       .whole_flops = whole_flops };

START_TEST(whole_matrices_are_directed_by_any_owner_with_the_same_bits)
{
    struct virtual_setup setup = sgd("", 3, 2);
    setup.opt = &whole;
    start(&setup, (float[]){ 0, 0, 0, 0, 0, 0 });
    virtual_gradient(&w, 0, (float[]){ 1, 10, 2, 20, 3, 30 });
    virtual_step(&w, 0.5);
    for (int64_t i = 0; i < 3; i++) {
        ck_theta(2 * i, -0.5 * 6);
        ck_theta(2 * i + 1, -0.5 * 60);
    }
    virtual_close(&w);

    setup.n_tensors = 3;
    setup.common.cautious = _i == 1;
    memcpy(setup.tensor, (struct virtual_tensor[]){ { 31, 7, 2, 0 }, { 1, 9, 1, 0 }, { 5, 64, 2, 2 } }, 3 * sizeof setup.tensor[0]);
    virtual_open(&w, &setup, 1, 0);
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct virtual_world cut;
        virtual_open(&cut, &setup, 1 + (int)seed % VIRTUAL_RANKS, seed);
        for (int step = 0; step < 3; step++) {
            if (seed == 0) {
                virtual_random_gradients(&w, 1);
                virtual_step(&w, 0.1);
            }
            virtual_random_gradients(&cut, 1);
            virtual_step(&cut, 0.1);
        }
        const char *difference = virtual_difference(&w, &cut);
        ck_assert_msg(difference == NULL, "cut %d: %s", (int)seed, difference);
        virtual_close(&cut);
    }
    virtual_close(&w);
}
END_TEST

START_TEST(settings_that_exclude_each_other_are_told)
{
    static const struct {
        const struct opt_desc *opt;
        const char *settings;
        struct rule_common common;
    } bad[] = { { &opt_sgd, "nesterov=true", { .clip = CLIP_GLOBAL } },
                { &opt_sgd, "momentum=0.9 nesterov=true dampening=0.1", { .clip = CLIP_GLOBAL } },
                { &opt_sgd, "momentum=0.9:ema dampening=0.1", { .clip = CLIP_GLOBAL } },
                { &opt_sgd, "momentum=0.9::debias", { .clip = CLIP_GLOBAL } },
                { &opt_sgd, "decay=l2", { .cautious_decay = true } },
                { &opt_adam, "", { .decay_mode = DECAY_MODE_INDEPENDENT } },
                { &opt_soap, "", { .state = { STORAGE_Q8, 256, 4096 } } },
                { &opt_galore, "", { .state = { STORAGE_BF16, 256, 4096 } } } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fields_fill(&bad[i].opt->variant, bad[i].settings, hyper);
        const struct opt_rule rule = { bad[i].opt, hyper, &bad[i].common };
        ck_assert_msg(opt_problem(&rule) != NULL, "case %d", (int)i);
    }
}
END_TEST

START_TEST(column_sums_of_extreme_gradients_stay_in_range)
{
    double adafactor[32];
    fields_fill(&opt_adafactor.variant, "", adafactor);
    struct virtual_setup setup = sgd("", 64, 3);
    setup.opt = &opt_adafactor;
    setup.hyper = adafactor;
    virtual_open(&w, &setup, 2, 1);
    w.exponent[0] = _i; /* gradients from 2^-75 to 2^20 */
    for (int64_t i = 0; i < 64 * 3; i++) w.sum[0][i] = (i % 7 - 3) * ((int64_t)1 << 30);
    const float most = (float)ldexp(3.0 * (1 << 30), -_i);
    memcpy(&w.max_bits[0], &most, sizeof most);
    virtual_step(&w, 0.01);
    for (int64_t i = 0; i < 64 * 3; i++) ck_assert(isfinite(w.theta[0][i]));
    virtual_close(&w);
}
END_TEST

int main(void)
{
    parallel_set_threads(1); /* tiny tensors: waking threads would cost more than the work */
    TCase *t = tcase_create("driver");
    tcase_add_test(t, the_norm_is_over_sums_and_the_factor_is_pytorchs);
    tcase_add_test(t, a_rule_without_clip_is_neither_clipped_nor_in_the_norm);
    tcase_add_test(t, the_norm_does_not_depend_on_cuts_and_changes_nothing);
    tcase_add_loop_test(t, decay_stands_where_the_rule_says_and_as_large_as_the_mode_says, 0, 4);
    tcase_add_test(t, decay_after_the_step_shrinks_the_step_too_and_a_step_of_its_own_has_no_rate);
    tcase_add_test(t, sums_are_exact_to_the_last_bit_for_any_cut);
    tcase_add_test(t, cautious_keeps_agreeing_elements_and_makes_up_for_the_others);
    tcase_add_test(t, cautious_decay_spares_weights_that_the_step_lets_grow);
    tcase_add_test(t, a_frozen_tensor_rests_and_starts_fresh_while_the_exchange_keeps_its_length);
    tcase_add_test(t, the_rounded_copy_follows_the_weights);
    tcase_add_test(t, a_rule_with_a_bound_of_its_own_is_clipped_by_its_own_norm);
    tcase_add_test(t, rows_are_clipped_beside_their_weights);
    tcase_add_test(t, layers_below_learn_at_smaller_rates);
    tcase_add_test(t, an_average_follows_the_weights_and_changes_places_with_them);
    tcase_add_loop_test(t, whole_matrices_are_directed_by_any_owner_with_the_same_bits, 0, 2);
    tcase_add_test(t, settings_that_exclude_each_other_are_told);
    tcase_add_loop_test(t, column_sums_of_extreme_gradients_stay_in_range, 10, 106);
    Suite *suite = suite_create("driver");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
