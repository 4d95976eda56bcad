#include "chart.h"
#include "common/base/check.h"
#include "coordinator/html.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEFT = 50, RIGHT = 12, TOP = 32, BOTTOM = 34, PIXELS_PER_COLUMN = 2, HITS = 96, HIT_VALUES = 8, MARKS_MOST = 200 };

/* Everything about one picture that its parts need. */
struct picture {
    const struct chart *chart;
    struct text *out;
    struct curve_frame x;
    int width, height, columns;   /* of the part inside the axes */
    struct curve_column **column; /* [n][columns] */
    double low, high, beyond; /* of the axis, in powers of ten where it is logarithmic; beyond: the highest value, where it is cropped */
};

static enum chart_shape shape_of(const struct chart *c, int k) { return c->looks != NULL ? c->looks[k].shape : CHART_LINE; }

/* --- Axes --------------------------------------------------------------------------------------------------------------- */

static double level(const struct picture *p, double value) { return p->chart->logarithmic ? log10(value) : value; }

static bool shown(const struct picture *p, double value) { return isfinite(value) && (!p->chart->logarithmic || value > 0); }

static double place_y(const struct picture *p, double value) { return (p->high - level(p, value)) / (p->high - p->low) * p->height; }

static double place_x(const struct picture *p, int column) { return (double)column / (p->columns - 1) * p->width; }

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { CROP_FROM = 40 }; /* values; fewer are all shown */
static const double CROP_SHARE = 0.9, CROP_ROOM = 1.3;

/* What the axis must span: the means, or where single values are drawn those. */
static int collect_levels(const struct picture *p, double *levels)
{
    int n = 0;
    for (int k = 0; k < p->chart->n; k++) {
        const bool noise = shape_of(p->chart, k) == CHART_NOISE;
        for (int x = 0; x < p->columns; x++) {
            const struct curve_column *c = &p->column[k][x];
            const double ends[2] = { noise ? c->low : c->mean, noise ? c->high : c->mean };
            for (int i = 0; i < 2; i++)
                if (shown(p, ends[i])) levels[n++] = level(p, ends[i]);
        }
    }
    qsort(levels, (size_t)n, sizeof *levels, by_value);
    return n;
}

static const double DECADES_MOST = 5;

static void span_y(struct picture *p, const double *levels, int n)
{
    p->low = levels[0], p->high = levels[n - 1], p->beyond = (double)NAN;
    if (p->chart->logarithmic) p->low = fmax(p->low, p->high - DECADES_MOST);
    if (p->chart->from_zero) p->low = fmin(p->low, 0);
    const double most = levels[(int)(CROP_SHARE * (n - 1))], limit = p->low + CROP_ROOM * (most - p->low);
    if (p->chart->cropped && n >= CROP_FROM && limit > p->low && p->high > limit) {
        p->beyond = p->chart->logarithmic ? pow(10, p->high) : p->high;
        p->high = limit;
    }
    const double room = p->high - p->low > 1e-9 * fabs(p->high) ? 0.04 * (p->high - p->low) : fmax(0.5 * fabs(p->high), 1e-9);
    if (isnan(p->beyond)) p->high += room;
    if (!p->chart->from_zero || p->low < 0) p->low -= room;
}

/* The smallest of 1, 2, 5 times a power of ten that cuts a span into at most so many parts. */
static double nice_step(double span, int most)
{
    const double raw = span / most, unit = pow(10, floor(log10(raw)));
    const double f = raw / unit;
    return unit * (f <= 1 ? 1 : f <= 2 ? 2 : f <= 5 ? 5 : 10);
}

/* "0.004", "12.5k", "3M". */
static const char *short_number(double v, char out[32])
{
    static const char letters[] = " kMGTPE";
    int thousands = 0;
    double scaled = v;
    if (fabs(v) >= 1e4)
        for (; fabs(scaled) >= 1e3 && thousands < 6; thousands++) scaled /= 1e3;
    (void)snprintf(out, 32, thousands > 0 ? "%.4g%c" : "%.4g", scaled, letters[thousands]);
    return out;
}

static void y_tick(const struct picture *p, double value)
{
    const double y = TOP + place_y(p, value);
    char number[32];
    text_add(p->out, "<path class=\"g\" d=\"M%d %.1fh%d\"/>", LEFT, y, p->width);
    text_add(p->out, "<text class=\"y\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT - 6, y + 4, short_number(value, number));
}

/* Powers of ten, with 2 and 5 between them where there is room. */
static void y_decades(const struct picture *p)
{
    static const double within[] = { 1, 2, 5 };
    const int n = p->high - p->low < 3 ? 3 : 1;
    for (int decade = (int)floor(p->low); decade <= (int)floor(p->high); decade++) {
        for (int i = 0; i < n; i++) {
            const double value = within[i] * pow(10, decade);
            if (log10(value) >= p->low && log10(value) <= p->high) y_tick(p, value);
        }
    }
}

static void y_axis(const struct picture *p)
{
    if (p->chart->logarithmic && p->high - p->low > 1) {
        y_decades(p);
        return;
    }
    const double low = p->chart->logarithmic ? pow(10, p->low) : p->low, high = p->chart->logarithmic ? pow(10, p->high) : p->high;
    const double step = nice_step(high - low, p->height / 40);
    for (int i = 0; i < 50 && (ceil(low / step) + i) * step <= high; i++) {
        const double value = (ceil(low / step) + i) * step;
        if (shown(p, value)) y_tick(p, fabs(value) < 1e-9 * step ? 0 : value);
    }
}

static void x_axis(const struct picture *p)
{
    const double first = (double)p->x.first, span = (double)(p->x.last - p->x.first), step = fmax(nice_step(span, p->width / 60), 1);
    for (int i = 0; i < 50 && (ceil(first / step) + i) * step <= (double)p->x.last; i++) {
        const double value = (ceil(first / step) + i) * step, x = LEFT + (value - first) / span * p->width;
        char number[32];
        text_add(p->out, "<path class=\"g\" d=\"M%.1f %dv4\"/><text class=\"x\" x=\"%.1f\" y=\"%d\">%s</text>\n", x, TOP + p->height, x,
                 TOP + p->height + 16, short_number(value, number));
    }
    text_add(p->out, "<text class=\"x\" x=\"%d\" y=\"%d\">", LEFT + p->width / 2, TOP + p->height + 30);
    html_add(p->out, p->chart->x);
    text_add(p->out, "</text>\n");
}

/* --- Curves --------------------------------------------------------------------------------------------------------------- */

static void begin_path(const struct picture *p, int k, const char *class, bool fill)
{
    const char *dash = p->chart->looks != NULL ? p->chart->looks[k].dash : NULL;
    text_add(p->out, "<path class=\"%s\" style=\"%s:", class, fill ? "fill" : "stroke");
    html_add(p->out, p->chart->curves[k].color);
    text_add(p->out, "\"");
    if (dash != NULL && !fill) text_add(p->out, " stroke-dasharray=\"%s\"", dash);
    text_add(p->out, " d=\"");
}

/* A point of a path; *begun tells whether it is the first. Far beyond the frame is as good as outside. */
static void go(const struct picture *p, int column, double value, bool *begun)
{
    const double y = fmin(fmax(place_y(p, value), -p->height), 2 * p->height);
    text_add(p->out, "%s%.1f %.1f", *begun ? "L" : "M", place_x(p, column), y);
    *begun = true;
}

static void draw_line(const struct picture *p, int k)
{
    bool begun = false;
    begin_path(p, k, "l", false);
    for (int x = 0; x < p->columns; x++)
        if (shown(p, p->column[k][x].mean)) go(p, x, p->column[k][x].mean, &begun);
    text_add(p->out, "\"/>\n");
}

static void draw_noise(const struct picture *p, int k)
{
    bool begun = false;
    begin_path(p, k, "n", false);
    for (int x = 0; x < p->columns; x++) {
        const struct curve_column *c = &p->column[k][x];
        if (shown(p, c->low)) go(p, x, c->low, &begun);
        if (shown(p, c->high) && c->high > c->low) go(p, x, c->high, &begun);
    }
    text_add(p->out, "\"/>\n");
}

static void draw_dots(const struct picture *p, int k)
{
    const struct chart *c = p->chart;
    draw_line(p, k);
    text_add(p->out, "<g style=\"fill:");
    html_add(p->out, c->curves[k].color);
    text_add(p->out, "\">");
    for (int x = 0; x < p->columns; x++)
        if (shown(p, p->column[k][x].mean))
            text_add(p->out, "<circle class=\"d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>", place_x(p, x), place_y(p, p->column[k][x].mean));
    text_add(p->out, "</g>\n");
}

/* The area that curve k lies on, or -1. */
static int area_below(const struct chart *c, int k)
{
    for (int i = k - 1; i >= 0; i--)
        if (shape_of(c, i) == CHART_AREA) return i;
    return -1;
}

static void draw_area(const struct picture *p, int k)
{
    const int below = area_below(p->chart, k);
    bool begun = false;
    begin_path(p, k, "a", true);
    for (int x = 0; x < p->columns; x++)
        if (shown(p, p->column[k][x].mean)) go(p, x, p->column[k][x].mean, &begun);
    for (int x = p->columns - 1; x >= 0; x--)
        if (shown(p, p->column[k][x].mean)) go(p, x, below >= 0 ? p->column[below][x].mean : 0, &begun);
    text_add(p->out, "%s\"/>\n", begun ? "Z" : "");
}

static void draw_marks(const struct picture *p)
{
    for (int i = 0; i < p->chart->n_marks && i < MARKS_MOST; i++) {
        const struct chart_mark *m = &p->chart->marks[i];
        if (m->step < p->x.first || m->step > p->x.last) continue;
        text_add(p->out, "<path class=\"m\" style=\"stroke:%s\" d=\"M%.1f 0V%d\"><title>", m->color,
                 (double)(m->step - p->x.first) / (double)(p->x.last - p->x.first) * p->width, p->height);
        html_add(p->out, m->text);
        text_add(p->out, "</title></path>\n");
    }
}

static void draw_curves(const struct picture *p)
{
    static void (*const draw[])(const struct picture *, int) = {
        [CHART_LINE] = draw_line, [CHART_NOISE] = draw_noise, [CHART_DOTS] = draw_dots, [CHART_AREA] = draw_area
    };
    text_add(p->out, "<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" overflow=\"hidden\">\n", LEFT, TOP, p->width, p->height);
    draw_marks(p);
    for (int k = 0; k < p->chart->n; k++)
        if (p->chart->curves[k].n > 0) draw[shape_of(p->chart, k)](p, k);
    text_add(p->out, "</svg>\n");
}

/* --- Values under the pointer, without a script: parts that show while they are hovered over -------------------------------- */

static void add_value(const struct picture *p, int k, double value, int below_x)
{
    char number[32];
    const int below = shape_of(p->chart, k) == CHART_AREA ? area_below(p->chart, k) : -1;
    if (below >= 0) value -= p->column[below][below_x].mean;
    text_add(p->out, "<tspan dx=\"7\" style=\"fill:%s\">%s</tspan>", p->chart->curves[k].color, short_number(value, number));
}

static void add_hit(const struct picture *p, int hit, int hits)
{
    const double wide = (double)p->width / hits;
    const int from = (int)((int64_t)hit * p->columns / hits), to = (int)((int64_t)(hit + 1) * p->columns / hits);
    int values = 0, at = -1;
    for (int x = from; x < to && at < 0; x++)
        for (int k = 0; k < p->chart->n; k++)
            if (p->chart->curves[k].name != NULL && shown(p, p->column[k][x].mean)) at = x;
    if (at < 0) return;
    char count[32];
    const double step = (double)p->x.first + (double)(p->x.last - p->x.first) * at / (p->columns - 1);
    text_add(p->out,
             "<g class=\"h\"><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/><path d=\"M%.1f %dv%d\"/><text x=\"%d\" y=\"18\">",
             LEFT + hit * wide, TOP, wide, p->height, LEFT + place_x(p, at), TOP, p->height, LEFT + p->width);
    html_add(p->out, p->chart->x);
    text_add(p->out, " %s", str_count(count, sizeof count, (int64_t)(step + 0.5)));
    for (int k = 0; k < p->chart->n && values < HIT_VALUES; k++) {
        bool told = p->chart->curves[k].name == NULL;
        for (int x = at; x < to && !told; x++) {
            if (!shown(p, p->column[k][x].mean)) continue;
            add_value(p, k, p->column[k][x].mean, x);
            told = true, values++;
        }
    }
    text_add(p->out, "</text></g>\n");
}

/* --- The picture ------------------------------------------------------------------------------------------------------------ */

#define SHAPES                                                                                                                             \
    ".chart .t{font-size:13px;font-weight:600}.chart .u{font-weight:400}.chart .y{text-anchor:end}.chart .x{text-anchor:middle}"           \
    ".chart .g{fill:none;stroke-width:1}.chart .l{fill:none;stroke-width:1.75;stroke-linejoin:round}"                                      \
    ".chart .n{fill:none;stroke-width:1;opacity:.3}.chart .a{opacity:.8}.chart .m{stroke-width:1;stroke-dasharray:2 3;opacity:.8}"         \
    ".chart .h rect{fill:transparent}.chart .h path{fill:none}.chart .h text{text-anchor:end}"                                             \
    ".chart .h path,.chart .h text{visibility:hidden}.chart .h:hover path,.chart .h:hover text{visibility:visible}"

const char chart_style[] = ".chart{display:block;width:100%;height:auto;font:11px system-ui,sans-serif;font-variant-numeric:tabular-nums}"
                           ".chart text{fill:var(--soft)}.chart .t{fill:var(--ink)}.chart .u{fill:var(--soft)}.chart .g{stroke:var(--grid)}"
                           ".chart .h path{stroke:var(--soft)}.chart .h text{fill:var(--ink)}" SHAPES;

static const char style_alone[] = ".chart text{fill:#666}.chart .t{fill:#111}.chart .g{stroke:#ddd}.chart .h path{stroke:#666}"
                                  ".chart .h text{fill:#111}" SHAPES;

static void open_svg(const struct chart *c, bool alone, struct text *out)
{
    text_add(out, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", c->width, c->height);
    html_add(out, c->title);
    text_add(out, "\"%s>\n", alone ? " xmlns=\"http://www.w3.org/2000/svg\" font-family=\"system-ui,sans-serif\" font-size=\"11\"" : "");
    if (alone) text_add(out, "<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", style_alone);
}

static void add_title(const struct picture *p)
{
    char number[32];
    text_add(p->out, "<text class=\"t\" x=\"%d\" y=\"18\">", LEFT);
    html_add(p->out, p->chart->title);
    text_add(p->out, "<tspan class=\"u\" dx=\"8\">");
    html_add(p->out, p->chart->unit);
    if (!isnan(p->beyond)) text_add(p->out, " (cut; highest %s)", short_number(p->beyond, number));
    text_add(p->out, "</tspan></text>\n");
}

/* A file has no page around it: names stand in the picture. */
static void add_names(const struct picture *p)
{
    const struct chart *c = p->chart;
    for (int k = 0, line = 1; k < c->n && line < p->height / 16; k++) {
        if (c->curves[k].n == 0 || c->curves[k].name == NULL) continue;
        text_add(p->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" style=\"fill:%s\">", LEFT + p->width - 6, TOP + 16 * line++,
                 c->curves[k].color);
        html_add(p->out, c->curves[k].name);
        text_add(p->out, "</text>\n");
    }
}

static void draw(struct picture *p, bool alone)
{
    const double span = (double)(p->x.last - p->x.first);
    const int hits = (int)fmin(fmin(HITS, p->columns), span + 1);
    open_svg(p->chart, alone, p->out);
    add_title(p);
    y_axis(p);
    x_axis(p);
    draw_curves(p);
    for (int i = 0; i < hits; i++) add_hit(p, i, hits);
    if (alone) add_names(p);
    text_add(p->out, "</svg>\n");
}

void chart_svg(const struct chart *c, bool alone, struct text *out)
{
    struct picture p = { .chart = c, .out = out, .width = c->width - LEFT - RIGHT, .height = c->height - TOP - BOTTOM };
    if (!curve_frame_of(c->curves, c->n, &p.x)) return;
    p.columns = p.width / PIXELS_PER_COLUMN;
    CHECK(p.columns >= 2 && p.height > 0);
    const size_t n = (size_t)c->n, columns = (size_t)p.columns;
    struct curve_column *all = calloc(n * columns, sizeof *all);
    double *levels = calloc(2 * n * columns, sizeof *levels);
    p.column = calloc(n, sizeof *p.column);
    CHECK(all != NULL && levels != NULL && p.column != NULL);
    for (int k = 0; k < c->n; k++) {
        p.column[k] = all + (size_t)k * columns;
        curve_columns(&c->curves[k], &p.x, p.columns, p.column[k]);
    }
    const int n_levels = collect_levels(&p, levels);
    if (n_levels > 0) {
        span_y(&p, levels, n_levels);
        draw(&p, alone);
    }
    free(p.column);
    free(levels);
    free(all);
}

void chart_legend(const struct chart *c, struct text *out)
{
    text_add(out, "<ul class=\"legend\">");
    for (int k = 0; k < c->n; k++) {
        const struct curve *curve = &c->curves[k];
        const char *dash = c->looks != NULL ? c->looks[k].dash : NULL;
        const enum chart_shape shape = shape_of(c, k);
        if (curve->name == NULL || curve->n == 0) continue;
        text_add(out, "<li><svg width=\"24\" height=\"10\"><path style=\"fill:none;stroke:%s;stroke-width:%s\"%s%s%s d=\"M1 5h22\"/>",
                 curve->color, shape == CHART_AREA ? "8" : "2", dash != NULL ? " stroke-dasharray=\"" : "", dash != NULL ? dash : "",
                 dash != NULL ? "\"" : "");
        if (shape == CHART_DOTS) text_add(out, "<circle cx=\"12\" cy=\"5\" r=\"3.2\" style=\"fill:%s\"/>", curve->color);
        text_add(out, "</svg>");
        html_add(out, curve->name);
        text_add(out, "</li>");
    }
    text_add(out, "</ul>\n");
}
