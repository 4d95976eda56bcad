/* What every row of the schedule table must keep, and the numbers of each. */
#include "worker/schedules/schedules.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double factor(const struct schedule_desc *desc, const char *settings, int64_t t, int64_t n)
{
    struct schedule_fields fields;
    fields_fill(&desc->variant, settings, &fields);
    const struct schedule_config schedule = { .name = "test", .type = &desc->variant, .fields = &fields };
    return schedule_factor(&schedule, t, n);
}

/* What its preset says (config decides by it whether run.steps may grow). */
static bool endless(const struct schedule_desc *desc)
{
    const char *const *preset = desc->variant.preset;
    return preset != NULL && strcmp(preset[0], "run.steps") == 0 && preset[1] == NULL;
}

static void ck_near(double a, double b) { ck_assert_msg(fabs(a - b) <= 1e-12, "%.17g, expected %.17g", a, b); }

START_TEST(a_factor_is_a_share_of_the_rate_and_warm_up_is_linear_from_step_one)
{
    const struct schedule_desc *desc = schedule_table[_i];
    for (int64_t t = 1; t <= 200; t++) {
        const double f = factor(desc, "warmup=20", t, 200);
        ck_assert_msg(f > 0 && f <= 1, "%s, step %d: %g", desc->variant.name, (int)t, f);
        if (t <= 20) ck_near(f, (double)t / 20);
    }
    ck_near(factor(desc, "", 1, 200), 1);
    ck_near(factor(desc, "warmup=300", 200, 200), 200.0 / 300);
    ck_near(factor(desc, "warmup=100%", 200, 200), 1);
}
END_TEST

START_TEST(a_schedule_is_endless_exactly_if_a_longer_run_has_the_same_factors)
{
    const struct schedule_desc *desc = schedule_table[_i];
    bool equal = true;
    for (int64_t t = 1; t <= 100; t++) equal = equal && !(fabs(factor(desc, "warmup=10", t, 100) - factor(desc, "warmup=10", t, 150)) > 0);
    ck_assert_int_eq(equal, endless(desc));
}
END_TEST

START_TEST(every_setting_is_explained)
{
    const struct schedule_desc *desc = schedule_table[_i];
    ck_assert(desc->variant.name[0] != '\0' && desc->variant.summary[0] != '\0' && desc->variant.bytes == sizeof(struct schedule_fields));
    ck_assert_str_eq(desc->variant.fields[0].key, "warmup");
    for (const struct field *f = desc->variant.fields; f->key != NULL; f++)
        ck_assert_msg(f->help[0] != '\0' && f->value != NULL && f->trajectory, "%s.%s", desc->variant.name, f->key);
}
END_TEST

START_TEST(shares_round_half_up)
{
    ck_assert_int_eq(share_steps((struct share){ 5, true }, 650), 33); /* 32.5 */
    ck_assert_int_eq(share_steps((struct share){ 5, true }, 649), 32); /* 32.45 */
    ck_assert_int_eq(share_steps((struct share){ 7, false }, 650), 7);
    ck_assert_int_eq(share_steps((struct share){ 0.5, true }, 100), 1); /* 0.5 */
}
END_TEST

START_TEST(the_shapes_have_their_known_values)
{
    ck_near(factor(&schedule_constant, "warmup=10", 99, 100), 1);
    ck_near(factor(&schedule_linear, "", 51, 100), 0.5);
    ck_near(factor(&schedule_linear, "floor=0.2", 51, 100), 0.6);
    ck_near(factor(&schedule_linear, "warmup=20", 100, 100), 1.0 / 80);
    ck_near(factor(&schedule_cosine, "", 51, 100), 0.5);
    ck_near(factor(&schedule_cosine, "floor=0.1", 51, 100), 0.55);
    for (int64_t t = 1; t <= 100; t++)
        ck_near(factor(&schedule_cosine, "", t, 100), 0.5 * (1 + cos(3.14159265358979323846 * (double)(t - 1) / 100)));
    ck_near(factor(&schedule_wsd, "warmup=10 decay=30%", 71, 100), 1);
    ck_near(factor(&schedule_wsd, "warmup=10 decay=30%", 86, 100), 0.5);
    ck_near(factor(&schedule_wsd, "warmup=10 decay=30% floor=0.5", 100, 100), 0.5 + 0.5 / 30);
    ck_near(factor(&schedule_wsd, "decay=0", 100, 100), 1);
    ck_near(factor(&schedule_inverse_sqrt, "warmup=25", 100, 1000), 0.5);
    ck_near(factor(&schedule_inverse_sqrt, "", 4, 1000), 0.5);
}
END_TEST

int main(void)
{
    int n = 0;
    while (schedule_table[n] != NULL) n++;
    TCase *t = tcase_create("schedules");
    tcase_add_loop_test(t, a_factor_is_a_share_of_the_rate_and_warm_up_is_linear_from_step_one, 0, n);
    tcase_add_loop_test(t, a_schedule_is_endless_exactly_if_a_longer_run_has_the_same_factors, 0, n);
    tcase_add_loop_test(t, every_setting_is_explained, 0, n);
    tcase_add_test(t, shares_round_half_up);
    tcase_add_test(t, the_shapes_have_their_known_values);
    Suite *suite = suite_create("contract schedules");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
