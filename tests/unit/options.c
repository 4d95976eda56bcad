/* The command line: what is understood, and what a mistake is told. */
#include "coordinator/options.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row rows[] = {
    { .name = "fresh", .type = OPTION_FLAG, .help = "a flag" },
    { .name = "until", .type = OPTION_INTEGER, .arg = "N", .value = "0", .low = 0, .high = 100, .help = "an integer" },
    { .name = "top-p", .type = OPTION_NUMBER, .arg = "P", .value = "1", .low = 0, .high = 1, .help = "a number" },
    { .name = "out", .type = OPTION_TEXT, .arg = "FILE", .help = "a text without default" },
    { .name = "allow", .type = OPTION_LIST, .arg = "KEY", .help = "a list" },
    { 0 },
};
static const struct option_rules rules = { .rows = rows, .least = 1, .most = 2, .overrides = true, .usage = "RUN [X]" };

static enum status parse(struct options *o, const char *line)
{
    static char copy[512];
    char *argv[32];
    int argc = 0;
    char *rest = NULL;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) argv[argc++] = word;
    return options_parse(&rules, argc, argv, o);
}

START_TEST(options_operands_and_overrides_are_told_apart)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "run.yaml --until 7 model.width=96 --top-p=0.5 --allow a --allow b.c --fresh dir/a=b"), ST_OK);
    ck_assert_int_eq(o.n_operands, 2);
    ck_assert_str_eq(o.operand[0], "run.yaml");
    ck_assert_str_eq(o.operand[1], "dir/a=b"); /* a path may hold '=' */
    ck_assert_int_eq(o.n_overrides, 1);
    ck_assert_str_eq(o.override[0], "model.width=96");
    ck_assert_int_eq(option_integer(&o, "until"), 7);
    ck_assert(option_number(&o, "top-p") == 0.5);
    ck_assert(option_flag(&o, "fresh"));
    const char *allow[OPTIONS_MAX];
    ck_assert_int_eq(option_list(&o, "allow", allow), 2);
    ck_assert_str_eq(allow[1], "b.c");
}
END_TEST

START_TEST(defaults_come_from_the_rows)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "run.yaml"), ST_OK);
    ck_assert_int_eq(option_integer(&o, "until"), 0);
    ck_assert(option_number(&o, "top-p") == 1);
    ck_assert(!option_flag(&o, "fresh"));
    ck_assert_ptr_null(option_text(&o, "out"));
    ck_assert(!option_given(&o, "until"));
}
END_TEST

static const struct {
    const char *line, *told;
} mistakes[] = {
    { "run --untl 3", "did you mean --until" },   { "run --until", "needs a value" },
    { "run --until x", "takes an integer" },      { "run --until 101", "must lie in [0, 100]" },
    { "run --top-p nan", "takes a number" },      { "run --fresh=1", "takes no value" },
    { "run --until 1 --until 2", "given twice" }, { "run -u 3", "two dashes" },
    { "run b c", "one argument too many" },       { "--fresh", "an argument is missing" },
};
START_TEST(a_mistake_is_a_usage_error_with_a_remedy)
{
    struct options o;
    ck_assert_int_eq(parse(&o, mistakes[_i].line), ST_USAGE);
    ck_assert_msg(strstr(status_text(), mistakes[_i].told) != NULL, "%s: %s", mistakes[_i].line, status_text());
}
END_TEST

START_TEST(help_needs_no_operands_and_two_dashes_end_the_options)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "--help"), ST_OK);
    ck_assert(o.help);
    ck_assert_int_eq(parse(&o, "-- --fresh"), ST_OK);
    ck_assert_str_eq(o.operand[0], "--fresh");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("options");
    tcase_add_test(t, options_operands_and_overrides_are_told_apart);
    tcase_add_test(t, defaults_come_from_the_rows);
    tcase_add_loop_test(t, a_mistake_is_a_usage_error_with_a_remedy, 0, (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(t, help_needs_no_operands_and_two_dashes_end_the_options);
    Suite *s = suite_create("options");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
