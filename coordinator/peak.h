/* peak.h: a short look at how fast this machine multiplies, so that a rate can be given as a share of it. */
#ifndef LAMINA_COORDINATOR_PEAK_H
#define LAMINA_COORDINATOR_PEAK_H

#include "common/tensor/tensor.h"

/* FLOP/s of a matrix product of about 1000^3 on parallel_threads() threads: the best of a few that fit into 0.1 s. `lamina info --peak`
 * and the benchmark measure at length (product_peak) and find up to a tenth more. */
double peak_quick(enum dtype dtype);

#endif
