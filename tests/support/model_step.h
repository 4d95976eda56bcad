/* model_step.h: a whole model on one rank, forward and backward through its tapes, with weights from a formula. What golden numbers are
 * compared with; tests/golden/generate_model.py has the same formulas. */
#ifndef LAMINA_TESTS_MODEL_STEP_H
#define LAMINA_TESTS_MODEL_STEP_H

#include "common/plan/partition.h"
#include "worker/tape.h"

struct model_step {
    struct model_config config;
    enum dtype compute;
    int64_t batch, time;
    const int32_t *starts;                /* [B,T]: documents are kept apart; NULL: they are not */
    struct tape tape[UNIT_KINDS], logits; /* training tapes; the head that ends in logits */
    struct unit_shape shapes[UNIT_KINDS];
    struct partition partition;
    struct arena *arena;
    float **weights, **gradients; /* [units], flat: master weights; gradients of the summed loss */
    void **stored;                /* [units], flat, in the compute type */
    struct exact_sink *sinks;     /* [params] */
    uint32_t *max_bits;           /* [params] */
    float *nll, *last;            /* [B,T]; [B,V] */
    void **boundary, *d_boundary; /* [units + 1] of [B,T,C]; one gradient that walks down */
    unsigned char **saved, *pass, *scratch, *shared;
};

/* Places everything in the (growing) arena; weights from model_step_formula. starts: where the documents of each window begin, NULL: a
 * window is one document. */
void model_step_init(struct model_step *m, struct arena *arena, const struct model_config *config, enum dtype compute, int64_t batch,
                     int64_t time, const int32_t *starts);
/* Loss of each token into nll and gradients of their sum; returns the sum over tokens with a target, in double. */
double model_step_run(struct model_step *m, const int32_t *tokens, const int32_t *targets);
/* Logits of the last position into last. */
void model_step_logits(struct model_step *m, const int32_t *tokens);

/* A parameter's place: its weights and gradients, [rows * cols]. */
float *model_step_weights(const struct model_step *m, int param);
float *model_step_gradients(const struct model_step *m, int param);

/* Uniform in [-1/2, 1/2), a function of (name, index). */
double model_step_uniform(const char *name, int64_t index);
/* Ids below vocab, from the same numbers; one target in eleven is -1. */
void model_step_batch(const char *name, int64_t count, int64_t vocab, int32_t *tokens, int32_t *targets);

#endif
