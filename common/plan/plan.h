/* plan.h: everything about a run that follows from its configuration and its number of ranks: who owns what, what is computed, sent and
 * stored. The run allocates and sends exactly this. Memory is measured by worker/ (the same builders on measuring arenas). */
#ifndef LAMINA_PLAN_PLAN_H
#define LAMINA_PLAN_PLAN_H

#include "common/comm/comm.h"
#include "common/plan/optimizer.h"
#include "common/plan/program.h"

enum { PLAN_SLICE_BYTES = 4 << 20 }; /* sums across groups work in slices of at most this: MPI_Iallreduce holds a copy that no plan sees */

struct plan {
    const struct config *config;
    const struct model_desc *model;
    struct partition partition;
    const struct opt_desc *const *optimizers; /* of each rule, n = config->n_rules */
    enum dtype compute;                       /* resolved: DT_F32 or DT_BF16 */
    int ranks, group, n_groups;               /* group ranks share a copy of the model; n_groups copies */
    bool to_owner;                            /* accumulate at the owner */
    int64_t micro_tokens;                     /* B*T of a microbatch */
    int64_t n_micro;                          /* microbatches per step in the whole world */
    int64_t window;                           /* resolved: 1 .. most local microbatches */
    int64_t contributions;                    /* K of exact.h: most additions to one element per step, world-wide */
    int contribution_bits;                    /* b */
    double flops_per_token;                   /* 6 * matmul weights + 6*L*C*T: whole windows, also where documents are kept apart */
    int64_t steps, sequences, micro, context;
};

/* The same where a token sees `seen` tokens on average instead of half a context. */
double plan_flops_per_token(const struct plan *plan, double seen);

/* Microbatches [first, first + n) of the step belong to world rank r: contiguous shares, uneven by at most one. */
void plan_share(const struct plan *plan, int rank, int64_t *first, int64_t *n);
/* Rank r of the world has rank plan_member in its shard group and its group has this number. */
int plan_member(const struct plan *plan, int rank);
int plan_group(const struct plan *plan, int rank);

/* Build from a checked configuration. tables: opt_descs by variant order; shapes from the model's tapes (worker/tape.h).
 * contributions_per_micro: most additions to one element per microbatch, from the tapes.
 * Fails: ST_CONFIG (rules that match nothing, tensors matched by none), ST_LAUNCH (group does not divide ranks). */
struct plan_input {
    const struct config *config;
    const struct model_desc *model;
    const struct opt_desc *const *optimizer_table; /* NULL-terminated */
    const struct unit_shape *shapes;               /* [UNIT_KINDS] */
    int64_t contributions_per_micro;
    enum dtype compute;
    int ranks;
};
enum status plan_build(struct arena *arena, const struct plan_input *input, struct plan *out, struct text *problems) MUST_USE;
/* Everything that must be equal on all ranks. */
struct digest128 plan_digest(const struct plan *plan);

/* Weights are gathered per unit instead of resident (shard: full in a group of more than one). */
bool plan_gathers(const struct plan *plan);
/* Is a parameter (some parameter of each unit) updated at this step? */
bool plan_trained(const struct plan *plan, int param, int64_t step);
void plan_trained_units(const struct plan *plan, int64_t step, bool *trains);

/* Does some rule observe a second gradient before this step (where no step before it was skipped)? */
bool plan_observes(const struct plan *plan, int64_t step);

/* The shape of a phase's program: n_most microbatches at the rank that has most. The same on every rank. */
struct program_shape plan_program(const struct plan *plan, enum phase phase, int64_t n_most, const bool *trains);

/* Bytes of weights and gradients that rank r sends in a training step done in one attempt, by comm phase and the counting rule of comm.h.
 * What the optimizer exchanges and the report are the worker's to add (worker_traffic). */
struct traffic {
    int64_t bytes[COMM_PHASES];
};
void plan_traffic(const struct plan *plan, int rank, int64_t step, struct traffic *out);

/* The rule that takes a parameter. */
struct opt_rule plan_rule(const struct plan *plan, int param);
/* Bytes that rank r sends in a step so that whole matrices reach their owners and directions come back. */
int64_t plan_whole_bytes(const struct plan *plan, int rank, int64_t step);
/* State bytes per parameter of a rule's slots on a tensor. */
double plan_state_bytes(const struct plan *plan, int param);

#endif
