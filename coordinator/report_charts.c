#include "common/base/check.h"
#include "coordinator/chart.h"
#include "report.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 1040, WIDE_HEIGHT = 380, HALF = 510, HALF_HEIGHT = 260, COLORS = 8 };

const char *report_color(int i)
{
    static const char *const colors[COLORS] = { "var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)",
                                                "var(--c4)", "var(--c5)", "var(--c6)", "var(--c7)" };
    return colors[i % COLORS];
}

const char *report_dash(int i)
{
    static const char *const dashes[] = { NULL, "7 3", "2 3", "8 3 2 3" };
    return dashes[i / COLORS % (int)(sizeof dashes / sizeof dashes[0])];
}

/* --- Gathering what one picture shows -------------------------------------------------------------------------------------- */

struct plate {
    struct arena names;
    struct curve *curves;
    struct chart_look *looks;
    struct chart_mark *marks;
    int n, n_marks;
    bool by_tokens; /* steps of these runs are of different size */
};

static void plate_open(struct plate *p, bool by_tokens)
{
    *p = (struct plate){ .by_tokens = by_tokens };
    arena_open_growing(&p->names, "names of curves");
}

static void plate_close(struct plate *p)
{
    for (int i = 0; i < p->n; i++) curve_free(&p->curves[i]);
    free(p->curves);
    free(p->looks);
    free(p->marks);
    arena_close(&p->names);
}

static struct curve *plate_add(struct plate *p, const char *name, const char *color, enum chart_shape shape, const char *dash)
{
    const size_t n = (size_t)p->n + 1;
    p->curves = realloc(p->curves, n * sizeof *p->curves);
    p->looks = realloc(p->looks, n * sizeof *p->looks);
    CHECK(p->curves != NULL && p->looks != NULL);
    p->looks[p->n] = (struct chart_look){ shape, dash };
    p->curves[p->n] = (struct curve){ .name = name, .color = color };
    return &p->curves[p->n++];
}

static void plate_mark(struct plate *p, int64_t at, const char *color, const char *text)
{
    p->marks = realloc(p->marks, ((size_t)p->n_marks + 1) * sizeof *p->marks);
    CHECK(p->marks != NULL);
    p->marks[p->n_marks++] = (struct chart_mark){ at, color, text };
}

/* Where a step stands on the axis. */
static double scale_of(const struct plate *p, const struct report_run *r)
{
    return p->by_tokens && r->n_steps > 0 ? report_tokens(r) / fmax(1, (double)r->step[r->n_steps - 1].step) : 1;
}

static int64_t place(const struct plate *p, const struct report_run *r, int64_t step) { return (int64_t)((double)step * scale_of(p, r)); }

static void plate_print(struct plate *p, struct chart *c, struct text *out)
{
    struct text svg = { 0 };
    c->curves = p->curves, c->looks = p->looks, c->n = p->n;
    c->marks = p->marks, c->n_marks = p->n_marks;
    c->x = p->by_tokens ? "tokens" : "step";
    chart_svg(c, false, &svg);
    if (svg.length > 0) {
        text_add(out, "<figure%s>\n", c->width == WIDE ? " class=\"wide\"" : "");
        text_add_bytes(out, svg.data, svg.length);
        chart_legend(c, out);
        text_add(out, "</figure>\n");
    }
    text_free(&svg);
    plate_close(p);
}

/* --- All runs in one picture ------------------------------------------------------------------------------------------------- */

static double of_step(const struct report_step *s, size_t offset) { return *(const double *)(const void *)((const char *)s + offset); }

/* A number of all steps, faint, and its moving mean under the name. */
static void add_steps(struct plate *p, const struct report_run *r, size_t offset, const char *name, int color)
{
    const double scale = scale_of(p, r);
    struct curve *noise = plate_add(p, NULL, report_color(color), CHART_NOISE, NULL);
    for (int64_t i = 0; i < r->n_steps; i++) curve_add(noise, (int64_t)((double)r->step[i].step * scale), of_step(&r->step[i], offset));
    struct curve *line = plate_add(p, NULL, report_color(color), CHART_LINE, report_dash(color));
    curve_smooth(&p->curves[p->n - 2], line);
    line->name = name;
}

/* Validation, source by source. Of several runs each keeps its colour; of one the sources get their own. */
static void add_evaluations(struct plate *p, const struct report_run *r, bool bits, bool alone, int run)
{
    for (int s = 0; s < r->n_sources; s++) {
        const int color = alone ? s + 1 : run;
        const char *name = alone ? arena_printf(&p->names, "validation, %s", r->source[s])
                                 : arena_printf(&p->names, "%s, validation, %s", r->name, r->source[s]);
        struct curve *c = plate_add(p, name, report_color(color), CHART_DOTS, alone || s == 0 ? NULL : "3 3");
        for (int64_t i = 0; i < r->n_evaluations; i++) {
            const struct report_evaluation *e = &r->evaluation[i];
            if (e->source == s) curve_add(c, place(p, r, e->step), bits ? e->bits : e->loss);
        }
    }
}

static bool has_event(const json_t *event, const char *kind)
{
    const char *of = json_string_value(json_object_get(event, "event"));
    return of != NULL && strcmp(of, kind) == 0;
}

static void mark_events(struct plate *p, const struct report_run *r, const char *color)
{
    static const char *const kinds[] = { "resumed", "lineage", "stopped" };
    const json_t *event;
    for (int64_t i = 0; (event = report_event(r, i)) != NULL; i++) {
        const char *text = json_string_value(json_object_get(event, "text"));
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            if (has_event(event, kinds[k]))
                plate_mark(p, place(p, r, json_integer_value(json_object_get(event, "step"))), color,
                           arena_printf(&p->names, "%s: %s", r->name, text != NULL ? text : kinds[k]));
    }
}

enum { MARKED_STEPS = 100 };

static void mark_steps(struct plate *p, const struct report_run *r, const char *color)
{
    int n = 0;
    for (int64_t i = 0; i < r->n_steps && n < MARKED_STEPS; i++) {
        const struct report_step *s = &r->step[i];
        if (!s->skipped && (s->redone == 0 || s->step <= 1)) continue;
        plate_mark(p, place(p, r, s->step), color,
                   arena_printf(&p->names, "%s: step %lld was %s", r->name, (long long)s->step, s->skipped ? "skipped" : "done twice"));
        n++;
    }
}

/* offset: of the number in struct report_step. */
static void loss_chart(const struct report_run *runs, int n, bool by_tokens, bool bits, int width, int height, struct text *out)
{
    struct plate p;
    plate_open(&p, by_tokens);
    const size_t offset = bits ? offsetof(struct report_step, bits) : offsetof(struct report_step, loss);
    for (int i = 0; i < n; i++) {
        mark_events(&p, &runs[i], n > 1 ? report_color(i) : "var(--soft)");
        add_steps(&p, &runs[i], offset, n > 1 ? arena_printf(&p.names, "%s, training", runs[i].name) : "training, moving mean", i);
        add_evaluations(&p, &runs[i], bits, n == 1, i);
    }
    struct chart c = { .title = bits ? "Bits per byte" : "Loss",
                       .unit = bits ? "of training and validation" : "nats per token",
                       .width = width,
                       .height = height,
                       .cropped = true };
    plate_print(&p, &c, out);
}

static void step_chart(const struct report_run *runs, int n, bool by_tokens, size_t offset, bool marks, struct chart c, struct text *out)
{
    struct plate p;
    plate_open(&p, by_tokens);
    for (int i = 0; i < n; i++) {
        if (marks) mark_steps(&p, &runs[i], n > 1 ? report_color(i) : "var(--c1)");
        add_steps(&p, &runs[i], offset, n > 1 ? arena_strdup(&p.names, runs[i].name) : "moving mean", i);
    }
    c.width = HALF, c.height = HALF_HEIGHT;
    plate_print(&p, &c, out);
}

static bool any_bits(const struct report_run *runs, int n)
{
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < runs[i].n_steps; k++)
            if (isfinite(runs[i].step[k].bits)) return true;
    return false;
}

/* Runs whose steps have different numbers of tokens are compared by tokens. */
static bool sizes_differ(const struct report_run *runs, int n)
{
    for (int i = 1; i < n; i++)
        if (runs[i].n_steps > 0 && runs[0].n_steps > 0 && runs[i].step[0].tokens != runs[0].step[0].tokens) return true;
    return false;
}

void report_charts(const struct report_run *runs, int n, struct text *out)
{
    const bool by_tokens = sizes_differ(runs, n), bits = any_bits(runs, n);
    loss_chart(runs, n, by_tokens, bits, WIDE, WIDE_HEIGHT, out);
    if (bits) loss_chart(runs, n, by_tokens, false, HALF, HALF_HEIGHT, out);
    step_chart(runs, n, by_tokens, offsetof(struct report_step, norm), true,
               (struct chart){ .title = "Gradient norm", .unit = "before clipping", .logarithmic = true }, out);
    step_chart(runs, n, by_tokens, offsetof(struct report_step, rate), false,
               (struct chart){ .title = "Speed", .unit = "tokens per second", .from_zero = true }, out);
    step_chart(runs, n, by_tokens, offsetof(struct report_step, mfu), false,
               (struct chart){ .title = "MFU", .unit = "share of the measured matrix peak", .from_zero = true }, out);
}

/* --- One run ------------------------------------------------------------------------------------------------------------------ */

static double most_of(const struct curve *c)
{
    double most = 0;
    for (int64_t i = 0; i < c->n; i++) most = fmax(most, c->points[i].value);
    return most;
}

static bool equal(const struct curve *a, const struct curve *b)
{
    if (a->n != b->n) return false;
    for (int64_t i = 0; i < a->n; i++)
        if (a->points[i].step != b->points[i].step || a->points[i].value > b->points[i].value || a->points[i].value < b->points[i].value)
            return false;
    return true;
}

/* Rules with the same rates lie on each other: later ones are dashed, so that the first shows through. */
static const char *dash_over(const struct plate *p, int k)
{
    static const char *const dashes[] = { NULL, "6 6", "3 9", "2 14" };
    int covered = 0;
    for (int i = 0; i < k; i++) covered += equal(&p->curves[i], &p->curves[k]);
    return dashes[covered < 3 ? covered : 3];
}

static const double LOGARITHMIC_FROM = 30; /* times the smallest peak */

static void rate_chart(const struct report_run *r, struct text *out)
{
    struct plate p;
    double low = INFINITY, high = 0;
    plate_open(&p, false);
    for (int k = 0; k < r->n_rules; k++) {
        struct curve *c = plate_add(&p, r->rule[k], report_color(k), CHART_LINE, NULL);
        for (int64_t i = 0; i < r->n_steps; i++)
            if (k < r->step[i].n_lr) curve_add(c, r->step[i].step, (double)r->lr[r->step[i].lr_at + k]);
        p.looks[k].dash = dash_over(&p, k);
        const double peak = most_of(c);
        if (peak > 0) low = fmin(low, peak), high = fmax(high, peak);
    }
    struct chart c = { .title = "Learning rate", .unit = "per rule", .width = HALF, .height = HALF_HEIGHT };
    c.logarithmic = high > LOGARITHMIC_FROM * low;
    c.from_zero = !c.logarithmic;
    plate_print(&p, &c, out);
}

/* Means over the ranks, each on top of those before it. */
static void phase_chart(const struct report_run *r, struct text *out)
{
    struct plate p;
    plate_open(&p, false);
    double *below = calloc((size_t)r->n_steps + 1, sizeof *below);
    CHECK(below != NULL);
    for (int k = 0; k < REPORT_TOTAL; k++) {
        struct curve *c = plate_add(&p, report_phases[k], report_color(k), CHART_AREA, NULL);
        for (int64_t i = 0; i < r->n_steps; i++) {
            const double mean = (double)r->step[i].phase[k].mean;
            if (isfinite(mean)) below[i] += 1e3 * mean;
            if (isfinite((double)r->step[i].phase[REPORT_TOTAL].mean) && r->step[i].phase[REPORT_TOTAL].mean > 0)
                curve_add(c, r->step[i].step, below[i]);
        }
    }
    free(below);
    struct chart c = { .title = "Time of a step",
                       .unit = "ms, mean over the ranks",
                       .width = HALF,
                       .height = HALF_HEIGHT,
                       .from_zero = true,
                       .cropped = true };
    plate_print(&p, &c, out);
}

void report_charts_of(const struct report_run *run, struct text *out)
{
    rate_chart(run, out);
    phase_chart(run, out);
}
