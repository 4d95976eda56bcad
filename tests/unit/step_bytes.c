/* What a step moves in memory, as `lamina bench` holds it against a copy: by hand for rules of every kind. */
#include "common/plan/optimizer.h"
#include "tests/support/suite.h"
#include "worker/worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512, COLS = 768 };

/* Bytes per element of a matrix. */
static double per_element(const char *name, const char *settings, size_t rounded)
{
    struct arena arena;
    struct rule_config rule;
    struct text problems = { 0 };
    const struct opt_desc *opt = worker_optimizer(name);
    arena_open_growing(&arena, "test");
    const enum status s = config_parse_rule(name, settings, strlen(settings), &opt->variant, worker_tables(), &arena, &rule, &problems);
    ck_assert_msg(s == ST_OK, "%s", problems.data);
    const struct param matrix = { .name = "matrix", .role = ROLE_MLP_IN, .n_dims = 2, .rows = ROWS, .cols = COLS };
    const double bytes = opt_step_bytes(&(struct opt_rule){ opt, rule.fields, &rule.common }, &matrix, rounded);
    arena_close(&arena);
    return bytes / (ROWS * COLS);
}

enum { GRADIENT = 8, WEIGHTS = 4 + 4, SLOT = 4 + 4 };

START_TEST(a_rule_without_sums_moves_gradient_weights_and_state_once)
{
    ck_assert_double_eq(per_element("sgd", "{}", 0), GRADIENT + WEIGHTS);
    ck_assert_double_eq(per_element("lion", "{}", 0), GRADIENT + WEIGHTS + SLOT);
    ck_assert_double_eq(per_element("adamw", "{}", 0), GRADIENT + WEIGHTS + 2 * SLOT);
    ck_assert_double_eq(per_element("adamw", "{}", 2), GRADIENT + WEIGHTS + 2 * SLOT + 2);
    ck_assert_double_eq(per_element("adamw", "{average: 0.9}", 0), GRADIENT + WEIGHTS + 3 * SLOT);
    ck_assert_double_eq(per_element("sophia", "{}", 0), GRADIENT + WEIGHTS + SLOT + 4); /* the second slot is read */
}
END_TEST

START_TEST(state_in_fewer_bytes_counts_as_it_is_stored)
{
    ck_assert_double_eq(per_element("adamw", "{state: bf16}", 0), GRADIENT + WEIGHTS + 2 * (2 + 2));
    ck_assert_double_eq(per_element("adamw", "{state: q8}", 0), GRADIENT + WEIGHTS + 2 * 2 * (1 + 4.0 / 256));
}
END_TEST

START_TEST(a_rule_that_waits_keeps_its_directions)
{
    const double adalayer = GRADIENT + WEIGHTS + SLOT + 4 + (4 + 4); /* written; read and written by absorb */
    ck_assert_double_eq_tol(per_element("adalayer", "{}", 0), adalayer, 1e-3);
    const double adafactor = GRADIENT + WEIGHTS + 4 + 2 * (4 + 4);
    ck_assert_double_eq_tol(per_element("adafactor", "{}", 0), adafactor, 0.1); /* and a row and a column of state */
    ck_assert_double_eq(per_element("lion", "{cautious: true}", 0), GRADIENT + WEIGHTS + SLOT + 4 + (4 + 4) + GRADIENT);
}
END_TEST

START_TEST(what_lies_at_the_owner_of_a_matrix_is_not_counted)
{
    ck_assert_double_eq(per_element("muon", "{}", 0), GRADIENT + WEIGHTS + SLOT + 4 + 4);
    ck_assert_double_eq(per_element("soap", "{}", 0), per_element("galore", "{}", 0));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("step_bytes");
    TCase *t = tcase_create("step_bytes");
    tcase_add_test(t, a_rule_without_sums_moves_gradient_weights_and_state_once);
    tcase_add_test(t, state_in_fewer_bytes_counts_as_it_is_stored);
    tcase_add_test(t, a_rule_that_waits_keeps_its_directions);
    tcase_add_test(t, what_lies_at_the_owner_of_a_matrix_is_not_counted);
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
