#define LAMINA_OPS_INSIDE
#include "private.h"

struct tensor tensor_with_cols(const struct tensor *t, int64_t cols)
{
    struct tensor out = *t;
    out.dim[out.n_dims - 1] = cols;
    out.data = NULL;
    return out;
}

void gradient_write(const struct tensor *d, int64_t first, int64_t n, const float *row, bool add, float *spare)
{
    float *to = row_open(d, first, n, spare);
    if (add) {
        row_load(d, first, n, spare); /* bf16: into spare, which is `to`; fp32 stands there already */
        vec_add(to, row, n);
    } else {
        memcpy(to, row, (size_t)n * sizeof *row);
    }
    row_store(d, first, n, to);
}

size_t partial_bytes(int64_t rows, int64_t cols) { return floats(row_blocks(rows) * cols); }

enum { REDUCE_COLS = 256 };
struct reduction {
    const float *partial;
    int64_t blocks, ld, cols;
    const struct exact_sink *sink;
};

static void reduce_task(void *context, int64_t task, int thread)
{
    (void)thread;
    const struct reduction *r = context;
    const int64_t first = task * REDUCE_COLS, n = min_i64(REDUCE_COLS, r->cols - first);
    double sum[REDUCE_COLS] = { 0 };
    float out[REDUCE_COLS];
    for (int64_t b = 0; b < r->blocks; b++)
        for (int64_t c = 0; c < n; c++) sum[c] += (double)r->partial[b * r->ld + first + c];
    for (int64_t c = 0; c < n; c++) out[c] = (float)sum[c];
    exact_add(r->sink, 0, first, out, n, 1, n);
}

void partial_reduce(const float *partial, int64_t rows, int64_t ld, int64_t cols, const struct exact_sink *sink)
{
    if (sink->sum == NULL) return;
    struct reduction r = { partial, row_blocks(rows), ld, cols, sink };
    parallel_for(ceil_div(cols, REDUCE_COLS), reduce_task, &r);
}
