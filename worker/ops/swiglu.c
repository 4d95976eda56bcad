#define LAMINA_OPS_INSIDE
#include "private.h"

static void swiglu_infer(struct op_shape *s)
{
    CHECK(s->n_in == 1 && s->n_param == 0 && tensor_cols(&s->in[0]) % 2 == 0);
    const int64_t f = tensor_cols(&s->in[0]) / 2;
    s->n_out = 1;
    s->out[0] = tensor_with_cols(&s->in[0], f);
    s->reads_in = 1;
    s->scratch_bytes = 6 * floats(f);
    s->flops_forward = 8.0 * (double)tensor_count(&s->out[0]);
    s->flops_backward = 16.0 * (double)tensor_count(&s->out[0]);
}

static void swiglu_forward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t f = tensor_cols(&c->out[0]), rows = tensor_rows(&c->out[0]);
    float *x = thread_scratch(c, thread), *spare = x + 2 * f;
    for (int64_t r = block_first(block); r < block_last(block, rows); r++) {
        const float *gate = row_load(&c->in[0], r * 2 * f, 2 * f, x);
        float *y = row_open(&c->out[0], r * f, f, spare);
        vec_swiglu(y, gate, gate + f, f);
        row_store(&c->out[0], r * f, f, y);
    }
}

static void swiglu_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(row_blocks(tensor_rows(&c.out[0])), swiglu_forward_task, &c);
}

static void swiglu_backward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t f = tensor_cols(&c->out[0]), rows = tensor_rows(&c->out[0]);
    float *x = thread_scratch(c, thread), *dx = x + 2 * f, *dy_row = dx + 2 * f; /* dy and the spare row take turns */
    for (int64_t r = block_first(block); r < block_last(block, rows); r++) {
        const float *gate = row_load(&c->in[0], r * 2 * f, 2 * f, x);
        const float *dy = row_load(&c->d_out[0], r * f, f, dy_row);
        vec_swiglu_backward(dx, dx + f, gate, gate + f, dy, f);
        gradient_write(&c->d_in[0], r * 2 * f, 2 * f, dx, c->add[0], dy_row);
    }
}

static void swiglu_backward(const struct op_call *call)
{
    struct op_call c = *call;
    if (c.d_in[0].data != NULL) parallel_for(row_blocks(tensor_rows(&c.out[0])), swiglu_backward_task, &c);
}

const struct op_desc op_swiglu = { .name = "swiglu",
                                   .summary = "silu(gate) * in on rows [gate | in]",
                                   .source = "Shazeer 2020, sec. 2",
                                   .infer = swiglu_infer,
                                   .forward = swiglu_forward,
                                   .backward = swiglu_backward };
