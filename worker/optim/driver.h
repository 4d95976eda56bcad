/* driver.h: the one update loop of all optimizers. It knows ranks, clip, decay, freezing and storage, so that a rule is a formula and
 * nothing else (common/plan/optimizer.h). Read that first, then this; drive.c is the loop, place.c its memory,
 * README.md names the rest.
 *
 * A step, after the verdict:   driver_begin
 *     for round 0 .. OPT_ROUNDS-1:   driver_exchange -> int64 values -> add them over the owners -> driver_absorb
 *     driver_whole_out -> messages to owners of whole matrices; driver_rest while they travel
 *     driver_whole_direct, driver_whole_back -> messages; driver_whole_done
 *     driver_exchange, driver_absorb of OPT_COUNT_SIGNS
 * Nothing here communicates: tests step several virtual ranks in one thread. Weights and state after a step have the same bits for any
 * cut of the rows (on multiples of row_align), any owners of matrices and any number of threads, because every sum that crosses rows is
 * a sum of integers and every matrix is computed by one thread. An attempt that is not applied is one for which driver_begin was not
 * called. */
#ifndef LAMINA_OPTIM_DRIVER_H
#define LAMINA_OPTIM_DRIVER_H

#include "common/comm/comm.h"
#include "common/plan/plan.h"

struct driver;

/* Who owns which rows: row_cut[param][r] .. row_cut[param][r + 1] are rank r's. Only the cuts of parameters with an owner are read. */
struct driver_group {
    int rank, ranks;
    const int64_t *const *row_cut;
};

/* Rows [row_begin, row_end) of one parameter, owned here. All pointers are to the first owned row. */
struct driver_piece {
    int param;
    int64_t row_begin, row_end;
    float *theta;       /* master weights */
    const int64_t *sum; /* reduced gradient: sum over the batch times 2^F; not read while the tensor is frozen */
    uint16_t *rounded;  /* bf16 copy, refreshed with every update; NULL: none */
};

/* Places state, kept directions, matrices and exchange buffers in `memory` (which may be measuring: nothing there is touched) and tables in
 * `tables`. pieces: at most one per parameter, rows not empty, at most `threads` threads will run. All rules must satisfy opt_problem.
 * plan, group's cuts, pieces' targets: borrowed for the driver's life; the pieces themselves are copied. */
struct driver *driver_place(struct arena *memory, struct arena *tables, const struct plan *plan, int threads,
                            const struct driver_group *group, const struct driver_piece *pieces, int n);
/* State as at the first step of a run: of one parameter, or of all. */
void driver_fresh_param(struct driver *d, int param);
void driver_fresh(struct driver *d);

/* Adds to norm[rule] the squares of the owned reduced gradients, as sums over the batch (the token count may not be known yet), of tensors
 * that are trained at this step and whose rule clips. exponent: F of each parameter. Changes nothing. */
void driver_norm(struct driver *d, int64_t step, const int exponent[], struct super norm[]);
/* min(1, limit / (norm + 1e-6)), as PyTorch's clip_grad_norm_; limit 0: 1. */
double driver_clip(double limit, double norm);

/* What a step needs to know; equal on all ranks. */
struct driver_step {
    int64_t step;             /* from 1 */
    double divisor;           /* tokens with loss in the step: gradients are sum * 2^-F / divisor */
    const double *clip;       /* of each rule: the factor that its gradients are multiplied by */
    const double *factor;     /* of each rule: its schedule's */
    const int *exponent;      /* F of each parameter */
    const uint32_t *max_bits; /* largest |contribution| of each parameter in this step, as bits of an fp32 */
    const float *projection;  /* opt_step.projection */
};

/* A second gradient, reduced like the first, for rules that observe one (Sophia): whether some tensor is due at this step, and its use.
 * Before driver_begin of the same step. */
bool driver_observes(const struct driver *d, int64_t step);
void driver_observe(struct driver *d, const struct driver_step *now);

/* Moments, directions and the terms of round 0 of all tensors that wait for others. */
void driver_begin(struct driver *d, const struct driver_step *step);
/* The values of an exchange, to be added over all owners of the model's shards. n is the same on every rank and in every step, perhaps 0.
 */
void driver_exchange(struct driver *d, int exchange, int64_t **values, int64_t *n);
/* Goes on with the values as added; called for every exchange, also when n is 0. */
void driver_absorb(struct driver *d, int exchange);

/* n of driver_exchange, from the plan alone. */
int64_t driver_exchange_values(const struct plan *plan, int exchange);

/* Rows of matrices on their way between ranks of the group. The lists live until the next call; buffers until the messages arrived. */
struct driver_messages {
    const struct comm_message *sends, *recvs;
    int n_sends, n_recvs;
};
struct driver_messages driver_whole_out(struct driver *d);
void driver_rest(struct driver *d); /* every tensor that waits for nobody, in one pass over memory */
void driver_whole_direct(struct driver *d);
struct driver_messages driver_whole_back(struct driver *d);
void driver_whole_done(struct driver *d);

/* --- Weights to evaluate ------------------------------------------------------------------------------------------- */

/* on: master and rounded weights become those to evaluate (averages, a rule's eval_weights); off: the trained ones again, with the same
 * bits. Returns whether any changed, which is the same on every rank. */
bool driver_evaluate(struct driver *d, bool on);

/* --- State, for checkpoints and digests ---------------------------------------------------------------------------- */

/* One stored slot of one parameter: a whole of [rows, cols], of which this rank holds rows [row_begin, row_end). */
enum { DRIVER_SLOTS = 2 * OPT_MAX_SLOTS + 1 }; /* a rule's slots, the scales of 8-bit ones, the average of the weights */
struct driver_slot {
    char name[32];
    enum dtype dtype; /* DT_F32; DT_BF16; DT_U8 with "NAME_scale" beside it */
    int64_t rows, cols, row_begin, row_end;
    void *data;  /* of row_begin; NULL where this rank holds nothing of it */
    bool writes; /* the held rows are this rank's to write; of replicated state (columns, scalars) the owner of row 0 is the writer */
    bool split;  /* held in part by every owner of rows: its rows are the parameter's, or blocks of them */
};
/* false where the parameter stores no such slot, which is so on every rank alike. */
bool driver_slot(const struct driver *d, int param, int slot, struct driver_slot *out);
/* Updates done so far, per parameter: part of the state, the same on every rank. To be saved, and filled when loading. */
int64_t *driver_updates(struct driver *d);

#endif
