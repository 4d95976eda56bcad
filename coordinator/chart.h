/* chart.h: curves as one SVG picture, inside a page or as a file of its own. Read curve.h first. */
#ifndef LAMINA_COORDINATOR_CHART_H
#define LAMINA_COORDINATOR_CHART_H

#include "coordinator/curve.h"

enum chart_shape {
    CHART_LINE,  /* the mean of each column */
    CHART_NOISE, /* faint, from the lowest to the highest value of each column: nothing short is lost */
    CHART_DOTS,  /* a line with a dot at each point */
    CHART_AREA   /* filled, down to the area before it or to zero: curves that are sums of those before them */
};
struct chart_look {
    enum chart_shape shape;
    const char *dash; /* of strokes, as SVG has it; NULL: solid */
};

/* A moment that many curves may show. */
struct chart_mark {
    int64_t step;
    const char *color, *text;
};

struct chart {
    const char *title, *unit, *x;   /* x: the name of what curves call step */
    const struct curve *curves;     /* color: any of CSS. Without a name: no legend, no value under the pointer */
    const struct chart_look *looks; /* [n]; NULL: lines */
    int n, n_marks;
    const struct chart_mark *marks;
    int width, height;
    bool logarithmic; /* what is not above zero is left out */
    bool from_zero;   /* the axis begins there */
    bool cropped;     /* the axis ends where few values are higher: the start of a training is not all there is to see */
};

/* Nothing is added when no curve has points. The size of the output is bounded by width, height and n, whatever the curves hold. Texts are
 * escaped. alone: a whole file, on white; else an element that chart_style and the page's colours make visible: --ink, --soft, --grid. */
void chart_svg(const struct chart *c, bool alone, struct text *out);
/* What the colours mean: a list (ul) with a stroke and a name per curve that has both a name and points. */
void chart_legend(const struct chart *c, struct text *out);

extern const char chart_style[]; /* CSS for a page */

#endif
