/* bench.h: the speed of training steps, and beside it what this machine can do, measured by the same threads of the same process. */
#ifndef LAMINA_COORDINATOR_BENCH_H
#define LAMINA_COORDINATOR_BENCH_H

#include "coordinator/session.h"

/* What the machine can do, all ranks at one time and together. */
struct bench_machine {
    double fp32, bf16; /* peak of matrix products in FLOP/s; bf16 0: not in hardware */
    double copy;       /* bytes per second that a plain copy reads and writes */
};
/* fp32_peak: known already, in FLOP/s; 0: to be measured (some seconds). Collective: yes, equal fp32_peak. */
enum status bench_machine(const struct comm *world, double fp32_peak, struct bench_machine *out) MUST_USE;
/* Its copy alone. Collective: yes. */
enum status bench_copy(const struct comm *world, double *out) MUST_USE;

/* The configuration of the bench: a shape from the options, random tokens, and this section `optimizer` (a map in flow style, without
 * braces). Fails: ST_CONFIG. */
enum status bench_config(const struct options *options, int ranks, const char *optimizer, struct session *s) MUST_USE;

/* The fastest of the steps that were timed. */
struct bench_step {
    int64_t tokens;
    double seconds, flops;  /* model FLOPs: 6 * matmul weights + 6*L*C*T per token; what is computed again does not count */
    double optimizer_bytes; /* what the update reads and writes, all ranks together */
    struct phase_times phases;
    int n_ops[UNIT_KINDS];
    struct op_time ops[UNIT_KINDS][WORKER_MAX_OPS]; /* of this rank */
};
/* Steps of the session's plan on random tokens: a first one that is not timed (it fixes exponents and touches all memory), then `steps`.
 * The tokens stand in a file of this rank that has no name any more once it is open. Collective: yes, equal session and steps. */
enum status bench_steps(const struct comm *world, struct session *s, int64_t steps, struct bench_step *out) MUST_USE;

#endif
