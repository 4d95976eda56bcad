#include "curve.h"
#include "common/base/check.h"
#include "coordinator/chart.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void curve_add(struct curve *c, int64_t step, double value)
{
    if (!isfinite(value)) return;
    if (c->n == c->cap) {
        c->cap = c->cap > 0 ? 2 * c->cap : 256;
        c->points = realloc(c->points, (size_t)c->cap * sizeof *c->points);
        CHECK(c->points != NULL);
    }
    c->points[c->n++] = (struct curve_point){ step, value };
}

void curve_free(struct curve *c)
{
    free(c->points);
    c->points = NULL;
    c->n = c->cap = 0;
}

/* --- What all drawings share ------------------------------------------------------------------------------------------- */

void curve_smooth(const struct curve *c, struct curve *out)
{
    const int64_t reach = c->n / 50;
    int64_t from = 0, to = 0; /* the stretch whose sum is known: [from, to) */
    double sum = 0;
    *out = (struct curve){ .name = c->name, .mark = c->mark, .color = c->color };
    for (int64_t i = 0; i < c->n; i++) {
        const int64_t begin = i - min_i64(reach, i), end = min_i64(i + min_i64(reach, i) + 1, c->n);
        for (; to < end; to++) sum += c->points[to].value;
        for (; from < begin; from++) sum -= c->points[from].value;
        curve_add(out, c->points[i].step, sum / (double)(to - from));
    }
}

bool curve_frame_of(const struct curve *curves, int n, struct curve_frame *out)
{
    *out = (struct curve_frame){ INT64_MAX, INT64_MIN, INFINITY, -INFINITY };
    for (int k = 0; k < n; k++) {
        for (int64_t i = 0; i < curves[k].n; i++) {
            const struct curve_point p = curves[k].points[i];
            out->first = min_i64(out->first, p.step), out->last = max_i64(out->last, p.step);
            out->low = fmin(out->low, p.value), out->high = fmax(out->high, p.value);
        }
    }
    if (out->first > out->last) return false;
    if (out->last == out->first) out->last++;
    if (out->high - out->low < 1e-9) out->high = out->low + 1;
    return true;
}

void curve_columns(const struct curve *c, const struct curve_frame *f, int columns, struct curve_column out[])
{
    for (int x = 0; x < columns; x++) out[x] = (struct curve_column){ 0, 0, INFINITY, -INFINITY };
    for (int64_t i = 0; i < c->n; i++) {
        const int x = (int)((double)(c->points[i].step - f->first) / (double)(f->last - f->first) * (columns - 1) + 0.5);
        const double value = c->points[i].value;
        out[x].count++;
        out[x].mean += value;
        out[x].low = fmin(out[x].low, value), out[x].high = fmax(out[x].high, value);
    }
    for (int x = 0; x < columns; x++) {
        if (out[x].count > 0)
            out[x].mean /= (double)out[x].count;
        else
            out[x].mean = out[x].low = out[x].high = (double)NAN;
    }
}

/* --- Characters -------------------------------------------------------------------------------------------------------- */

void curve_draw(const struct curve *curves, int n, int width, int height, const char *unit, struct text *out)
{
    struct curve_frame f;
    if (!curve_frame_of(curves, n, &f)) return;
    const char **cell = calloc((size_t)(width * height), sizeof *cell);
    struct curve_column *column = calloc((size_t)width, sizeof *column);
    CHECK(cell != NULL && column != NULL);
    for (int k = 0; k < n; k++) {
        curve_columns(&curves[k], &f, width, column);
        for (int x = 0; x < width; x++) {
            if (column[x].count == 0) continue;
            const int y = (int)((f.high - column[x].mean) / (f.high - f.low) * (height - 1) + 0.5);
            cell[y * width + x] = curves[k].mark;
        }
    }
    for (int y = 0; y < height; y++) {
        const bool label = y == 0 || y == height - 1 || y == height / 2;
        if (label)
            text_add(out, "%8.3f |", f.high - (f.high - f.low) * y / (height - 1));
        else
            text_add(out, "%8s |", "");
        int end = width; /* no trailing blanks */
        while (end > 0 && cell[y * width + end - 1] == NULL) end--;
        for (int x = 0; x < end; x++) text_add(out, "%s", cell[y * width + x] != NULL ? cell[y * width + x] : " ");
        text_add(out, "\n");
    }
    text_add(out, "%8s +", "");
    for (int x = 0; x < width; x++) text_add(out, "-");
    text_add(out, "\n%8s  step %-*lld%lld   %s:", "", width - 8, (long long)f.first, (long long)f.last, unit);
    for (int k = 0; k < n; k++)
        if (curves[k].n > 0) text_add(out, " %s %s", curves[k].mark, curves[k].name);
    text_add(out, "\n");
    free(cell);
    free(column);
}

/* --- SVG --------------------------------------------------------------------------------------------------------------- */

void curve_svg(const struct curve *curves, int n, const char *title, const char *unit, struct text *out)
{
    const struct chart chart = { .title = title, .unit = unit, .x = "step", .curves = curves, .n = n, .width = 800, .height = 400 };
    chart_svg(&chart, true, out);
}
