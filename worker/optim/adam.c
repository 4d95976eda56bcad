/* Adam and AdamW: they differ in where weight decay acts. */
#include "block_adam.h"

static const struct field adam_fields[] = { { "betas", FIELD_F64x2, offsetof(struct block_adam, betas), "[0.9, 0.999]", 0, 0.999999, NULL,
                                              "", "decay of the mean of gradients, and of the mean of their squares", true },
                                            { "eps", FIELD_F64, offsetof(struct block_adam, eps), "1e-8", 0, 1, NULL, "",
                                              "added to the root of the corrected second moment", true },
                                            BLOCK_ADAM_NESTEROV_ROWS,
                                            BLOCK_ADAM_GRANULARITY_ROWS("element"),
                                            { 0 } };
static const char *const adam_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };
static const char *const adamw_preset[] = { "lr", "1e-3", "weight_decay", "1e-2", NULL };

const struct opt_desc opt_adam = { .variant = { .name = "adam",
                                                .summary = "mean gradient over root mean square; weight decay in the gradient",
                                                .source = "Kingma & Ba 2015, Alg. 1; pytorch/pytorch torch/optim/adam.py",
                                                .fields = adam_fields,
                                                .bytes = sizeof(struct block_adam),
                                                .preset = adam_preset },
                                   .equations = "g <- g + weight_decay theta\n" BLOCK_ADAM_EQUATIONS "theta <- theta - lr u",
                                   .slots = block_adam_slots,
                                   .n_slots = BLOCK_ADAM_SLOTS,
                                   .decay = DECAY_L2,
                                   .problem = block_adam_problem,
                                   .row_align = block_adam_row_align,
                                   .need = block_adam_need,
                                   .prepare = block_adam_prepare,
                                   .propose = block_adam_propose,
                                   .rounds = { { block_adam_partial, block_adam_settle, block_adam_absorb } } };

const struct opt_desc opt_adamw = { .variant = { .name = "adamw",
                                                 .summary = "Adam with weight decay on the weights",
                                                 .source = "Loshchilov & Hutter 2019, Alg. 2; pytorch/pytorch torch/optim/adamw.py",
                                                 .fields = adam_fields,
                                                 .bytes = sizeof(struct block_adam),
                                                 .preset = adamw_preset },
                                    .equations = "theta <- (1 - lr weight_decay) theta\n" BLOCK_ADAM_EQUATIONS "theta <- theta - lr u",
                                    .slots = block_adam_slots,
                                    .n_slots = BLOCK_ADAM_SLOTS,
                                    .decay = DECAY_BEFORE,
                                    .problem = block_adam_problem,
                                    .row_align = block_adam_row_align,
                                    .need = block_adam_need,
                                    .prepare = block_adam_prepare,
                                    .propose = block_adam_propose,
                                    .rounds = { { block_adam_partial, block_adam_settle, block_adam_absorb } } };
