#define LAMINA_OPS_INSIDE
#include "private.h"

/* Rotate the pairs (i, i + D/2) of each query and key head by the angle position * base^(-2i/D); v passes. Half-split, as in
 * Transformers. Backward rotates by the negative angle. */
struct rotation {
    const struct op_call *call;
    const struct tensor *in, *out;
    bool backward;
    int64_t rows, width, heads, D, T;
    float *cosine, *sine; /* shared memory, [T, D/2] each */
};

static struct rotation rotation_of(const struct op_call *c, const struct op_shape *s)
{
    const struct rope_attr *a = s->attr;
    const int64_t width = tensor_cols(&s->in[0]);
    struct rotation r = { .call = c,
                          .rows = tensor_rows(&s->in[0]),
                          .width = width,
                          .heads = a->heads.heads + a->heads.kv_heads,
                          .D = width / (a->heads.heads + 2 * a->heads.kv_heads),
                          .T = s->in[0].dim[1] };
    if (c != NULL) {
        r.cosine = c->shared;
        r.sine = r.cosine + r.T * (r.D / 2);
    }
    return r;
}

static void rope_infer(struct op_shape *s)
{
    const struct rotation r = rotation_of(NULL, s);
    CHECK(starts_fit(s) && s->n_param == 0 && s->in[0].n_dims == 3 && r.D % 2 == 0);
    s->n_out = 1;
    s->out[0] = s->in[0];
    s->scratch_bytes = 3 * floats(r.width);
    s->shared_bytes = floats(r.T * r.D);
    s->flops_forward = s->flops_backward = 3.0 * (double)(r.rows * r.heads * r.D);
}

/* One pair of channels at every position. */
static void table_task(void *context, int64_t i, int thread)
{
    (void)thread;
    const struct rotation *r = context;
    const struct rope_attr *a = r->call->shape->attr;
    const int64_t half = r->D / 2;
    const double frequency = angle_power(a->base, -2.0 * (double)i / (double)r->D);
    for (int64_t t = 0; t < r->T; t++)
        angle_sin_cos((double)(r->call->position + t) * frequency, &r->sine[t * half + i], &r->cosine[t * half + i]);
}

static void rotate_head(float *restrict y, const float *restrict x, const float *restrict cosine, const float *restrict sine, float sign,
                        int64_t half)
{
    for (int64_t i = 0; i < half; i++) {
        const float s = sign * sine[i];
        y[i] = x[i] * cosine[i] - x[half + i] * s;
        y[half + i] = x[half + i] * cosine[i] + x[i] * s;
    }
}

static void rotate_task(void *context, int64_t block, int thread)
{
    const struct rotation *r = context;
    float *x_row = thread_scratch(r->call, thread), *y = x_row + r->width, *spare = y + r->width;
    const int64_t half = r->D / 2;
    const int32_t *starts = starts_of(r->call);
    for (int64_t row = block_first(block); row < block_last(block, r->rows); row++) {
        const int64_t first = row * r->width, t = place_in_document(starts, row, r->T);
        const float *x = row_load(r->in, first, r->width, x_row);
        for (int64_t h = 0; h < r->heads; h++)
            rotate_head(y + h * r->D, x + h * r->D, r->cosine + t * half, r->sine + t * half, r->backward ? -1.0F : 1.0F, half);
        memcpy(y + r->heads * r->D, x + r->heads * r->D, (size_t)(r->width - r->heads * r->D) * sizeof *y);
        gradient_write(r->out, first, r->width, y, r->backward && r->call->add[0], spare);
    }
}

static void rotate(struct rotation *r)
{
    parallel_for(r->D / 2, table_task, r);
    parallel_for(row_blocks(r->rows), rotate_task, r);
}

static void rope_forward(const struct op_call *c)
{
    struct rotation r = rotation_of(c, c->shape);
    r.in = &c->in[0];
    r.out = &c->out[0];
    rotate(&r);
}

static void rope_backward(const struct op_call *c)
{
    if (c->d_in[0].data == NULL) return;
    struct rotation r = rotation_of(c, c->shape);
    r.in = &c->d_out[0];
    r.out = &c->d_in[0];
    r.backward = true;
    rotate(&r);
}

const struct op_desc op_rope = { .name = "rope",
                                 .summary = "rotary positions on query and key heads",
                                 .source = "Su et al. 2021, eq. 34; halves instead of neighbours, as in Transformers",
                                 .infer = rope_infer,
                                 .forward = rope_forward,
                                 .backward = rope_backward };
