#define LAMINA_MODELS_INSIDE
#include "private.h"

#include "common/base/check.h"

#include <math.h>

int weight(struct tape *t, const char *name, enum role role, int64_t rows, int64_t cols, double std)
{
    return tape_param(t, name, role, 2, rows, cols, INIT_NORMAL, std);
}

int vector(struct tape *t, const char *name, enum role role, int64_t cols, enum init init)
{
    return tape_param(t, name, role, 1, 1, cols, init, 0);
}

int linear(struct tape *t, int x, int n, const int weights[], const int bias[])
{
    int param[OP_MAX];
    const struct linear_attr attr = { n, bias != NULL };
    CHECK(2 * n <= OP_MAX);
    for (int i = 0; i < n; i++) {
        param[i] = weights[i];
        if (bias != NULL) param[n + i] = bias[i];
    }
    return tape_op(t, &op_linear, &attr, sizeof attr, 1, &x, bias != NULL ? 2 * n : n, param);
}

int query_key_value(struct tape *t, int x, const struct model_config *config, bool bias)
{
    static const char *const weights[] = { "attn.q.weight", "attn.k.weight", "attn.v.weight" };
    static const char *const biases[] = { "attn.q.bias", "attn.k.bias", "attn.v.bias" };
    static const enum role roles[] = { ROLE_ATTN_Q, ROLE_ATTN_K, ROLE_ATTN_V };
    const int64_t C = config->width, kv = C / config->heads * config->kv_heads, rows[] = { C, kv, kv };
    int w[3], b[3];
    for (int i = 0; i < 3; i++) w[i] = weight(t, weights[i], roles[i], rows[i], C, config->init_std);
    for (int i = 0; i < 3 && bias; i++) b[i] = vector(t, biases[i], ROLE_BIAS, rows[i], INIT_ZERO);
    return linear(t, x, 3, w, bias ? b : NULL);
}

int placed(struct tape *t, const struct op_desc *op, const void *attr, size_t attr_bytes, int x, int n_param, const int param[])
{
    const int starts = tape_starts(t);
    return tape_op(t, op, attr, attr_bytes, starts < 0 ? 1 : 2, (int[]){ x, starts }, n_param, param);
}

int unary(struct tape *t, const struct op_desc *op, int x) { return tape_op(t, op, NULL, 0, 1, &x, 0, NULL); }

int add(struct tape *t, int a, int b) { return tape_op(t, &op_add, NULL, 0, 2, (int[]){ a, b }, 0, NULL); }

void head_end(struct tape *t, int x, int weights)
{
    if (t->end == TAPE_LOGITS)
        tape_output(t, tape_op(t, &op_logits, NULL, 0, 1, &x, 1, &weights));
    else
        tape_output(t, tape_op(t, &op_head_loss, NULL, 0, 2, (int[]){ x, tape_targets(t) }, 1, &weights));
}

double residual_std(const struct model_config *config) { return config->init_std / sqrt(2.0 * (double)config->layers); }
