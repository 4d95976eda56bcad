#define LAMINA_OPS_INSIDE
#include "private.h"

#include <math.h>

/* Each head of q and k is scaled to unit root-mean-square over its D values, times a gain shared by the heads; v passes.
 * Saved: r [M, H + Hk]. */
struct layout {
    int64_t rows, width, heads, q_heads, D; /* heads: of q and k */
};

static struct layout qk_norm_layout(const struct op_shape *s)
{
    const struct qk_norm_attr *a = s->attr;
    const int64_t width = tensor_cols(&s->in[0]);
    return (struct layout){ tensor_rows(&s->in[0]), width, a->heads.heads + a->heads.kv_heads, a->heads.heads,
                            width / (a->heads.heads + 2 * a->heads.kv_heads) };
}

static void qk_norm_infer(struct op_shape *s)
{
    const struct layout l = qk_norm_layout(s);
    CHECK(s->n_in == 1 && s->n_param == 2 && tensor_count(&s->param[0]) == l.D && tensor_count(&s->param[1]) == l.D);
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->n_saved = 1;
    s->saved[0] = tensor_make(DT_F32, 2, (int64_t[]){ l.rows, l.heads }, NULL);
    s->reads_in = 1;
    s->contributions = 1;
    s->scratch_bytes = floats(4 * l.width + 3 * l.D);
    s->shared_bytes = partial_bytes(l.rows, 2 * l.D);
    s->flops_forward = 4.0 * (double)(l.rows * l.heads * l.D);
    s->flops_backward = 11.0 * (double)(l.rows * l.heads * l.D);
}

static void qk_norm_forward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const struct layout l = qk_norm_layout(c->shape);
    const double eps = ((const struct qk_norm_attr *)c->shape->attr)->eps;
    float *x_row = thread_scratch(c, thread), *y_row = x_row + l.width, *gains = y_row + l.width, *rstd = tensor_f32(&c->saved[0]);
    const float *gain[2] = { row_load(&c->param[0], 0, l.D, gains), row_load(&c->param[1], 0, l.D, gains + l.D) };
    for (int64_t t = block_first(block); t < block_last(block, l.rows); t++) {
        const float *x = row_load(&c->in[0], t * l.width, l.width, x_row);
        float *y = row_open(&c->out[0], t * l.width, l.width, y_row);
        for (int64_t h = 0; h < l.heads; h++) {
            const float *xh = x + h * l.D, *g = gain[h >= l.q_heads];
            const float r = rstd[t * l.heads + h] = (float)(1 / sqrt(vec_sum_squares(xh, l.D) / (double)l.D + eps));
            for (int64_t i = 0; i < l.D; i++) y[h * l.D + i] = xh[i] * r * g[i];
        }
        memcpy(y + l.heads * l.D, x + l.heads * l.D, (size_t)(l.width - l.heads * l.D) * sizeof *y);
        row_store(&c->out[0], t * l.width, l.width, y);
    }
}

static void qk_norm_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(row_blocks(tensor_rows(&c.in[0])), qk_norm_forward_task, &c);
}

/* As rmsnorm, head by head: with h = dy g:  dx = r h - x r^3 mean(h x);  dg = sum over rows and heads of dy x r. */
static void qk_norm_backward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const struct layout l = qk_norm_layout(c->shape);
    float *x_row = thread_scratch(c, thread), *dy_row = x_row + l.width, *dx = dy_row + l.width, *spare = dx + l.width;
    float *gains = spare + l.width, *h_row = gains + 2 * l.D, *dg = (float *)c->shared + block * 2 * l.D;
    const float *gain[2] = { row_load(&c->param[0], 0, l.D, gains), row_load(&c->param[1], 0, l.D, gains + l.D) };
    const float *rstd = tensor_f32(&c->saved[0]);
    memset(dg, 0, (size_t)(2 * l.D) * sizeof *dg);
    for (int64_t t = block_first(block); t < block_last(block, l.rows); t++) {
        const float *x = row_load(&c->in[0], t * l.width, l.width, x_row), *dy = row_load(&c->d_out[0], t * l.width, l.width, dy_row);
        memcpy(dx, dy, (size_t)l.width * sizeof *dx);
        for (int64_t h = 0; h < l.heads; h++) {
            const int part = h >= l.q_heads;
            const float *xh = x + h * l.D, *dyh = dy + h * l.D, *g = gain[part], r = rstd[t * l.heads + h];
            for (int64_t i = 0; i < l.D; i++) dg[part * l.D + i] += dyh[i] * (xh[i] * r);
            for (int64_t i = 0; i < l.D; i++) h_row[i] = dyh[i] * g[i];
            const float k = (float)(vec_dot(h_row, xh, l.D) / (double)l.D * (double)r * (double)r * (double)r);
            for (int64_t i = 0; i < l.D; i++) dx[h * l.D + i] = r * h_row[i] - k * xh[i];
        }
        if (c->d_in[0].data != NULL) gradient_write(&c->d_in[0], t * l.width, l.width, dx, c->add[0], spare);
    }
}

static void qk_norm_backward(const struct op_call *call)
{
    struct op_call c = *call;
    const struct layout l = qk_norm_layout(c.shape);
    parallel_for(row_blocks(l.rows), qk_norm_backward_task, &c);
    partial_reduce(c.shared, l.rows, 2 * l.D, l.D, &c.sink[0]);
    partial_reduce((const float *)c.shared + l.D, l.rows, 2 * l.D, l.D, &c.sink[1]);
}

const struct op_desc op_qk_norm = { .name = "qk_norm",
                                    .summary = "RMS norm of each query and key head",
                                    .source = "Henry et al. 2020; in this form: Qwen3, Gemma 3",
                                    .infer = qk_norm_infer,
                                    .forward = qk_norm_forward,
                                    .backward = qk_norm_backward };
