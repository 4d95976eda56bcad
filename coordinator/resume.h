/* resume.h: where a run stands: new, to be gone on with, complete, or not to be touched. */
#ifndef LAMINA_COORDINATOR_RESUME_H
#define LAMINA_COORDINATOR_RESUME_H

#include "coordinator/run_folder.h"
#include "coordinator/session.h"

struct resume {
    int64_t step; /* of the newest checkpoint that verifies; 0: none, a new run */
    bool complete;
};

/* `precision.compute: auto` means, for a run that exists, what it began with. Collective: yes, equal arguments. */
enum status resume_precision(const struct comm *world, struct session *s, const struct run_folder *f) MUST_USE;

/* Compares the configuration with the run's, and finds the newest checkpoint that verifies; what it passes over is said.
 * Collective: yes, equal arguments. Fails: ST_CONFIG listing changed keys that alter the run and are not allowed; ST_DAMAGED when
 * checkpoints exist and none verifies. */
enum status resume_find(const struct comm *world, struct session *s, const struct run_folder *f, const struct options *options,
                        struct resume *out) MUST_USE;

/* State into the worker: loaded, or fresh. Where the checkpoint was made with other rules (--allow), tensors whose state does not fit them
 * begin it anew, which is said. Another fingerprint than the checkpoint's is said and begins a new lineage, other sources are
 * said and begin another order; facts are those that the next checkpoint carries. Collective: yes, equal arguments.
 * Fails: ST_CONFIG where a source's file holds other text than the run has read, and that is not allowed. */
enum status resume_load(const struct comm *world, struct session *s, const struct run_folder *f, struct worker *w,
                        const struct resume *found, const struct options *options, struct worker_facts *facts) MUST_USE;

#endif
