/* curve.h: a few series over steps, drawn in characters for a terminal or as SVG for a file. */
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

/* A plot of width x height cells with axes; later curves cover earlier ones. Nothing is added when no curve has points. */
void curve_draw(const struct curve *curves, int n, int width, int height, const char *unit, struct text *out);
/* A stand-alone SVG file of about 800 x 400. Series with more points than pixels are averaged per pixel. */
void curve_svg(const struct curve *curves, int n, const char *title, const char *unit, struct text *out);

#endif
