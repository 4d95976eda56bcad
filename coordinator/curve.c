#include "curve.h"
#include "common/base/check.h"
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

/* --- What both drawings share ------------------------------------------------------------------------------------------ */

struct frame {
    int64_t first, last;
    double low, high;
};

static bool frame_of(const struct curve *curves, int n, struct frame *out)
{
    *out = (struct frame){ INT64_MAX, INT64_MIN, INFINITY, -INFINITY };
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

/* The mean value of a series in each of `columns` equal stretches of steps; NAN where it has no point. */
static void columns_of(const struct curve *c, const struct frame *f, int columns, double mean[])
{
    int64_t *count = calloc((size_t)columns, sizeof *count);
    CHECK(count != NULL);
    for (int x = 0; x < columns; x++) mean[x] = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const int x = (int)((double)(c->points[i].step - f->first) / (double)(f->last - f->first) * (columns - 1) + 0.5);
        mean[x] += c->points[i].value;
        count[x]++;
    }
    for (int x = 0; x < columns; x++) mean[x] = count[x] > 0 ? mean[x] / (double)count[x] : (double)NAN;
    free(count);
}

/* --- Characters -------------------------------------------------------------------------------------------------------- */

void curve_draw(const struct curve *curves, int n, int width, int height, const char *unit, struct text *out)
{
    struct frame f;
    if (!frame_of(curves, n, &f)) return;
    const char **cell = calloc((size_t)(width * height), sizeof *cell);
    double *mean = calloc((size_t)width, sizeof *mean);
    CHECK(cell != NULL && mean != NULL);
    for (int k = 0; k < n; k++) {
        columns_of(&curves[k], &f, width, mean);
        for (int x = 0; x < width; x++) {
            if (isnan(mean[x])) continue;
            const int y = (int)((f.high - mean[x]) / (f.high - f.low) * (height - 1) + 0.5);
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
    free(mean);
}

/* --- SVG --------------------------------------------------------------------------------------------------------------- */

enum { SVG_WIDTH = 800, SVG_HEIGHT = 400, SVG_LEFT = 60, SVG_RIGHT = 20, SVG_TOP = 40, SVG_BOTTOM = 40, SVG_TICKS = 5 };
enum { SVG_PLOT_WIDTH = SVG_WIDTH - SVG_LEFT - SVG_RIGHT, SVG_PLOT_HEIGHT = SVG_HEIGHT - SVG_TOP - SVG_BOTTOM };

static void add_escaped(struct text *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '<')
            text_add(out, "&lt;");
        else if (*c == '&')
            text_add(out, "&amp;");
        else
            text_add(out, "%c", *c);
    }
}

static void svg_axes(const struct frame *f, struct text *out)
{
    for (int i = 0; i <= SVG_TICKS; i++) {
        const double y = SVG_TOP + (double)SVG_PLOT_HEIGHT * i / SVG_TICKS, x = SVG_LEFT + (double)SVG_PLOT_WIDTH * i / SVG_TICKS;
        text_add(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", SVG_LEFT, SVG_WIDTH - SVG_RIGHT, y, y);
        text_add(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", SVG_LEFT - 6, y + 4,
                 f->high - (f->high - f->low) * i / SVG_TICKS);
        text_add(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x, SVG_HEIGHT - SVG_BOTTOM + 18,
                 (double)f->first + (double)(f->last - f->first) * i / SVG_TICKS);
    }
}

static void svg_line(const struct curve *c, const struct frame *f, struct text *out)
{
    double mean[SVG_PLOT_WIDTH];
    columns_of(c, f, SVG_PLOT_WIDTH, mean);
    text_add(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", c->color);
    for (int x = 0; x < SVG_PLOT_WIDTH; x++)
        if (!isnan(mean[x])) text_add(out, "%d,%.1f ", SVG_LEFT + x, SVG_TOP + (f->high - mean[x]) / (f->high - f->low) * SVG_PLOT_HEIGHT);
    text_add(out, "\"/>\n");
}

void curve_svg(const struct curve *curves, int n, const char *title, const char *unit, struct text *out)
{
    struct frame f;
    if (!frame_of(curves, n, &f)) return;
    text_add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n",
             SVG_WIDTH, SVG_HEIGHT);
    text_add(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"%d\" y=\"22\" font-size=\"15\">", SVG_LEFT);
    add_escaped(out, title);
    text_add(out, " (");
    add_escaped(out, unit);
    text_add(out, " by step)</text>\n");
    svg_axes(&f, out);
    for (int k = 0; k < n; k++) {
        if (curves[k].n == 0) continue;
        svg_line(&curves[k], &f, out);
        text_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"%s\">", SVG_WIDTH - SVG_RIGHT, SVG_TOP + 16 * (k + 1),
                 curves[k].color);
        add_escaped(out, curves[k].name);
        text_add(out, "</text>\n");
    }
    text_add(out, "</svg>\n");
}
