#include "sweep_figure.h"
#include "common/base/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 900, HEIGHT = 460, LEFT = 64, RIGHT = 250, TOP = 48, BOTTOM = 56, TICKS = 5, TICKS_MOST = 12, LEGEND_MOST = 20 };
enum { PLOT_WIDTH = WIDTH - LEFT - RIGHT, PLOT_HEIGHT = HEIGHT - TOP - BOTTOM, INSET = 18 }; /* INSET: points keep off the frame */

static const char *const colors[] = { "#4878a8", "#c04020", "#3a8a4a", "#8a5aa8", "#c08a20", "#2a9a9a", "#a84878", "#707070" };
enum { COLORS = sizeof colors / sizeof colors[0] };

/* --- Scales ------------------------------------------------------------------------------------------------------------------ */

struct scales {
    const struct sweep_axis *axis;
    double *place; /* of each value of the axis, 0 to 1 */
    int *order;    /* values from left to right */
    bool valid;    /* validation loss, else training loss */
    double low, high;
};

static double loss_of(const struct sweep_result *r, bool valid)
{
    if (r->state != POINT_COMPLETE) return (double)NAN;
    return valid ? r->valid_loss : r->train_loss;
}

static bool all_numbers(const struct sweep_axis *a, double *number)
{
    for (int i = 0; i < a->n; i++) {
        if (str_to_f64(a->value[i], &number[i]) == ST_OK) continue;
        status_clear();
        return false;
    }
    return true;
}

static void place_values(struct scales *s)
{
    const struct sweep_axis *a = s->axis;
    double low = INFINITY, high = -INFINITY;
    if (!all_numbers(a, s->place))
        for (int i = 0; i < a->n; i++) s->place[i] = i;
    for (int i = 0; i < a->n; i++) low = fmin(low, s->place[i]), high = fmax(high, s->place[i]);
    const bool ratios = a->scale == SCALE_GEOMETRIC || (a->scale == SCALE_LIST && low > 0 && high >= 10 * low);
    for (int i = 0; i < a->n; i++) {
        const double x = s->place[i];
        if (!(high > low))
            s->place[i] = 0.5;
        else
            s->place[i] = ratios ? log(x / low) / log(high / low) : (x - low) / (high - low);
    }
    for (int i = 0; i < a->n; i++) {
        int at = i;
        while (at > 0 && s->place[s->order[at - 1]] > s->place[i]) s->order[at] = s->order[at - 1], at--;
        s->order[at] = i;
    }
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The drawing ends where outliers would press the rest flat. False: no point has a loss. */
static bool scale_losses(const struct sweep_points *all, const struct sweep_result *result, struct scales *s)
{
    double *loss = malloc((size_t)all->n * sizeof *loss);
    int n = 0;
    CHECK(loss != NULL);
    for (int i = 0; i < all->n; i++) s->valid |= isfinite(loss_of(&result[i], true));
    for (int i = 0; i < all->n; i++)
        if (isfinite(loss_of(&result[i], s->valid))) loss[n++] = loss_of(&result[i], s->valid);
    qsort(loss, (size_t)n, sizeof *loss, by_value);
    if (n > 0) {
        const double median = loss[(n - 1) / 2], most = loss[0] + 5 * (median - loss[0]);
        while (n > 1 && median > loss[0] && loss[n - 1] > most) n--;
        s->low = loss[0];
        s->high = loss[n - 1];
        if (s->high - s->low < 1e-9) s->high = s->low + 1;
    }
    free(loss);
    return n > 0;
}

static double x_of(const struct scales *s, int value) { return LEFT + INSET + s->place[value] * (PLOT_WIDTH - 2 * INSET); }

static double y_of(const struct scales *s, double loss)
{
    return TOP + INSET + (s->high - loss) / (s->high - s->low) * (PLOT_HEIGHT - 2 * INSET);
}

/* --- Drawing ----------------------------------------------------------------------------------------------------------------- */

static void add_escaped(struct text *out, const char *text)
{
    struct text printable = { 0 };
    text_add_printable(&printable, text, strlen(text));
    for (const char *c = printable.data != NULL ? printable.data : ""; *c != '\0'; c++) {
        if (*c == '<')
            text_add(out, "&lt;");
        else if (*c == '&')
            text_add(out, "&amp;");
        else
            text_add(out, "%c", *c);
    }
    text_free(&printable);
}

static void draw_axes(const struct sweep_points *all, const struct scales *s, struct text *out)
{
    const int every = (s->axis->n + TICKS_MOST - 1) / TICKS_MOST;
    text_add(out, "<text x=\"%d\" y=\"22\" font-size=\"15\">", LEFT);
    add_escaped(out, all->name);
    text_add(out, ": %s loss, nats per token</text>\n", s->valid ? "validation" : "training");
    for (int i = 0; i <= TICKS; i++) {
        const double loss = s->high - (s->high - s->low) * i / TICKS, y = y_of(s, loss);
        text_add(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT, WIDTH - RIGHT, y, y);
        text_add(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 6, y + 4, loss);
    }
    for (int i = 0; i < s->axis->n; i += every) {
        const int value = s->order[i];
        text_add(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x_of(s, value), HEIGHT - BOTTOM + 18);
        add_escaped(out, s->axis->value[value]);
        text_add(out, "</text>\n");
    }
    text_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", LEFT + PLOT_WIDTH / 2, HEIGHT - 14);
    add_escaped(out, s->axis->key);
    text_add(out, "</text>\n");
}

static void draw_mark(const struct scales *s, int value, const struct sweep_result *r, const char *color, struct text *out)
{
    const double x = x_of(s, value), loss = loss_of(r, s->valid), top = TOP + 4;
    if (isfinite(loss) && loss <= s->high)
        text_add(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x, y_of(s, loss), color);
    else if (isfinite(loss))
        text_add(out, "<path class=\"above\" d=\"M%.1f %.1fl5 9h-10z\" fill=\"none\" stroke=\"%s\"/>\n", x, top - 4, color);
    else if (r->state == POINT_DIVERGED || r->state == POINT_COMPLETE) /* complete without a finite loss has diverged by another name */
        text_add(out, "<path class=\"diverged\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\" stroke=\"%s\" stroke-width=\"2\"/>\n", x - 4, top - 4,
                 color);
}

/* all->point is in the order of the grid, the first axis slowest: point i of combination c is at i * combinations + c. */
static void draw_line(const struct scales *s, const struct sweep_result *result, int combination, int combinations, struct text *out)
{
    const char *color = colors[combination % COLORS];
    text_add(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", color);
    for (int i = 0; i < s->axis->n; i++) {
        const int value = s->order[i];
        const double loss = loss_of(&result[value * combinations + combination], s->valid);
        if (isfinite(loss) && loss <= s->high) text_add(out, "%.1f,%.1f ", x_of(s, value), y_of(s, loss));
    }
    text_add(out, "\"/>\n");
    for (int value = 0; value < s->axis->n; value++) draw_mark(s, value, &result[value * combinations + combination], color, out);
}

static void draw_legend(const struct sweep_points *all, int combinations, struct text *out)
{
    for (int c = 0; c < combinations && c < LEGEND_MOST && combinations > 1; c++) {
        text_add(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\">", WIDTH - RIGHT + 12, TOP + 16 * (c + 1), colors[c % COLORS]);
        if (c == LEGEND_MOST - 1 && combinations > LEGEND_MOST) {
            text_add(out, "and %d more", combinations - c);
        } else {
            for (int axis = 1; axis < all->grid->n_axes; axis++) {
                text_add(out, "%s", axis > 1 ? ", " : "");
                add_escaped(out, all->grid->axis[axis].label);
                text_add(out, " ");
                add_escaped(out, sweep_value(all->grid, c, axis));
            }
        }
        text_add(out, "</text>\n");
    }
    text_add(out, "<text x=\"%d\" y=\"%d\" fill=\"#707070\">\xC3\x97 diverged   \xE2\x96\xB3 above the drawing</text>\n",
             WIDTH - RIGHT + 12, HEIGHT - BOTTOM);
}

static void draw_best(const struct sweep_points *all, const struct scales *s, const struct sweep_result *result, int combinations,
                      struct text *out)
{
    int *order = malloc((size_t)all->n * sizeof *order);
    CHECK(order != NULL);
    if (sweep_results_order(all, result, order) && isfinite(loss_of(&result[order[0]], s->valid))) {
        const double x = x_of(s, order[0] / combinations), y = y_of(s, loss_of(&result[order[0]], s->valid));
        text_add(out, "<circle class=\"best\" cx=\"%.1f\" cy=\"%.1f\" r=\"8\" fill=\"none\" stroke=\"black\"/>\n", x, y);
        text_add(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4f</text>\n", x, y - 13, loss_of(&result[order[0]], s->valid));
    }
    free(order);
}

void sweep_figure(const struct sweep_points *all, const struct sweep_result *result, struct text *out)
{
    const struct sweep_axis *axis = &all->grid->axis[0];
    const int combinations = all->grid->n_points / axis->n;
    struct scales s = { .axis = axis };
    CHECK(all->n == all->grid->n_points);
    if (!scale_losses(all, result, &s)) return;
    s.place = malloc((size_t)axis->n * sizeof *s.place);
    s.order = malloc((size_t)axis->n * sizeof *s.order);
    CHECK(s.place != NULL && s.order != NULL);
    place_values(&s);
    text_add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH,
             HEIGHT);
    text_add(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n");
    text_add(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#ddd\"/>\n", LEFT, TOP, PLOT_WIDTH,
             PLOT_HEIGHT);
    draw_axes(all, &s, out);
    for (int c = 0; c < combinations; c++) draw_line(&s, result, c, combinations, out);
    draw_best(all, &s, result, combinations, out);
    draw_legend(all, combinations, out);
    text_add(out, "</svg>\n");
    free(s.place);
    free(s.order);
}
