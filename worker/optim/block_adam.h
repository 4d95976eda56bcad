/* block_adam.h: one kernel for Adam, AdamW, Adam-mini and Adalayer. They differ in the block of elements that shares a second moment:
 *
 *     m <- b1 m + (1 - b1) g                          per element
 *     v <- b2 v + (1 - b2) mean over the block of g^2  per element, row, head, part of a tensor, tensor or model
 *     u  = n / (sqrt(v / (1 - b2^t)) + eps),  n = m / (1 - b1^t), or one of two Nesterov forms */
#ifndef LAMINA_OPTIM_BLOCK_ADAM_H
#define LAMINA_OPTIM_BLOCK_ADAM_H

#include "optim.h"

enum granularity { BY_ELEMENT, BY_ROW, BY_HEAD, BY_TENSOR, BY_MODEL };
enum nadam { NADAM_NONE, NADAM_TORCH, NADAM_OPTAX };
enum bias_blocks { BIASES_BY_BLOCK, BIASES_BY_ELEMENT };
struct block_adam {
    double betas[2], eps, momentum_decay;
    bool amsgrad;
    int nadam, granularity, biases;
    int64_t head_rows;   /* 0: the model's heads */
    struct counts split; /* rows of the parts of a fused tensor */
    int64_t frozen_after;
};
enum { BLOCK_ADAM_SLOTS = 4 };
extern const char *const nadam_words[], *const granularity_words[], *const head_rows_words[];
extern const struct opt_slot block_adam_slots[BLOCK_ADAM_SLOTS];

/* The rows of the field tables that all of them share. */
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
#define BLOCK_ADAM_GRANULARITY_ROWS(granularity_value)                                                                                     \
    { "granularity",                                                                                                                       \
      FIELD_ENUM,                                                                                                                          \
      offsetof(struct block_adam, granularity),                                                                                            \
      granularity_value,                                                                                                                   \
      0,                                                                                                                                   \
      0,                                                                                                                                   \
      granularity_words,                                                                                                                   \
      "",                                                                                                                                  \
      "what shares one second moment: an element has its own, or a row, a head, a tensor, or all tensors "                                 \
      "of the rule together (model)",                                                                                                      \
      true },                                                                                                                              \
    {                                                                                                                                      \
        "head_rows", FIELD_I64, offsetof(struct block_adam, head_rows), "auto", 1, 1e9, head_rows_words, "rows",                           \
            "rows of a block (granularity: head). auto: those of one attention head in attn.q and attn.k, one row in other tensors", true  \
    }

/* The middle of their equations: moments and direction. */
#define BLOCK_ADAM_EQUATIONS                                                                                                               \
    "m <- b1 m + (1 - b1) g\n"                                                                                                             \
    "v <- b2 v + (1 - b2) mean of g^2 over what shares v (granularity)\n"                                                                  \
    "u = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps);  amsgrad: the largest v so far in place of v\n"                                    \
    "nadam optax: b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t) in place of m / (1 - b1^t)\n"                                            \
    "nadam torch: mu(t+1) m / (1 - P mu(t+1)) + (1 - mu(t)) g / (1 - P);  mu(t) = b1 (1 - 0.96^(t momentum_decay) / 2), "                  \
    "P = mu(1) ... mu(t)\n"

const char *block_adam_problem(const struct opt_rule *rule);
int64_t block_adam_row_align(const struct param *p, const void *hyper);
void block_adam_need(const struct param *p, const void *hyper, struct opt_need *out);
void block_adam_prepare(const struct opt_step *s, struct opt_tensor *tensor);
void block_adam_propose(const struct opt_step *s, struct opt_tile *v);
void block_adam_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms);
void block_adam_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums);
void block_adam_absorb(const struct opt_step *s, struct opt_tile *v);

#endif
