#define LAMINA_OPS_INSIDE
#include "private.h"

/* y[b,t] = token[ids[b,t]] (+ position[t - start[b,t]]). Backward: a row of a table's gradient is the sum over the places that read it, in
 * ascending order, so places are sorted by row first; the gradient never exists as a matrix in fp32. */

enum { ROWS_PER_TASK = 16, RADIX_BITS = 8, RADIX = 1 << RADIX_BITS };

/* Shared memory: places sorted by the row they read, a second list to sort into, where each distinct row begins. */
struct places {
    int32_t *sorted, *spare, *start; /* [M], [M], [M + 1] */
    int64_t n_distinct;
};
enum { LISTS = 4 }; /* these and, of positions, the rows themselves: [M + 1] each */

static void embedding_infer(struct op_shape *s)
{
    CHECK(starts_fit(s) && (s->n_param == 1 || s->n_param == 2) && s->in[0].n_dims == 2 && s->in[0].dtype == DT_I32);
    const int64_t c = s->param[0].dim[1], m = tensor_count(&s->in[0]);
    CHECK(s->n_param == 1 || s->param[1].dim[1] == c);
    s->n_out = 1;
    s->out[0] = tensor_make(s->compute, 3, (int64_t[]){ s->in[0].dim[0], s->in[0].dim[1], c }, NULL);
    s->reads_in = 1;
    s->contributions = 1;
    s->scratch_bytes = 3 * floats(c);
    s->shared_bytes = LISTS * floats(m + 1);
    s->flops_forward = s->n_param == 2 ? (double)(m * c) : 0;
    s->flops_backward = (double)(m * c * s->n_param);
}

static void embedding_forward_task(void *context, int64_t block, int thread)
{
    const struct op_call *c = context;
    const int64_t C = tensor_cols(&c->out[0]), rows = tensor_rows(&c->out[0]), T = c->in[0].dim[1], V = c->param[0].dim[0];
    float *scratch = thread_scratch(c, thread);
    const int32_t *ids = tensor_i32(&c->in[0]), *starts = starts_of(c);
    for (int64_t r = block_first(block); r < block_last(block, rows); r++) {
        CHECK(ids[r] >= 0 && ids[r] < V);
        const float *token = row_load(&c->param[0], ids[r] * C, C, scratch);
        float *y = row_open(&c->out[0], r * C, C, scratch + C);
        memcpy(y, token, (size_t)C * sizeof *y);
        const int64_t position = c->position + place_in_document(starts, r, T);
        if (c->shape->n_param == 2) vec_add(y, row_load(&c->param[1], position * C, C, scratch + 2 * C), C);
        row_store(&c->out[0], r * C, C, y);
    }
}

static void embedding_forward(const struct op_call *call)
{
    struct op_call c = *call;
    CHECK(c.shape->n_param == 1 || c.position + c.in[0].dim[1] <= c.param[1].dim[0]);
    parallel_for(row_blocks(tensor_rows(&c.out[0])), embedding_forward_task, &c);
}

/* Stable radix sort of places by row, low digit first: equal rows keep ascending places. */
static void sort_places(struct places *p, const int32_t *rows, int64_t m, int64_t n_rows)
{
    for (int64_t i = 0; i < m; i++) p->sorted[i] = (int32_t)i;
    for (int shift = 0; (n_rows - 1) >> shift > 0; shift += RADIX_BITS) {
        int64_t count[RADIX + 1] = { 0 };
        for (int64_t i = 0; i < m; i++) count[(rows[i] >> shift & (RADIX - 1)) + 1]++;
        for (int d = 0; d < RADIX; d++) count[d + 1] += count[d];
        for (int64_t i = 0; i < m; i++) p->spare[count[rows[p->sorted[i]] >> shift & (RADIX - 1)]++] = p->sorted[i];
        int32_t *swap = p->sorted;
        p->sorted = p->spare;
        p->spare = swap;
    }
    p->n_distinct = 0;
    for (int64_t i = 0; i < m; i++)
        if (i == 0 || rows[p->sorted[i]] != rows[p->sorted[i - 1]]) p->start[p->n_distinct++] = (int32_t)i;
    p->start[p->n_distinct] = (int32_t)m;
}

struct backward {
    const struct op_call *call;
    int param; /* 0: tokens, 1: positions */
    const int32_t *rows;
    struct places places;
};

static void rows_task(void *context, int64_t task, int thread)
{
    const struct backward *b = context;
    const struct op_call *c = b->call;
    const int64_t C = tensor_cols(&c->d_out[0]);
    float *sum = thread_scratch(c, thread), *row = sum + C;
    for (int64_t d = task * ROWS_PER_TASK; d < min_i64((task + 1) * ROWS_PER_TASK, b->places.n_distinct); d++) {
        memset(sum, 0, (size_t)C * sizeof *sum);
        for (int32_t i = b->places.start[d]; i < b->places.start[d + 1]; i++)
            vec_add(sum, row_load(&c->d_out[0], b->places.sorted[i] * C, C, row), C);
        exact_add(&c->sink[b->param], b->rows[b->places.sorted[b->places.start[d]]], 0, sum, C, 1, C);
    }
}

/* The gradient of one table: place i read its row rows[i]. */
static void add_rows(const struct op_call *c, int param, const int32_t *rows, unsigned char *lists)
{
    const int64_t m = tensor_count(&c->in[0]);
    struct backward b = { .call = c, .param = param, .rows = rows };
    b.places.sorted = take(&lists, floats(m + 1));
    b.places.spare = take(&lists, floats(m + 1));
    b.places.start = take(&lists, floats(m + 1));
    sort_places(&b.places, rows, m, c->param[param].dim[0]);
    parallel_for(ceil_div(b.places.n_distinct, ROWS_PER_TASK), rows_task, &b);
}

static void embedding_backward(const struct op_call *c)
{
    unsigned char *lists = c->shared;
    int32_t *positions = take(&lists, floats(tensor_count(&c->in[0]) + 1));
    if (c->sink[0].sum != NULL) add_rows(c, 0, tensor_i32(&c->in[0]), lists);
    if (c->shape->n_param == 1 || c->sink[1].sum == NULL) return;
    for (int64_t r = 0; r < tensor_count(&c->in[0]); r++) positions[r] = (int32_t)place_in_document(starts_of(c), r, c->in[0].dim[1]);
    add_rows(c, 1, positions, lists);
}

const struct op_desc op_embedding = { .name = "embedding",
                                      .summary = "rows of the token table, plus learned positions",
                                      .source = "Bengio et al. 2003, sec. 2; positions: Gehring et al. 2017, sec. 3.1",
                                      .infer = embedding_infer,
                                      .forward = embedding_forward,
                                      .backward = embedding_backward };
