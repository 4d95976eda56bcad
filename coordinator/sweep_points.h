/* sweep_points.h: a grid bound to a configuration: every point is a run of its own, with its name and folder. Read after sweep.h. */
#ifndef LAMINA_COORDINATOR_SWEEP_POINTS_H
#define LAMINA_COORDINATOR_SWEEP_POINTS_H

#include "coordinator/options.h"
#include "coordinator/run_folder.h"
#include "coordinator/sweep.h"

struct sweep_point {
    int index;          /* in the grid, from 0 */
    const char *name;   /* run.name */
    const char *folder; /* of the run, absolute */
    int64_t steps;      /* run.steps */
    bool changed;       /* the run in the folder began with settings that give other numbers */
};
struct sweep_points {
    const struct sweep *grid;
    const char *config; /* RUN.yaml as given */
    const char *name;   /* run.name of the sweep as a whole */
    const char *folder; /* DIR/NAME-sweep, absolute */
    int n;
    struct sweep_point *point; /* those asked for, in the order of the grid */
};

/* What `lamina check` settles, for every point of the grid, or for the one with the number `only` (0: all). A problem that several points
 * share is told once, on stderr. again: settings that changed are no problem.
 * Fails: ST_CONFIG, ST_LAUNCH; ST_STOPPED on a signal. */
enum status sweep_points_check(struct arena *arena, const struct sweep *grid, const struct options *options, int only, int ranks,
                               bool again, struct sweep_points *out) MUST_USE;

/* The overrides of a point's run: those of the command line, the point's values, run.name. Returns how many; text lives in the arena. */
int sweep_overrides(struct arena *arena, const struct sweep *grid, int index, const char *name, const struct options *options,
                    const char *out[OPTIONS_MAX]);
/* "lr=1e-3 head.lr=0.1", for people. */
void sweep_describe(const struct sweep *grid, int index, struct text *out);

#endif
