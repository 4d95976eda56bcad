/* virtual.h: several ranks in one thread. Each has a driver for its own rows of the same tensors; the exchange is an addition here. So
 * sharded can be compared with unsharded without MPI. */
#ifndef LAMINA_TESTS_VIRTUAL_H
#define LAMINA_TESTS_VIRTUAL_H

#include "worker/optim/driver.h"

enum { VIRTUAL_RANKS = 4, VIRTUAL_TENSORS = 6 };

struct virtual_tensor {
    int64_t rows, cols;
    int n_dims;
    int64_t frozen_until;
};

struct virtual_setup {
    int n_tensors;
    struct virtual_tensor tensor[VIRTUAL_TENSORS];
    const struct opt_desc *opt; /* one rule for all tensors */
    const void *hyper;
    struct rule_common common;
    double clip; /* 0: none */
};

struct virtual_world {
    struct virtual_setup setup;
    struct arena memory, tables;
    struct config *config;
    struct plan plan;
    int ranks;
    struct driver *driver[VIRTUAL_RANKS];
    int64_t step;
    double divisor, norm;    /* tokens of the step; the norm of the last step */
    const float *projection; /* opt_step.projection */

    /* whole tensors; ranks own rows of them */
    int64_t cut[VIRTUAL_TENSORS][VIRTUAL_RANKS + 1];
    const int64_t *cuts[VIRTUAL_TENSORS];
    float *theta[VIRTUAL_TENSORS];
    int64_t *sum[VIRTUAL_TENSORS];
    uint16_t *rounded[VIRTUAL_TENSORS];
    int exponent[VIRTUAL_TENSORS];
    uint32_t max_bits[VIRTUAL_TENSORS];
};

/* ranks drivers over rows cut at random (by cut_seed) on multiples of row_align; some ranks may own nothing of a tensor. A whole matrix has
 * an owner at random, who may own none of its rows. Weights start
 * as Philox normals of size 0.5. Memory starts as NaN, so that state which is read before it is written shows. */
void virtual_open(struct virtual_world *w, const struct virtual_setup *setup, int ranks, uint64_t cut_seed);
void virtual_close(struct virtual_world *w);

void virtual_gradient(struct virtual_world *w, int tensor, const float *g);
/* Philox normals times scale, one in eight exactly zero; the same for every cut. */
void virtual_random_gradients(struct virtual_world *w, float scale);
void virtual_step(struct virtual_world *w, double lr);

/* Weights and state of one world into another that is cut differently, as a checkpoint would carry them. */
void virtual_carry(struct virtual_world *from, struct virtual_world *to);
/* A second gradient, as observers are given it. */
void virtual_observe(struct virtual_world *w);
/* A whole slot as its writers hold it, rows * cols of its type, in memory of w->tables; NULL where there is none. */
const void *virtual_slot(struct virtual_world *w, int tensor, int slot, int64_t *bytes);
/* The first difference in weights, rounded weights, state or update counts, as text; NULL when every bit is equal. */
const char *virtual_difference(struct virtual_world *a, struct virtual_world *b);

#endif
