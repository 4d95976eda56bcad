/* LLaMA: RMSNorm before each part, rotary positions, SwiGLU, grouped key/value heads; optional biases and norms on q and k. */
#define LAMINA_MODELS_INSIDE
#include "private.h"

static int rmsnorm(struct tape *t, int x, const char *gain, const struct model_config *m)
{
    const struct norm_attr attr = { m->norm_eps };
    const int g = vector(t, gain, ROLE_NORM, m->width, INIT_ONE);
    return tape_op(t, &op_rmsnorm, &attr, sizeof attr, 1, &x, 1, &g);
}

static void write_embedding(struct tape *t, const struct model_config *m)
{
    const int ids = tape_tokens(t);
    const int token = weight(t, "token.weight", m->tie ? ROLE_HEAD : ROLE_EMBEDDING, m->vocab, m->width, m->init_std);
    tape_output(t, tape_op(t, &op_embedding, NULL, 0, 1, &ids, 1, &token));
}

static int write_qk_norm(struct tape *t, int qkv, const struct model_config *m)
{
    const struct qk_norm_attr attr = { { m->heads, m->kv_heads }, m->norm_eps };
    const int64_t D = m->width / m->heads;
    const int q = vector(t, "attn.q_norm.weight", ROLE_NORM, D, INIT_ONE), k = vector(t, "attn.k_norm.weight", ROLE_NORM, D, INIT_ONE);
    return tape_op(t, &op_qk_norm, &attr, sizeof attr, 1, &qkv, 2, (int[]){ q, k });
}

static int write_attention(struct tape *t, int x, const struct model_config *m)
{
    const struct rope_attr rope = { { m->heads, m->kv_heads }, m->rope_base };
    int qkv = query_key_value(t, x, m, m->qkv_bias);
    if (m->qk_norm) qkv = write_qk_norm(t, qkv, m);
    qkv = placed(t, &op_rope, &rope, sizeof rope, qkv, 0, NULL);
    const int mixed = placed(t, &op_attention, &rope.heads, sizeof rope.heads, qkv, 0, NULL);
    const int o = weight(t, "attn.o.weight", ROLE_ATTN_O, m->width, m->width, residual_std(m));
    return linear(t, mixed, 1, &o, NULL);
}

static int write_mlp(struct tape *t, int x, const struct model_config *m)
{
    const int gate = weight(t, "mlp.gate.weight", ROLE_MLP_GATE, m->mlp, m->width, m->init_std);
    const int in = weight(t, "mlp.in.weight", ROLE_MLP_IN, m->mlp, m->width, m->init_std);
    const int hidden = unary(t, &op_swiglu, linear(t, x, 2, (int[]){ gate, in }, NULL));
    const int out = weight(t, "mlp.out.weight", ROLE_MLP_OUT, m->width, m->mlp, residual_std(m));
    return linear(t, hidden, 1, &out, NULL);
}

static void write_block(struct tape *t, const struct model_config *m)
{
    const int x = tape_input(t);
    const int middle = add(t, x, write_attention(t, rmsnorm(t, x, "norm1.weight", m), m));
    tape_output(t, add(t, middle, write_mlp(t, rmsnorm(t, middle, "norm2.weight", m), m)));
}

static void write_head(struct tape *t, const struct model_config *m)
{
    const int x = rmsnorm(t, tape_input(t), "norm.weight", m);
    head_end(t, x, m->tie ? tape_tied(t, "token.weight") : weight(t, "weight", ROLE_HEAD, m->vocab, m->width, m->init_std));
}

static void llama_write(struct tape *t, enum unit_kind kind, const struct model_config *m)
{
    static void (*const write[UNIT_KINDS])(struct tape *, const struct model_config *) = { write_embedding, write_block, write_head };
    write[kind](t, m);
}

static enum status llama_check(const struct model_config *m)
{
    const int64_t head = m->width / m->heads;
    if (head % 2 != 0)
        FAIL(ST_CONFIG, "model: width %lld / heads %lld gives heads of %lld values; rotary positions need an even number",
             (long long)m->width, (long long)m->heads, (long long)head);
    return ST_OK;
}

static const char *const llama_preset[] = { "mlp", "8/3*width", NULL };

const struct model_desc model_llama = { .variant = { .name = "llama",
                                                     .summary = "RMSNorm, rotary positions, SwiGLU, grouped key/value heads",
                                                     .source = "Touvron et al. 2023; q/k norms: Qwen3",
                                                     .preset = llama_preset },
                                        .check = llama_check,
                                        .write = llama_write };
