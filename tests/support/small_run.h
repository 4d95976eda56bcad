/* small_run.h: a small model on made-up tokens for tests that compare whole runs: planned, stepped and digested on a world, or alone. */
#ifndef LAMINA_TESTS_SMALL_RUN_H
#define LAMINA_TESTS_SMALL_RUN_H

#include "worker/worker.h"

/* Seven microbatches per step: uneven over 2, 3, 4 and 5 ranks. */
enum { SMALL_STEPS = 20, SMALL_HALF = 11, SMALL_TOKENS = 6000, SMALL_STEP_TOKENS = 14 * 32, SMALL_SETTINGS = 4 };
struct small_model {
    const char *family, *keys, *optimizer; /* keys of the model behind `context: 32`; the section `optimizer` */
    bool mixed;                            /* three training sources, by weights 5, 3 and 1 */
};
struct small_layout {
    const char *settings[SMALL_SETTINGS]; /* "parallel.shard=none", ... */
    int threads;
};

/* Once per process, by every rank: token file in a new folder, a group of one for each rank. Collective: yes. */
void small_start(const struct comm *world);
/* Removes the folder. */
int small_end(void);
const struct comm *small_self(void);
/* A path in the folder. */
const char *small_path(const char *name);

/* precision: "fp32" or "bf16"; layout NULL: defaults. Lives until the process ends. */
const struct plan *small_plan(const struct small_model *model, const char *precision, const struct small_layout *layout, int ranks);
struct worker *small_open(const struct comm *world, const struct plan *plan);
/* Collective: yes, equal steps. */
void small_steps(const struct comm *world, struct worker *w, int64_t from, int64_t to);
struct digest128 small_digest(const struct comm *world, struct worker *w);
/* After SMALL_STEPS steps alone on one thread, everything resident. */
struct digest128 small_reference(const struct small_model *model, const char *precision);
/* After three steps, arenas and bytes sent are those of the plan. Collective: yes, equal plan. */
void small_check_plan(const struct comm *world, const struct plan *plan);

#endif
