/* bench_optimizers.h: what a step of each optimizer costs on the shape of the bench: on the driver of every run, without a model around it.
 */
#ifndef LAMINA_COORDINATOR_BENCH_OPTIMIZERS_H
#define LAMINA_COORDINATOR_BENCH_OPTIMIZERS_H

#include "coordinator/session.h"

/* A rule that must see matrices whole takes those of attention and MLP, as the presets do, and AdamW the rest; any other takes all. */
struct bench_optimizer {
    const struct opt_desc *opt;
    const char *state; /* how its state is stored: "fp32", "bf16", "q8" */
    bool whole;
    struct optimizer_cost cost;
};
enum { BENCH_MAX_OPTIMIZERS = 64 };
struct bench_optimizers {
    int n;
    struct bench_optimizer row[BENCH_MAX_OPTIMIZERS];
};

/* wanted: "NAME[/STATE],...", or all, some (without those that take matrices apart, which need minutes), none.
 * Fails: ST_USAGE with the nearest name. */
enum status bench_optimizers_choose(const char *wanted, struct bench_optimizers *out) MUST_USE;

/* Fills its cost: planned for the bench's options, threads and precision, placed, timed and freed. Collective: yes, equal arguments. */
enum status bench_optimizer_time(const struct comm *world, const struct options *options, const struct session *bench,
                                 struct bench_optimizer *o) MUST_USE;

#endif
