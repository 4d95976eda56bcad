/* schedule_free.c against the algorithm with its three sequences written out; the golden test compares y alone. */
#include "common/base/check.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "worker/optim/optim.h"

#include <check.h>
#include <math.h>

enum { AHEAD, V, RATE, AVERAGED };
static double hyper[16];
static const struct param weight = { .n_dims = 2, .rows = 1, .cols = 1 };

/* One weight, stepped as the driver would. */
static struct one {
    float y, ahead, v, rate, averaged[2], g, u;
    struct opt_tensor tensor;
    struct opt_tile tile;
} w;

static void start(const char *settings, float y)
{
    fields_fill(&opt_schedule_free.variant, settings, hyper);
    w = (struct one){ .y = y };
    w.tensor = (struct opt_tensor){ .param = &weight, .slot = { [RATE] = &w.rate, [AVERAGED] = w.averaged } };
    w.tile = (struct opt_tile){ .tensor = &w.tensor, .n_rows = 1, .cols = 1, .count = 1, .theta = &w.y, .grad = &w.g, .u = &w.u };
    w.tile.slot[AHEAD] = &w.ahead;
    w.tile.slot[V] = &w.v;
}

static void step(int64_t t, double lr, double decay, float g)
{
    const struct opt_step s = { .t = t, .lr = lr, .factor = 1, .weight_decay = decay, .hyper = hyper };
    w.g = g;
    opt_schedule_free.prepare(&s, &w.tensor);
    opt_schedule_free.propose(&s, &w.tile);
    w.y -= w.u;
}

static double evaluated(void)
{
    float x;
    opt_schedule_free.eval_weights(hyper, &w.tile, &x);
    return (double)x;
}

START_TEST(the_weights_to_evaluate_are_the_average_of_z)
{
    static const struct {
        const char *settings;
        double b1, b2, r, power, warmup, lr[6]; /* of each step, as a schedule would give it */
    } cases[] = { { "", 0.9, 0.999, 0, 2, 1, { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 } },
                  { "warmup=4 r=2", 0.9, 0.999, 2, 2, 4, { 0.1, 0.1, 0.1, 0.1, 0.05, 0.01 } },
                  { "betas=[0.6,0.9] weight_lr_power=0", 0.6, 0.9, 0, 0, 1, { 0, 0.3, 0.1, 0.2, 0, 0.1 } },
                  { "betas=[0.95,0.9] r=0.5", 0.95, 0.9, 0.5, 2, 1, { 0, 0, 1e-4, 0.2, 0, 0.1 } },
                  { "weight_lr_power=10", 0.9, 0.999, 0, 10, 1, { 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6 } } }; /* w_t = 1e-60 */
    static const double gradient[] = { 0.5, -0.25, 1, 0.125, -2, 0.75 };
    start(cases[_i].settings, 1.5f);
    ck_assert_double_eq(evaluated(), 1.5); /* before the first step */
    double x = 1.5, z = 1.5, y = 1.5, v = 0, total = 0, most = 0;
    for (int t = 1; t <= 6; t++) {
        const double eta = cases[_i].lr[t - 1] * fmin(1, t / cases[_i].warmup), g = gradient[t - 1];
        most = fmax(most, eta);
        const double weighs = pow(t, cases[_i].r) * pow(most, cases[_i].power);
        total += weighs;
        const double c = total > 0 ? weighs / total : 0;
        v = cases[_i].b2 * v + (1 - cases[_i].b2) * g * g;
        z -= eta * (g / (sqrt(v / (1 - pow(cases[_i].b2, t))) + 1e-8) + 0.1 * y);
        x = (1 - c) * x + c * z;
        y = (1 - cases[_i].b1) * z + cases[_i].b1 * x;
        step(t, cases[_i].lr[t - 1], 0.1, (float)g);
        ck_assert_double_eq_tol((double)w.y, y, 1e-6);
        ck_assert_double_eq_tol(evaluated(), x, 1e-6);
    }
}
END_TEST

START_TEST(the_average_of_very_many_steps_goes_on_growing)
{
    start("", 1);
    for (int64_t t = 1; t <= 100; t++) step(t, 0.1, 0, 1);
    ck_assert_double_eq_tol((double)w.averaged[0] + (double)w.averaged[1], 100, 1e-9); /* equal weights: c = 1/t */
    w.averaged[0] = 0x1p24f;                                                           /* where an fp32 alone cannot count on */
    w.averaged[1] = 0;
    step(1 << 24, 0.1, 0, 1);
    step((1 << 24) + 1, 0.1, 0, 1);
    step((1 << 24) + 2, 0.1, 0, 1);
    ck_assert_double_eq_tol((double)w.averaged[0] + (double)w.averaged[1], 0x1p24 + 3, 1e-9);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("schedule-free");
    tcase_add_loop_test(t, the_weights_to_evaluate_are_the_average_of_z, 0, 5);
    tcase_add_test(t, the_average_of_very_many_steps_goes_on_growing);
    Suite *suite = suite_create("schedule_free");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
