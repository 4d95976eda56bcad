/* Where one rule turns into another, and a few sentences about single steps that follow from the formulas. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/optim.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Both rules, from the same weights through the same gradients, end at the same weights. */
static const struct limit {
    const char *a, *a_settings, *b, *b_settings;
    double tolerance; /* of the difference, as a share of the largest weight; 0: every bit */
    float gradient;   /* size of the gradients; 0: 0.3 */
    int steps;        /* 0: 5 */
    bool one_column, vectors, from_zero;
} limits[] = {
    { "lion", "betas=[0.9,0.9]", "signum", "beta=0.9", .tolerance = 0 },
    { "adalayer", "granularity=row", "adamw", "betas=[0.9,0.95] eps=1e-15", .tolerance = 1e-6, .one_column = true },
    { "adamw", "granularity=row", "adamw", "", .tolerance = 1e-6, .one_column = true },
    { "ademamix", "alpha=0", "adamw", "", .tolerance = 0 },
    { "ademamix", "betas=[0.9,0.999,0.9] alpha=0.5 beta3_warmup=9", "ademamix", "betas=[0.9,0.999,0.9] alpha=0.5", .tolerance = 1e-6 },
    /* below norm 1 nothing is limited */
    { "mars", "gamma=0 betas=[0.9,0.999]", "adamw", "", .tolerance = 0, .gradient = 1e-3f },
    { "mars", "gamma=0 variant=lion betas=[0.9,0]", "signum", "beta=0.9", .tolerance = 0, .gradient = 1e-3f },
    /* no curvature: every element is clipped */
    { "sophia", "rho=0", "signum", "beta=0.965", .tolerance = 0 },
    /* ratio 1, by its bounds or for want of weights */
    { "lamb", "clamp=[1,1] eps=1e-8", "adamw", "", .tolerance = 1e-6 },
    { "lamb", "", "adamw", "eps=1e-6", .tolerance = 0, .steps = 1, .from_zero = true },
    { "lamb", "variant=deepspeed eps=0", "lamb", "eps=0", .tolerance = 1e-6, .steps = 1, .from_zero = true },
    { "lars", "", "sgd", "momentum=0.9", .tolerance = 0, .steps = 1, .from_zero = true },
    { "lars", "nesterov=true", "sgd", "momentum=0.9 nesterov=true", .tolerance = 1e-6, .vectors = true }, /* vectors have no ratio */
    /* without decay both divide by ||g|| */
    { "lars", "variant=joint", "lars", "", .tolerance = 1e-6 },
    { "sgd", "momentum=1e-30", "sgd", "", .tolerance = 0 },
};
enum { N_LIMITS = sizeof limits / sizeof limits[0], N_TENSORS = 3, MOST_HYPER = 32, MOST = 17 * 31 };

static const struct opt_desc *find(const char *name)
{
    for (int i = 0; opt_table[i] != NULL; i++)
        if (strcmp(opt_table[i]->variant.name, name) == 0) return opt_table[i];
    CHECK(!"an optimizer of the table");
}

static void open_world(struct virtual_world *w, const char *name, const char *settings, double decay, double hyper[MOST_HYPER],
                       const struct limit *l)
{
    const struct virtual_tensor shapes[N_TENSORS] = { { 17, 31, 2, 0 }, { 7, 1, 2, 0 }, { 1, 300, 2, 0 } };
    const struct opt_desc *opt = find(name);
    ck_assert(opt->variant.bytes <= MOST_HYPER * sizeof(double));
    fields_fill(&opt->variant, settings, hyper);
    struct virtual_setup setup = { .n_tensors = N_TENSORS, .opt = opt, .hyper = hyper, .common = { .lr = 0.01, .weight_decay = decay } };
    for (int t = 0; t < N_TENSORS; t++) {
        struct virtual_tensor *s = &setup.tensor[t];
        *s = shapes[t];
        if (l != NULL && l->one_column) *s = (struct virtual_tensor){ s->rows * s->cols, 1, 2, 0 };
        if (l != NULL && l->vectors) *s = (struct virtual_tensor){ 1, s->rows * s->cols, 1, 0 };
    }
    virtual_open(w, &setup, 1, 0);
    for (int t = 0; l != NULL && l->from_zero && t < N_TENSORS; t++)
        memset(w->theta[t], 0, (size_t)(shapes[t].rows * shapes[t].cols) * sizeof(float));
}

static void ck_close(const struct virtual_world *a, const struct virtual_world *b, double tolerance, const char *what)
{
    for (int t = 0; t < N_TENSORS; t++) {
        const int64_t n = a->setup.tensor[t].rows * a->setup.tensor[t].cols;
        double most = 0;
        for (int64_t i = 0; i < n; i++) most = fabs((double)b->theta[t][i]) > most ? fabs((double)b->theta[t][i]) : most;
        for (int64_t i = 0; i < n; i++) {
            const double error = fabs((double)a->theta[t][i] - (double)b->theta[t][i]);
            ck_assert_msg(error <= tolerance * most, "%s: tensor %d [%d]: %.9g and %.9g", what, t, (int)i, (double)a->theta[t][i],
                          (double)b->theta[t][i]);
        }
    }
}

START_TEST(one_rule_is_the_limit_of_another)
{
    const struct limit *l = &limits[_i];
    double hyper_a[MOST_HYPER], hyper_b[MOST_HYPER];
    struct virtual_world a, b;
    char what[160];
    snprintf(what, sizeof what, "%s %s = %s %s", l->a, l->a_settings, l->b, l->b_settings);
    open_world(&a, l->a, l->a_settings, 0, hyper_a, l);
    open_world(&b, l->b, l->b_settings, 0, hyper_b, l);
    for (int step = 0; step < (l->steps > 0 ? l->steps : 5); step++) {
        virtual_random_gradients(&a, l->gradient > 0 ? l->gradient : 0.3f);
        virtual_random_gradients(&b, l->gradient > 0 ? l->gradient : 0.3f);
        virtual_step(&a, 0.01);
        virtual_step(&b, 0.01);
    }
    ck_close(&a, &b, l->tolerance, what);
    virtual_close(&a);
    virtual_close(&b);
}
END_TEST

/* theta of the first tensor, to compare with after steps */
static void keep(const struct virtual_world *w, float out[MOST]) { memcpy(out, w->theta[0], MOST * sizeof *out); }

START_TEST(sgd_without_momentum_subtracts_the_gradient)
{
    double hyper[MOST_HYPER];
    struct virtual_world w;
    float before[MOST];
    open_world(&w, "sgd", "", 0, hyper, NULL);
    keep(&w, before);
    virtual_random_gradients(&w, 0.3f);
    virtual_step(&w, 0.25);
    for (int i = 0; i < MOST; i++) {
        const float g = (float)ldexp((double)w.sum[0][i], -w.exponent[0]);
        ck_assert_double_eq((double)w.theta[0][i], (double)(before[i] - 0.25f * g));
    }
    virtual_close(&w);
}
END_TEST

START_TEST(lamb_without_gradients_shrinks_by_the_rate_whatever_the_decay)
{
    static const double decays[] = { 0.01, 0.1, 3 };
    double hyper[MOST_HYPER];
    struct virtual_world w;
    float before[MOST];
    open_world(&w, "lamb", "", decays[_i], hyper, NULL);
    keep(&w, before);
    virtual_random_gradients(&w, 0);
    virtual_step(&w, 0.01);
    for (int i = 0; i < MOST; i++) ck_assert_double_eq_tol((double)w.theta[0][i], 0.99 * (double)before[i], 1e-6);
    virtual_close(&w);
}
END_TEST

START_TEST(lars_steps_keep_the_rate_that_their_gradients_had)
{
    double hyper[MOST_HYPER];
    struct virtual_world w;
    float before[MOST], between[MOST];
    open_world(&w, "lars", "trust=0.1", 0, hyper, NULL);
    keep(&w, before);
    virtual_random_gradients(&w, 0.3f);
    virtual_step(&w, 0.1);
    keep(&w, between);
    virtual_step(&w, 0); /* only what is left of the first step: 0.9 of it */
    for (int i = 0; i < MOST; i++) {
        const double first = (double)between[i] - (double)before[i], second = (double)w.theta[0][i] - (double)between[i];
        ck_assert_double_eq_tol(second, 0.9 * first, 1e-6);
    }
    virtual_close(&w);
}
END_TEST

START_TEST(mars_enlarges_the_first_gradient_and_limits_its_norm)
{
    double hyper[MOST_HYPER];
    struct virtual_world w;
    float g[MOST] = { 0 };
    int64_t bytes;
    open_world(&w, "mars", "", 0, hyper, NULL);
    g[5] = _i == 0 ? 0.5f : 0.75f; /* c = 1.475 g: of norm 0.7375, or above 1 */
    for (int t = 0; t < N_TENSORS; t++) virtual_gradient(&w, t, g);
    virtual_step(&w, 0.01);
    const float *m = virtual_slot(&w, 0, 0, &bytes);
    ck_assert_double_eq_tol((double)m[5], 0.05 * (_i == 0 ? 0.7375 : 1), 1e-8);
    virtual_close(&w);
}
END_TEST

int main(void)
{
    parallel_set_threads(1);
    TCase *t = tcase_create("limits");
    tcase_add_loop_test(t, one_rule_is_the_limit_of_another, 0, N_LIMITS);
    tcase_add_test(t, sgd_without_momentum_subtracts_the_gradient);
    tcase_add_loop_test(t, lamb_without_gradients_shrinks_by_the_rate_whatever_the_decay, 0, 3);
    tcase_add_test(t, lars_steps_keep_the_rate_that_their_gradients_had);
    tcase_add_loop_test(t, mars_enlarges_the_first_gradient_and_limits_its_norm, 0, 2);
    Suite *suite = suite_create("optim limits");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
