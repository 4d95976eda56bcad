/* Which optimizers `lamina bench` times. */
#include "coordinator/bench_optimizers.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct bench_optimizers rows;

static bool has(const char *name, const char *state)
{
    for (int i = 0; i < rows.n; i++)
        if (strcmp(rows.row[i].opt->variant.name, name) == 0 && strcmp(rows.row[i].state, state) == 0) return true;
    return false;
}

START_TEST(names_come_in_the_order_given_with_their_state)
{
    ck_assert_int_eq(bench_optimizers_choose("muon,lion/q8,adamw/bf16,lion/fp32", &rows), ST_OK);
    ck_assert_int_eq(rows.n, 4);
    ck_assert_str_eq(rows.row[0].opt->variant.name, "muon");
    ck_assert_str_eq(rows.row[0].state, "fp32");
    ck_assert_str_eq(rows.row[1].opt->variant.name, "lion");
    ck_assert_str_eq(rows.row[1].state, "q8");
    ck_assert(has("adamw", "bf16") && has("lion", "fp32"));
}
END_TEST

START_TEST(all_are_those_of_the_table_and_some_leave_out_what_takes_minutes)
{
    ck_assert_int_eq(bench_optimizers_choose("all", &rows), ST_OK);
    for (const struct variant *const *v = worker_tables()->optimizers; *v != NULL; v++) ck_assert(has((*v)->name, "fp32"));
    ck_assert(has("adamw", "bf16") && has("adamw", "q8") && has("lion", "q8"));
    const int all = rows.n;
    ck_assert_int_eq(bench_optimizers_choose("some", &rows), ST_OK);
    ck_assert_int_eq(rows.n, all - 3);
    ck_assert(!has("soap", "fp32") && !has("shampoo", "fp32") && !has("galore", "fp32"));
    ck_assert(has("muon", "fp32") && has("apollo", "fp32"));
    ck_assert_int_eq(bench_optimizers_choose("none", &rows), ST_OK);
    ck_assert_int_eq(rows.n, 0);
}
END_TEST

START_TEST(what_is_no_optimizer_or_no_state_is_told)
{
    static const char *const wrong[] = { "adamv", "adamw/int4", "adamw,", "", "lion,adamw/", "all,none" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(bench_optimizers_choose(wrong[i], &rows) == ST_USAGE, "\"%s\" was taken", wrong[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bench_optimizers");
    TCase *t = tcase_create("bench_optimizers");
    tcase_add_test(t, names_come_in_the_order_given_with_their_state);
    tcase_add_test(t, all_are_those_of_the_table_and_some_leave_out_what_takes_minutes);
    tcase_add_test(t, what_is_no_optimizer_or_no_state_is_told);
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
