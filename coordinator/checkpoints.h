/* checkpoints.h: the checkpoints of a run as policy sees them: save one, open one, read what it says of itself. How a folder is published
 * and verified is common/store/publish.h; what state.h5 holds is worker.h. */
#ifndef LAMINA_COORDINATOR_CHECKPOINTS_H
#define LAMINA_COORDINATOR_CHECKPOINTS_H

#include "common/store/state.h"
#include "coordinator/run_folder.h"
#include "worker/worker.h"

/* Write, publish, and drop the oldest beyond `keep`. A failure leaves older checkpoints as they were.
 * Collective: yes, equal arguments. Fails: ST_IO. */
enum status checkpoints_save(const struct comm *world, const struct run_folder *f, struct worker *w, const char *config_text,
                             const struct worker_facts *facts, int64_t keep) MUST_USE;

/* The resolved configuration of the run, as YAML: a checkpoint stands alone. Fails: ST_DAMAGED. */
enum status checkpoint_config(const struct state *state, struct text *out) MUST_USE;
/* The same, read from a state.h5 into the arena. Local. Fails: ST_DAMAGED. */
enum status checkpoint_read_config(const char *path, struct arena *arena, struct config **out) MUST_USE;

#endif
