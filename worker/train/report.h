/* report.h: what the ranks tell each other once per attempt, as one record of integers reduced by one commutative operation; and the
 * verdict, a pure function of it. Nothing persistent has changed when the verdict falls. */
#ifndef LAMINA_WORKER_TRAIN_REPORT_H
#define LAMINA_WORKER_TRAIN_REPORT_H

#include "common/base/status.h"
#include "common/comm/exact.h"

#include <stddef.h>
#include <stdint.h>

enum { TIME_FORWARD, TIME_BACKWARD, TIME_GATHER, TIME_REDUCE, TIME_OPTIMIZER, TIME_DATA, TIME_TOTAL, TIME_COUNT };

struct report_record {
    int64_t code, code_rank;                                               /* worst status, and the lowest rank that has it */
    int64_t signals;                                                       /* OR */
    int64_t tokens;                                                        /* sum */
    struct super loss;                                                     /* sum, normalised */
    int64_t least_ns[TIME_COUNT], sum_ns[TIME_COUNT], most_ns[TIME_COUNT]; /* of the step before */
    int64_t slowest;                                                       /* compute time in microseconds << 20 | rank: maximum */
    int64_t n_rules, n_params;
    struct super norm[]; /* [n_rules] squares of the gradients of each rule that clips, normalised; then the maxima */
};

size_t report_bytes(int n_rules, int n_params);
/* [n_params] largest |contribution| of each parameter, as bits of an fp32: maximum. */
uint32_t *report_max_bits(struct report_record *r);
/* inout = inout (+) in; commutative and associative. */
void report_combine(const void *in, void *inout, size_t n);

enum verdict { VERDICT_APPLY, VERDICT_REDO, VERDICT_SKIP, VERDICT_FAIL };
struct verdict_input {
    int n_params, attempt;
    const bool *trained; /* [n_params] */
    const int *exponent;
    const uint32_t *before_max;
    int bits;
    const int *by_name; /* to name the first offender in the order of names */
};
/* nonfinite: index of the first tensor with a non-finite contribution, -1: none. */
enum verdict report_judge(const struct report_record *r, const struct verdict_input *in, int *nonfinite);

#endif
