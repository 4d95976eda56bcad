/* optimizer.h: what an optimizer tells about itself. A rule computes a direction for tiles of rows; the driver (worker/optim/driver.h)
 * alone knows ranks, clip, decay, freezing, storage and averages. A rule never fails, communicates, allocates or logs. */
#ifndef LAMINA_PLAN_OPTIMIZER_H
#define LAMINA_PLAN_OPTIMIZER_H

#include "common/base/rng.h"
#include "common/plan/partition.h"

enum { OPT_MAX_SLOTS = 4, OPT_TILE = 1024 };

enum extent { PER_ELEMENT, PER_ROW, PER_COL, PER_TENSOR }; /* a whole-matrix rule will add AT_OWNER */
struct opt_slot {
    const char *name;
    enum extent extent;
    float initial;
    bool (*used)(const struct param *param, const void *hyper); /* NULL: always */
};

struct opt_step {
    int64_t t; /* counts this rule's steps on this tensor, from 1 */
    int64_t step, n_steps, tokens;
    double lr, lr_peak;
    struct rng_key key;
    const void *hyper;
};

/* Part of one tensor, at its owner: elements [begin, begin + count) in tensor coordinates. Slots are decoded to fp32: an element slot
 * points at the tile's elements, a row slot at the tile's rows, a column or tensor slot at the whole (replicated) vector or scalar. */
struct opt_tile {
    const struct param *param;
    int64_t begin, count, row, n_rows; /* whole rows where the rule needs rows (need.rows), else any run of elements */
    const float *theta, *grad;         /* grad: averaged over the batch, clipped */
    float *u;                          /* the direction to fill */
    float *slot[OPT_MAX_SLOTS];
};

/* Sums over the whole tensor that cross ranks. The driver adds what `partial` gives, exactly, and hands the result to `absorb`. */
struct opt_sums {
    double *scalar; /* [need.scalars] */
    double *column; /* [cols] when need.column */
};
struct opt_need {
    bool rows;      /* tiles are whole rows */
    int scalars[2]; /* sums per round */
    bool column[2]; /* a vector over columns in the round */
};
struct opt_round {
    /* Adds this row tile's terms; called once per tile, in row order inside a row: double. */
    void (*partial)(const struct opt_step *, const struct opt_tile *, struct opt_sums *out);
    /* Sees the global sums; may rewrite u and slots. */
    void (*absorb)(const struct opt_step *, struct opt_tile *, const struct opt_sums *global);
};

enum decay_place { DECAY_BEFORE, DECAY_AFTER, DECAY_L2, DECAY_INSIDE };
enum { OPT_STEP_OWN = 1 }; /* theta <- keep*theta - u: u already holds the step */

struct opt_desc {
    struct variant variant; /* name, summary, source, fields; its own YAML keys */
    const struct opt_slot *slots;
    int n_slots;
    enum decay_place decay;
    enum decay_place (*decay_of)(const void *hyper); /* NULL: `decay` */
    unsigned flags;
    void (*need)(const struct param *, const void *hyper, struct opt_need *out); /* NULL: nothing */
    int64_t (*row_align)(const struct param *, const void *hyper);               /* NULL: 1 */
    void (*propose)(const struct opt_step *, struct opt_tile *);                 /* 1: moments, fills u */
    struct opt_round rounds[2];                                                  /* 2: sums over ranks, one exchange each for all tensors */
};

/* Storage bytes of the slots of one tensor. */
size_t opt_slot_bytes(const struct opt_desc *opt, const struct param *param, const void *hyper);

#endif
