/* Adalayer: Adam whose second moment is one number per tensor, or per output row. */
#include "block_adam.h"

static const struct field adalayer_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct block_adam, betas), "[0.9, 0.95]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct block_adam, eps), "1e-15", 0, 1, NULL, "", "added to the root of the corrected second moment",
      true },
    BLOCK_ADAM_NESTEROV_ROWS,
    { "granularity", FIELD_ENUM, offsetof(struct block_adam, granularity), "tensor", 0, 0, granularity_words, "",
      "what shares one second moment: each element has its own, or a row, or the whole tensor", true },
    { 0 }
};
static const char *const adalayer_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_adalayer = { .variant = { .name = "adalayer",
                                                    .summary = "Adam with one second moment per tensor, or per row",
                                                    .source = "Zhao et al. 2024 (arXiv 2407.07972), section 4",
                                                    .fields = adalayer_fields,
                                                    .bytes = sizeof(struct block_adam),
                                                    .preset = adalayer_preset },
                                       .slots = block_adam_slots,
                                       .n_slots = BLOCK_ADAM_SLOTS,
                                       .decay = DECAY_BEFORE,
                                       .need = block_adam_need,
                                       .prepare = block_adam_prepare,
                                       .propose = block_adam_propose,
                                       .rounds = { { block_adam_partial, block_adam_settle, block_adam_absorb } } };
