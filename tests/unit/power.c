/* Powers against the C library's, which is right to the last place but not the same on every machine. */
#include "worker/optim/power.h"
#include "tests/support/suite.h"

#include <check.h>
#include <math.h>

static void ck_relative(double a, double b, double tolerance)
{
    ck_assert_msg(fabs(a - b) <= tolerance * fabs(b), "%.17g, expected %.17g", a, b);
}

START_TEST(whole_powers_of_decays)
{
    static const double decays[] = { 0, 0.5, 0.9, 0.95, 0.999, 0.9999, 1 };
    static const int64_t steps[] = { 0, 1, 2, 3, 7, 100, 1000, 12345 };
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 8; k++) ck_relative(power_whole(decays[i], steps[k]), pow(decays[i], (double)steps[k]), 1e-11);
    ck_relative(power_whole(0.5, 3), 0.125, 0);
}
END_TEST

START_TEST(real_powers_of_what_rules_use)
{
    for (double t = 1; t < 1e7; t = t * 1.37 + 1) ck_relative(power(t, -0.8), pow(t, -0.8), 1e-14);
    for (double y = 0; y < 4000; y = y * 1.5 + 0.004) ck_relative(power(0.96, y), pow(0.96, y), 1e-13);
    ck_relative(power(1, -0.8), 1, 0); /* Adafactor's first step forgets everything, exactly */
}
END_TEST

START_TEST(logarithms_of_decays_keep_their_digits_near_one)
{
    static const double decays[] = { 1e-8, 0.01, 0.5, 0.7071067811865475, 0.9, 0.999, 0.9999, 0.999999, 2, 1e9 };
    for (int i = 0; i < 10; i++) ck_relative(logarithm(decays[i]), log(decays[i]), 1e-15);
    ck_relative(logarithm(1), 0, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("power");
    tcase_add_test(t, whole_powers_of_decays);
    tcase_add_test(t, real_powers_of_what_rules_use);
    tcase_add_test(t, logarithms_of_decays_keep_their_digits_near_one);
    Suite *suite = suite_create("power");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
