/* Policy without a run: what happens next. */
#include "coordinator/director.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdlib.h>

static const struct director_policy policy = { .steps = 10, .save_every = 4, .evaluate_every = 5 };

START_TEST(a_new_run_begins_with_step_one_and_nothing_else)
{
    const struct director_order o = director_next(&policy, &(struct director_state){ .step = 0, .saved = -1 });
    ck_assert(o.step == 1 && !o.save && !o.evaluate && o.end == END_NOT);
}
END_TEST

START_TEST(intervals_save_and_evaluate_once)
{
    struct director_state s = { .step = 4, .saved = -1 };
    ck_assert(director_next(&policy, &s).save);
    ck_assert(!director_next(&policy, &s).evaluate);
    s.saved = 4;
    ck_assert(!director_next(&policy, &s).save);
    s.step = 5;
    ck_assert(director_next(&policy, &s).evaluate);
    s.evaluated = true;
    ck_assert(!director_next(&policy, &s).evaluate);
}
END_TEST

START_TEST(the_last_step_evaluates_saves_and_ends)
{
    const struct director_order o = director_next(&policy, &(struct director_state){ .step = 10, .saved = 8 });
    ck_assert(o.save && o.evaluate && o.end == END_COMPLETE);
}
END_TEST

START_TEST(a_signal_saves_at_once_and_does_not_evaluate)
{
    const struct director_order o = director_next(&policy, &(struct director_state){ .step = 5, .saved = 4, .signals = 1 });
    ck_assert(o.save && !o.evaluate && o.end == END_SIGNAL);
}
END_TEST

START_TEST(a_signal_after_the_last_step_does_not_make_the_run_incomplete)
{
    ck_assert_int_eq(director_next(&policy, &(struct director_state){ .step = 10, .saved = 10, .signals = 1 }).end, END_COMPLETE);
}
END_TEST

START_TEST(until_saves_after_its_step_and_stops)
{
    struct director_policy p = policy;
    p.until = 3;
    ck_assert_int_eq(director_next(&p, &(struct director_state){ .step = 2, .saved = -1 }).end, END_NOT);
    const struct director_order o = director_next(&p, &(struct director_state){ .step = 3, .saved = -1 });
    ck_assert(o.save && o.end == END_UNTIL);
}
END_TEST

START_TEST(a_resumed_run_does_not_save_what_it_loaded)
{
    const struct director_order o = director_next(&policy, &(struct director_state){ .step = 4, .saved = 4, .evaluated = true });
    ck_assert(!o.save && o.step == 5 && o.end == END_NOT);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("director");
    tcase_add_test(t, a_new_run_begins_with_step_one_and_nothing_else);
    tcase_add_test(t, intervals_save_and_evaluate_once);
    tcase_add_test(t, the_last_step_evaluates_saves_and_ends);
    tcase_add_test(t, a_signal_saves_at_once_and_does_not_evaluate);
    tcase_add_test(t, a_signal_after_the_last_step_does_not_make_the_run_incomplete);
    tcase_add_test(t, until_saves_after_its_step_and_stops);
    tcase_add_test(t, a_resumed_run_does_not_save_what_it_loaded);
    Suite *s = suite_create("director");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
