/* GPT-2: LayerNorm before each part, learned positions, tanh-GELU, biases everywhere. Radford et al. 2019; names as roles, not as there. */
#define LAMINA_MODELS_INSIDE
#include "private.h"

static int layernorm(struct tape *t, int x, const char *gain, const char *bias, const struct model_config *m)
{
    const struct norm_attr attr = { m->norm_eps };
    const int g = vector(t, gain, ROLE_NORM, m->width, INIT_ONE), b = vector(t, bias, ROLE_BIAS, m->width, INIT_ZERO);
    return tape_op(t, &op_layernorm, &attr, sizeof attr, 1, &x, 2, (int[]){ g, b });
}

static void write_embedding(struct tape *t, const struct model_config *m)
{
    const int ids = tape_tokens(t);
    const int token = weight(t, "token.weight", m->tie ? ROLE_HEAD : ROLE_EMBEDDING, m->vocab, m->width, m->init_std);
    const int position = weight(t, "position.weight", ROLE_POSITION, m->context, m->width, m->init_std);
    tape_output(t, placed(t, &op_embedding, NULL, 0, ids, 2, (int[]){ token, position }));
}

static int write_attention(struct tape *t, int x, const struct model_config *m)
{
    const struct heads_attr heads = { m->heads, m->kv_heads };
    const int qkv = query_key_value(t, x, m, true);
    const int mixed = placed(t, &op_attention, &heads, sizeof heads, qkv, 0, NULL);
    const int o = weight(t, "attn.o.weight", ROLE_ATTN_O, m->width, m->width, residual_std(m)),
              bias = vector(t, "attn.o.bias", ROLE_BIAS, m->width, INIT_ZERO);
    return linear(t, mixed, 1, &o, &bias);
}

static int write_mlp(struct tape *t, int x, const struct model_config *m)
{
    const int in = weight(t, "mlp.in.weight", ROLE_MLP_IN, m->mlp, m->width, m->init_std);
    const int in_bias = vector(t, "mlp.in.bias", ROLE_BIAS, m->mlp, INIT_ZERO);
    const int hidden = unary(t, &op_gelu, linear(t, x, 1, &in, &in_bias));
    const int out = weight(t, "mlp.out.weight", ROLE_MLP_OUT, m->width, m->mlp, residual_std(m));
    const int out_bias = vector(t, "mlp.out.bias", ROLE_BIAS, m->width, INIT_ZERO);
    return linear(t, hidden, 1, &out, &out_bias);
}

static void write_block(struct tape *t, const struct model_config *m)
{
    const int x = tape_input(t);
    const int middle = add(t, x, write_attention(t, layernorm(t, x, "norm1.weight", "norm1.bias", m), m));
    tape_output(t, add(t, middle, write_mlp(t, layernorm(t, middle, "norm2.weight", "norm2.bias", m), m)));
}

static void write_head(struct tape *t, const struct model_config *m)
{
    const int x = layernorm(t, tape_input(t), "norm.weight", "norm.bias", m);
    head_end(t, x, m->tie ? tape_tied(t, "token.weight") : weight(t, "weight", ROLE_HEAD, m->vocab, m->width, m->init_std));
}

static void gpt2_write(struct tape *t, enum unit_kind kind, const struct model_config *m)
{
    static void (*const write[UNIT_KINDS])(struct tape *, const struct model_config *) = { write_embedding, write_block, write_head };
    write[kind](t, m);
}

/* GPT-2 has biases everywhere, no norms on queries and keys, and learned positions: keys that would say otherwise are errors, not ignored.
 */
static const char *const gpt2_preset[] = { "tie", "true", "qkv_bias", NULL, "qk_norm", NULL, "rope_base", NULL, NULL };

const struct model_desc model_gpt2 = { .variant = { .name = "gpt2",
                                                    .summary = "LayerNorm, learned positions, GELU, biases",
                                                    .source = "Radford et al. 2019",
                                                    .preset = gpt2_preset },
                                       .write = gpt2_write };
