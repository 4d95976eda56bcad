/* Adalayer: Adam whose second moment is one number per tensor, per part of a fused one, or per output row. */
#include "block_adam.h"

static const char *const split_words[] = { "none", NULL };
static const struct field adalayer_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct block_adam, betas), "[0.9, 0.95]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct block_adam, eps), "1e-15", 0, 1, NULL, "", "added to the root of the corrected second moment",
      true },
    BLOCK_ADAM_NESTEROV_ROWS,
    BLOCK_ADAM_GRANULARITY_ROWS("tensor"),
    { "split", FIELD_COUNTS, offsetof(struct block_adam, split), "none", 1, 1e9, split_words, "rows",
      "rows of the parts of a fused tensor, each with its own second moment (granularity: tensor). A tensor of another number of rows than "
      "their sum is one block",
      true },
    { "frozen_after", FIELD_I64, offsetof(struct block_adam, frozen_after), "0", 0, 1e9, NULL, "steps",
      "average the squares of gradients over so many steps in which the weights stand still, then train with that second moment; 0: no",
      true },
    { 0 }
};
static const char *const adalayer_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_adalayer = {
    .variant = { .name = "adalayer",
                 .summary = "Adam with one second moment per tensor, or per row",
                 .source = "Zhao et al. 2024 (arXiv 2407.07972), section 4; rosieyzh/optimizers-llm olmo/optim.py",
                 .fields = adalayer_fields,
                 .bytes = sizeof(struct block_adam),
                 .preset = adalayer_preset },
    .equations = "theta <- (1 - lr weight_decay) theta\n" BLOCK_ADAM_EQUATIONS
                 "split: each part of a fused tensor has its v;  frozen_after T: theta rests while v <- v + (mean of g^2 - v) / (t + 1), "
                 "then v rests\n"
                 "theta <- theta - lr u",
    .slots = block_adam_slots,
    .n_slots = BLOCK_ADAM_SLOTS,
    .decay = DECAY_BEFORE,
    .problem = block_adam_problem,
    .row_align = block_adam_row_align,
    .need = block_adam_need,
    .prepare = block_adam_prepare,
    .propose = block_adam_propose,
    .rounds = { { block_adam_partial, block_adam_settle, block_adam_absorb } }
};
