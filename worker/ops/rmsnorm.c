#define LAMINA_OPS_INSIDE
#include "private.h"

#include <math.h>

/* y = x r g, r = 1 / sqrt(mean x^2 + eps). Saved: r [M]. */
static void rmsnorm_infer(struct op_shape *s)
{
    const int64_t c = tensor_cols(&s->in[0]), rows = tensor_rows(&s->in[0]);
    CHECK(s->n_in == 1 && s->n_param == 1 && tensor_count(&s->param[0]) == c);
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->n_saved = 1;
    s->saved[0] = tensor_make(DT_F32, 1, (int64_t[]){ rows }, NULL);
    s->reads_in = 1;
    s->contributions = 1;
    s->scratch_bytes = 6 * floats(c);
    s->shared_bytes = partial_bytes(rows, c);
    s->flops_forward = 4.0 * (double)(rows * c);
    s->flops_backward = 11.0 * (double)(rows * c);
}

static void rmsnorm_forward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const double eps = ((const struct norm_attr *)c->shape->attr)->eps;
    const int64_t C = tensor_cols(&c->in[0]), rows = tensor_rows(&c->in[0]);
    float *x_row = thread_scratch(c, thread), *y_row = x_row + C, *rstd = tensor_f32(&c->saved[0]);
    const float *g = row_load(&c->param[0], 0, C, y_row + C);
    for (int64_t t = block_first(block); t < block_last(block, rows); t++) {
        const float *x = row_load(&c->in[0], t * C, C, x_row);
        float *y = row_open(&c->out[0], t * C, C, y_row);
        const float r = rstd[t] = (float)(1 / sqrt(vec_sum_squares(x, C) / (double)C + eps));
        for (int64_t i = 0; i < C; i++) y[i] = x[i] * r * g[i];
        row_store(&c->out[0], t * C, C, y);
    }
}

static void rmsnorm_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(row_blocks(tensor_rows(&c.in[0])), rmsnorm_forward_task, &c);
}

/* With h = dy g:  dx = r h - x r^3 mean(h x);  dg = sum over rows of dy x r. */
static void rmsnorm_backward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t C = tensor_cols(&c->in[0]), rows = tensor_rows(&c->in[0]);
    float *x_row = thread_scratch(c, thread), *dy_row = x_row + C, *h = dy_row + C, *dx = h + C, *spare = dx + C;
    const float *g = row_load(&c->param[0], 0, C, spare + C), *rstd = tensor_f32(&c->saved[0]);
    float *restrict dg = (float *)c->shared + block * C;
    memset(dg, 0, (size_t)C * sizeof *dg);
    for (int64_t t = block_first(block); t < block_last(block, rows); t++) {
        const float *x = row_load(&c->in[0], t * C, C, x_row), *dy = row_load(&c->d_out[0], t * C, C, dy_row);
        const float r = rstd[t];
        for (int64_t i = 0; i < C; i++) dg[i] += dy[i] * (x[i] * r);
        if (c->d_in[0].data == NULL) continue;
        for (int64_t i = 0; i < C; i++) h[i] = dy[i] * g[i];
        const float k = (float)(vec_dot(h, x, C) / (double)C * (double)r * (double)r * (double)r);
        for (int64_t i = 0; i < C; i++) dx[i] = r * h[i] - k * x[i];
        gradient_write(&c->d_in[0], t * C, C, dx, c->add[0], spare);
    }
}

static void rmsnorm_backward(const struct op_call *call)
{
    struct op_call c = *call;
    const int64_t C = tensor_cols(&c.in[0]), rows = tensor_rows(&c.in[0]);
    parallel_for(row_blocks(rows), rmsnorm_backward_task, &c);
    partial_reduce(c.shared, rows, C, C, &c.sink[0]);
}

const struct op_desc op_rmsnorm = { .name = "rmsnorm",
                                    .summary = "token vectors scaled to unit root-mean-square, times a gain",
                                    .source = "Zhang & Sennrich 2019, eq. 4",
                                    .infer = rmsnorm_infer,
                                    .forward = rmsnorm_forward,
                                    .backward = rmsnorm_backward };
