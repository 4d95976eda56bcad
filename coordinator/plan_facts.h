/* plan_facts.h: what `lamina plan` shows, computed once from the plan and printed as a table or as JSON. */
#ifndef LAMINA_COORDINATOR_PLAN_FACTS_H
#define LAMINA_COORDINATOR_PLAN_FACTS_H

#include "coordinator/session.h"

struct rule_facts {
    const char *name, *optimizer, *schedule;
    int tensors, frozen; /* frozen: for ever, of these tensors */
    int64_t parameters;
    double lr, lr_first, lr_last; /* the peak, which the schedule multiplies; at the first and the last step */
    double weight_decay;
    double state_bytes; /* optimizer state per parameter; AdamW in fp32 has 8 */
};
struct rank_facts {
    struct worker_memory memory;
    struct traffic traffic;
    int64_t owned, micro; /* parameters, microbatches per step */
};
struct sources;
struct plan_facts {
    const struct plan *plan;
    int threads, ranks, n_rules;
    struct rule_facts rules[CONFIG_MAX_RULES];
    struct rank_facts *rank; /* [ranks] */
    int64_t parameters;
    double state_bytes;       /* per parameter, over all rules */
    double flops;             /* model FLOPs per step */
    int64_t tokens;           /* per step */
    int64_t checkpoint_bytes; /* tensors of one state.h5 */
};
/* Results live in the session's arena. */
void plan_facts(struct session *s, struct plan_facts *out);

/* "fp32, shard full over 2 ranks, ..." as a table for people. all_ranks: memory and traffic of every rank instead of the largest. */
void plan_print(const struct session *s, const struct plan_facts *f, bool all_ranks, struct text *out);
/* sources: NULL where they cannot be read. tensors: with a list of them. */
void plan_print_json(const struct session *s, const struct plan_facts *f, const struct sources *sources, bool tensors, struct text *out);
/* Its rules alone, for run.json. Owns: the caller frees the array. */
struct json_t;
struct json_t *plan_rules_json(const struct plan_facts *f);
/* A line per tensor: its rule, rates, state and exchanges; and the same as JSON, which the caller frees. */
void plan_print_tensors(const struct plan_facts *f, struct text *out);
struct json_t *plan_tensors_json(const struct plan *plan);
/* The few lines that `train` prints. */
void plan_print_brief(const struct session *s, const struct plan_facts *f, struct text *out);
/* "gradient allreduce = reduce to owners (X MB) + gather (Y MB)", per rank and step. */
void plan_print_allreduce(const struct plan_facts *f, struct text *out);

#endif
