/* The loss curve: as characters, as SVG, and what it reads back from metrics.jsonl. */
#include "coordinator/curve.h"
#include "coordinator/file.h"
#include "coordinator/metrics_file.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(a_falling_line_goes_from_the_top_left_to_the_bottom_right)
{
    struct curve c = { .name = "x", .mark = "*" };
    struct text out = { 0 };
    for (int i = 0; i < 5; i++) curve_add(&c, i, 4 - i);
    curve_draw(&c, 1, 5, 5, "units", &out);
    ck_assert_str_eq(out.data, "   4.000 |*\n"
                               "         | *\n"
                               "   2.000 |  *\n"
                               "         |   *\n"
                               "   0.000 |    *\n"
                               "         +-----\n"
                               "          step 0  4   units: * x\n");
    text_free(&out);
    curve_free(&c);
}
END_TEST

START_TEST(no_points_draw_nothing_and_values_without_meaning_are_left_out)
{
    struct curve c = { .name = "x", .mark = "*", .color = "red" };
    struct text out = { 0 };
    curve_add(&c, 1, (double)NAN);
    curve_add(&c, 2, (double)INFINITY);
    curve_draw(&c, 1, 5, 5, "units", &out);
    curve_svg(&c, 1, "t", "units", &out);
    ck_assert_uint_eq(out.length, 0);
    curve_free(&c);
}
END_TEST

START_TEST(svg_is_escaped_and_complete)
{
    struct curve c = { .name = "a<b", .mark = "*", .color = "red" };
    struct text out = { 0 };
    for (int i = 0; i < 10000; i++) curve_add(&c, i, sin(i * 0.01));
    curve_svg(&c, 1, "R&D", "units", &out);
    ck_assert_ptr_nonnull(strstr(out.data, "R&amp;D"));
    ck_assert_ptr_nonnull(strstr(out.data, "a&lt;b"));
    ck_assert_ptr_nonnull(strstr(out.data, "</svg>\n"));
    ck_assert_ptr_null(strstr(out.data, "nan"));
    ck_assert_uint_lt(out.length, 32000); /* whatever the number of points */
    text_free(&out);
    curve_free(&c);
}
END_TEST

static void count(void *context, const struct metrics_point *p)
{
    (void)p;
    ++*(int *)context;
}

START_TEST(lines_past_the_loaded_step_and_half_lines_are_dropped)
{
    static const char lines[] = "{\"kind\":\"step\",\"step\":1,\"loss\":2.5}\n"
                                "{\"kind\":\"evaluation\",\"step\":2,\"loss\":null}\n"
                                "{\"kind\":\"step\",\"step\":3,\"loss\":1.5}\n"
                                "{\"kind\":\"step\",\"st";
    char path[] = "/tmp/lamina-metrics-XXXXXX";
    const int fd = mkstemp(path);
    int n = 0;
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(file_replace(path, lines, sizeof lines - 1), ST_OK);
    ck_assert_int_eq(metrics_cut(path, 2), ST_OK);
    struct text left = { 0 };
    ck_assert_int_eq(file_read(path, 4096, &left), ST_OK);
    ck_assert_uint_eq(left.length, (size_t)(strstr(lines, "{\"kind\":\"step\",\"step\":3") - lines));
    ck_assert_int_eq(metrics_each(path, count, &n), ST_OK);
    ck_assert_int_eq(n, 2);
    text_free(&left);
    (void)unlink(path);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("curve");
    tcase_add_test(t, a_falling_line_goes_from_the_top_left_to_the_bottom_right);
    tcase_add_test(t, no_points_draw_nothing_and_values_without_meaning_are_left_out);
    tcase_add_test(t, svg_is_escaped_and_complete);
    tcase_add_test(t, lines_past_the_loaded_step_and_half_lines_are_dropped);
    Suite *s = suite_create("curve");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
