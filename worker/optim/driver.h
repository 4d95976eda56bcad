/* driver.h: the one update loop of all optimizers. It knows ranks, clip, decay, freezing and storage, so that a rule is a formula and
 * nothing else (common/plan/optimizer.h). Read that first, then this; drive.c is the loop, place.c its memory.
 *
 * A step, after the verdict:   driver_begin
 *     for round 0 .. DRIVER_ROUNDS-1:   driver_exchange -> int64 values -> add them over the owners -> driver_absorb
 * Nothing here communicates: tests step several virtual ranks in one thread. Weights and state after a step have the same bits for any
 * cut of the rows (on multiples of row_align), any number of owners and any number of threads, because every sum that crosses rows is
 * a sum of integers. An attempt that is not applied is one for which driver_begin was not called. */
#ifndef LAMINA_OPTIM_DRIVER_H
#define LAMINA_OPTIM_DRIVER_H

#include "common/plan/plan.h"

/* Exchanges per step: those of the rules, and one more where `cautious` counts agreeing signs. Most runs use none or one. */
enum { DRIVER_ROUNDS = OPT_ROUNDS + 1 };

struct driver;

/* Rows [row_begin, row_end) of one parameter, owned here. All pointers are to the first owned row. */
struct driver_piece {
    int param;
    int64_t row_begin, row_end;
    float *theta;       /* master weights */
    const int64_t *sum; /* reduced gradient: sum over the batch times 2^F; not read while the tensor is frozen */
    uint16_t *rounded;  /* bf16 copy, refreshed with every update; NULL: none */
};

/* Places state, kept directions and exchange buffers in `memory` (which may be measuring: nothing there is touched) and tables in
 * `tables`. pieces: at most one per parameter, rows not empty, at most `threads` threads will run. All rules must satisfy opt_problem.
 * plan, pieces' targets: borrowed for the driver's life; the pieces themselves are copied. */
struct driver *driver_place(struct arena *memory, struct arena *tables, const struct plan *plan, int threads,
                            const struct driver_piece *pieces, int n);
/* State as at the first step of a run. */
void driver_fresh(struct driver *d);

/* Adds to *norm the squares of the owned reduced gradients, as sums over the batch (the token count may not be known yet), of tensors that
 * are trained at this step and whose rule clips. exponent: F of each parameter. Changes nothing. */
void driver_norm(struct driver *d, int64_t step, const int exponent[], struct super *norm);
/* min(1, limit / (norm + 1e-6)), as PyTorch's clip_grad_norm_; limit 0: 1. */
double driver_clip(double limit, double norm);

/* What a step needs to know; equal on all ranks. */
struct driver_step {
    int64_t step;             /* from 1 */
    double divisor;           /* tokens with loss in the step: gradients are sum * 2^-F / divisor */
    double norm;              /* global norm of the averaged gradients */
    const double *lr;         /* of each rule: base rate times schedule */
    const int *exponent;      /* F of each parameter */
    const uint32_t *max_bits; /* largest |contribution| of each parameter in this step, as bits of an fp32 */
};
/* Moments, directions and the terms of round 0; tensors without sums are finished here, in one pass over memory. */
void driver_begin(struct driver *d, const struct driver_step *step);
/* The values of a round, to be added over all owners of the model's shards. n is the same on every rank and in every step, perhaps 0. */
void driver_exchange(struct driver *d, int round, int64_t **values, int64_t *n);
/* Goes on with the values as added; called for every round, also when n is 0. */
void driver_absorb(struct driver *d, int round);

/* n of driver_exchange, from the plan alone. */
int64_t driver_exchange_values(const struct plan *plan, int round);

/* --- State, for checkpoints and digests ---------------------------------------------------------------------------- */

/* One stored slot of one parameter: a whole of [rows, cols] fp32, of which this rank holds rows [row_begin, row_end). */
struct driver_slot {
    const char *name;
    int64_t rows, cols, row_begin, row_end;
    float *data; /* of row_begin; NULL where this rank owns nothing of the parameter */
    bool writes; /* the held rows are this rank's to write; of replicated state (columns, scalars) the owner of row 0 is the writer */
};
/* Slots are numbered 0 .. OPT_MAX_SLOTS-1; false where the parameter stores no such slot, which is so on every rank alike. */
bool driver_slot(const struct driver *d, int param, int slot, struct driver_slot *out);
/* Updates done so far, per parameter: part of the state, the same on every rank. To be saved, and filled when loading. */
int64_t *driver_updates(struct driver *d);

#endif
