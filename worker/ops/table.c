#include "worker/ops/ops.h"

const struct op_desc *const op_table[] = { &op_embedding, &op_rmsnorm, &op_layernorm, &op_linear,    &op_qk_norm, &op_rope, &op_attention,
                                           &op_gelu,      &op_swiglu,  &op_add,       &op_head_loss, &op_logits,  NULL };
