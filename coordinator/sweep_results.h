/* sweep_results.h: what came out of the points of a sweep: read from their run folders, kept in results.jsonl, shown as a table or JSON.
 * Read after sweep_points.h. */
#ifndef LAMINA_COORDINATOR_SWEEP_RESULTS_H
#define LAMINA_COORDINATOR_SWEEP_RESULTS_H

#include "coordinator/sweep_points.h"

enum sweep_state {
    POINT_MISSING,    /* nothing is there yet */
    POINT_UNFINISHED, /* begun; train goes on with it */
    POINT_FAILED,     /* its last run ended with an exit code that says nothing about the point; it is tried again */
    POINT_DIVERGED,   /* a result: the same steps would diverge again */
    POINT_COMPLETE
};
struct sweep_source {
    const char *name;
    double loss, bits_per_byte, weight;
};
struct sweep_result {
    enum sweep_state state;
    int exit_code;                 /* of its last run; -1: it has not ended, or nobody saw it */
    int64_t step, tokens;          /* done */
    double seconds;                /* of steps and evaluations */
    double train_loss;             /* mean over the last tenth of the steps, at most 100; NAN unless complete */
    double valid_loss, valid_bits; /* mean over the valid sources, by their weights, after the last step; NAN without */
    int n_sources;
    struct sweep_source *source;
};

/* The state and the numbers of a point, from its run folder alone. Fails: ST_IO. */
enum status sweep_result_read(struct arena *arena, const struct sweep_point *p, struct sweep_result *out) MUST_USE;
/* Has it a result: complete or diverged? */
bool sweep_result_stands(const struct sweep_result *r);
/* "validation 1.2345, training 1.3000", "diverged at step 12 of 20" */
void sweep_result_words(const struct sweep_point *p, const struct sweep_result *r, struct text *out);

/* FOLDER/results.jsonl: a line per point that has a result or failed, for points first .. first + n - 1. Of lines with the same run the
 * newest counts; what it tells already is not written again. Appended with one write. Fails: ST_IO. */
enum status sweep_results_keep(const char *path, const struct sweep_points *all, const struct sweep_result *result, int first,
                               int n) MUST_USE;
/* What the file knows and the run folder does not: the exit code of a point that failed. Fails: ST_IO. */
enum status sweep_results_recall(const char *path, const struct sweep_points *all, struct sweep_result *result) MUST_USE;

/* Indices into all->point, best first: by validation loss, then training loss, then what has no loss. Returns whether the first is one to
 * be called best. */
bool sweep_results_order(const struct sweep_points *all, const struct sweep_result *result, int order[]);
void sweep_results_table(const struct sweep_points *all, const struct sweep_result *result, struct text *out);
void sweep_results_json(const struct sweep_points *all, const struct sweep_result *result, struct text *out);

#endif
