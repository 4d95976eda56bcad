#define LAMINA_OPS_INSIDE
#include "private.h"

enum { GELU_BLOCK = 4096 }; /* elements per task: four rows of it stay in L1 or L2 */

static void gelu_infer(struct op_shape *s)
{
    CHECK(s->n_in == 1 && s->n_param == 0);
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->reads_in = 1;
    s->scratch_bytes = 4 * floats(GELU_BLOCK);
    s->flops_forward = 12.0 * (double)tensor_count(&s->in[0]);
    s->flops_backward = 24.0 * (double)tensor_count(&s->in[0]);
}

static void gelu_forward_task(void *context, int64_t task, int thread)
{
    const struct op_call *c = context;
    float *rows = thread_scratch(c, thread);
    const int64_t first = task * GELU_BLOCK, n = min_i64(GELU_BLOCK, tensor_count(&c->in[0]) - first);
    const float *x = row_load(&c->in[0], first, n, rows);
    float *y = row_open(&c->out[0], first, n, rows + GELU_BLOCK);
    vec_gelu(y, x, n);
    row_store(&c->out[0], first, n, y);
}

static void gelu_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(ceil_div(tensor_count(&c.in[0]), GELU_BLOCK), gelu_forward_task, &c);
}

static void gelu_backward_task(void *context, int64_t task, int thread)
{
    const struct op_call *c = context;
    float *rows = thread_scratch(c, thread);
    const int64_t first = task * GELU_BLOCK, n = min_i64(GELU_BLOCK, tensor_count(&c->in[0]) - first);
    const float *x = row_load(&c->in[0], first, n, rows), *dy = row_load(&c->d_out[0], first, n, rows + GELU_BLOCK);
    float *dx = rows + 2 * GELU_BLOCK;
    vec_gelu_backward(dx, x, dy, n);
    gradient_write(&c->d_in[0], first, n, dx, c->add[0], rows + 3 * GELU_BLOCK);
}

static void gelu_backward(const struct op_call *call)
{
    struct op_call c = *call;
    if (c.d_in[0].data != NULL) parallel_for(ceil_div(tensor_count(&c.in[0]), GELU_BLOCK), gelu_backward_task, &c);
}

const struct op_desc op_gelu = { .name = "gelu",
                                 .summary = "x * Phi(x), tanh form",
                                 .source = "Hendrycks & Gimpel 2016",
                                 .infer = gelu_infer,
                                 .forward = gelu_forward,
                                 .backward = gelu_backward };
