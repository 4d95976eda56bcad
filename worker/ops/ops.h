/* ops.h: every op that a tape may use, and the attributes each one takes. One op per file; common/plan/describe.h says what an op is.
 * Shapes: B batch, T time, C channels, H heads, Hk key/value heads, D head size, F hidden, V vocabulary; M = B*T token rows. */
#ifndef LAMINA_OPS_OPS_H
#define LAMINA_OPS_OPS_H

#include "common/plan/describe.h"

/* Where documents are kept apart, ops that mix or number tokens (embedding with positions, rope, attention) take a second input: starts
 * [B,T], the place in its window where the document of each token begins. Positions count from there, and attention sees nothing before. */

/* tokens [B,T], params: token [V,C] (, position [context,C]) -> [B,T,C]. No attributes. */
extern const struct op_desc op_embedding;

/* x [B,T,C], params: gain [C] (rmsnorm), gain [C] and bias [C] (layernorm) -> [B,T,C]. */
struct norm_attr {
    double eps;
};
extern const struct op_desc op_rmsnorm, op_layernorm;

/* x [B,T,K], params: weights [N_i,K], then as many biases [N_i] where bias -> [B,T,sum N_i]. Weights stand adjacent in memory, biases too,
 * so that one product serves all. */
struct linear_attr {
    int weights;
    bool bias;
};
extern const struct op_desc op_linear;

/* Rows of q, k and v: [B,T,(H+2Hk)*D]. qk_norm (params: gain q [D], gain k [D]) and rope return the same shape, attention [B,T,H*D]. */
struct heads_attr {
    int64_t heads, kv_heads;
};
enum { ATTENTION_TILE = 128 }; /* queries by keys that attention computes at a time */
struct qk_norm_attr {
    struct heads_attr heads;
    double eps;
};
struct rope_attr {
    struct heads_attr heads;
    double base;
};
extern const struct op_desc op_qk_norm, op_rope;
extern const struct op_desc op_attention; /* struct heads_attr */

/* x -> gelu(x); [gate | in] [B,T,2F] -> silu(gate) * in [B,T,F]; a, b -> a + b. No attributes. */
extern const struct op_desc op_gelu, op_swiglu, op_add;

/* x [B,T,C], targets [B,T], params: head [V,C] -> nats per token [B,T] in fp32 (0 where the target is -1). Backward is of their sum. */
extern const struct op_desc op_head_loss;
/* x [B,T,C], params: head [V,C] -> logits of the last position [B,V] in fp32. */
extern const struct op_desc op_logits;

/* All of them, NULL-terminated. */
extern const struct op_desc *const op_table[];

#endif
