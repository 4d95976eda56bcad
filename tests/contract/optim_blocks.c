/* Rules whose second moments belong to blocks: where two granularities are the same, what a block is, and what settings exclude. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/optim.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { HYPER = 32, STEPS = 4 };
static double hyper[2][HYPER];
static struct virtual_world one, other;

/* A world of the given tensors after a few random steps on two ranks. */
static void run(struct virtual_world *w, double *h, const struct opt_desc *opt, const char *settings, const struct virtual_tensor *tensors,
                int n)
{
    fields_fill(&opt->variant, settings, h);
    struct virtual_setup setup = { .n_tensors = n, .opt = opt, .hyper = h, .common = { .lr = 0.01, .weight_decay = 0.1 } };
    memcpy(setup.tensor, tensors, (size_t)n * sizeof *tensors);
    virtual_open(w, &setup, 2, 3);
    for (int i = 0; i < STEPS; i++) {
        virtual_random_gradients(w, 0.3f);
        virtual_step(w, 0.01);
    }
}

static const struct virtual_tensor matrices[] = { { 7, 5, 2, 0 }, { 33, 40, 2, 0 }, { 1, 9, 1, 0 }, { 3, 300, 2, 0 } };
static const struct virtual_tensor columns[] = { { 41, 1, 2, 0 }, { 1, 1, 1, 0 } };

/* Settings that mean the same: the same bits, also of the state. */
static const struct equal {
    const struct opt_desc *opt;
    const char *one, *other;
    int n_tensors;
} equals[] = { { &opt_adam_mini, "granularity=head head_rows=1", "granularity=row", 4 },
               { &opt_adam_mini, "granularity=head", "granularity=row", 4 }, /* tensors without attention heads */
               { &opt_adalayer, "granularity=head head_rows=7", "granularity=tensor", 1 },
               { &opt_adalayer, "granularity=model", "granularity=tensor", 1 },
               { &opt_adamw, "granularity=model amsgrad=true", "granularity=tensor amsgrad=true", 1 },
               { &opt_adalayer, "split=[7]", "", 1 },
               { &opt_adalayer, "split=[3,5]", "", 4 }, /* no tensor has eight rows */
               { &opt_adalayer, "split=[1,1,1,1,1,1,1]", "granularity=row", 1 } };

START_TEST(settings_that_mean_the_same_blocks_give_the_same_bits)
{
    const struct equal *e = &equals[_i];
    run(&one, hyper[0], e->opt, e->one, matrices, e->n_tensors);
    run(&other, hyper[1], e->opt, e->other, matrices, e->n_tensors);
    for (int t = 0; t < e->n_tensors; t++)
        ck_assert_msg(memcmp(one.theta[t], other.theta[t], (size_t)(matrices[t].rows * matrices[t].cols) * sizeof(float)) == 0,
                      "%s: %s and %s, tensor %d", e->opt->variant.name, e->one, e->other, t);
    virtual_close(&one);
    virtual_close(&other);
}
END_TEST

START_TEST(on_one_column_a_row_is_an_element)
{
    run(&one, hyper[0], &opt_adalayer, "granularity=row eps=1e-8 betas=[0.9,0.999]", columns, 2);
    run(&other, hyper[1], &opt_adamw, "", columns, 2);
    for (int t = 0; t < 2; t++)
        for (int64_t i = 0; i < columns[t].rows; i++) ck_assert_double_eq_tol((double)one.theta[t][i], (double)other.theta[t][i], 1e-6);
    virtual_close(&one);
    virtual_close(&other);
}
END_TEST

START_TEST(the_model_has_one_second_moment_whichever_tensor_is_asked)
{
    run(&one, hyper[0], &opt_adalayer, "granularity=model", matrices, 4);
    int64_t bytes;
    float first, v;
    memcpy(&first, virtual_slot(&one, 0, 1, &bytes), sizeof first);
    for (int t = 0; t < 4; t++) {
        memcpy(&v, virtual_slot(&one, t, 1, &bytes), sizeof v);
        ck_assert_int_eq(bytes, sizeof v);
        ck_assert(v > 0 && memcmp(&v, &first, sizeof v) == 0);
    }
    virtual_close(&one);
}
END_TEST

/* Two steps of adam-mini on a tensor of the role bias, and of another rule on the same numbers, without a driver. */
static void step_bias(const struct opt_desc *opt, const char *settings, float *u)
{
    const struct param bias = { .role = ROLE_BIAS, .n_dims = 1, .rows = 1, .cols = 3 };
    float g[3] = { 1, -0.25f, 0.5f }, m[3] = { 0 }, v[3] = { 0 };
    fields_fill(&opt->variant, settings, hyper[0]);
    struct opt_tensor tensor = { .param = &bias, .scope = 3 };
    struct opt_tile tile = { .tensor = &tensor, .n_rows = 1, .cols = 3, .count = 3, .theta = u, .grad = g, .u = u, .slot = { m, v } };
    for (int t = 1; t <= 2; t++) {
        const struct opt_step step = { .t = t, .lr = 0.01, .factor = 1, .hyper = hyper[0] };
        opt->prepare(&step, &tensor);
        opt->propose(&step, &tile);
        g[1] = 2;
    }
}

START_TEST(adam_mini_keeps_one_second_moment_per_element_of_a_bias_only)
{
    const struct param bias = { .role = ROLE_BIAS, .n_dims = 1, .rows = 1, .cols = 3 }, norm = { .role = ROLE_NORM, .rows = 1, .cols = 3 };
    float mini[3], adam[3], shared[3], row[3];
    step_bias(&opt_adam_mini, "", mini);
    step_bias(&opt_adamw, "", adam);
    step_bias(&opt_adam_mini, "biases=block", shared);
    step_bias(&opt_adamw, "granularity=row", row);
    ck_assert_mem_eq(mini, adam, sizeof mini);
    ck_assert_mem_eq(shared, row, sizeof shared);
    ck_assert(mini[1] != shared[1]);
    fields_fill(&opt_adam_mini.variant, "granularity=tensor", hyper[0]);
    ck_assert_int_eq(opt_adam_mini.slots[1].extent_of(&bias, hyper[0]), PER_ELEMENT);
    ck_assert_int_eq(opt_adam_mini.slots[1].extent_of(&norm, hyper[0]), PER_TENSOR);
    ck_assert_int_eq(opt_needs(&opt_adam_mini, &bias, hyper[0]).scalars[0], 0);
    ck_assert_int_eq(opt_needs(&opt_adam_mini, &norm, hyper[0]).scalars[0], 1);
}
END_TEST

START_TEST(a_head_is_the_models_unless_its_rows_are_given)
{
    const struct param q = { .role = ROLE_ATTN_Q, .n_dims = 2, .rows = 64, .cols = 64, .head_rows = 16 };
    const struct param mlp = { .role = ROLE_MLP_IN, .n_dims = 2, .rows = 64, .cols = 64 };
    static const struct {
        const char *settings;
        int64_t of_q, of_mlp;
    } cases[] = { { "granularity=head", 16, 1 }, { "granularity=head head_rows=8", 8, 8 }, { "granularity=row", 1, 1 }, { "", 1, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fields_fill(&opt_adam_mini.variant, cases[i].settings, hyper[0]);
        ck_assert_int_eq(opt_adam_mini.row_align(&q, hyper[0]), cases[i].of_q);
        ck_assert_int_eq(opt_adam_mini.row_align(&mlp, hyper[0]), cases[i].of_mlp);
    }
}
END_TEST

START_TEST(frozen_moments_hold_the_weights_then_themselves)
{
    fields_fill(&opt_adalayer.variant, "frozen_after=2", hyper[0]);
    struct virtual_setup setup = { .n_tensors = 1, .opt = &opt_adalayer, .hyper = hyper[0], .common = { .lr = 1, .weight_decay = 0.5 } };
    setup.tensor[0] = (struct virtual_tensor){ 1, 2, 1, 0 };
    virtual_open(&one, &setup, 1, 0);
    const float before[2] = { one.theta[0][0], one.theta[0][1] };
    static const float g[4][2] = { { 1, 7 }, { 2, 4 }, { 100, 1 }, { 5, 5 } };
    static const double v[4] = { 12.5, 35.0 / 3, 35.0 / 3, 35.0 / 3 }; /* means 25, 10: 25/2, (25 + 10)/3 */
    for (int t = 0; t < 4; t++) {
        float now;
        int64_t bytes;
        virtual_gradient(&one, 0, g[t]);
        virtual_step(&one, 0.1);
        memcpy(&now, virtual_slot(&one, 0, 1, &bytes), sizeof now);
        ck_assert_double_eq_tol((double)now, v[t], 1e-5);
        ck_assert((memcmp(one.theta[0], before, sizeof before) == 0) == (t < 2));
    }
    virtual_close(&one);
}
END_TEST

START_TEST(where_no_gradient_ever_was_adafactor_moves_nothing)
{
    static const char *const settings[] = { "variant=hf scale_parameter=false", "variant=t5x min_dim=2 scale_parameter=false",
                                            "eps=[0,1e-3]" };
    fields_fill(&opt_adafactor.variant, settings[_i], hyper[0]);
    struct virtual_setup setup = { .n_tensors = 1, .opt = &opt_adafactor, .hyper = hyper[0], .common = { .lr = 0.01 } };
    setup.tensor[0] = (struct virtual_tensor){ 2, 2, 2, 0 };
    virtual_open(&one, &setup, 1, 0);
    const float still = one.theta[0][3]; /* its row and its column are zero: R_i C_j / mean(R) is 1e-60 / mean(R) */
    for (int t = 0; t < 3; t++) {
        virtual_gradient(&one, 0, (float[]){ 900, 0, 0, 0 });
        virtual_step(&one, 0.01);
        for (int i = 0; i < 4; i++) ck_assert(isfinite(one.theta[0][i]));
        ck_assert(one.theta[0][3] == still && one.theta[0][0] != 0);
    }
    virtual_close(&one);
}
END_TEST

static const struct refused {
    const struct opt_desc *opt;
    const char *settings, *word;
    struct rule_common common;
} refusals[] = { { &opt_adam_mini, "head_rows=4", "granularity: head", { .lr = 1 } },
                 { &opt_adalayer, "split=[1,2] granularity=row", "granularity: tensor", { .lr = 1 } },
                 { &opt_adalayer, "frozen_after=3 amsgrad=true", "amsgrad", { .lr = 1 } },
                 { &opt_adafactor, "beta1=0.9", "beta1", { .lr = 1 } },
                 { &opt_adafactor, "scale_parameter=false", "scale_parameter", { .lr = 1 } },
                 { &opt_adafactor, "relative_step=true variant=t5x", "relative_step", { .lr = 1 } },
                 { &opt_adafactor, "relative_step=true variant=hf", "lr must be none", { .lr = 1 } },
                 { &opt_adafactor, "relative_step=false variant=hf", "number for lr", { .lr = -1 } },
                 { &opt_adafactor, "warmup_init=true variant=hf", "lr must be none", { .lr = 1 } },
                 { &opt_adafactor, "variant=t5x", "number for lr", { .lr = -1 } },
                 { &opt_adafactor, "variant=hf", "layer_decay", { .lr = -1, .layer_decay = 0.5 } },
                 { &opt_adafactor, "variant=hf", "cautious", { .lr = 1, .weight_decay = 0.1, .cautious = true } },
                 { &opt_schedule_free, "", "cautious", { .lr = 1, .cautious = true } },
                 { &opt_adafactor, "warmup_init=true", "warmup_init", { .lr = 1 } },
                 { &opt_adafactor, "min_dim=4 variant=hf", "min_dim", { .lr = 1 } },
                 { &opt_schedule_free, "betas=[0,0.9]", "betas", { .lr = 1 } } };

START_TEST(settings_that_would_be_ignored_are_refused_with_a_sentence)
{
    const struct refused *r = &refusals[_i];
    fields_fill(&r->opt->variant, r->settings, hyper[0]);
    const char *why = opt_problem(&(struct opt_rule){ r->opt, hyper[0], &r->common });
    ck_assert_msg(why != NULL && strstr(why, r->word) != NULL, "%s %s: %s", r->opt->variant.name, r->settings, why != NULL ? why : "no");
}
END_TEST

int main(void)
{
    parallel_set_threads(1); /* tiny tensors: waking threads would cost more than the work */
    TCase *t = tcase_create("blocks");
    tcase_add_loop_test(t, settings_that_mean_the_same_blocks_give_the_same_bits, 0, sizeof equals / sizeof equals[0]);
    tcase_add_test(t, on_one_column_a_row_is_an_element);
    tcase_add_test(t, the_model_has_one_second_moment_whichever_tensor_is_asked);
    tcase_add_test(t, adam_mini_keeps_one_second_moment_per_element_of_a_bias_only);
    tcase_add_test(t, a_head_is_the_models_unless_its_rows_are_given);
    tcase_add_test(t, frozen_moments_hold_the_weights_then_themselves);
    tcase_add_loop_test(t, where_no_gradient_ever_was_adafactor_moves_nothing, 0, 3);
    tcase_add_loop_test(t, settings_that_would_be_ignored_are_refused_with_a_sentence, 0, sizeof refusals / sizeof refusals[0]);
    Suite *suite = suite_create("contract optim_blocks");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
