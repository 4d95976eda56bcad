/* curve.h: a few series over steps, drawn in characters for a terminal or as SVG for a file (chart.h can more). */
#ifndef LAMINA_COORDINATOR_CURVE_H
#define LAMINA_COORDINATOR_CURVE_H

#include "common/base/str.h"

struct curve_point {
    int64_t step;
    double value;
};
/* Zero-initialised it is empty. Owns: points until curve_free. */
struct curve {
    const char *name, *mark, *color; /* mark: one character cell; color: SVG */
    struct curve_point *points;
    int64_t n, cap;
};
/* Values that are not finite are left out. */
void curve_add(struct curve *c, int64_t step, double value);
void curve_free(struct curve *c);

/* The mean over a moving stretch of about 1/25 of the points, which shrinks towards the left end, where curves are steep. out: empty; gets
 * the points, and the name, mark and colour of c. */
void curve_smooth(const struct curve *c, struct curve *out);

/* Where curves lie. False when none has points; never empty otherwise: last > first, high > low. */
struct curve_frame {
    int64_t first, last;
    double low, high;
};
bool curve_frame_of(const struct curve *curves, int n, struct curve_frame *out);
/* What a curve does in each of `columns` (2 or more) equal stretches of a frame's steps; the values are NAN where it has no point. */
struct curve_column {
    int64_t count;
    double mean, low, high;
};
void curve_columns(const struct curve *c, const struct curve_frame *f, int columns, struct curve_column out[]);

/* A plot of width x height cells with axes; later curves cover earlier ones. Nothing is added when no curve has points. */
void curve_draw(const struct curve *curves, int n, int width, int height, const char *unit, struct text *out);
/* A stand-alone SVG file of 800 x 400. Curves with more points than it has columns are averaged per column. */
void curve_svg(const struct curve *curves, int n, const char *title, const char *unit, struct text *out);

#endif
