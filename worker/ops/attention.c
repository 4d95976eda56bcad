#define LAMINA_OPS_INSIDE
#include "private.h"

#include "common/base/clones.h"

#include <math.h>

/* Causal attention in tiles of queries by keys: no [T,T] tensor. Forward keeps a running maximum and sum per query (online softmax) and
 * saves lse = max + ln sum; backward makes the probabilities again, tile by tile, from lse. Tiles are fp32 for every stored type.
 * Where documents are kept apart, the queries of a tile go document by document, each from the first key of its own on: what lies in other
 * documents is not computed, and needs no mask.
 * With scores s = q k / sqrt(D), p = softmax(s), o = p v:
 *   dv = p^T do;  dp = do v^T;  ds = p (dp - delta), delta = sum do o;  dq = ds k / sqrt(D);  dk = ds^T q / sqrt(D). */
enum {
    QUERIES = ATTENTION_TILE,
    KEYS = ATTENTION_TILE,
    STRIP = 64
}; /* of a tile; one that the diagonal cuts goes in strips of queries, each with the keys it sees */

struct layout {
    int64_t B, T, H, Hk, D, width; /* width: of a row [q | k | v] */
    int64_t capacity;              /* tokens of the key/value cache, 0: none */
};

static struct layout layout_of(const struct op_shape *s)
{
    const struct heads_attr *a = s->attr;
    const int64_t width = s->in[0].dim[2];
    return (struct layout){ .B = s->in[0].dim[0],
                            .T = s->in[0].dim[1],
                            .H = a->heads,
                            .Hk = a->kv_heads,
                            .D = width / (a->heads + 2 * a->kv_heads),
                            .width = width,
                            .capacity = s->cache_tokens };
}

/* Floats of one thread: tiles and panels of forward; backward needs more of both, keys and values of a whole head, and their gradients. */
static int64_t forward_floats(const struct layout *l) { return QUERIES * KEYS + 2 * (QUERIES + KEYS) * l->D; }
static int64_t backward_floats(const struct layout *l) { return 3 * QUERIES * KEYS + (3 * QUERIES + 2 + 4 * l->T) * l->D; }

/* Scratch memory is one part for products, all threads', and then one part per thread for the tiles. */
static size_t product_bytes(const struct layout *l)
{
    const size_t bytes = size_most(product_scratch(QUERIES, KEYS, l->D, DT_F32), product_scratch(KEYS, l->D, KEYS, DT_F32));
    return (bytes + 63) / 64 * 64;
}

static float *tiles_of(const struct op_call *c, const struct layout *l, int thread)
{
    const size_t products = product_bytes(l), own = c->shape->scratch_bytes - products;
    return (float *)(void *)((unsigned char *)c->scratch + (size_t)parallel_threads() * products + (size_t)thread * own);
}

static void attention_infer(struct op_shape *s)
{
    CHECK(starts_fit(s) && s->n_param == 0 && s->in[0].n_dims == 3);
    const struct layout l = layout_of(s);
    CHECK(l.width == (l.H + 2 * l.Hk) * l.D && l.H % l.Hk == 0 && (s->n_in == 1 || l.capacity == 0));
    s->n_out = 1;
    s->out[0] = tensor_with_cols(&s->in[0], l.H * l.D);
    s->n_saved = 1;
    s->saved[0] = tensor_make(DT_F32, 3, (int64_t[]){ l.B, l.H, l.T }, NULL);
    if (l.capacity > 0) {
        s->n_cache = 2;
        s->cache[0] = s->cache[1] = tensor_make(s->compute, 4, (int64_t[]){ l.B, l.Hk, l.capacity, l.D }, NULL);
    }
    s->reads_in = s->reads_out = 1;
    s->scratch_bytes = floats(max_i64(forward_floats(&l), l.capacity > 0 ? 0 : backward_floats(&l))) + product_bytes(&l);
    /* of whole windows; where documents are kept apart, a bound */
    s->flops_forward = 2.0 * (double)(l.B * l.H * l.D) * (double)l.T * (double)(l.T + 1);
    s->flops_backward = 2.5 * s->flops_forward;
}

/* Rows of D values of one head, ld apart, wherever they stand: in [q | k | v] rows, in a cache, in the output. */
struct view {
    const struct tensor *tensor;
    int64_t first, ld;
};
/* The same as fp32 rows of length D, one after the other: in place they would lie pages apart, and products read them many times. */
static void panel_load(struct view v, int64_t row, int64_t rows, int64_t D, float *panel)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *from = row_load(v.tensor, v.first + (row + r) * v.ld, D, panel + r * D);
        if (from != panel + r * D) memcpy(panel + r * D, from, (size_t)D * sizeof *from);
    }
}

/* Queries are scaled by 1/sqrt(D) on the way, so scores come out of the product as they are used. */
static void queries_load(struct view v, int64_t row, int64_t rows, int64_t D, float *q, float *spare)
{
    const float scale = (float)(1 / sqrt((double)D));
    for (int64_t r = 0; r < rows; r++) vec_scale(q + r * D, scale, row_load(v.tensor, v.first + (row + r) * v.ld, D, spare), D);
}

static struct view head_view(const struct tensor *rows, const struct layout *l, int64_t width, int64_t b, int64_t head)
{
    return (struct view){ rows, b * l->T * width + head * l->D, width };
}

/* C = A B (+ C) of one tile; inside a task a product stays in that task. transposed: the operand is stored the other way round. */
struct operand {
    const float *data;
    int64_t ld;
    bool transposed;
};
static void multiply(const struct op_call *call, const struct layout *l, float *c, int64_t ld, bool add, struct operand a, struct operand b,
                     int64_t m, int64_t n, int64_t k)
{
    const struct product p = { .m = m,
                               .n = n,
                               .k = k,
                               .a = { a.data, DT_F32, a.ld, a.transposed },
                               .b = { b.data, DT_F32, b.ld, b.transposed },
                               .c = c,
                               .c_dtype = DT_F32,
                               .c_ld = ld,
                               .add = add };
    product_run(&p, call->scratch, product_bytes(l));
}

/* How many keys of the tile at `key` the query at absolute position `at` sees. */
static int64_t visible(int64_t at, int64_t key, int64_t keys) { return max_i64(0, min_i64(keys, at - key + 1)); }

/* The tokens from `first` on, before `last`, of one document, and the first key that they see. starts: of this window, or NULL. */
struct part {
    int64_t end, key;
};
static struct part part_of(const int32_t *starts, int64_t first, int64_t last)
{
    if (starts == NULL) return (struct part){ last, 0 };
    const int32_t start = starts[first];
    CHECK(start >= 0 && start <= first);
    int64_t end = first + 1;
    while (end < last && starts[end] == start) end++;
    return (struct part){ end, start };
}

static const int32_t *window_starts(const struct op_call *c, const struct layout *l, int64_t b)
{
    return c->shape->n_in == 1 ? NULL : starts_of(c) + b * l->T;
}

/* --- Forward: a task is one tile of queries of one head ------------------------------------------------------------- */

struct forward {
    const struct op_call *call;
    struct layout l;
    int64_t blocks; /* tiles of queries */
};

static struct view keys_view(const struct forward *f, int64_t b, int64_t kv, int which)
{
    const struct layout *l = &f->l;
    if (l->capacity > 0) return (struct view){ &f->call->cache[which], (b * l->Hk + kv) * l->capacity * l->D, l->D };
    return head_view(&f->call->in[0], l, l->width, b, l->H + which * l->Hk + kv);
}

/* The queries of a task on their way through the keys. */
struct queries {
    const struct op_call *call;
    const struct layout *l;
    int64_t at; /* absolute position of the first */
    struct view keys, values;
    float *q, *o, *s, *k, *v; /* [QUERIES, D] scaled, [QUERIES, D], [QUERIES, KEYS], [KEYS, D] twice */
    float max[QUERIES];
    double sum[QUERIES];
};

/* One row of scores into probabilities relative to the row's new maximum; what was summed before shrinks where the maximum grew. */
static void absorb_scores(struct queries *w, int64_t r, float *p, int64_t seen, int64_t keys)
{
    memset(p + seen, 0, (size_t)(keys - seen) * sizeof *p);
    if (seen == 0) return;
    const float before = w->max[r], now = vec_max(p, seen);
    if (now > before) {
        const float shrink = scalar_exp(before - now); /* 0 at first: before is -inf */
        vec_scale(w->o + r * w->l->D, shrink, w->o + r * w->l->D, w->l->D);
        w->sum[r] *= (double)shrink;
        w->max[r] = now;
    }
    w->sum[r] += vec_softmax_body(p, p, w->max[r], seen);
}

/* Queries [first, first + rows) against n keys from position `key`, which stand in k and v. */
static void absorb_keys(struct queries *w, int64_t first, int64_t rows, int64_t key, int64_t n)
{
    const int64_t D = w->l->D;
    multiply(w->call, w->l, w->s, n, false, (struct operand){ w->q + first * D, D, false }, (struct operand){ w->k, D, true }, rows, n, D);
    for (int64_t r = 0; r < rows; r++) absorb_scores(w, first + r, w->s + r * n, visible(w->at + first + r, key, n), n);
    multiply(w->call, w->l, w->o + first * D, D, true, (struct operand){ w->s, n, false }, (struct operand){ w->v, D, false }, rows, D, n);
}

/* Queries [first, end) of one document against its keys, which begin at position `key`. */
static void absorb_document(struct queries *w, int64_t first, int64_t end, int64_t key)
{
    for (; key < w->at + end; key += KEYS) {
        const int64_t n = min_i64(KEYS, w->at + end - key), step = key + n <= w->at + first ? end - first : STRIP;
        panel_load(w->keys, key, n, w->l->D, w->k);
        panel_load(w->values, key, n, w->l->D, w->v);
        for (int64_t r = first; r < end; r += step) {
            const int64_t some = min_i64(step, end - r), seen = visible(w->at + r + some - 1, key, n);
            if (seen > 0) absorb_keys(w, r, some, key, seen);
        }
    }
}

static void forward_task(void *context, int64_t task, int thread)
{
    const struct forward *f = context;
    const struct layout *l = &f->l;
    const int64_t block = f->blocks - 1 - task % f->blocks; /* long rows first: they take longest */
    const int64_t head = task / f->blocks, b = head / l->H, h = head % l->H, D = l->D;
    const int64_t first = block * QUERIES, rows = min_i64(QUERIES, l->T - first);

    struct queries w = { .call = f->call, .l = l, .at = first + (l->capacity > 0 ? f->call->position : 0) };
    w.s = tiles_of(f->call, l, thread), w.q = w.s + QUERIES * KEYS, w.o = w.q + QUERIES * D;
    w.k = w.o + QUERIES * D, w.v = w.k + KEYS * D;
    w.keys = keys_view(f, b, h / (l->H / l->Hk), 0), w.values = keys_view(f, b, h / (l->H / l->Hk), 1);
    const int32_t *starts = window_starts(f->call, l, b);
    float *lse = tensor_f32(&f->call->saved[0]) + head * l->T;

    queries_load(head_view(&f->call->in[0], l, l->width, b, h), first, rows, D, w.q, w.k);
    memset(w.o, 0, (size_t)(rows * D) * sizeof *w.o);
    for (int64_t r = 0; r < rows; r++) w.max[r] = -INFINITY, w.sum[r] = 0;
    for (int64_t r = 0; r < rows;) {
        const struct part p = part_of(starts, first + r, first + rows);
        absorb_document(&w, r, p.end - first, p.key);
        r = p.end - first;
    }
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = (b * l->T + first + r) * l->H * D + h * D;
        float *y = row_open(&f->call->out[0], at, D, w.k);
        vec_scale(y, (float)(1 / w.sum[r]), w.o + r * D, D);
        row_store(&f->call->out[0], at, D, y);
        lse[first + r] = w.max[r] + scalar_log((float)w.sum[r]);
    }
}

/* The keys and values of this call join those of earlier positions. */
static void cache_task(void *context, int64_t head, int thread)
{
    (void)thread;
    const struct forward *f = context;
    const struct layout *l = &f->l;
    const size_t item = dtype_bytes(f->call->shape->compute);
    for (int which = 0; which < 2; which++) {
        const struct view from = head_view(&f->call->in[0], l, l->width, head / l->Hk, l->H + which * l->Hk + head % l->Hk);
        unsigned char *to = (unsigned char *)f->call->cache[which].data + (size_t)((head * l->capacity + f->call->position) * l->D) * item;
        for (int64_t t = 0; t < l->T; t++)
            memcpy(to + (size_t)(t * l->D) * item, (const unsigned char *)from.tensor->data + (size_t)(from.first + t * from.ld) * item,
                   (size_t)l->D * item);
    }
}

static void attention_forward(const struct op_call *call)
{
    struct forward f = { call, layout_of(call->shape), 0 };
    f.blocks = ceil_div(f.l.T, QUERIES);
    if (f.l.capacity > 0) {
        CHECK(call->position + f.l.T <= f.l.capacity);
        parallel_for(f.l.B * f.l.Hk, cache_task, &f);
    }
    parallel_for(f.l.B * f.l.H * f.blocks, forward_task, &f);
}

/* --- Backward: a task is one key/value head with the query heads that share it --------------------------------------- */

/* What a task works with; pointers into its scratch. */
struct backward {
    const struct op_call *call;
    struct layout l;
    int64_t b, kv;
    float *p, *s, *dp;      /* [QUERIES, KEYS] */
    float *q, *dq, *d_out;  /* [QUERIES, D] */
    float *k, *v, *dk, *dv; /* [T, D] */
    float *row, *spare;     /* [D] */
    const float *lse;       /* [T] */
    float delta[QUERIES];
};

static void backward_place(struct backward *w, int thread)
{
    const int64_t D = w->l.D;
    float *memory = tiles_of(w->call, &w->l, thread);
    float **tiles[] = { &w->p, &w->s, &w->dp }, **queries[] = { &w->q, &w->dq, &w->d_out }, **keys[] = { &w->k, &w->v, &w->dk, &w->dv };
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++, memory += QUERIES * KEYS) *tiles[i] = memory;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++, memory += QUERIES * D) *queries[i] = memory;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++, memory += w->l.T * D) *keys[i] = memory;
    w->row = memory;
    w->spare = memory + D;
}

VECTOR_CLONES static void score_gradients(float *restrict ds, const float *restrict p, const float *restrict dp, float delta, int64_t n)
{
    for (int64_t i = 0; i < n; i++) ds[i] = p[i] * (dp[i] - delta);
}

/* Rows [r, r + rows) of the queries that begin at `first`, against n keys from `key`: adds to dq, dk, dv. */
static void backward_tile(struct backward *w, int64_t first, int64_t r, int64_t rows, int64_t key, int64_t n)
{
    const int64_t D = w->l.D;
    const struct operand q = { w->q + r * D, D, false }, d_out = { w->d_out + r * D, D, false }, k = { w->k + key * D, D, false };
    float *p = w->p, *ds = w->s; /* a row of scores is not needed once its probabilities are there */
    multiply(w->call, &w->l, w->s, n, false, q, (struct operand){ k.data, D, true }, rows, n, D);
    multiply(w->call, &w->l, w->dp, n, false, d_out, (struct operand){ w->v + key * D, D, true }, rows, n, D);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t seen = visible(first + r + i, key, n), row = i * n;
        vec_softmax_body(p + row, w->s + row, w->lse[first + r + i], seen);
        memset(p + row + seen, 0, (size_t)(n - seen) * sizeof *p);
        score_gradients(ds + row, p + row, w->dp + row, w->delta[r + i], n);
    }
    multiply(w->call, &w->l, w->dv + key * D, D, true, (struct operand){ p, n, true }, d_out, n, D, rows);
    multiply(w->call, &w->l, w->dq + r * D, D, true, (struct operand){ ds, n, false }, k, rows, D, n);
    multiply(w->call, &w->l, w->dk + key * D, D, true, (struct operand){ ds, n, true }, q, n, D, rows);
}

/* Rows [r, end) of those queries, of one document whose keys begin at `key`. */
static void backward_document(struct backward *w, int64_t first, int64_t r, int64_t end, int64_t key)
{
    for (; key < first + end; key += KEYS) {
        const int64_t n = min_i64(KEYS, first + end - key), step = key + n <= first + r ? end - r : STRIP;
        for (int64_t at = r; at < end; at += step) {
            const int64_t some = min_i64(step, end - at), seen = visible(first + at + some - 1, key, n);
            if (seen > 0) backward_tile(w, first, at, some, key, seen);
        }
    }
}

static void backward_queries(struct backward *w, int64_t h, int64_t first)
{
    const struct layout *l = &w->l;
    const int64_t D = l->D, rows = min_i64(QUERIES, l->T - first);
    const struct view queries = head_view(&w->call->in[0], l, l->width, w->b, h), out = head_view(&w->call->out[0], l, l->H * D, w->b, h);
    w->lse = tensor_f32(&w->call->saved[0]) + (w->b * l->H + h) * l->T;
    queries_load(queries, first, rows, D, w->q, w->row);
    panel_load(head_view(&w->call->d_out[0], l, l->H * D, w->b, h), first, rows, D, w->d_out);
    for (int64_t r = 0; r < rows; r++)
        w->delta[r] = (float)vec_dot(w->d_out + r * D, row_load(out.tensor, out.first + (first + r) * out.ld, D, w->row), D);
    memset(w->dq, 0, (size_t)(rows * D) * sizeof *w->dq);
    const int32_t *starts = window_starts(w->call, l, w->b);
    for (int64_t r = 0; r < rows;) {
        const struct part p = part_of(starts, first + r, first + rows);
        backward_document(w, first, r, p.end - first, p.key);
        r = p.end - first;
    }
    const float scale = (float)(1 / sqrt((double)D));
    for (int64_t r = 0; r < rows; r++) {
        vec_scale(w->row, scale, w->dq + r * D, D);
        gradient_write(&w->call->d_in[0], queries.first + (first + r) * queries.ld, D, w->row, w->call->add[0], w->spare);
    }
}

static void backward_task(void *context, int64_t task, int thread)
{
    const struct op_call *c = context;
    struct backward w = { .call = c, .l = layout_of(c->shape) };
    const struct layout *l = &w.l;
    const int64_t group = l->H / l->Hk, D = l->D;
    w.b = task / l->Hk;
    w.kv = task % l->Hk;
    backward_place(&w, thread);
    panel_load(head_view(&c->in[0], l, l->width, w.b, l->H + w.kv), 0, l->T, D, w.k);
    panel_load(head_view(&c->in[0], l, l->width, w.b, l->H + l->Hk + w.kv), 0, l->T, D, w.v);
    memset(w.dk, 0, (size_t)(2 * l->T * D) * sizeof *w.dk);
    for (int64_t h = w.kv * group; h < (w.kv + 1) * group; h++)
        for (int64_t first = 0; first < l->T; first += QUERIES) backward_queries(&w, h, first);
    for (int which = 0; which < 2; which++) {
        const struct view to = head_view(&c->d_in[0], l, l->width, w.b, l->H + which * l->Hk + w.kv);
        const float *gradient = which == 0 ? w.dk : w.dv; /* dk used the scaled queries: 1/sqrt(D) is in it */
        for (int64_t t = 0; t < l->T; t++) gradient_write(to.tensor, to.first + t * to.ld, D, gradient + t * D, c->add[0], w.row);
    }
}

static void attention_backward(const struct op_call *call)
{
    struct op_call c = *call;
    CHECK(c.shape->cache_tokens == 0);
    if (c.d_in[0].data != NULL) parallel_for(c.in[0].dim[0] * ((const struct heads_attr *)c.shape->attr)->kv_heads, backward_task, &c);
}

const struct op_desc op_attention = { .name = "attention",
                                      .summary = "causal attention in tiles, grouped key/value heads, optional cache",
                                      .source = "Dao et al. 2022 (FlashAttention), alg. 1 and 4; Ainslie et al. 2023 (grouped heads)",
                                      .infer = attention_infer,
                                      .forward = attention_forward,
                                      .backward = attention_backward };
