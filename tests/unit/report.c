/* The page about a run: what is read from a damaged folder, and that nothing of it is obeyed by a browser. */
#include "coordinator/report.h"
#include "coordinator/chart.h"
#include "coordinator/html.h"
#include "tests/support/suite.h"
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    char folder[64];
    struct report_run run;
    struct text page;
} fx;

static void setup(void)
{
    memset(&fx, 0, sizeof fx);
    (void)snprintf(fx.folder, sizeof fx.folder, "/tmp/lamina-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fx.folder));
}

static void teardown(void)
{
    report_close(&fx.run);
    text_free(&fx.page);
    ck_assert_int_eq(folder_remove(fx.folder), ST_OK);
}

static void put(const char *file, const char *bytes, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", fx.folder, file);
    ck_assert_int_eq(file_replace(path, bytes, n), ST_OK);
}

static void put_text(const char *file, const char *text) { put(file, text, strlen(text)); }

static const char *page(void)
{
    report_open(fx.folder, &fx.run);
    report_page(&fx.run, 1, &fx.page);
    return fx.page.data;
}

static int times(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) n++;
    return n;
}

/* ---- what is read ---- */

START_TEST(the_newest_line_of_a_step_counts)
{
    put_text("metrics.jsonl", "{\"kind\":\"step\",\"step\":1,\"loss\":5.0,\"tokens\":10}\n"
                              "{\"kind\":\"step\",\"step\":2,\"loss\":4.0,\"tokens\":10}\n"
                              "{\"kind\":\"evaluation\",\"step\":2,\"source\":\"v\",\"loss\":4.5}\n"
                              "{\"kind\":\"step\",\"step\":3,\"loss\":3.0,\"tokens\":10}\n"
                              "{\"kind\":\"step\",\"step\":2,\"loss\":2.0,\"tokens\":10,\"skipped\":true}\n"
                              "{\"kind\":\"evaluation\",\"step\":2,\"source\":\"v\",\"loss\":2.5}\n");
    (void)page();
    ck_assert_int_eq(fx.run.n_steps, 3);
    ck_assert_double_eq(fx.run.step[1].loss, 2);
    ck_assert(fx.run.step[1].skipped);
    ck_assert_double_eq(fx.run.step[2].loss, 3); /* of the first attempt, which no other line replaced */
    ck_assert_int_eq(fx.run.n_evaluations, 1);
    ck_assert_double_eq(fx.run.evaluation[0].loss, 2.5);
    ck_assert_double_eq(report_tokens(&fx.run), 30);
}
END_TEST

START_TEST(damage_is_passed_over_and_told)
{
    static const char lines[] = "{\"kind\":\"step\",\"step\":1,\"loss\":5.0,\"tokens\":10}\n"
                                "{\"kind\":\"step\",\"st\x00\x00\x00\n"
                                "[1, 2]\n"
                                "{\"kind\":\"step\",\"step\":4,\"loss\":3.0,\"tokens\":10}\n"
                                "{\"kind\":\"step\",\"step\":5,\"lo";
    put("metrics.jsonl", lines, sizeof lines - 1);
    const char *html = page();
    ck_assert_int_eq(fx.run.n_steps, 2);
    ck_assert_double_eq(report_tokens(&fx.run), 40); /* two lines are lost, their steps were done */
    ck_assert_ptr_nonnull(strstr(html, "metrics.jsonl: 2 lines do not read"));
    ck_assert_ptr_nonnull(strstr(html, "metrics.jsonl: the last line is cut"));
    ck_assert_ptr_nonnull(strstr(html, "There is no run.json."));
    ck_assert_ptr_nonnull(strstr(html, "There is no config.yaml."));
    ck_assert_ptr_nonnull(strstr(html, "There is no events.jsonl."));
}
END_TEST

START_TEST(an_empty_folder_gives_a_page)
{
    const char *html = page();
    ck_assert_ptr_nonnull(strstr(html, "There is no metrics.jsonl."));
    ck_assert_ptr_null(strstr(html, "<figure"));
    ck_assert_ptr_nonnull(strstr(html, "</html>\n"));
}
END_TEST

START_TEST(a_line_without_end_is_no_reason_to_hold_it)
{
    char *lines = malloc(3 << 20);
    ck_assert_ptr_nonnull(lines);
    memset(lines, 'x', 3 << 20);
    lines[(3 << 20) - 1] = '\n';
    put("metrics.jsonl", lines, 3 << 20);
    free(lines);
    ck_assert_ptr_nonnull(strstr(page(), "metrics.jsonl: 1 line does not read"));
}
END_TEST

START_TEST(the_last_event_tells_how_the_run_stands)
{
    put_text("events.jsonl",
             "{\"event\":\"complete\",\"step\":4,\"text\":\"complete\"}\n{\"event\":\"resumed\",\"step\":4,\"text\":\"on\"}\n");
    put_text("metrics.jsonl", "{\"kind\":\"step\",\"step\":5}\n");
    (void)page();
    ck_assert_str_eq(report_state(&fx.run), "no end recorded");
    put_text("events.jsonl", "{\"event\":\"resumed\",\"step\":4,\"text\":\"on\"}\n{\"event\":\"stopped\",\"step\":6,\"text\":\"asked\"}\n");
    report_close(&fx.run);
    (void)page();
    ck_assert_str_eq(report_state(&fx.run), "stopped");
}
END_TEST

START_TEST(of_many_events_the_newest_are_held)
{
    struct text lines = { 0 };
    for (int i = 0; i < 3 * REPORT_EVENTS + 1; i++) text_add(&lines, "{\"event\":\"lock\",\"step\":%d,\"text\":\"t\"}\n", i);
    put_text("events.jsonl", lines.data);
    text_free(&lines);
    ck_assert_ptr_nonnull(strstr(page(), "The last 400 of 1201 events"));
    ck_assert_int_eq(json_integer_value(json_object_get(report_event(&fx.run, 0), "step")), 2 * REPORT_EVENTS + 1);
    ck_assert_int_eq(json_integer_value(json_object_get(report_event(&fx.run, REPORT_EVENTS - 1), "step")), 3 * REPORT_EVENTS);
    ck_assert_ptr_null(report_event(&fx.run, REPORT_EVENTS));
}
END_TEST

/* ---- what is written ---- */

#define EVIL "\\\"><script>alert(1)</script>'&\\u202e"

START_TEST(texts_of_others_are_shown_and_not_obeyed)
{
    put_text("run.json", "{\"name\":\"" EVIL "\",\"" EVIL "\":{\"" EVIL "\":[\"" EVIL "\",\"" EVIL "\"]},\"ranks\":2,"
                         "\"rules\":[{\"name\":\"" EVIL "\",\"optimizer\":\"" EVIL "\",\"schedule\":\"" EVIL "\",\"lr\":null}]}");
    put_text("config.yaml", "a: <script>alert(2)</script>\xff\n");
    put_text("metrics.jsonl", "{\"kind\":\"step\",\"step\":1,\"loss\":2.0,\"lr\":{\"" EVIL "\":0.1}}\n"
                              "{\"kind\":\"step\",\"step\":2,\"loss\":1.0,\"lr\":{\"" EVIL "\":0.2}}\n"
                              "{\"kind\":\"evaluation\",\"step\":2,\"source\":\"" EVIL "\",\"loss\":1.5}\n");
    put_text("events.jsonl", "{\"event\":\"" EVIL "\",\"time\":\"" EVIL "\",\"step\":1,\"text\":\"" EVIL "\"}\n"
                             "{\"event\":\"resumed\",\"step\":1,\"text\":\"" EVIL "\"}\n"
                             "{\"event\":\"account\",\"step\":2,\"facts\":[{\"name\":\"" EVIL "\",\"planned\":1,\"measured\":2}]}\n");
    const char *html = page();
    ck_assert_ptr_null(strstr(html, "<script"));
    ck_assert_ptr_null(strstr(html, "\xe2\x80\xae"));
    ck_assert_ptr_null(strstr(html, "\xff"));
    ck_assert_int_ge(times(html, "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;\\xe2\\x80\\xae"), 12);
    ck_assert_ptr_nonnull(strstr(html, "&lt;script&gt;alert(2)&lt;/script&gt;\\xff"));
    ck_assert_ptr_nonnull(strstr(html, ">own<")); /* the optimizer finds its rate itself */
    ck_assert_ptr_null(strstr(html, "http:"));
    ck_assert_ptr_null(strstr(html, "https:"));
}
END_TEST

START_TEST(numbers_without_sense_leave_no_trace)
{
    put_text(
        "metrics.jsonl",
        "{\"kind\":\"step\",\"step\":-5,\"loss\":2.0}\n"
        "{\"kind\":\"step\",\"step\":1e300,\"loss\":2.0}\n"
        "{\"kind\":\"step\",\"step\":\"7\",\"loss\":2.0}\n"
        "{\"kind\":\"step\",\"step\":1,\"loss\":1e308,\"bits_per_byte\":1e308,\"norm\":-1e308,\"seconds\":1e305,\"tokens\":1e300,\"lr\":{"
        "\"a\":1e300}}\n"
        "{\"kind\":\"step\",\"step\":2,\"loss\":null,\"norm\":0,\"tokens_per_second\":0,\"lr\":7,\"phase_seconds\":{\"total\":[1]}}\n"
        "{\"kind\":\"step\",\"step\":900000000000000,\"loss\":2.0,\"bits_per_byte\":-1e308,\"norm\":1e-29,\"memory_peak_bytes\":1e29}\n");
    put_text("run.json", "{\"ranks\":1e300,\"parameters\":-1e300,\"steps\":9223372036854775807,\"rules\":[3,\"x\",{}]}");
    const char *html = page();
    ck_assert_int_eq(fx.run.n_steps, 3);
    ck_assert_ptr_null(strstr(html, "nan"));
    ck_assert_ptr_null(strstr(html, "inf"));
}
END_TEST

START_TEST(the_page_of_a_long_run_is_no_longer)
{
    struct text lines = { 0 };
    for (int i = 1; i <= 60000; i++)
        text_add(&lines, "{\"kind\":\"step\",\"step\":%d,\"loss\":%.4f,\"bits_per_byte\":%.4f,\"norm\":%.4f}\n", i, 2 + sin(i * 0.7),
                 3 + sin(i * 0.7), 1.1 + sin(i * 0.3));
    put_text("metrics.jsonl", lines.data);
    text_free(&lines);
    (void)page();
    ck_assert_int_eq(fx.run.n_steps, 60000);
    ck_assert_uint_lt(fx.page.length, 200000);
}
END_TEST

/* ---- one chart ---- */

START_TEST(a_peak_of_one_step_among_many_is_seen)
{
    struct curve c = { .name = "x", .color = "red" };
    struct text line = { 0 }, noise = { 0 };
    for (int i = 0; i < 100000; i++) curve_add(&c, i, i == 51234 ? 100 : 1);
    struct chart chart = { .title = "t", .unit = "u", .x = "step", .curves = &c, .n = 1, .width = 510, .height = 260 };
    chart_svg(&chart, true, &line);
    chart.looks = &(struct chart_look){ .shape = CHART_NOISE };
    chart_svg(&chart, true, &noise);
    ck_assert_ptr_null(strstr(line.data, ">100<"));
    ck_assert_ptr_nonnull(strstr(noise.data, ">100<")); /* the axis reaches it */
    text_free(&line);
    text_free(&noise);
    curve_free(&c);
}
END_TEST

START_TEST(a_cropped_axis_says_what_it_leaves_out)
{
    struct curve c = { .name = "x", .color = "red" };
    struct text out = { 0 };
    for (int i = 0; i < 1000; i++) curve_add(&c, i, i < 50 ? 50 - i : 1 + 1e-3 * i);
    struct chart chart = { .title = "t", .unit = "u", .x = "step", .curves = &c, .n = 1, .width = 1040, .height = 300, .cropped = true };
    chart_svg(&chart, false, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "(cut; highest "));
    ck_assert_ptr_null(strstr(out.data, "xmlns")); /* a part of a page */
    text_free(&out);
    curve_free(&c);
}
END_TEST

START_TEST(a_logarithmic_axis_leaves_zero_out)
{
    struct curve c = { .name = "x", .color = "red" };
    struct text out = { 0 };
    for (int i = 0; i < 100; i++) curve_add(&c, i, i % 10 == 0 ? 0 : pow(10, -i / 20));
    struct chart chart = { .title = "t", .unit = "u", .x = "step", .curves = &c, .n = 1, .width = 510, .height = 260, .logarithmic = true };
    chart_svg(&chart, false, &out);
    ck_assert_ptr_nonnull(strstr(out.data, ">0.001<"));
    ck_assert_ptr_null(strstr(out.data, "inf"));
    ck_assert_ptr_null(strstr(out.data, "nan"));
    text_free(&out);
    curve_free(&c);
}
END_TEST

START_TEST(a_moving_mean_begins_and_ends_with_its_curve)
{
    struct curve c = { .name = "x", .color = "red" }, smooth;
    for (int i = 0; i < 1000; i++) curve_add(&c, i, i);
    curve_smooth(&c, &smooth);
    ck_assert_int_eq(smooth.n, 1000);
    ck_assert_double_eq(smooth.points[0].value, 0);
    for (int i = 20; i < 980; i++) ck_assert_double_eq_tol(smooth.points[i].value, i, 1e-9); /* a line stays a line */
    ck_assert_double_eq_tol(smooth.points[999].value, 989, 1e-9);                            /* the mean of the last 21 */
    curve_free(&smooth);
    curve_free(&c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("report");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_newest_line_of_a_step_counts);
    tcase_add_test(t, damage_is_passed_over_and_told);
    tcase_add_test(t, an_empty_folder_gives_a_page);
    tcase_add_test(t, a_line_without_end_is_no_reason_to_hold_it);
    tcase_add_test(t, the_last_event_tells_how_the_run_stands);
    tcase_add_test(t, of_many_events_the_newest_are_held);
    tcase_add_test(t, texts_of_others_are_shown_and_not_obeyed);
    tcase_add_test(t, numbers_without_sense_leave_no_trace);
    tcase_add_test(t, the_page_of_a_long_run_is_no_longer);
    tcase_add_test(t, a_peak_of_one_step_among_many_is_seen);
    tcase_add_test(t, a_cropped_axis_says_what_it_leaves_out);
    tcase_add_test(t, a_logarithmic_axis_leaves_zero_out);
    tcase_add_test(t, a_moving_mean_begins_and_ends_with_its_curve);
    Suite *s = suite_create("report");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
