/* sweep_slurm.h: a sweep as a job array of Slurm: one task per point. */
#ifndef LAMINA_COORDINATOR_SWEEP_SLURM_H
#define LAMINA_COORDINATOR_SWEEP_SLURM_H

#include "coordinator/sweep_points.h"

/* The batch script for all points, at most `at_once` of them at one time; over and options as on the command line.
 * Fails: ST_IO, ST_LAUNCH. */
enum status sweep_slurm(const struct sweep_points *all, const struct options *options, const char *const over[], int n_over, int ranks,
                        int at_once, struct text *out) MUST_USE;

#endif
