#define LAMINA_OPS_INSIDE
#include "private.h"

/* Logits and cross-entropy in chunks of tokens, so that no [M,V] tensor exists. A chunk is a function of shape only; backward makes its
 * logits, turns them into their gradient in place and multiplies twice, so logits are computed once per step.
 *   nll = ln sum exp(z - max) + max - z[target];   dz = softmax(z) - onehot(target). */
enum { CHUNK_LEAST = 64, CHUNK_STEP = 16, LINE = 2048, VALUES_PER_TASK = 16384 };
static const int64_t CHUNK_BYTES = (int64_t)128 << 20;

static int64_t chunk_tokens(int64_t tokens, int64_t vocab)
{
    const int64_t most = max_i64(CHUNK_LEAST, CHUNK_BYTES / (4 * vocab) / CHUNK_STEP * CHUNK_STEP);
    const int64_t chunks = ceil_div(tokens, most);
    return min_i64(tokens, ceil_div(ceil_div(tokens, chunks), CHUNK_STEP) * CHUNK_STEP); /* as even as the step allows */
}

static void head_loss_infer(struct op_shape *s)
{
    CHECK(s->n_in == 2 && s->n_param == 1 && s->in[1].dtype == DT_I32);
    const int64_t C = tensor_cols(&s->in[0]), M = tensor_rows(&s->in[0]), V = s->param[0].dim[0], n = chunk_tokens(M, V);
    CHECK(s->param[0].dim[1] == C && tensor_count(&s->in[1]) == M);
    s->n_out = 1;
    s->out[0] = tensor_make(DT_F32, 2, (int64_t[]){ s->in[0].dim[0], s->in[0].dim[1] }, NULL);
    s->reads_in = 3;
    s->contributions = ceil_div(M, n);
    s->scratch_bytes = size_most(product_scratch(n, V, C, s->compute), product_scratch(n, C, V, s->compute));
    s->scratch_bytes = (size_most(s->scratch_bytes, product_scratch(V, C, n, s->compute)) + 63) / 64 * 64;
    s->shared_bytes = floats(n * V);
    s->flops_forward = 2.0 * (double)M * (double)V * (double)C;
    s->flops_backward = 3 * s->flops_forward; /* its own logits, dX and dW */
}

struct chunk {
    const struct op_call *call;
    int64_t first, n, V, C; /* tokens [first, first + n) */
    bool gradient;
};

/* The gradient of a row's logits takes the row's place; in bf16 it fills the front half (leading dimension 2V). */
static void gradient_row(float *z, int64_t V, float scale, enum dtype dtype)
{
    vec_scale(z, scale, z, V);
    if (dtype == DT_F32) return;
    float line[LINE];
    struct tensor half = tensor_make(DT_BF16, 1, (int64_t[]){ V }, z);
    for (int64_t v = 0; v < V; v += LINE) {
        const int64_t n = min_i64(LINE, V - v);
        memcpy(line, z + v, (size_t)n * sizeof *line); /* the halves of these overwrite numbers before them */
        row_store(&half, v, n, line);
    }
}

/* A label with probability e[v] / sum: the first whose running sum passes a uniform share of the whole, in the order of the vocabulary. */
static int32_t draw_label(const struct label_draw *draw, int64_t token, const float *e, int64_t V, double sum)
{
    const double mark = rng_uniform(draw->key, draw->step, draw->first + token) * sum;
    double passed = 0;
    int32_t last = 0;
    for (int64_t v = 0; v < V; v++) {
        passed += (double)e[v];
        if (e[v] > 0) last = (int32_t)v; /* where rounding leaves the mark beyond the end */
        if (passed > mark) break;
    }
    return last;
}

static void loss_row(const struct chunk *k, int64_t t)
{
    const struct op_call *c = k->call;
    const int64_t V = k->V;
    int32_t target = tensor_i32(&c->in[1])[k->first + t];
    float *z = (float *)c->shared + t * V, *nll = tensor_f32(&c->out[0]) + k->first + t;
    CHECK(target >= -1 && target < V);
    if (target < 0) {
        *nll = 0;
        if (k->gradient) memset(z, 0, (size_t)V * sizeof *z);
        return;
    }
    const float max = vec_max(z, V), at_target = z[target];
    const double sum = vec_softmax_body(z, z, max, V);
    *nll = (float)((double)scalar_log((float)sum) + (double)max - (double)at_target);
    if (c->draw != NULL) {
        target = draw_label(c->draw, k->first + t, z, V, sum);
        *nll = scalar_log((float)sum) - scalar_log(z[target]);
    }
    if (!k->gradient) return;
    z[target] = (float)((double)z[target] - sum); /* p - 1 after scaling, without losing digits of small 1 - p */
    gradient_row(z, V, (float)(1 / sum), c->shape->compute);
}

static int64_t rows_per_task(int64_t V) { return max_i64(1, VALUES_PER_TASK / V); }

static void loss_task(void *context, int64_t task, int thread)
{
    (void)thread;
    const struct chunk *k = context;
    const int64_t step = rows_per_task(k->V);
    for (int64_t t = task * step; t < min_i64((task + 1) * step, k->n); t++) loss_row(k, t);
}

static struct matrix rows_of_x(const struct chunk *k)
{
    const enum dtype dtype = k->call->shape->compute;
    const unsigned char *x = k->call->in[0].data;
    return (struct matrix){ x + (size_t)(k->first * k->C) * dtype_bytes(dtype), dtype, k->C, false };
}

static void chunk_losses(struct chunk *k)
{
    const struct op_call *c = k->call;
    const struct product z = { .m = k->n,
                               .n = k->V,
                               .k = k->C,
                               .a = rows_of_x(k),
                               .b = { c->param[0].data, c->shape->compute, k->C, true },
                               .c = c->shared,
                               .c_dtype = DT_F32,
                               .c_ld = k->V };
    product_run(&z, c->scratch, c->shape->scratch_bytes);
    parallel_for(ceil_div(k->n, rows_per_task(k->V)), loss_task, k);
}

static void head_tile(void *context, int64_t row, int64_t col, int64_t rows, int64_t cols, const float *tile, int64_t ld)
{
    const struct op_call *c = context;
    exact_add(&c->sink[0], row, col, tile, ld, rows, cols);
}

/* dX = dZ W, dW = dZ^T X. */
static void chunk_gradients(const struct chunk *k)
{
    struct op_call c = *k->call;
    const enum dtype dtype = c.shape->compute;
    const int64_t ld = dtype == DT_F32 ? k->V : 2 * k->V;
    if (c.d_in[0].data != NULL) {
        const struct product dx = { .m = k->n,
                                    .n = k->C,
                                    .k = k->V,
                                    .a = { c.shared, dtype, ld, false },
                                    .b = { c.param[0].data, dtype, k->C, false },
                                    .c = (unsigned char *)c.d_in[0].data + (size_t)(k->first * k->C) * dtype_bytes(dtype),
                                    .c_dtype = dtype,
                                    .c_ld = k->C,
                                    .add = c.add[0] };
        product_run(&dx, c.scratch, c.shape->scratch_bytes);
    }
    if (c.sink[0].sum == NULL) return;
    const struct product dw = {
        .m = k->V, .n = k->C, .k = k->n, .a = { c.shared, dtype, ld, true }, .b = rows_of_x(k), .tile = head_tile, .context = &c
    };
    product_run(&dw, c.scratch, c.shape->scratch_bytes);
}

static void walk_chunks(const struct op_call *c, bool gradient)
{
    const int64_t M = tensor_rows(&c->in[0]), V = c->param[0].dim[0], step = chunk_tokens(M, V);
    for (int64_t first = 0; first < M; first += step) {
        struct chunk k = { c, first, min_i64(step, M - first), V, tensor_cols(&c->in[0]), gradient };
        chunk_losses(&k);
        if (gradient) chunk_gradients(&k);
    }
}

static void head_loss_forward(const struct op_call *c) { walk_chunks(c, false); }
static void head_loss_backward(const struct op_call *c) { walk_chunks(c, true); }

const struct op_desc op_head_loss = { .name = "head_loss",
                                      .summary = "nats per token from the head, in chunks of tokens",
                                      .source = "cross-entropy; chunks as in Wijmans et al. 2024 (Cut Your Losses)",
                                      .infer = head_loss_infer,
                                      .forward = head_loss_forward,
                                      .backward = head_loss_backward,
                                      .loss = true };
