/* Adam-mini: AdamW with one second moment per row or per attention head. Norms, being one row, have one; biases keep one per element. */
#include "block_adam.h"

static const char *const biases_words[] = { "block", "element", NULL };
static const struct field adam_mini_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct block_adam, betas), "[0.9, 0.999]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct block_adam, eps), "1e-8", 0, 1, NULL, "", "added to the root of the corrected second moment",
      true },
    BLOCK_ADAM_NESTEROV_ROWS,
    BLOCK_ADAM_GRANULARITY_ROWS("row"),
    { "biases", FIELD_ENUM, offsetof(struct block_adam, biases), "element", 0, 0, biases_words, "",
      "tensors of the role bias: a second moment for each element, or blocks like those of other tensors", true },
    { 0 }
};
static const char *const adam_mini_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_adam_mini = { .variant = { .name = "adam-mini",
                                                     .summary = "AdamW with one second moment per row or attention head",
                                                     .source =
                                                         "Zhang et al. 2024 (arXiv 2406.16793), Alg. 1; zyushun/Adam-mini adam_mini.py",
                                                     .fields = adam_mini_fields,
                                                     .bytes = sizeof(struct block_adam),
                                                     .preset = adam_mini_preset },
                                        .equations = "theta <- (1 - lr weight_decay) theta\n" BLOCK_ADAM_EQUATIONS
                                                     "biases: element gives tensors of the role bias a v for each element\n"
                                                     "theta <- theta - lr u",
                                        .slots = block_adam_slots,
                                        .n_slots = BLOCK_ADAM_SLOTS,
                                        .decay = DECAY_BEFORE,
                                        .problem = block_adam_problem,
                                        .row_align = block_adam_row_align,
                                        .need = block_adam_need,
                                        .prepare = block_adam_prepare,
                                        .propose = block_adam_propose,
                                        .rounds = { { block_adam_partial, block_adam_settle, block_adam_absorb } } };
