/* private.h: what place.c and drive.c share. */
#ifndef LAMINA_OPTIM_PRIVATE_H
#define LAMINA_OPTIM_PRIVATE_H
#ifndef LAMINA_OPTIM_INSIDE
#error "private.h belongs to worker/optim"
#endif

#include "worker/optim/driver.h"

/* The owned rows of one parameter. */
struct span {
    struct driver_piece piece;
    const struct param *param;
    struct opt_rule rule;
    struct opt_need need;
    enum decay_place place;
    int rounds, exchanges;           /* exchanges = rounds, and one for the count of signs */
    int64_t value_at[DRIVER_ROUNDS]; /* where this parameter's values stand in the exchange */
    int64_t block_rows, tile_rows;   /* rows that stay together; rows worked on at a time */
    int first_task, n_tasks;
    float *slot[OPT_MAX_SLOTS];
    enum extent extent[OPT_MAX_SLOTS];
    float *u; /* the span's directions where exchanges > 0; else tiles use scratch */

    /* this step */
    bool active; /* not frozen */
    struct opt_step step;
    struct opt_tensor tensor;
    struct opt_sums sums;
    float keep, rate; /* theta <- keep*theta - rate*u */
    float boost;      /* cautious: what the agreeing part of u is multiplied by */
    int exponent;     /* gradients are sum * 2^-exponent / divisor, clipped */
    double divisor;
    int column_exponent[OPT_ROUNDS];
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
    double *column;
};

struct driver {
    const struct plan *plan;
    int n_spans, n_tasks, threads;
    struct span *spans;
    struct task *tasks;
    struct scratch *scratch; /* [threads] */
    int *span_of;            /* [n_params]: index of the span, -1: nothing owned */
    int64_t *updates;        /* [n_params] */
    int64_t *values;         /* one round's exchange */
    int64_t n_values[DRIVER_ROUNDS];
};

struct opt_rule driver_rule(const struct plan *plan, int param);

#endif
