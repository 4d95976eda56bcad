#define LAMINA_OPS_INSIDE
#include "private.h"

/* Y = X W^T + b with W the weights below one another: one product for q, k, v or gate, in. */
struct sizes {
    int64_t m, k, n; /* rows of X, inputs, outputs of all weights */
};

static struct sizes linear_sizes(const struct op_shape *s)
{
    const struct linear_attr *a = s->attr;
    struct sizes z = { tensor_rows(&s->in[0]), tensor_cols(&s->in[0]), 0 };
    for (int i = 0; i < a->weights; i++) z.n += s->param[i].dim[0];
    return z;
}

/* Shared memory: biases in fp32 (forward), partial sums of their gradients (backward). */
static void linear_infer(struct op_shape *s)
{
    const struct linear_attr *a = s->attr;
    CHECK(s->n_in == 1 && a->weights >= 1 && s->n_param == a->weights * (a->bias ? 2 : 1));
    const struct sizes z = linear_sizes(s);
    for (int i = 0; i < a->weights; i++) {
        CHECK(s->param[i].n_dims == 2 && s->param[i].dim[1] == z.k);
        CHECK(!a->bias || tensor_count(&s->param[a->weights + i]) == s->param[i].dim[0]);
    }
    s->n_out = 1;
    s->out[0] = tensor_with_cols(&s->in[0], z.n);
    s->reads_in = 1;
    s->contributions = 1;
    s->scratch_bytes = size_most(product_scratch(z.m, z.n, z.k, s->compute), product_scratch(z.m, z.k, z.n, s->compute));
    s->scratch_bytes = size_most(s->scratch_bytes, product_scratch(z.n, z.k, z.m, s->compute));
    s->scratch_bytes = (size_most(s->scratch_bytes, floats(z.n)) + 63) / 64 * 64;
    s->shared_bytes = a->bias ? partial_bytes(z.m, z.n) : 0;
    s->flops_forward = 2.0 * (double)z.m * (double)z.n * (double)z.k;
    s->flops_backward = 2 * s->flops_forward;
}

/* Parameters [first, first + n) stand without gaps, so that their rows are rows of one matrix. */
static void check_adjacent(const struct op_call *c, int first, int n)
{
    for (int i = first; i + 1 < first + n; i++)
        CHECK((unsigned char *)c->param[i].data + tensor_bytes(&c->param[i]) == (unsigned char *)c->param[i + 1].data);
}

static void linear_forward(const struct op_call *c)
{
    const struct linear_attr *a = c->shape->attr;
    const struct sizes z = linear_sizes(c->shape);
    const enum dtype dtype = c->shape->compute;
    const float *bias = NULL;
    check_adjacent(c, 0, a->weights);
    if (a->bias) {
        check_adjacent(c, a->weights, a->weights);
        bias = row_load(&c->param[a->weights], 0, z.n, c->shared); /* runs over the end of the first bias into the others */
    }
    const struct product p = { .m = z.m,
                               .n = z.n,
                               .k = z.k,
                               .a = { c->in[0].data, dtype, z.k, false },
                               .b = { c->param[0].data, dtype, z.k, true },
                               .c = c->out[0].data,
                               .c_dtype = dtype,
                               .c_ld = z.n,
                               .bias = bias };
    product_run(&p, c->scratch, c->shape->scratch_bytes);
}

/* A finished tile of dW: its rows go to the sinks of the weights they belong to. */
struct weight_rows {
    const struct op_call *call;
    int first_weight;
    int64_t first_row; /* of that weight, in W */
};

static void weight_tile(void *context, int64_t row, int64_t col, int64_t rows, int64_t cols, const float *tile, int64_t ld)
{
    const struct weight_rows *w = context;
    int64_t low = 0; /* of weight i, in rows of the product */
    for (int i = w->first_weight; low < row + rows; low += w->call->param[i].dim[0], i++) {
        const int64_t begin = max_i64(row, low), end = min_i64(row + rows, low + w->call->param[i].dim[0]);
        if (begin >= end || w->call->sink[i].sum == NULL) continue;
        exact_add(&w->call->sink[i], begin - low, col, tile + (begin - row) * ld, ld, end - begin, cols);
    }
}

/* dW = dY^T X, one product over the rows from the first weight that is trained to the last. */
static void weight_gradients(const struct op_call *c, struct sizes z)
{
    const struct linear_attr *a = c->shape->attr;
    int first = 0, last = a->weights - 1;
    while (first < a->weights && c->sink[first].sum == NULL) first++;
    if (first == a->weights) return;
    while (c->sink[last].sum == NULL) last--;
    struct weight_rows w = { c, first, 0 };
    int64_t rows = 0;
    for (int i = 0; i < first; i++) w.first_row += c->param[i].dim[0];
    for (int i = first; i <= last; i++) rows += c->param[i].dim[0];
    const unsigned char *dy = (const unsigned char *)c->d_out[0].data + (size_t)w.first_row * dtype_bytes(c->shape->compute);
    const struct product p = { .m = rows,
                               .n = z.k,
                               .k = z.m,
                               .a = { dy, c->shape->compute, z.n, true },
                               .b = { c->in[0].data, c->shape->compute, z.k, false },
                               .tile = weight_tile,
                               .context = &w };
    product_run(&p, c->scratch, c->shape->scratch_bytes);
}

static void bias_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t n = tensor_cols(&c->d_out[0]), rows = tensor_rows(&c->d_out[0]);
    float *sum = (float *)c->shared + block * n;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t t = block_first(block); t < block_last(block, rows); t++)
        vec_add(sum, row_load(&c->d_out[0], t * n, n, thread_scratch(c, thread)), n);
}

/* db = sum over rows of dY. */
static void bias_gradients(const struct op_call *call, struct sizes z)
{
    struct op_call c = *call;
    const struct linear_attr *a = c.shape->attr;
    bool any = false;
    for (int i = a->weights; i < c.shape->n_param; i++) any = any || c.sink[i].sum != NULL;
    if (!any) return;
    parallel_for(row_blocks(z.m), bias_task, &c);
    int64_t col = 0;
    for (int i = a->weights; i < c.shape->n_param; i++) {
        const int64_t n = tensor_count(&c.param[i]);
        partial_reduce((const float *)c.shared + col, z.m, z.n, n, &c.sink[i]);
        col += n;
    }
}

/* dX = dY W. */
static void linear_backward(const struct op_call *c)
{
    const struct sizes z = linear_sizes(c->shape);
    const enum dtype dtype = c->shape->compute;
    if (c->d_in[0].data != NULL) {
        const struct product p = { .m = z.m,
                                   .n = z.k,
                                   .k = z.n,
                                   .a = { c->d_out[0].data, dtype, z.n, false },
                                   .b = { c->param[0].data, dtype, z.k, false },
                                   .c = c->d_in[0].data,
                                   .c_dtype = dtype,
                                   .c_ld = z.k,
                                   .add = c->add[0] };
        product_run(&p, c->scratch, c->shape->scratch_bytes);
    }
    weight_gradients(c, z);
    bias_gradients(c, z);
}

const struct op_desc op_linear = { .name = "linear",
                                   .summary = "X W^T (+ b), several weights in one product",
                                   .source = "affine map; gradients by the product rule",
                                   .infer = linear_infer,
                                   .forward = linear_forward,
                                   .backward = linear_backward };
