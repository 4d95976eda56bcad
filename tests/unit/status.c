/* Failures: sentence, trace, codes; and the invariants of check.h. */
#include "common/base/status.h"
#include "common/base/check.h"
#include "tests/support/suite.h"
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status innermost(int heads, int width) { FAIL(ST_CONFIG, "heads (%d) must divide width (%d)", heads, width); }

static enum status middle(void)
{
    TRY(innermost(5, 64));
    return ST_OK;
}

static enum status outermost(void)
{
    TRY(middle());
    return ST_OK;
}

START_TEST(a_failure_carries_its_sentence_and_every_place_it_passed)
{
    ck_assert_int_eq(outermost(), ST_CONFIG);
    ck_assert_str_eq(status_text(), "heads (5) must divide width (64)");
    const char *trace = status_trace_text();
    int places = 1;
    for (const char *p = trace; (p = strstr(p, " < ")) != NULL; p++) places++;
    ck_assert_int_eq(places, 3);
    status_clear();
    ck_assert_str_eq(status_text(), "");
    ck_assert_str_eq(status_trace_text(), "");
}
END_TEST

START_TEST(a_new_failure_may_quote_the_old_one)
{
    (void)innermost(5, 64);
    (void)status_fail(ST_IO, "f.c", 7, "while reading: %s", status_text());
    ck_assert_str_eq(status_text(), "while reading: heads (5) must divide width (64)");
    ck_assert_str_eq(status_trace_text(), "f.c:7");
}
END_TEST

START_TEST(a_failure_of_another_rank_names_it)
{
    ck_assert_int_eq(status_adopt(ST_DATA, 2, "no such file"), ST_DATA);
    ck_assert_str_eq(status_text(), "rank 2: no such file");
    (void)status_adopt(ST_DATA, 3, status_text());
    ck_assert_str_eq(status_text(), "rank 3: rank 2: no such file");
}
END_TEST

START_TEST(a_sentence_that_does_not_fit_says_so)
{
    char *longest = malloc(STATUS_TEXT_BYTES + 1);
    memset(longest, 'x', STATUS_TEXT_BYTES);
    longest[STATUS_TEXT_BYTES - 1] = '\0';
    (void)status_fail(ST_IO, "f.c", 1, "%s", longest);
    ck_assert_str_eq(status_text(), longest);
    (void)status_fail(ST_IO, "f.c", 1, "%sy", longest);
    ck_assert_uint_eq(strlen(status_text()), STATUS_TEXT_BYTES - 1);
    ck_assert_str_eq(status_text() + STATUS_TEXT_BYTES - 4, "...");
    for (int i = 0; i < 1000; i++) (void)status_trace(ST_IO, "a/rather/long/name/of/a/file.c", i); /* must not run over */
    free(longest);
}
END_TEST

START_TEST(exit_codes_are_the_documented_ones)
{
    const enum status code[] = { ST_OK,       ST_DIFFER, ST_USAGE,   ST_CONFIG, ST_DATA, ST_DAMAGED, ST_IO,
                                 ST_DIVERGED, ST_BUG,    ST_TIMEOUT, ST_LAUNCH, ST_BUSY, ST_STOPPED };
    const int exit_code[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 75 };
    ck_assert_uint_eq(sizeof code / sizeof code[0], STATUS_COUNT);
    for (size_t i = 0; i < STATUS_COUNT; i++) ck_assert_int_eq(status_exit_code(code[i]), exit_code[i]);
    ck_assert_str_eq(status_name(ST_DAMAGED), "ST_DAMAGED");
    ck_assert_str_eq(status_meaning(ST_BUSY), "the run folder is in use");
}
END_TEST

START_TEST(sizes_that_overflow_fail)
{
    size_t out = 7;
    ck_assert_int_eq(size_mul(SIZE_MAX / 2, 2, &out), ST_OK);
    ck_assert_uint_eq(out, SIZE_MAX - 1);
    ck_assert_int_eq(size_mul(SIZE_MAX / 2, 3, &out), ST_BUG);
    ck_assert_int_eq(size_add(SIZE_MAX, 0, &out), ST_OK);
    ck_assert_int_eq(size_add(SIZE_MAX, 1, &out), ST_BUG);
    ck_assert_int_eq(ceil_div(9, 4), 3);
    ck_assert_int_eq(ceil_div(8, 4), 2);
}
END_TEST

static void leave_with_exit_code(enum status code) { _exit(strstr(status_text(), "1 + 1 == 3") != NULL ? status_exit_code(code) : 99); }

START_TEST(a_broken_invariant_calls_the_hook)
{
    CHECK(1 + 1 == 2);
    check_on_failure(leave_with_exit_code);
    CHECK(1 + 1 == 3);
}
END_TEST

START_TEST(a_broken_invariant_without_a_hook_aborts) { CHECK(1 + 1 == 3); }
END_TEST

int main(void)
{
    TCase *t = tcase_create("status");
    tcase_add_test(t, a_failure_carries_its_sentence_and_every_place_it_passed);
    tcase_add_test(t, a_new_failure_may_quote_the_old_one);
    tcase_add_test(t, a_failure_of_another_rank_names_it);
    tcase_add_test(t, a_sentence_that_does_not_fit_says_so);
    tcase_add_test(t, exit_codes_are_the_documented_ones);
    tcase_add_test(t, sizes_that_overflow_fail);
    tcase_add_exit_test(t, a_broken_invariant_calls_the_hook, 8);
    tcase_add_test_raise_signal(t, a_broken_invariant_without_a_hook_aborts, SIGABRT);
    Suite *suite = suite_create("status");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
