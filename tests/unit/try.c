/* try.c: what `lamina optim try` steps is what a run steps: the same bits as virtual ranks give, for every row of the table. */
#include "common/base/parallel.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/optim.h"
#include "worker/worker.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 5, COLS = 7, SIZE = ROWS * COLS, STEPS = 4 };

static struct arena arena;
static struct rule_config rule;
static struct try_problem problem;
static float theta[SIZE], grad[STEPS][SIZE], after[STEPS * SIZE];
static const float *grads[STEPS];

/* Multiples of 1/64, so that any fixed point holds them exactly. */
static void set_up(void)
{
    arena_open_growing(&arena, "test");
    for (int i = 0; i < SIZE; i++) theta[i] = (float)(i * i % 19 - 9) / 8;
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < SIZE; i++) grad[step][i] = (float)((i + 3) * (step + 5) * 7 % 129 - 64) / 64;
        grads[step] = grad[step];
    }
    problem = (struct try_problem){ .name = "p", .rule = &rule, .rows = ROWS, .cols = COLS, .n_dims = 2, .n_steps = STEPS };
    problem.theta = theta;
    problem.grad = grads;
}

static void tear_down(void) { arena_close(&arena); }

static void settings(const struct opt_desc *opt, const char *yaml)
{
    struct text problems = { 0 };
    const enum status s = config_parse_rule("t", yaml, strlen(yaml), &opt->variant, worker_tables(), &arena, &rule, &problems);
    ck_assert_msg(s == ST_OK, "%s", problems.data);
    text_free(&problems);
}

/* Some rules are for matrices, some need a library. */
static bool cannot_take(void)
{
    const struct opt_rule r = { worker_optimizer(rule.optimizer->name), rule.fields, &rule.common };
    const struct param p = { .n_dims = problem.n_dims, .rows = problem.rows, .cols = problem.cols };
    return opt_problem(&r) != NULL || (r.opt->refuse != NULL && r.opt->refuse(&p, rule.fields) != NULL);
}

START_TEST(every_rule_steps_with_the_bits_of_a_run)
{
    static const double factor[STEPS] = { 1, 0.5, 2, 0 };
    const struct opt_desc *opt = opt_table[_i / 2];
    settings(opt, opt->flags & OPT_PLAIN ? "{lr: 0.0625, weight_decay: 0.125}" : "{lr: 0.0625, weight_decay: 0.125, cautious: true}");
    if (_i % 2 == 1) {
        problem.rows = problem.n_dims = 1;
        problem.cols = SIZE;
    }
    problem.factor = factor;
    const enum status s = worker_try(&problem, after);
    if (cannot_take()) {
        ck_assert_int_eq(s, ST_DATA);
        return;
    }
    ck_assert_msg(s == ST_OK, "%s", status_text());

    const struct virtual_setup setup = { .n_tensors = 1,
                                         .tensor = { { problem.rows, problem.cols, problem.n_dims, 0 } },
                                         .opt = opt,
                                         .hyper = rule.fields,
                                         .common = rule.common };
    struct virtual_world w;
    virtual_open(&w, &setup, 2, 3);
    memcpy(w.theta[0], theta, sizeof theta);
    for (int step = 0; step < STEPS; step++) {
        virtual_gradient(&w, 0, grad[step]);
        virtual_step(&w, rule.common.lr * factor[step]);
        for (int i = 0; i < SIZE; i++)
            ck_assert_msg(memcmp(&w.theta[0][i], &after[step * SIZE + i], sizeof(float)) == 0, "%s, step %d, element %d: %.9g and %.9g",
                          opt->variant.name, step, i, (double)w.theta[0][i], (double)after[step * SIZE + i]);
    }
    virtual_close(&w);
}
END_TEST

START_TEST(what_a_rule_has_no_use_for_is_refused)
{
    settings(&opt_adam, "{}");
    problem.sampled = grads;
    ck_assert_int_eq(worker_try(&problem, after), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "p: sampled: "));
    problem.sampled = NULL;
    problem.projection = theta;
    ck_assert_int_eq(worker_try(&problem, after), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "p: projection: "));
    problem.projection = NULL;
    problem.eval = true;
    ck_assert_int_eq(worker_try(&problem, after), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "p: report: "));
    problem.eval = false;
    settings(&opt_sgd, "{dampening: 0.5}");
    ck_assert_int_eq(worker_try(&problem, after), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "p: hyper: dampening needs a momentum"));
    ck_assert_ptr_null(worker_optimizer("no such rule"));
}
END_TEST

int main(void)
{
    int n_rules = 0;
    while (opt_table[n_rules] != NULL) n_rules++;
    parallel_set_threads(1);
    Suite *suite = suite_create("try");
    TCase *cases = tcase_create("try");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, every_rule_steps_with_the_bits_of_a_run, 0, 2 * n_rules);
    tcase_add_test(cases, what_a_rule_has_no_use_for_is_refused);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_NOFORK);
}
