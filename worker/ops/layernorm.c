#define LAMINA_OPS_INSIDE
#include "private.h"

#include <math.h>

/* y = (x - mean) r g + b, r = 1 / sqrt(var + eps), var over C. Saved: mean [M], r [M]. */
static void layernorm_infer(struct op_shape *s)
{
    const int64_t c = tensor_cols(&s->in[0]), rows = tensor_rows(&s->in[0]);
    CHECK(s->n_in == 1 && s->n_param == 2 && tensor_count(&s->param[0]) == c && tensor_count(&s->param[1]) == c);
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->n_saved = 2;
    s->saved[0] = s->saved[1] = tensor_make(DT_F32, 1, (int64_t[]){ rows }, NULL);
    s->reads_in = 1;
    s->contributions = 1;
    s->scratch_bytes = 7 * floats(c);
    s->shared_bytes = 2 * partial_bytes(rows, c);
    s->flops_forward = 7.0 * (double)(rows * c);
    s->flops_backward = 14.0 * (double)(rows * c);
}

static void layernorm_forward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const double eps = ((const struct norm_attr *)c->shape->attr)->eps;
    const int64_t C = tensor_cols(&c->in[0]), rows = tensor_rows(&c->in[0]);
    float *x_row = thread_scratch(c, thread), *y_row = x_row + C, *centred = y_row + C;
    float *mean = tensor_f32(&c->saved[0]), *rstd = tensor_f32(&c->saved[1]);
    const float *g = row_load(&c->param[0], 0, C, centred + C), *b = row_load(&c->param[1], 0, C, centred + 2 * C);
    for (int64_t t = block_first(block); t < block_last(block, rows); t++) {
        const float *x = row_load(&c->in[0], t * C, C, x_row);
        float *y = row_open(&c->out[0], t * C, C, y_row);
        const float m = mean[t] = (float)(vec_sum(x, C) / (double)C);
        for (int64_t i = 0; i < C; i++) centred[i] = x[i] - m;
        const float r = rstd[t] = (float)(1 / sqrt(vec_sum_squares(centred, C) / (double)C + eps));
        for (int64_t i = 0; i < C; i++) y[i] = centred[i] * r * g[i] + b[i];
        row_store(&c->out[0], t * C, C, y);
    }
}

static void layernorm_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(row_blocks(tensor_rows(&c.in[0])), layernorm_forward_task, &c);
}

/* With n = (x - mean) r and h = dy g:  dx = r (h - mean(h) - n mean(h n));  dg = sum over rows of dy n, db = sum of dy. */
static void layernorm_backward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t C = tensor_cols(&c->in[0]), rows = tensor_rows(&c->in[0]);
    float *x_row = thread_scratch(c, thread), *dy_row = x_row + C, *n = dy_row + C, *h = n + C, *dx = h + C, *spare = dx + C;
    const float *g = row_load(&c->param[0], 0, C, spare + C), *mean = tensor_f32(&c->saved[0]), *rstd = tensor_f32(&c->saved[1]);
    float *restrict dg = (float *)c->shared + block * 2 * C, *restrict db = dg + C;
    memset(dg, 0, (size_t)(2 * C) * sizeof *dg);
    for (int64_t t = block_first(block); t < block_last(block, rows); t++) {
        const float *x = row_load(&c->in[0], t * C, C, x_row), *dy = row_load(&c->d_out[0], t * C, C, dy_row);
        const float m = mean[t], r = rstd[t];
        for (int64_t i = 0; i < C; i++) n[i] = (x[i] - m) * r;
        for (int64_t i = 0; i < C; i++) {
            dg[i] += dy[i] * n[i];
            db[i] += dy[i];
        }
        if (c->d_in[0].data == NULL) continue;
        for (int64_t i = 0; i < C; i++) h[i] = dy[i] * g[i];
        const float mean_h = (float)(vec_sum(h, C) / (double)C), mean_hn = (float)(vec_dot(h, n, C) / (double)C);
        for (int64_t i = 0; i < C; i++) dx[i] = r * (h[i] - mean_h - n[i] * mean_hn);
        gradient_write(&c->d_in[0], t * C, C, dx, c->add[0], spare);
    }
}

static void layernorm_backward(const struct op_call *call)
{
    struct op_call c = *call;
    const int64_t C = tensor_cols(&c.in[0]), rows = tensor_rows(&c.in[0]);
    parallel_for(row_blocks(rows), layernorm_backward_task, &c);
    partial_reduce(c.shared, rows, 2 * C, C, &c.sink[0]);
    partial_reduce((const float *)c.shared + C, rows, 2 * C, C, &c.sink[1]);
}

const struct op_desc op_layernorm = { .name = "layernorm",
                                      .summary = "token vectors to mean 0 and variance 1, times a gain, plus a bias",
                                      .source = "Ba, Kiros & Hinton 2016, eq. 4",
                                      .infer = layernorm_infer,
                                      .forward = layernorm_forward,
                                      .backward = layernorm_backward };
