/* block_adam.h: one kernel for Adam, AdamW and Adalayer. They differ in the block of elements that shares a second moment:
 *
 *     m <- b1 m + (1 - b1) g                          per element
 *     v <- b2 v + (1 - b2) mean over the block of g^2  per element, row or tensor
 *     u  = n / (sqrt(v / (1 - b2^t)) + eps),  n = m / (1 - b1^t), or one of two Nesterov forms */
#ifndef LAMINA_OPTIM_BLOCK_ADAM_H
#define LAMINA_OPTIM_BLOCK_ADAM_H

#include "optim.h"

enum granularity { BY_ELEMENT, BY_ROW, BY_TENSOR };
enum nadam { NADAM_NONE, NADAM_TORCH, NADAM_OPTAX };
struct block_adam {
    double betas[2], eps, momentum_decay;
    bool amsgrad;
    int nadam, granularity;
};
enum { BLOCK_ADAM_SLOTS = 4 };
extern const char *const nadam_words[], *const granularity_words[];
extern const struct opt_slot block_adam_slots[BLOCK_ADAM_SLOTS];

/* The rows of the field tables that Adam, AdamW and Adalayer share. */
#define BLOCK_ADAM_NESTEROV_ROWS                                                                                                           \
    { "amsgrad", FIELD_BOOL, offsetof(struct block_adam, amsgrad),                                                                         \
      "false",   0,          0,                                                                                                            \
      NULL,      "",         "divide by the largest second moment seen so far (PyTorch's form: before its correction)",                    \
      true },                                                                                                                              \
        { "nadam",     FIELD_ENUM, offsetof(struct block_adam, nadam),                                                                     \
          "none",      0,          0,                                                                                                      \
          nadam_words, "",         "Nesterov momentum: torch has a schedule of its own for it, optax has none",                            \
          true },                                                                                                                          \
    {                                                                                                                                      \
        "momentum_decay", FIELD_F64, offsetof(struct block_adam, momentum_decay), "4e-3", 0, 1, NULL, "",                                  \
            "rate of that schedule (nadam: torch)", true                                                                                   \
    }

void block_adam_need(const struct param *p, const void *hyper, struct opt_need *out);
void block_adam_prepare(const struct opt_step *s, struct opt_tensor *tensor);
void block_adam_propose(const struct opt_step *s, struct opt_tile *v);
void block_adam_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms);
void block_adam_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums);
void block_adam_absorb(const struct opt_step *s, struct opt_tile *v);

#endif
