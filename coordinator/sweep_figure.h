/* sweep_figure.h: sweep.svg: the loss over the first axis, a line for each combination of the others. */
#ifndef LAMINA_COORDINATOR_SWEEP_FIGURE_H
#define LAMINA_COORDINATOR_SWEEP_FIGURE_H

#include "coordinator/sweep_results.h"

/* A stand-alone SVG file; validation loss where there is any, else training loss. Positions are logarithmic where the axis is geometric or
 * its positive numbers span a decade, linear for other numbers, even for words. A cross at the top is a point that diverged, a triangle
 * there one whose loss lies above the drawing. Nothing is added where no point has a loss. */
void sweep_figure(const struct sweep_points *all, const struct sweep_result *result, struct text *out);

#endif
