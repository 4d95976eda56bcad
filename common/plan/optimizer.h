/* optimizer.h: what an optimizer tells about itself. A rule computes a direction u for tiles of rows, or for a whole matrix at its owner;
 * the driver (worker/optim/driver.h) alone knows ranks, clip, decay, freezing and storage. A rule never fails, communicates, allocates or
 * logs. */
#ifndef LAMINA_PLAN_OPTIMIZER_H
#define LAMINA_PLAN_OPTIMIZER_H

#include "common/base/rng.h"
#include "common/plan/partition.h"

enum { OPT_MAX_SLOTS = 8, OPT_MAX_SUMS = 8, OPT_NOTES = 16, OPT_ROUNDS = 2, OPT_TILE = 1024 };

/* --- State --------------------------------------------------------------------------------------------------------- */

/* One number per element, row, block of row_align rows, column or tensor. Element, row and block state lies with the span; column and
 * tensor state is kept, with the same bits, by every rank that owns rows of the tensor. State AT_OWNER lies whole at the one rank that
 * computes the direction of the matrix. */
enum extent { EXTENT_NONE, PER_ELEMENT, PER_ROW, PER_BLOCK, PER_COL, PER_TENSOR, AT_OWNER };
struct opt_slot {
    const char *name; /* in checkpoints: PARAM.NAME */
    enum extent extent;
    enum extent (*extent_of)(const struct param *, const void *hyper); /* where it depends on settings or shape; NULL: `extent` */
    /* AT_OWNER: [rows, cols]; PER_TENSOR: several numbers [1, cols]. NULL: one number. */
    void (*shape)(const struct param *, const void *hyper, int64_t *rows, int64_t *cols);
    float initial;
    /* Storage of element state (rule_common.state): */
    int stage;     /* where it is read and written: 0 propose, k the absorb of round k-1. Elsewhere a tile does not see it. */
    bool observed; /* written by `observe` alone; the stage above only reads it */
    bool positive; /* never below zero: an 8-bit code has no sign */
    bool precise;  /* fp32 always: weights, not statistics */
};

/* --- What a rule sees ---------------------------------------------------------------------------------------------- */

struct opt_step {
    int64_t t;               /* counts the updates of this tensor, from 1 */
    double lr;               /* base rate times the schedule's factor; below 0: `lr: none` */
    double factor;           /* the schedule's alone */
    double weight_decay;     /* for a rule that decays inside its formula */
    double batch_tokens;     /* tokens with loss in the step */
    struct rng_key key;      /* random numbers of this tensor: the same at any rank */
    const float *projection; /* given from outside (lamina optim try) in place of a random or computed one; NULL in a run */
    const void *hyper;       /* the struct that the rule's fields fill */
};

/* What all tiles of a tensor share at one owner. Notes are numbers that a rule leaves for its tiles within the step (a bias correction,
 * a norm); they and the slots here are written in `prepare` and `settle` only, alike at every owner. */
struct opt_tensor {
    const struct param *param;
    float *slot[OPT_MAX_SLOTS]; /* PER_COL [cols], PER_TENSOR [its shape, else 1]; NULL for others */
    double note[OPT_NOTES];
    int64_t scope; /* elements that the scalars of a round are added over: the tensor's, or all that share them (opt_need.shared) */
    bool still;    /* set by prepare: neither step nor decay now (state moves) */
};

/* Whole rows [row, row + n_rows) of one tensor, about 1,024 elements in cache; count = n_rows * cols. */
struct opt_tile {
    const struct opt_tensor *tensor;
    int64_t row, n_rows, cols, count;
    const float *theta;         /* before the step, and before its decay */
    const float *grad;          /* averaged over the batch, clipped, L2 decay added; NULL after the first exchange */
    float *u;                   /* the direction; kept from propose to the last absorb */
    float *slot[OPT_MAX_SLOTS]; /* PER_ELEMENT [count], PER_ROW [n_rows], PER_BLOCK [blocks] of the tile, in fp32; NULL for others */
};

/* A whole tensor at its owner: [param->rows, param->cols]. */
struct opt_matrix {
    const struct opt_tensor *tensor; /* its notes as `prepare` left them; no slots */
    float *u;                        /* in: what propose (and the rounds) left in u; out: the direction */
    float *slot[OPT_MAX_SLOTS];      /* AT_OWNER; NULL for others */
    void *scratch;                   /* whole_scratch bytes, 64-byte aligned */
};

/* --- Sums over a whole tensor, which cross ranks ------------------------------------------------------------------- */

/* Values of one round. The driver adds the terms exactly, so that cuts, threads and ranks cannot change a bit. */
struct opt_sums {
    double scalar[OPT_MAX_SUMS];
    double *column; /* [cols] */
};
struct opt_need {
    int scalars[OPT_ROUNDS]; /* sums in the round */
    int column[OPT_ROUNDS];  /* 0: none; d: a vector over columns whose terms are gradients to the power d, 1 or 2 */
    bool shared;             /* the scalars are added over all tensors of the rule that are trained at the step */
    bool whole;              /* after the rounds u travels to the tensor's owner, which runs `direction` */
};
struct opt_round {
    /* Fills the terms of one block of rows: scalar[k], column[j]. A block is row_align rows that start on a multiple of it (the last of
     * a tensor may be shorter), so a fixed order inside it is the same for every cut. */
    void (*partial)(const struct opt_step *, const struct opt_tile *block, struct opt_sums *terms);
    /* Once per tensor: takes the sums into column and tensor slots and into notes. */
    void (*settle)(const struct opt_step *, struct opt_tensor *, const struct opt_sums *sums);
    /* Per tile: rewrites u from the notes and slots. NULL: u stays. */
    void (*absorb)(const struct opt_step *, struct opt_tile *);
};

/* A rule of the run: the optimizer, its settings and those that the driver serves. */
struct opt_rule {
    const struct opt_desc *opt;
    const void *hyper;
    const struct rule_common *common;
};

/* --- The rule ------------------------------------------------------------------------------------------------------ */

/* Where weight decay acts: on the weights before or after the step, in the gradient, or inside the rule's own formula. */
enum decay_place { DECAY_BEFORE, DECAY_AFTER, DECAY_L2, DECAY_INSIDE };
enum {
    OPT_STEP_OWN = 1,      /* u holds the whole step: theta <- keep*theta - u, without lr */
    OPT_RATE_OPTIONAL = 2, /* knows what to do with `lr: none` */
    OPT_PROJECTED = 8,     /* draws a projection with `rank` rows; opt_step.projection takes its place */
    OPT_PLAIN = 4          /* `cautious` has no meaning here and is refused */
};

/* What a rule's settings make of the common ones, for one tensor. */
struct opt_base {
    double lr, weight_decay; /* lr: below 0: none */
};

struct opt_desc {
    struct variant variant; /* name, summary, source, its own YAML keys; preset: lr and weight_decay */
    const char *equations;  /* what a step does, as a few lines of text */
    const struct opt_slot *slots;
    int n_slots;
    enum decay_place decay;
    enum decay_place (*decay_of)(const void *hyper); /* NULL: `decay` */
    unsigned flags;
    const char *(*problem)(const struct opt_rule *rule);            /* a sentence where settings exclude each other, else NULL */
    const char *(*refuse)(const struct param *, const void *hyper); /* why it cannot take this tensor, else NULL */
    int64_t (*row_align)(const struct param *, const void *hyper);  /* rows that must stay together; NULL: 1 */
    void (*need)(const struct param *, const void *hyper, struct opt_need *out); /* out is zero on entry; NULL: no sums */
    void (*base)(const struct param *, const void *hyper, struct opt_base *);    /* changes rate and decay of a tensor; NULL: as given */
    void (*prepare)(const struct opt_step *, struct opt_tensor *);               /* once per tensor and step, before its tiles; or NULL */
    void (*propose)(const struct opt_step *, struct opt_tile *);                 /* moments; fills u */
    struct opt_round rounds[OPT_ROUNDS];
    /* Whole matrices (opt_need.whole): sequential, run in parallel over matrices. A rule of these has no slots PER_COL or PER_TENSOR. */
    void (*direction)(const struct opt_step *, struct opt_matrix *);
    size_t (*whole_scratch)(const struct param *, const void *hyper); /* bytes; NULL: none */
    double (*whole_flops)(const struct param *, const void *hyper);   /* what owners are balanced by, for a mean step */
    int64_t (*whole_every)(const void *hyper); /* once in so many steps `direction` does more than in the others; NULL: all are alike */
    /* A second gradient, of labels sampled from the model, every so many steps before the step (Sophia): v->grad is that gradient. */
    int64_t (*observe_every)(const void *hyper); /* NULL: never; else steps 1, k+1, 2k+1, ... of a tensor's own count */
    void (*observe)(const struct opt_step *, struct opt_tile *);
    /* The weights to evaluate and export, where they are not those that are trained. Elementwise. NULL: they are. */
    void (*eval_weights)(const void *hyper, const struct opt_tile *, float *out);
};

/* --- What follows from it: pure, for plan and driver alike ---------------------------------------------------------- */

/* How a slot of a tensor is stored: the whole is [rows, cols]; extent EXTENT_NONE: not at all. An 8-bit slot has a scale per block of
 * `block` elements as well. */
struct opt_stored {
    enum extent extent;
    enum storage_dtype dtype;
    int64_t rows, cols, block;
};
struct opt_stored opt_stored(const struct opt_rule *rule, int slot, const struct param *param);
/* Storage bytes of all slots of one whole tensor, each counted once, averages of weights included; 0 when it is frozen for ever. */
size_t opt_slot_bytes(const struct opt_rule *rule, const struct param *param);
/* Bytes that a step reads and writes of one whole tensor where its rows lie, each once in a pass: the int64 gradient, weights (and the copy
 * of them in the compute type, `rounded` bytes each), averages, state, and directions that are kept from pass to pass. What lies at the
 * owner of a matrix is not counted. */
double opt_step_bytes(const struct opt_rule *rule, const struct param *param, size_t rounded);
enum decay_place opt_decay(const struct opt_desc *opt, const void *hyper);
struct opt_need opt_needs(const struct opt_desc *opt, const struct param *param, const void *hyper);
int opt_rounds(const struct opt_need *need);
/* Rows whose terms a rule adds itself; cuts fall on multiples of opt_row_align, which also respects blocks of scales. */
int64_t opt_block_rows(const struct opt_rule *rule, const struct param *param);
int64_t opt_row_align(const struct opt_rule *rule, const struct param *param);
/* Rate and decay of one tensor before any schedule: what the rule makes of the common settings, and layer_decay to the power of the units
 * above it (a tied head counts as the head). */
struct opt_base opt_base(const struct opt_rule *rule, const struct param *param, int n_units);
/* Floating-point operations of a step that cannot be shared by owners of rows: those of `direction`. 0: no whole matrix. */
double opt_whole_flops(const struct opt_rule *rule, const struct param *param);
/* The weights to evaluate are not the trained ones. */
bool opt_has_eval(const struct opt_rule *rule);

/* Exchanges of sums: one per round, and a last one where a cautious rule counts agreeing signs. How many int64 values a tensor adds over
 * the owners in each; 0: it takes no part. Layouts do not depend on the step: a frozen tensor sends zeros. */
enum { OPT_COUNT_SIGNS = OPT_ROUNDS, OPT_EXCHANGES };
int64_t opt_exchange_values(const struct opt_rule *rule, const struct param *param, int exchange);

/* Why the settings of a rule do not go together, as a sentence for the user; NULL when they do. */
const char *opt_problem(const struct opt_rule *rule);

#endif
