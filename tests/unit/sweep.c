/* The grid of a sweep: what an axis may look like, which values it has, the order of points and their names; and the figure. */
#include "coordinator/sweep_figure.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void setup(void) { arena_open_growing(&arena, "sweep"); }
static void teardown(void) { arena_close(&arena); }

static struct sweep_axis axis_of(const char *over)
{
    struct sweep_axis a;
    ck_assert_msg(sweep_axis_read(&arena, over, &a) == ST_OK, "%s: %s", over, status_text());
    return a;
}

static const struct {
    const char *over, *values;
    enum sweep_scale scale;
} good[] = {
    { "lr=1e-4..1e-1@5", "1e-4 5.623e-4 3.162e-3 1.778e-2 1e-1", SCALE_GEOMETRIC },
    { "lr=0.001..0.1@3", "0.001 0.01 0.1", SCALE_GEOMETRIC },
    { "model.width=64..512@4", "64 128 256 512", SCALE_GEOMETRIC },
    { "run.steps=1000..16000@5", "1000 2000 4000 8000 16000", SCALE_GEOMETRIC },
    { "k=0..0.5@3", "0 0.25 0.5", SCALE_LINEAR },
    { "k=-1..1@3", "-1 0 1", SCALE_LINEAR },
    { "k=1..4@4lin", "1 2 3 4", SCALE_LINEAR },
    { "k=0..1@4", "0 0.3333 0.6667 1", SCALE_LINEAR },
    { "k=10000..10003@4lin", "10000 10001 10002 10003", SCALE_LINEAR }, /* four digits would not tell them apart */
    { "k=1..1.001@3log", "1 1.0005 1.001", SCALE_GEOMETRIC },
    { "k=1e-20..1e-18@3", "1e-20 1e-19 1e-18", SCALE_GEOMETRIC },
    { "k=a,b,c", "a b c", SCALE_LIST },
    { "k=one", "one", SCALE_LIST },
    { "k=[0.9,0.95],[0.9,0.99]", "[0.9,0.95] [0.9,0.99]", SCALE_LIST },
    { "k={a: 1, b: 2},\"x,y\"", "{a: 1, b: 2} \"x,y\"", SCALE_LIST },
    { "data.train.t.path=../a.h5,../b.h5", "../a.h5 ../b.h5", SCALE_LIST },
};
START_TEST(an_axis_has_these_values)
{
    const struct sweep_axis a = axis_of(good[_i].over);
    struct text values = { 0 };
    for (int i = 0; i < a.n; i++) text_add(&values, "%s%s", i > 0 ? " " : "", a.value[i]);
    ck_assert_str_eq(values.data, good[_i].values);
    ck_assert_int_eq(a.scale, good[_i].scale);
    ck_assert_int_eq(strncmp(a.key, good[_i].over, strlen(a.key)), 0);
    text_free(&values);
}
END_TEST

static const struct {
    const char *over, *told;
} bad[] = {
    { "lr", "takes KEY=LOW..HIGH@N or KEY=a,b,c" },
    { "=1,2", "takes KEY=LOW..HIGH@N or KEY=a,b,c" },
    { "a b=1,2", "takes KEY=LOW..HIGH@N or KEY=a,b,c" },
    { "lr=1e-4..1e-1", "Write lr=1e-4..1e-1@5" },
    { "lr=1e-4..x@5", "the high end \"x\" is not a number" },
    { "lr=1e-1..1e-4@5", "1e-1 is not below 1e-4" },
    { "lr=1..1@2", "1 is not below 1" },
    { "lr=1..2@1", "must be 2 to 4096, not \"1\"" },
    { "lr=1..2@5000", "must be 2 to 4096" },
    { "lr=1..2@", "must be 2 to 4096" },
    { "lr=1..2@5geo", "\"geo\" behind @5 is neither lin" },
    { "lr=0..1@5log", "write @5lin" },
    { "lr=1,,2", "a value is empty" },
    { "lr=", "a value is empty" },
    { "lr=1,2,1", "the value 1 stands twice" },
    { "lr=1..1.000000000000001@4000", "do not fit between the ends" },
};
START_TEST(a_bad_axis_is_told_what_to_write)
{
    struct sweep_axis a;
    ck_assert_int_eq(sweep_axis_read(&arena, bad[_i].over, &a), ST_USAGE);
    ck_assert_msg(strstr(status_text(), bad[_i].told) != NULL, "%s: %s", bad[_i].over, status_text());
}
END_TEST

/* What is between the ends is as long as it must be, reads back to itself, and lies where the ratio says within a rounding. */
START_TEST(geometric_values_are_short_and_near)
{
    const struct sweep_axis a = axis_of("lr=1e-6..10@29");
    for (int i = 0; i < a.n; i++) {
        double x = 0;
        char again[SWEEP_NUMBER];
        ck_assert_int_eq(str_to_f64(a.value[i], &x), ST_OK);
        sweep_number(x, 17, true, again);
        double back = 0;
        ck_assert_int_eq(str_to_f64(again, &back), ST_OK);
        ck_assert(back == x);
        ck_assert_uint_le(strlen(a.value[i]), 8);
        ck_assert_double_eq_tol(x / pow(10, -6 + 7.0 * i / 28), 1, 5.1e-4);
    }
}
END_TEST

static const struct {
    double value;
    int digits;
    bool exponent;
    const char *text;
} numbers[] = {
    { 0, 4, true, "0" },
    { 1, 4, true, "1" },
    { -0.25, 4, false, "-0.25" },
    { 0.00056234, 4, false, "5.623e-4" },
    { 0.01, 4, false, "0.01" },
    { 0.01, 4, true, "1e-2" },
    { 0.0178, 2, false, "0.018" },
    { 123456, 4, true, "123500" },
    { 1e20, 4, false, "1e20" },
    { 9.9999, 3, false, "10" },
    { 99.5, 17, false, "99.5" },
    { 1e-300, 4, false, "1e-300" },
    { 2.5e15, 4, false, "2.5e15" },
    { 1e14, 1, false, "100000000000000" },
    { 0.1, 17, false, "0.10000000000000001" },
};
START_TEST(numbers_are_written_short)
{
    char out[SWEEP_NUMBER];
    sweep_number(numbers[_i].value, numbers[_i].digits, numbers[_i].exponent, out);
    ck_assert_str_eq(out, numbers[_i].text);
}
END_TEST

static struct sweep grid_of(int n, const char *const over[])
{
    struct sweep s;
    ck_assert_msg(sweep_read(&arena, over, n, &s) == ST_OK, "%s", status_text());
    return s;
}

START_TEST(the_first_axis_varies_slowest)
{
    const struct sweep s = grid_of(3, (const char *[]){ "a=1,2", "b=x,y,z", "c=7" });
    ck_assert_int_eq(s.n_points, 6);
    struct text all = { 0 };
    for (int i = 0; i < s.n_points; i++) text_add(&all, "%s%s%s ", sweep_value(&s, i, 0), sweep_value(&s, i, 1), sweep_value(&s, i, 2));
    ck_assert_str_eq(all.data, "1x7 1y7 1z7 2x7 2y7 2z7 ");
    text_free(&all);
}
END_TEST

START_TEST(a_grid_has_bounds)
{
    static const struct {
        int n;
        const char *over[9], *told;
    } rows[] = {
        { 0, { 0 }, "nothing to go over" },
        { 2, { "a=0..1@65", "b=0..1@64" }, "more than 4096 points" },
        { 2, { "a=1,2", "a=3" }, "is given twice" },
        { 1, { "run.name=a,b" }, "a name of its own" },
        { 9, { "a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1", "i=1" }, "8 are the most" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sweep s;
        ck_assert_int_eq(sweep_read(&arena, rows[i].over, rows[i].n, &s), ST_USAGE);
        ck_assert_msg(strstr(status_text(), rows[i].told) != NULL, "%s", status_text());
    }
    ck_assert_int_eq(grid_of(2, (const char *[]){ "a=0..1@64", "b=0..1@64" }).n_points, SWEEP_POINTS);
}
END_TEST

START_TEST(names_tell_the_values)
{
    char name[CONFIG_NAME_MAX], other[CONFIG_NAME_MAX];
    const struct sweep one = grid_of(1, (const char *[]){ "optimizer.defaults.lr=1e-3,1e-2" });
    sweep_name(&one, "tiny", 1, name);
    ck_assert_str_eq(name, "tiny-lr1e-2");
    const struct sweep more = grid_of(1, (const char *[]){ "optimizer.defaults.lr=1e-4,1e-3,1e-2" });
    sweep_name(&more, "tiny", 2, other);
    ck_assert_str_eq(other, name); /* the grid may grow */
    const struct sweep two = grid_of(2, (const char *[]){ "optimizer.defaults.lr=1,2", "optimizer.rules.head.lr=3,4" });
    sweep_name(&two, "tiny", 2, name);
    ck_assert_str_eq(name, "tiny-defaults.lr2-head.lr3");
}
END_TEST

START_TEST(names_that_would_not_fit_end_in_a_digest)
{
    char a[CONFIG_NAME_MAX], b[CONFIG_NAME_MAX];
    const struct sweep lists = grid_of(1, (const char *[]){ "o.betas=[0.9, 0.95],[0.9; 0.95]" });
    sweep_name(&lists, "tiny", 0, a);
    sweep_name(&lists, "tiny", 1, b);
    ck_assert_int_eq(strncmp(a, "tiny-betas_0.9_0.95-", 20), 0);
    ck_assert_int_eq(strncmp(b, "tiny-betas_0.9_0.95-", 20), 0);
    ck_assert_str_ne(a, b);
    ck_assert_uint_eq(strlen(a), 28);
    const struct sweep path =
        grid_of(1, (const char *[]){ "p=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,b" });
    sweep_name(&path, "tiny", 0, a);
    ck_assert_uint_eq(strlen(a), CONFIG_NAME_MAX - 1);
    sweep_name(&path, "tiny", 1, b);
    ck_assert_str_eq(b, "tiny-pb");
}
END_TEST

/* --- The figure and the order --- */

enum { POINTS = 6 };
struct study {
    struct sweep grid;
    struct sweep_point point[POINTS];
    struct sweep_points all;
    struct sweep_result result[POINTS];
};

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) n++;
    return n;
}

/* Three rates, two optimizers; losses as given, NAN: diverged. */
static void study_open(struct study *s, const char *first, const double loss[POINTS])
{
    static char name[POINTS][16];
    s->grid = grid_of(2, (const char *[]){ first, "o.kind=a<b,c&d" });
    s->all = (struct sweep_points){ .grid = &s->grid, .name = "x<y", .n = POINTS, .point = s->point };
    for (int i = 0; i < POINTS; i++) {
        (void)snprintf(name[i], sizeof name[i], "run-%d", i);
        s->point[i] = (struct sweep_point){ .index = i, .name = name[i], .folder = ".", .steps = 10 };
        const bool complete = !isnan(loss[i]);
        s->result[i] = (struct sweep_result){ .state = complete ? POINT_COMPLETE : POINT_DIVERGED,
                                              .train_loss = loss[i],
                                              .valid_loss = loss[i],
                                              .valid_bits = loss[i],
                                              .n_sources = complete,
                                              .step = 10 };
    }
}

START_TEST(the_figure_has_a_line_per_combination_and_marks_what_has_no_place)
{
    struct study s;
    struct text svg = { 0 };
    study_open(&s, "lr=1e-3..1e-1@3", (double[]){ 3, 3.2, 2.5, 2.7, (double)NAN, 400 });
    sweep_figure(&s.all, s.result, &svg);
    ck_assert_int_eq(count(svg.data, "<polyline"), 2);
    ck_assert_int_eq(count(svg.data, "class=\"diverged\""), 1);
    ck_assert_int_eq(count(svg.data, "class=\"above\""), 1);
    ck_assert_int_eq(count(svg.data, "class=\"best\""), 1);
    ck_assert_int_eq(count(svg.data, "r=\"3.5\""), 4);
    ck_assert_ptr_nonnull(strstr(svg.data, "x&lt;y: validation loss"));
    ck_assert_ptr_nonnull(strstr(svg.data, "kind a&lt;b"));
    ck_assert_ptr_nonnull(strstr(svg.data, "kind c&amp;d"));
    ck_assert_ptr_null(strstr(svg.data, "nan"));
    ck_assert_ptr_null(strstr(svg.data, "inf"));
    text_free(&svg);
}
END_TEST

static double x_of_tick(const char *svg, const char *label)
{
    char tail[64];
    (void)snprintf(tail, sizeof tail, "text-anchor=\"middle\">%s</text>", label);
    const char *at = strstr(svg, tail);
    ck_assert_msg(at != NULL, "no tick %s", label);
    while (at > svg && strncmp(at, "<text x=\"", 9) != 0) at--;
    return strtod(at + 9, NULL);
}

/* The same distance from 1e-3 to 1e-2 as from 1e-2 to 1e-1; a linear axis would put 1e-2 near the left. */
START_TEST(positions_are_logarithmic_where_the_axis_is_geometric)
{
    static const struct {
        const char *axis, *tick[3];
        double middle; /* share of the way */
    } rows[] = { { "lr=1e-3..1e-1@3", { "1e-3", "1e-2", "1e-1" }, 0.5 },
                 { "lr=0.1,0.001,0.01", { "0.001", "0.01", "0.1" }, 0.5 }, /* a list in any order */
                 { "k=0..0.5@3", { "0", "0.25", "0.5" }, 0.5 },
                 { "k=1,2,4", { "1", "2", "4" }, 1.0 / 3 },
                 { "k=b,a,c", { "b", "a", "c" }, 0.5 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct study s;
        struct text svg = { 0 };
        study_open(&s, rows[i].axis, (double[]){ 3, 3, 3, 3, 3, 3 });
        sweep_figure(&s.all, s.result, &svg);
        const double a = x_of_tick(svg.data, rows[i].tick[0]), b = x_of_tick(svg.data, rows[i].tick[1]),
                     c = x_of_tick(svg.data, rows[i].tick[2]);
        ck_assert_msg(fabs((b - a) / (c - a) - rows[i].middle) < 1e-3, "%s: %g %g %g", rows[i].axis, a, b, c);
        text_free(&svg);
    }
}
END_TEST

START_TEST(no_losses_draw_nothing)
{
    struct study s;
    struct text svg = { 0 };
    const double none = (double)NAN;
    study_open(&s, "lr=1e-3..1e-1@3", (double[]){ none, none, none, none, none, none });
    sweep_figure(&s.all, s.result, &svg);
    ck_assert_uint_eq(svg.length, 0);
}
END_TEST

START_TEST(the_best_comes_first_and_what_has_no_loss_last)
{
    struct study s;
    int order[POINTS];
    study_open(&s, "lr=1e-3..1e-1@3", (double[]){ 3, (double)NAN, 2, (double)INFINITY, 2, 4 });
    s.result[2].train_loss = 1.5; /* the tie at 2 is decided by the training loss */
    s.result[4].train_loss = 1.4;
    s.result[5].state = POINT_FAILED;
    ck_assert(sweep_results_order(&s.all, s.result, order));
    static const int wanted[POINTS] = { 4, 2, 0, 3, 1, 5 }; /* complete without a finite loss before diverged before failed */
    for (int i = 0; i < POINTS; i++) ck_assert_int_eq(order[i], wanted[i]);
    for (int i = 0; i < POINTS; i++) s.result[i].state = POINT_UNFINISHED;
    ck_assert(!sweep_results_order(&s.all, s.result, order)); /* and none of these is best */
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("sweep");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, an_axis_has_these_values, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(t, a_bad_axis_is_told_what_to_write, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(t, geometric_values_are_short_and_near);
    tcase_add_loop_test(t, numbers_are_written_short, 0, sizeof numbers / sizeof numbers[0]);
    tcase_add_test(t, the_first_axis_varies_slowest);
    tcase_add_test(t, a_grid_has_bounds);
    tcase_add_test(t, names_tell_the_values);
    tcase_add_test(t, names_that_would_not_fit_end_in_a_digest);
    tcase_add_test(t, the_figure_has_a_line_per_combination_and_marks_what_has_no_place);
    tcase_add_test(t, positions_are_logarithmic_where_the_axis_is_geometric);
    tcase_add_test(t, no_losses_draw_nothing);
    tcase_add_test(t, the_best_comes_first_and_what_has_no_loss_last);
    Suite *s = suite_create("sweep");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
