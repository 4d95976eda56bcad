/* sweep_run.h: the points of a sweep, run one after the other as children of this process. Read after sweep_results.h. */
#ifndef LAMINA_COORDINATOR_SWEEP_RUN_H
#define LAMINA_COORDINATOR_SWEEP_RUN_H

#include "coordinator/sweep_results.h"

struct sweep_order {
    const struct sweep_points *all;
    const struct options *options; /* of the command line: its overrides go to every run */
    int ranks;                     /* of every run; 1: no launcher */
    bool again;                    /* points that diverged, or whose settings changed, begin anew */
    const char *folder;            /* results.jsonl, and log/RUN.log with what each run says */
    const char *results;           /* path of results.jsonl */
};

/* Runs what has no result yet; result[] holds what the run folders said and is kept up to date, as is results.jsonl. A line per point on
 * stderr. USR1, TERM and INT go to the child as USR1, which saves; a second signal as TERM, a third kills.
 * Fails: ST_STOPPED when asked to stop, or when a run was; with the code of a point where every other point would get it as well (ST_USAGE,
 * ST_CONFIG, ST_DATA, ST_IO, ST_LAUNCH). */
enum status sweep_run(struct arena *arena, const struct sweep_order *order, struct sweep_result *result) MUST_USE;
/* After that: fails with the code of the first point that failed, where one did. */
enum status sweep_failed(const struct sweep_order *order, const struct sweep_result *result) MUST_USE;

/* This process becomes a rank of the point's run: for ranks that srun or mpirun has started. Returns only where it cannot. */
enum status sweep_become(struct arena *arena, const struct sweep_order *order, const struct sweep_point *p) MUST_USE;

/* Path of this program. Fails: ST_LAUNCH. */
enum status sweep_program(char out[PATH_BYTES]) MUST_USE;

#endif
