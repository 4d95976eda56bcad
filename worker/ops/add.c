#define LAMINA_OPS_INSIDE
#include "private.h"

enum { ADD_BLOCK = 4096 }; /* elements per task */

static void add_infer(struct op_shape *s)
{
    CHECK(s->n_in == 2 && s->n_param == 0 && tensor_count(&s->in[0]) == tensor_count(&s->in[1]));
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->scratch_bytes = 2 * floats(ADD_BLOCK);
    s->flops_forward = (double)tensor_count(&s->in[0]);
    s->flops_backward = 0;
}

static void add_forward_task(void *context, int64_t task, int thread)
{
    const struct op_call *c = context;
    float *scratch = thread_scratch(c, thread);
    const int64_t first = task * ADD_BLOCK, n = min_i64(ADD_BLOCK, tensor_count(&c->in[0]) - first);
    const float *a = row_load(&c->in[0], first, n, scratch), *b = row_load(&c->in[1], first, n, scratch + ADD_BLOCK);
    float *y = row_open(&c->out[0], first, n, scratch); /* bf16: may be a itself, element by element */
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
    row_store(&c->out[0], first, n, y);
}

static void add_forward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(ceil_div(tensor_count(&c.in[0]), ADD_BLOCK), add_forward_task, &c);
}

/* da = db = dy. */
static void add_backward_task(void *context, int64_t task, int thread)
{
    const struct op_call *c = context;
    float *scratch = thread_scratch(c, thread);
    const int64_t first = task * ADD_BLOCK, n = min_i64(ADD_BLOCK, tensor_count(&c->in[0]) - first);
    const float *dy = row_load(&c->d_out[0], first, n, scratch);
    for (int i = 0; i < 2; i++)
        if (c->d_in[i].data != NULL) gradient_write(&c->d_in[i], first, n, dy, c->add[i], scratch + ADD_BLOCK);
}

static void add_backward(const struct op_call *call)
{
    struct op_call c = *call;
    parallel_for(ceil_div(tensor_count(&c.in[0]), ADD_BLOCK), add_backward_task, &c);
}

const struct op_desc op_add = { .name = "add",
                                .summary = "the residual sum a + b",
                                .source = "He et al. 2015, eq. 1",
                                .infer = add_infer,
                                .forward = add_forward,
                                .backward = add_backward };
