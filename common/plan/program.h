/* program.h: a step as a list of actions. The executor runs it, the traffic and memory plans walk the same list, the recorder names
 * the action that a hung rank is in. One generator gives every layout. */
#ifndef LAMINA_PLAN_PROGRAM_H
#define LAMINA_PLAN_PROGRAM_H

#include "common/plan/partition.h"

enum action_kind {
    ACTION_GATHER_BEGIN, /* weights of the unit start to arrive (full only) */
    ACTION_GATHER_WAIT,
    ACTION_FORWARD,      /* unit, microbatch */
    ACTION_BACKWARD,     /* unit, microbatch; the head's runs its forward as well (the loss) */
    ACTION_RELEASE,      /* gathered weights of the unit are dropped */
    ACTION_REDUCE_BEGIN, /* contributions of the unit leave for their owners */
    ACTION_REDUCE_WAIT,
    ACTION_KINDS
};
struct action {
    enum action_kind kind;
    int unit;
    int local;
}; /* local: microbatch number on this rank within the pass; -1: none */

enum phase { PHASE_TRAIN, PHASE_EVALUATE };

/* What the generator needs to know; the same on every rank. */
struct program_shape {
    enum phase phase;
    int n_units;
    bool tied;          /* head actions also need (and contribute to) the embedding unit */
    bool gathered;      /* weights are gathered per unit (shard: full) */
    bool reduced;       /* contributions travel to owners at all (a group of more than one) */
    bool to_owner;      /* ... after each pass (accumulate: owner); else once, after the last pass */
    int64_t window;     /* microbatches per pass */
    int64_t n_most;     /* of the rank that has most: every rank does the same number of gathers and reductions */
    const bool *trains; /* [n_units]: some parameter of the unit is trained now; no backward below the lowest such unit */
};

/* Actions of one pass: microbatches [0, n_now) of this rank, n_now <= window, 0 for a rank without work. */
struct program {
    int n;
    struct action *actions;
};
/* Actions after the last pass: contributions that were kept leave for their owners (empty when to_owner, or in a group of one). */
void program_finish(struct arena *arena, const struct program_shape *shape, struct program *out);
void program_pass(struct arena *arena, const struct program_shape *shape, int64_t n_now, struct program *out);
/* Passes per step: ceil(n_most / window). */
int64_t program_passes(const struct program_shape *shape);
const char *action_name(enum action_kind kind);
/* The lowest unit that backward reaches: the lowest trained one (the head at least). */
int program_lowest(const struct program_shape *shape);
/* Most units whose gathered weights exist at one time; the design promises at most two. */
int program_gathered_most(const struct program *p);

#endif
