/* trainer.h: the clock of a run: rank 0 decides, everybody computes, reports come back. Read director.h first. */
#ifndef LAMINA_COORDINATOR_TRAINER_H
#define LAMINA_COORDINATOR_TRAINER_H

#include "coordinator/checkpoints.h"
#include "coordinator/director.h"
#include "coordinator/session.h"
#include "coordinator/sinks/sink.h"

struct trainer {
    const struct session *session;
    const struct run_folder *folder;
    struct worker *worker;
    struct sinks *sinks; /* NULL on ranks other than 0 */
    struct director_policy policy;
    struct director_state state;
    struct worker_facts facts;
    const char *config_text; /* what a checkpoint carries */
    double flops_per_token;  /* of this run's text */
    bool redone;             /* the last step took more than one attempt */
};

/* From the state in the worker to the end that the director chooses. Collective: yes, equal trainers but for sinks.
 * Fails: what worker_step, saving and evaluation fail with. */
enum status trainer_run(const struct comm *world, struct trainer *t, enum director_end *end) MUST_USE;

#endif
