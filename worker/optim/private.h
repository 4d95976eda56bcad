/* private.h: what the files of the driver share: place.c (memory), norm.c (norms and clip), drive.c (the loop over tiles), coded.c
 * (their state in fewer bytes), sums.c (exchanges), whole.c (matrices at their owners), observe.c (a second gradient), state.c (state for
 * checkpoints, and the weights to evaluate). */
#ifndef LAMINA_OPTIM_PRIVATE_H
#define LAMINA_OPTIM_PRIVATE_H
#ifndef LAMINA_OPTIM_INSIDE
#error "private.h belongs to worker/optim"
#endif

#include "worker/optim/driver.h"

/* A slot of the owned rows, as it is stored. */
struct stored {
    struct opt_stored whole;
    void *data;   /* from the first owned row on; NULL: none */
    float *scale; /* 8-bit: of each block of the owned rows */
};

/* What one tensor does in one step; the same at every owner. */
struct update {
    bool active; /* not frozen */
    struct opt_step step;
    struct opt_tensor tensor;
    float keep, rate; /* theta <- keep*theta - rate*u */
};

/* The owned rows of one parameter. */
struct span {
    struct driver_piece piece;
    const struct param *param;
    struct opt_rule rule;
    struct opt_need need;
    enum decay_place place;
    int rounds;                      /* of sums */
    bool plain;                      /* neither sums nor a whole matrix nor signs to count: one pass over memory */
    int64_t value_at[OPT_EXCHANGES]; /* where this parameter's values stand in the exchange */
    int64_t block_rows, tile_rows;   /* rows whose terms a rule adds itself; rows worked on at a time */
    int first_task, n_tasks;
    struct stored slot[OPT_MAX_SLOTS];
    float *average; /* NULL: none is kept */
    float *kept;    /* trained weights while others are evaluated; NULL: they can be found again without */
    float *u;       /* the span's directions where not plain; else tiles use scratch */

    /* this step */
    struct update now;
    struct opt_sums sums;
    float boost;  /* cautious: what the agreeing part of u is multiplied by */
    int exponent; /* gradients are sum * 2^-exponent / divisor, clipped */
    double divisor;
    int column_exponent[OPT_ROUNDS];
};

/* A whole matrix whose owner is this rank. */
struct owned {
    int param;
    struct opt_rule rule;
    struct update now;
    struct opt_matrix whole; /* u: the span's own in a group of one */
};

struct route {
    const struct param *param;
    int index, peer; /* peer: the owner, or the rank of the rows where the owner is this rank */
    int64_t begin, end;
};

/* A run of rows that one thread works on, and its share of the sums. Cut by shape; the bits do not depend on the cut. */
struct task {
    int span;
    int64_t row_begin, row_end;
    struct super *scalar; /* [max(1, scalars)] */
    struct wide *column;  /* [cols], or NULL */
    int64_t agreeing;
};

struct scratch {
    float *grad, *u;
    float *state[OPT_MAX_SLOTS]; /* slots that are not stored as fp32, of a tile */
    double *column;
    void *whole; /* of `direction` */
};

struct driver {
    const struct plan *plan;
    struct driver_group group;
    int n_spans, n_tasks, n_owned, threads;
    struct span *spans;
    struct task *tasks;
    struct owned *owned;              /* the dearest first */
    struct scratch *scratch;          /* [threads] */
    int *span_of;                     /* [n_params]: index of the span, -1: nothing owned */
    int64_t *updates;                 /* [n_params] */
    int64_t *scope;                   /* [n_params] elements of the tensors that share sums with it in this step */
    int64_t *values;                  /* one round's exchange */
    int64_t *value_at[OPT_EXCHANGES]; /* [n_params] */
    int64_t n_values[OPT_EXCHANGES];
    struct route *routes;               /* [ranks] */
    struct comm_message *sends, *recvs; /* [matrices * ranks] */
    int64_t step;                       /* of driver_begin */
    bool evaluating;
};

/* drive.c: run one stage of all spans that `takes` accepts. Stage 0 proposes, stage k takes in the sums of round k-1; then */
enum { STAGE_DIRECTED = OPT_ROUNDS + 1, STAGE_MOVE, STAGE_OBSERVE };
void drive_stage(struct driver *d, int stage, bool (*takes)(const struct span *));
void drive_update(const struct driver *d, const struct driver_step *now, int param, const struct opt_rule *rule, struct update *out);
/* Rows of a span as a rule sees them; u_scratch serves where the span keeps no directions. */
struct opt_tile drive_tile(const struct span *s, int64_t row, int64_t n_rows, float *u_scratch);

/* coded.c: state that is stored in fewer bytes; a tile sees fp32 in the one stage that reads and writes it. */
enum { AHEAD_RANGES = OPT_MAX_SLOTS + 3 };
struct ahead { /* memory of the tile that comes next, to be asked for */
    struct {
        const char *at, *end;
    } range[AHEAD_RANGES];
    int n;         /* ranges */
    int64_t bytes; /* to ask for at a time */
};
/* Rows [row, end) follow in this task: none when they are empty, or no state is coded at this stage. */
void coded_look_ahead(const struct span *s, int stage, int64_t row, int64_t end, struct ahead *out);
void coded_open(const struct span *s, int stage, struct opt_tile *v, const struct scratch *scratch, struct ahead *next);
void coded_close(const struct span *s, int stage, const struct opt_tile *v, struct ahead *next);

/* sums.c: the fixed point of this step's column sums. */
void drive_column_exponents(const struct driver *d, const struct driver_step *now, struct span *s);

#endif
