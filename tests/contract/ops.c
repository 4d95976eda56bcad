/* Every op of the table: its forward against a reference in double written here, its gradients against finite differences of that
 * reference, its bits at 1, 2 and 16 threads, adding instead of writing, bf16, zeros, frozen parameters. */
#include "worker/ops/ops.h"
#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/tensor/convert.h"
#include "tests/support/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 16, EXPONENT = 36, BITS = 51 };

/* Operands as doubles, for the reference. ids: of inputs that are int32. */
struct numbers {
    double *in[OP_MAX], *param[OP_MAX], *out[OP_MAX];
    const int32_t *ids[OP_MAX];
};

struct example {
    const struct op_desc *op;
    const void *attr;
    void (*reference)(const struct op_shape *s, const struct numbers *x);
    int n_in;
    int64_t in_cols[2]; /* [B,T,cols]; or ids [B,T] */
    int n_param;
    int64_t param[OP_MAX][2]; /* [rows, cols]; rows 0: 1-D */
};
enum { VOCAB = 29, CONTEXT = 160 };
enum { IDS = 0, TARGETS = -1, STARTS = -2 }; /* ids: below VOCAB; below VOCAB or -1; where documents begin */

/* --- References: straight from the formula, no tiles, no rounding ------------------------------------------------------ */

/* The first place of its window that a token row may know of. */
static int64_t start_of(const struct op_shape *s, const struct numbers *x, int64_t row) { return s->n_in == 2 ? x->ids[1][row] : 0; }

static void reference_embedding(const struct op_shape *s, const struct numbers *x)
{
    const int64_t C = s->param[0].dim[1], T = s->in[0].dim[1];
    for (int64_t r = 0; r < tensor_count(&s->in[0]); r++)
        for (int64_t i = 0; i < C; i++) {
            const int64_t position = r % T - start_of(s, x, r);
            x->out[0][r * C + i] = x->param[0][x->ids[0][r] * C + i] + (s->n_param == 2 ? x->param[1][position * C + i] : 0);
        }
}

static void normalize(double *y, const double *x, const double *gain, int64_t n, double mean, double eps)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(squares / (double)n + eps) * gain[i];
}

static void reference_rmsnorm(const struct op_shape *s, const struct numbers *x)
{
    const int64_t C = tensor_cols(&s->in[0]);
    const double eps = ((const struct norm_attr *)s->attr)->eps;
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++) normalize(x->out[0] + r * C, x->in[0] + r * C, x->param[0], C, 0, eps);
}

static void reference_layernorm(const struct op_shape *s, const struct numbers *x)
{
    const int64_t C = tensor_cols(&s->in[0]);
    const double eps = ((const struct norm_attr *)s->attr)->eps;
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++) {
        double mean = 0;
        for (int64_t i = 0; i < C; i++) mean += x->in[0][r * C + i] / (double)C;
        normalize(x->out[0] + r * C, x->in[0] + r * C, x->param[0], C, mean, eps);
        for (int64_t i = 0; i < C; i++) x->out[0][r * C + i] += x->param[1][i];
    }
}

static void reference_linear(const struct op_shape *s, const struct numbers *x)
{
    const struct linear_attr *a = s->attr;
    const int64_t K = tensor_cols(&s->in[0]), N = tensor_cols(&s->out[0]);
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++) {
        int64_t col = 0;
        for (int w = 0; w < a->weights; w++)
            for (int64_t n = 0; n < s->param[w].dim[0]; n++, col++) {
                double sum = a->bias ? x->param[a->weights + w][n] : 0;
                for (int64_t k = 0; k < K; k++) sum += x->in[0][r * K + k] * x->param[w][n * K + k];
                x->out[0][r * N + col] = sum;
            }
    }
}

static int64_t head_size(const struct op_shape *s, const struct heads_attr *a)
{
    return tensor_cols(&s->in[0]) / (a->heads + 2 * a->kv_heads);
}

static void reference_qk_norm(const struct op_shape *s, const struct numbers *x)
{
    const struct qk_norm_attr *a = s->attr;
    const int64_t W = tensor_cols(&s->in[0]), D = head_size(s, &a->heads);
    memcpy(x->out[0], x->in[0], (size_t)tensor_count(&s->in[0]) * sizeof(double));
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++)
        for (int64_t h = 0; h < a->heads.heads + a->heads.kv_heads; h++)
            normalize(x->out[0] + r * W + h * D, x->in[0] + r * W + h * D, x->param[h >= a->heads.heads], D, 0, a->eps);
}

static void reference_rope(const struct op_shape *s, const struct numbers *x)
{
    const struct rope_attr *a = s->attr;
    const int64_t W = tensor_cols(&s->in[0]), D = head_size(s, &a->heads), half = D / 2, T = s->in[0].dim[1];
    memcpy(x->out[0], x->in[0], (size_t)tensor_count(&s->in[0]) * sizeof(double));
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++)
        for (int64_t h = 0; h < a->heads.heads + a->heads.kv_heads; h++)
            for (int64_t i = 0; i < half; i++) {
                const double angle = (double)(r % T - start_of(s, x, r)) * pow(a->base, -2.0 * (double)i / (double)D);
                const double *from = x->in[0] + r * W + h * D + i;
                double *to = x->out[0] + r * W + h * D + i;
                to[0] = from[0] * cos(angle) - from[half] * sin(angle);
                to[half] = from[half] * cos(angle) + from[0] * sin(angle);
            }
}

static void reference_attention(const struct op_shape *s, const struct numbers *x)
{
    const struct heads_attr *a = s->attr;
    const int64_t B = s->in[0].dim[0], T = s->in[0].dim[1], W = s->in[0].dim[2], D = head_size(s, a), H = a->heads;
    double *p = malloc((size_t)T * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int64_t b = 0; b < B; b++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t t = 0; t < T; t++) {
                const double *rows = x->in[0] + b * T * W, *q = rows + t * W + h * D;
                const int64_t k = (H + h / (H / a->kv_heads)) * D, v = k + a->kv_heads * D;
                double sum = 0, *o = x->out[0] + (b * T + t) * H * D + h * D;
                const int64_t start = start_of(s, x, b * T + t);
                for (int64_t u = start; u <= t; u++) {
                    double score = 0;
                    for (int64_t i = 0; i < D; i++) score += q[i] * rows[u * W + k + i];
                    sum += p[u] = exp(score / sqrt((double)D));
                }
                for (int64_t i = 0; i < D; i++) o[i] = 0;
                for (int64_t u = start; u <= t; u++)
                    for (int64_t i = 0; i < D; i++) o[i] += p[u] / sum * rows[u * W + v + i];
            }
    free(p);
}

static void reference_gelu(const struct op_shape *s, const struct numbers *x)
{
    for (int64_t i = 0; i < tensor_count(&s->in[0]); i++) {
        const double v = x->in[0][i];
        x->out[0][i] = 0.5 * v * (1 + tanh(sqrt(2 / acos(-1.0)) * (v + 0.044715 * v * v * v)));
    }
}

static void reference_swiglu(const struct op_shape *s, const struct numbers *x)
{
    const int64_t F = tensor_cols(&s->out[0]);
    for (int64_t r = 0; r < tensor_rows(&s->out[0]); r++)
        for (int64_t i = 0; i < F; i++) {
            const double gate = x->in[0][r * 2 * F + i];
            x->out[0][r * F + i] = gate / (1 + exp(-gate)) * x->in[0][r * 2 * F + F + i];
        }
}

static void reference_add(const struct op_shape *s, const struct numbers *x)
{
    for (int64_t i = 0; i < tensor_count(&s->in[0]); i++) x->out[0][i] = x->in[0][i] + x->in[1][i];
}

static double score(const struct numbers *x, int64_t row, int64_t v, int64_t C)
{
    double sum = 0;
    for (int64_t i = 0; i < C; i++) sum += x->in[0][row * C + i] * x->param[0][v * C + i];
    return sum;
}

static void reference_head_loss(const struct op_shape *s, const struct numbers *x)
{
    const int64_t C = tensor_cols(&s->in[0]), V = s->param[0].dim[0];
    for (int64_t r = 0; r < tensor_rows(&s->in[0]); r++) {
        const int32_t target = x->ids[1][r];
        double sum = 0;
        for (int64_t v = 0; v < V; v++) sum += exp(score(x, r, v, C));
        x->out[0][r] = target < 0 ? 0 : log(sum) - score(x, r, target, C);
    }
}

static void reference_logits(const struct op_shape *s, const struct numbers *x)
{
    const int64_t T = s->in[0].dim[1], C = s->in[0].dim[2], V = s->param[0].dim[0];
    for (int64_t b = 0; b < s->in[0].dim[0]; b++)
        for (int64_t v = 0; v < V; v++) x->out[0][b * V + v] = score(x, b * T + T - 1, v, C);
}

/* --- Examples: odd sizes, grouped heads ---------------------------------------------------------------------------------- */

static const struct norm_attr norm = { 1e-5 };
static const struct linear_attr one = { 1, false }, three = { 3, true }, two = { 2, false };
static const struct heads_attr grouped = { 4, 2 }, plain = { 3, 3 };
static const struct qk_norm_attr qk = { { 4, 2 }, 1e-5 };
static const struct rope_attr rope = { { 4, 2 }, 1e4 };
static const struct example examples[] = {
    { &op_embedding, NULL, reference_embedding, 1, { IDS }, 1, { { VOCAB, 11 } } },
    { &op_embedding, NULL, reference_embedding, 1, { IDS }, 2, { { VOCAB, 11 }, { CONTEXT, 11 } } },
    { &op_rmsnorm, &norm, reference_rmsnorm, 1, { 13 }, 1, { { 0, 13 } } },
    { &op_layernorm, &norm, reference_layernorm, 1, { 13 }, 2, { { 0, 13 }, { 0, 13 } } },
    { &op_linear, &one, reference_linear, 1, { 9 }, 1, { { 14, 9 } } },
    { &op_linear, &two, reference_linear, 1, { 9 }, 2, { { 7, 9 }, { 7, 9 } } },
    { &op_linear, &three, reference_linear, 1, { 9 }, 6, { { 10, 9 }, { 5, 9 }, { 3, 9 }, { 0, 10 }, { 0, 5 }, { 0, 3 } } },
    { &op_qk_norm, &qk, reference_qk_norm, 1, { 8 * 6 }, 2, { { 0, 6 }, { 0, 6 } } },
    { &op_rope, &rope, reference_rope, 1, { 8 * 6 }, 0, { { 0 } } },
    { &op_attention, &grouped, reference_attention, 1, { 8 * 5 }, 0, { { 0 } } },
    { &op_attention, &plain, reference_attention, 1, { 9 * 7 }, 0, { { 0 } } },
    { &op_gelu, NULL, reference_gelu, 1, { 17 }, 0, { { 0 } } },
    { &op_swiglu, NULL, reference_swiglu, 1, { 22 }, 0, { { 0 } } },
    { &op_add, NULL, reference_add, 2, { 15, 15 }, 0, { { 0 } } },
    { &op_head_loss, NULL, reference_head_loss, 2, { 7, TARGETS }, 1, { { VOCAB, 7 } } },
    { &op_logits, NULL, reference_logits, 1, { 7 }, 1, { { VOCAB, 7 } } },
    { &op_embedding, NULL, reference_embedding, 2, { IDS, STARTS }, 2, { { VOCAB, 11 }, { CONTEXT, 11 } } },
    { &op_rope, &rope, reference_rope, 2, { 8 * 6, STARTS }, 0, { { 0 } } },
    { &op_attention, &grouped, reference_attention, 2, { 8 * 5, STARTS }, 0, { { 0 } } },
    { &op_attention, &plain, reference_attention, 2, { 9 * 7, STARTS }, 0, { { 0 } } },
};
enum { N_EXAMPLES = sizeof examples / sizeof *examples };
static const struct {
    int64_t B, T;
} sizes[] = { { 2, 5 }, { 3, 150 } }; /* the second crosses every block of rows and tile of keys */

/* --- One example in memory -------------------------------------------------------------------------------------------------- */

struct instance {
    const struct example *e;
    struct op_shape shape;
    struct op_call call;
    uint32_t max_bits[OP_MAX];
    size_t sink_bytes[OP_MAX];
    struct numbers numbers;
};

static struct arena arena;

/* Uniform in [-1, 1), a function of (stream, index). */
static double uniform(uint32_t stream, int64_t i)
{
    uint32_t x = (uint32_t)i * 0x9e3779b9U + stream * 0x85ebca6bU + 1;
    x = (x ^ x >> 16) * 0x21f0aaadU;
    x = (x ^ x >> 15) * 0x735a2d97U;
    return (double)((x ^ x >> 15) >> 8) / 8388608.0 - 1;
}

static double value_at(const struct tensor *t, int64_t i)
{
    return (double)(t->dtype == DT_F32 ? tensor_f32(t)[i] : bf16_to_f32(tensor_bf16(t)[i]));
}

static void set_value(const struct tensor *t, int64_t i, double v)
{
    if (t->dtype == DT_F32)
        tensor_f32(t)[i] = (float)v;
    else
        tensor_bf16(t)[i] = f32_to_bf16((float)v);
}

/* Values that bf16 holds exactly, so that both types start from the same numbers. */
static void fill(const struct tensor *t, uint32_t stream, double scale)
{
    for (int64_t i = 0; i < tensor_count(t); i++) set_value(t, i, (double)bf16_to_f32(f32_to_bf16((float)(scale * uniform(stream, i)))));
}

/* Documents of growing length in one window, two in the next, a short and a long one in the third. */
static bool begins_document(int64_t window, int64_t t, int64_t T)
{
    if (window % 3 == 1) return t == T * 2 / 3;
    if (window % 3 == 2) return t == T / 15;
    int64_t begin = 0;
    for (int64_t length = 1; begin < t; length++) begin += length;
    return begin == t;
}

static void fill_starts(const struct tensor *t)
{
    const int64_t T = t->dim[1];
    int32_t *starts = tensor_i32(t);
    for (int64_t i = 0; i < tensor_count(t); i++)
        starts[i] = i % T == 0 ? 0 : begins_document(i / T, i % T, T) ? (int32_t)(i % T) : starts[i - 1];
}

static void fill_ids(const struct tensor *t, int64_t kind)
{
    if (kind == STARTS) fill_starts(t);
    for (int64_t i = 0; kind != STARTS && i < tensor_count(t); i++)
        tensor_i32(t)[i] = kind == TARGETS && i % 7 == 3 ? -1 : (int32_t)((uniform(77, i) + 1) / 2 * VOCAB);
}

static void place(struct tensor *t) { t->data = arena_place(&arena, tensor_bytes(t)); }

static double *doubles(const struct tensor *t)
{
    double *d = arena_place_n(&arena, (size_t)tensor_count(t), sizeof *d);
    for (int64_t i = 0; t->dtype != DT_I32 && t->data != NULL && i < tensor_count(t); i++) d[i] = value_at(t, i);
    return d;
}

static struct instance *instance_of(const struct example *e, int64_t B, int64_t T, enum dtype compute, double scale)
{
    struct instance *x = arena_place(&arena, sizeof *x);
    *x = (struct instance){ .e = e, .shape = { .attr = e->attr, .compute = compute, .n_in = e->n_in, .n_param = e->n_param } };
    struct op_shape *s = &x->shape;
    for (int i = 0; i < e->n_in; i++)
        s->in[i] = e->in_cols[i] > 0 ? tensor_make(compute, 3, (int64_t[]){ B, T, e->in_cols[i] }, NULL)
                                     : tensor_make(DT_I32, 2, (int64_t[]){ B, T }, NULL);
    for (int i = 0; i < e->n_param; i++)
        s->param[i] = e->param[i][0] > 0 ? tensor_make(compute, 2, e->param[i], NULL) : tensor_make(compute, 1, e->param[i] + 1, NULL);
    e->op->infer(s);

    struct op_call *c = &x->call;
    c->shape = &x->shape;
    for (int i = 0; i < e->n_in; i++) {
        c->in[i] = c->d_in[i] = s->in[i];
        place(&c->in[i]);
        if (e->in_cols[i] > 0)
            place(&c->d_in[i]), fill(&c->in[i], (uint32_t)i, 2 * scale);
        else
            fill_ids(&c->in[i], e->in_cols[i]), x->numbers.ids[i] = tensor_i32(&c->in[i]);
        x->numbers.in[i] = doubles(&c->in[i]);
    }
    size_t param_bytes = 0;
    for (int i = 0; i < e->n_param; i++) param_bytes += tensor_bytes(&s->param[i]);
    unsigned char *params = arena_place(&arena, param_bytes); /* adjacent, as in a unit's buffer */
    for (int i = 0; i < e->n_param; i++) {
        c->param[i] = s->param[i];
        c->param[i].data = params;
        params += tensor_bytes(&s->param[i]);
        fill(&c->param[i], 10 + (uint32_t)i, scale);
        x->numbers.param[i] = doubles(&c->param[i]);
        x->sink_bytes[i] = (size_t)tensor_count(&s->param[i]) * sizeof(int64_t);
        c->sink[i] =
            (struct exact_sink){ arena_place(&arena, x->sink_bytes[i]), tensor_cols(&s->param[i]), EXPONENT, BITS, &x->max_bits[i] };
    }
    for (int i = 0; i < s->n_out; i++) {
        c->out[i] = c->d_out[i] = s->out[i];
        place(&c->out[i]);
        place(&c->d_out[i]);
        if (e->op->loss)
            for (int64_t k = 0; k < tensor_count(&s->out[i]); k++) set_value(&c->d_out[i], k, 1);
        else
            fill(&c->d_out[i], 20 + (uint32_t)i, 1);
        x->numbers.out[i] = doubles(&c->out[i]);
    }
    for (int i = 0; i < s->n_saved; i++) c->saved[i] = s->saved[i], place(&c->saved[i]);
    c->scratch = arena_place(&arena, MOST_THREADS * s->scratch_bytes);
    c->shared = arena_place(&arena, s->shared_bytes);
    return x;
}

static bool trains(const struct example *e) { return e->op->backward != NULL; }

static void run(struct instance *x)
{
    x->e->op->forward(&x->call);
    if (trains(x->e)) x->e->op->backward(&x->call);
}

static double param_gradient(const struct instance *x, int i, int64_t k)
{
    const struct exact_sink *sink = &x->call.sink[i];
    return ldexp((double)sink->sum[k], -sink->exponent);
}

/* What finite differences are of: sum of d_out * out. */
static double objective(const struct instance *x)
{
    x->e->reference(&x->shape, &x->numbers);
    double sum = 0;
    for (int o = 0; o < x->shape.n_out; o++)
        for (int64_t i = 0; i < tensor_count(&x->shape.out[o]); i++) sum += x->numbers.out[o][i] * value_at(&x->call.d_out[o], i);
    return sum;
}

static double slope(const struct instance *x, double *at)
{
    const double h = 1e-5, keep = *at;
    *at = keep + h;
    const double above = objective(x);
    *at = keep - h;
    const double below = objective(x);
    *at = keep;
    return (above - below) / (2 * h);
}

/* At most 40 elements of a tensor, spread with an odd stride. */
static int64_t stride_of(const struct tensor *t) { return tensor_count(t) / 40 | 1; }

/* --- Tests, each over all examples -------------------------------------------------------------------------------------------- */

START_TEST(every_op_of_the_table_has_an_example)
{
    for (int i = 0; op_table[i] != NULL; i++) {
        bool found = false;
        for (int e = 0; e < N_EXAMPLES; e++) found = found || examples[e].op == op_table[i];
        ck_assert_msg(found, "no example of op %s", op_table[i]->name);
        ck_assert(op_table[i]->summary != NULL && op_table[i]->source != NULL);
    }
}
END_TEST

START_TEST(forward_is_the_reference)
{
    for (int size = 0; size < 2; size++) {
        struct instance *x = instance_of(&examples[_i], sizes[size].B, sizes[size].T, DT_F32, 0.5);
        run(x);
        x->e->reference(&x->shape, &x->numbers);
        for (int64_t i = 0; i < tensor_count(&x->call.out[0]); i++)
            ck_assert_double_eq_tol(value_at(&x->call.out[0], i), x->numbers.out[0][i], 1e-5);
    }
}
END_TEST

START_TEST(gradients_are_finite_differences)
{
    if (!trains(&examples[_i])) return;
    for (int size = 0; size < 2; size++) {
        struct instance *x = instance_of(&examples[_i], sizes[size].B, sizes[size].T, DT_F32, 0.5);
        run(x);
        for (int p = 0; p < x->shape.n_in + x->shape.n_param; p++) {
            const bool input = p < x->shape.n_in;
            const int n = input ? p : p - x->shape.n_in;
            const struct tensor *t = input ? &x->call.in[n] : &x->call.param[n];
            if (t->dtype == DT_I32) continue;
            double most = 0;
            for (int64_t i = 0; i < tensor_count(t); i++)
                most = fmax(most, fabs(input ? value_at(&x->call.d_in[n], i) : param_gradient(x, n, i)));
            ck_assert_double_gt(most, 0);
            for (int64_t i = 0; i < tensor_count(t); i += stride_of(t)) {
                const double ours = input ? value_at(&x->call.d_in[n], i) : param_gradient(x, n, i);
                const double expected = slope(x, input ? &x->numbers.in[n][i] : &x->numbers.param[n][i]);
                ck_assert_msg(fabs(ours - expected) <= 1e-3 * most, "%s: %s %d [%lld]: %g, expected %g", x->e->op->name,
                              input ? "input" : "parameter", n, (long long)i, ours, expected);
            }
        }
    }
}
END_TEST

static void assert_same_tensor(const struct tensor *a, const struct tensor *b)
{
    if (a->data != NULL) ck_assert_mem_eq(a->data, b->data, tensor_bytes(a));
}

START_TEST(bits_do_not_depend_on_threads)
{
    for (int type = 0; type < 2; type++) {
        struct instance *first = NULL;
        for (int threads = 1; threads <= MOST_THREADS; threads = threads == 2 ? 16 : threads + 1) {
            parallel_set_threads(threads);
            struct instance *x = instance_of(&examples[_i], sizes[1].B, sizes[1].T, type == 0 ? DT_F32 : DT_BF16, 0.5);
            run(x);
            parallel_set_threads(2);
            if (first == NULL) first = x;
            for (int i = 0; i < x->shape.n_out; i++) assert_same_tensor(&first->call.out[i], &x->call.out[i]);
            for (int i = 0; i < x->shape.n_saved; i++) assert_same_tensor(&first->call.saved[i], &x->call.saved[i]);
            for (int i = 0; i < x->shape.n_in; i++) assert_same_tensor(&first->call.d_in[i], &x->call.d_in[i]);
            for (int i = 0; i < x->shape.n_param; i++) {
                ck_assert_mem_eq(first->call.sink[i].sum, x->call.sink[i].sum, x->sink_bytes[i]);
                ck_assert_uint_eq(first->max_bits[i], x->max_bits[i]);
            }
        }
    }
}
END_TEST

/* d_in[i] is added to where add[i], not touched where its data is NULL, and no parameter needs a sink. */
START_TEST(gradients_are_added_where_asked_and_skipped_where_unwanted)
{
    const struct example *e = &examples[_i];
    if (!trains(e)) return;
    struct instance *written = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5),
                    *added = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5);
    run(written);
    for (int i = 0; i < e->n_in; i++) {
        added->call.add[i] = true;
        if (added->call.d_in[i].data != NULL) fill(&added->call.d_in[i], 40 + (uint32_t)i, 1);
    }
    for (int i = 0; i < e->n_param; i++) added->call.sink[i].sum = NULL;
    run(added);
    for (int i = 0; i < e->n_in; i++)
        for (int64_t k = 0; added->call.d_in[i].data != NULL && k < tensor_count(&added->call.d_in[i]); k++) {
            const double before = (double)bf16_to_f32(f32_to_bf16((float)uniform(40 + (uint32_t)i, k)));
            ck_assert_double_eq_tol(value_at(&added->call.d_in[i], k), before + value_at(&written->call.d_in[i], k), 1e-5);
        }
    for (int i = 0; i < e->n_param; i++) ck_assert_uint_eq(added->max_bits[i], 0);

    struct instance *skipped = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5);
    for (int i = 0; i < e->n_in; i++) skipped->call.d_in[i].data = NULL;
    run(skipped);
    for (int i = 0; i < e->n_param; i++) ck_assert_mem_eq(skipped->call.sink[i].sum, written->call.sink[i].sum, written->sink_bytes[i]);
}
END_TEST

/* One frozen parameter changes nothing for the others. */
START_TEST(a_frozen_parameter_leaves_the_others_alone)
{
    const struct example *e = &examples[_i];
    if (!trains(e)) return;
    struct instance *all = instance_of(e, sizes[0].B, sizes[0].T, DT_F32, 0.5);
    run(all);
    for (int frozen = 0; frozen < e->n_param; frozen++) {
        struct instance *x = instance_of(e, sizes[0].B, sizes[0].T, DT_F32, 0.5);
        x->call.sink[frozen].sum = NULL;
        run(x);
        for (int i = 0; i < e->n_param; i++)
            for (int64_t k = 0; i != frozen && k < tensor_count(&x->call.param[i]); k++)
                ck_assert_double_eq_tol(param_gradient(x, i, k), param_gradient(all, i, k), 1e-4);
    }
}
END_TEST

static double largest(const struct tensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < tensor_count(t); i++) most = fmax(most, fabs(value_at(t, i)));
    return most;
}

static void assert_close(const struct tensor *a, const struct tensor *b, double part)
{
    const double tolerance = part * largest(b);
    for (int64_t i = 0; a->data != NULL && i < tensor_count(a); i++) ck_assert_double_eq_tol(value_at(a, i), value_at(b, i), tolerance);
}

START_TEST(bf16_is_close_to_fp32)
{
    const struct example *e = &examples[_i];
    struct instance *f = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5), *h = instance_of(e, sizes[1].B, sizes[1].T, DT_BF16, 0.5);
    run(f);
    run(h);
    for (int i = 0; i < f->shape.n_out; i++) assert_close(&h->call.out[i], &f->call.out[i], 0.01);
    if (!trains(e)) return;
    for (int i = 0; i < e->n_in; i++)
        if (e->in_cols[i] > 0) assert_close(&h->call.d_in[i], &f->call.d_in[i], 0.02);
    for (int i = 0; i < e->n_param; i++) {
        double most = 0;
        for (int64_t k = 0; k < tensor_count(&f->call.param[i]); k++) most = fmax(most, fabs(param_gradient(f, i, k)));
        for (int64_t k = 0; k < tensor_count(&f->call.param[i]); k++)
            ck_assert_double_eq_tol(param_gradient(h, i, k), param_gradient(f, i, k), 0.02 * most);
    }
}
END_TEST

START_TEST(zeros_give_no_nan)
{
    const struct example *e = &examples[_i];
    struct instance *x = instance_of(e, sizes[0].B, sizes[0].T, DT_F32, 0);
    run(x);
    for (int64_t i = 0; i < tensor_count(&x->call.out[0]); i++) ck_assert_double_finite(value_at(&x->call.out[0], i));
    for (int n = 0; trains(e) && n < e->n_in; n++)
        for (int64_t i = 0; e->in_cols[n] > 0 && i < tensor_count(&x->call.d_in[n]); i++)
            ck_assert_double_finite(value_at(&x->call.d_in[n], i));
    for (int n = 0; n < e->n_param; n++) ck_assert_uint_lt(x->max_bits[n], 0x7f800000U);
}
END_TEST

/* Evaluation (forward) and training (backward alone) report the same loss. */
START_TEST(a_loss_is_the_same_forward_and_backward)
{
    const struct example *e = &examples[_i];
    if (!e->op->loss) return;
    struct instance *x = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5), *y = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5);
    e->op->forward(&x->call);
    e->op->backward(&y->call);
    assert_same_tensor(&x->call.out[0], &y->call.out[0]);
}
END_TEST

/* An input or parameter of NaN shows in what comes out: nothing hides a diverged run. */
START_TEST(nan_is_not_swallowed)
{
    const struct example *e = &examples[_i];
    for (int n = 0; n < e->n_in + e->n_param; n++) {
        struct instance *x = instance_of(e, 1, 5, DT_F32, 0.5);
        const struct tensor *t = n < e->n_in ? &x->call.in[n] : &x->call.param[n - e->n_in];
        if (t->dtype == DT_I32) continue;
        for (int64_t i = 0; i < tensor_count(t); i++) set_value(t, i, (double)NAN);
        run(x);
        int found = 0;
        for (int64_t i = 0; i < tensor_count(&x->call.out[0]); i++) found += isnan(value_at(&x->call.out[0], i)) != 0;
        ck_assert_msg(found > 0, "%s: operand %d", e->op->name, n);
    }
}
END_TEST

/* A vocabulary so large that 512 tokens need two chunks; gradients against p - onehot in double. */
START_TEST(the_head_adds_once_per_chunk)
{
    enum { V = 70000, C = 6, B = 2, T = 256, M = B * T };
    const struct example big = { &op_head_loss, NULL, reference_head_loss, 2, { C, TARGETS }, 1, { { V, C } } };
    struct instance *x = instance_of(&big, B, T, DT_F32, 0.5);
    ck_assert_int_eq(x->shape.contributions, 2);
    run(x);
    double *p = arena_place_n(&arena, V, sizeof *p), *dw = arena_place_n(&arena, V * C, sizeof *dw);
    for (int64_t r = 0; r < M; r++) {
        const int32_t target = x->numbers.ids[1][r];
        double sum = 0, dx[C] = { 0 };
        for (int64_t v = 0; v < V; v++) sum += p[v] = exp(score(&x->numbers, r, v, C));
        for (int64_t v = 0; v < V; v++)
            for (int64_t i = 0; target >= 0 && i < C; i++) {
                const double dz = p[v] / sum - (v == target);
                dx[i] += dz * x->numbers.param[0][v * C + i];
                dw[v * C + i] += dz * x->numbers.in[0][r * C + i];
            }
        const double nll = target < 0 ? 0 : log(sum) - score(&x->numbers, r, target, C);
        ck_assert_double_eq_tol(value_at(&x->call.out[0], r), nll, 1e-5);
        for (int64_t i = 0; i < C; i++) /* a sum of V terms, which some kernels add one after the other */
            ck_assert_double_eq_tol(value_at(&x->call.d_in[0], r * C + i), dx[i], 5e-5);
    }
    for (int64_t i = 0; i < V * C; i++) ck_assert_double_eq_tol(param_gradient(x, 0, i), dw[i], 1e-5);
}
END_TEST

/* Attention through a cache, in pieces of any length, is attention over the whole. */
START_TEST(attention_with_a_cache_is_attention)
{
    enum { B = 2, T = 150 };
    static const int64_t pieces[] = { 1, 131, 1, 2, 15 };
    const struct example *e = &examples[_i == 0 ? 9 : 10];
    ck_assert_ptr_eq(e->op, &op_attention);
    struct instance *whole = instance_of(e, B, T, DT_F32, 0.5);
    whole->e->op->forward(&whole->call);
    const int64_t width = tensor_cols(&whole->call.in[0]), out = tensor_cols(&whole->call.out[0]);
    struct tensor cache[2] = { { 0 } };
    int64_t position = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; position += pieces[i++]) {
        const int64_t n = pieces[i];
        struct instance *x = instance_of(e, B, n, DT_F32, 0.5);
        x->shape.cache_tokens = T;
        e->op->infer(&x->shape);
        x->call.scratch = arena_place(&arena, MOST_THREADS * x->shape.scratch_bytes);
        for (int c = 0; c < 2; c++) {
            if (i == 0) cache[c] = x->shape.cache[c], place(&cache[c]);
            x->call.cache[c] = cache[c];
        }
        x->call.position = position;
        for (int64_t b = 0; b < B; b++)
            memcpy(tensor_f32(&x->call.in[0]) + b * n * width, tensor_f32(&whole->call.in[0]) + (b * T + position) * width,
                   (size_t)(n * width) * sizeof(float));
        e->op->forward(&x->call);
        for (int64_t b = 0; b < B; b++)
            for (int64_t k = 0; k < n * out; k++)
                ck_assert_double_eq_tol(value_at(&x->call.out[0], b * n * out + k),
                                        value_at(&whole->call.out[0], (b * T + position) * out + k), 1e-5);
    }
    ck_assert_int_eq(position, T);
}
END_TEST

/* Rotary positions of a later piece are those of the whole. */
START_TEST(positions_count_from_the_cache)
{
    enum { T = 40, PIECE = 7, AT = 33 };
    const struct example *e = &examples[8];
    ck_assert_ptr_eq(e->op, &op_rope);
    struct instance *whole = instance_of(e, 1, T, DT_F32, 0.5), *piece = instance_of(e, 1, PIECE, DT_F32, 0.5);
    const int64_t width = tensor_cols(&whole->call.in[0]);
    memcpy(piece->call.in[0].data, tensor_f32(&whole->call.in[0]) + AT * width, tensor_bytes(&piece->call.in[0]));
    piece->call.position = AT;
    e->op->forward(&whole->call);
    e->op->forward(&piece->call);
    ck_assert_mem_eq(piece->call.out[0].data, tensor_f32(&whole->call.out[0]) + AT * width, tensor_bytes(&piece->call.out[0]));
}
END_TEST

/* --- Documents kept apart ------------------------------------------------------------------------------------------------------ */

static const struct example *separate(int i)
{
    const struct example *e = &examples[N_EXAMPLES - 4 + i];
    ck_assert(e->n_in == 2 && e->in_cols[1] == STARTS);
    return e;
}
enum { N_SEPARATE = 4 };

/* Where a token row of a tensor [B,T] or [B,T,cols] stands. */
static void *rows_at(const struct tensor *t, int64_t row)
{
    return (unsigned char *)t->data + (size_t)(row * tensor_count(t) / (t->dim[0] * t->dim[1])) * dtype_bytes(t->dtype);
}

/* The rows of one document of x in a window of their own. */
static struct instance *alone(const struct instance *x, int64_t row, int64_t n)
{
    struct instance *y = instance_of(x->e, 1, n, x->shape.compute, 0.5);
    memcpy(y->call.in[0].data, rows_at(&x->call.in[0], row), tensor_bytes(&y->call.in[0]));
    memcpy(y->call.d_out[0].data, rows_at(&x->call.d_out[0], row), tensor_bytes(&y->call.d_out[0]));
    memset(y->call.in[1].data, 0, tensor_bytes(&y->call.in[1]));
    run(y);
    return y;
}

/* Returns the end of the document that begins at this row. */
static int64_t document_end(const struct instance *x, int64_t row)
{
    const int64_t T = x->shape.in[0].dim[1];
    const int32_t *starts = x->numbers.ids[1];
    int64_t end = row + 1;
    while (end % T != 0 && starts[end] == starts[row]) end++;
    return end;
}

/* Outputs and gradients of a packed window are those of its documents in windows of their own; parameters get the sum. */
START_TEST(a_document_is_what_it_is_alone)
{
    struct instance *x = instance_of(separate(_i), sizes[1].B, sizes[1].T, DT_F32, 0.5);
    run(x);
    double *sums[OP_MAX];
    for (int p = 0; p < x->e->n_param; p++) sums[p] = arena_place_n(&arena, (size_t)tensor_count(&x->call.param[p]), sizeof(double));
    int64_t longest = 0, shortest = INT64_MAX;
    for (int64_t row = 0, end; row < sizes[1].B * sizes[1].T; row = end) {
        end = document_end(x, row);
        const struct instance *y = alone(x, row, end - row);
        const float *out = rows_at(&x->call.out[0], row), *d_in = x->e->in_cols[0] > 0 ? rows_at(&x->call.d_in[0], row) : NULL;
        for (int64_t i = 0; i < tensor_count(&y->call.out[0]); i++)
            ck_assert_double_eq_tol((double)out[i], value_at(&y->call.out[0], i), 1e-6);
        for (int64_t i = 0; d_in != NULL && i < tensor_count(&y->call.d_in[0]); i++)
            ck_assert_double_eq_tol((double)d_in[i], value_at(&y->call.d_in[0], i), 2e-6);
        for (int p = 0; p < x->e->n_param; p++)
            for (int64_t k = 0; k < tensor_count(&x->call.param[p]); k++) sums[p][k] += param_gradient(y, p, k);
        longest = end - row > longest ? end - row : longest;
        shortest = end - row < shortest ? end - row : shortest;
    }
    ck_assert(shortest == 1 && longest > 128); /* a document of one token, and one of several tiles */
    for (int p = 0; p < x->e->n_param; p++)
        for (int64_t k = 0; k < tensor_count(&x->call.param[p]); k++) ck_assert_double_eq_tol(param_gradient(x, p, k), sums[p][k], 1e-5);
}
END_TEST

/* Not a number in one document reaches no other, forward or backward: nothing of a neighbour is even multiplied by zero. */
START_TEST(nothing_passes_between_documents)
{
    const struct example *e = separate(_i);
    if (e->in_cols[0] <= 0) return;
    struct instance *good = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5), *x = instance_of(e, sizes[1].B, sizes[1].T, DT_F32, 0.5);
    run(good);
    bool bad = false;
    for (int64_t row = 0, end; row < sizes[1].B * sizes[1].T; row = end, bad = !bad) {
        end = document_end(x, row);
        for (int64_t i = row * e->in_cols[0]; bad && i < end * e->in_cols[0]; i++) set_value(&x->call.in[0], i, (double)NAN);
    }
    run(x);
    bad = false;
    for (int64_t row = 0, end; row < sizes[1].B * sizes[1].T; row = end, bad = !bad) {
        end = document_end(x, row);
        const size_t out_bytes = (size_t)(end - row) * (size_t)tensor_cols(&x->call.out[0]) * sizeof(float);
        const size_t in_bytes = (size_t)(end - row) * (size_t)e->in_cols[0] * sizeof(float);
        if (bad) {
            ck_assert(isnan(*(const float *)rows_at(&x->call.out[0], row)));
            continue;
        }
        ck_assert_mem_eq(rows_at(&x->call.out[0], row), rows_at(&good->call.out[0], row), out_bytes);
        ck_assert_mem_eq(rows_at(&x->call.d_in[0], row), rows_at(&good->call.d_in[0], row), in_bytes);
    }
}
END_TEST

/* Windows that are one document each give the bits of the op without starts. */
START_TEST(one_document_per_window_is_the_op_without_starts)
{
    const struct example *e = separate(_i);
    struct example plainly = *e;
    plainly.n_in = 1;
    for (int type = 0; type < 2; type++) {
        const enum dtype dtype = type == 0 ? DT_F32 : DT_BF16;
        struct instance *x = instance_of(e, sizes[1].B, sizes[1].T, dtype, 0.5),
                        *y = instance_of(&plainly, sizes[1].B, sizes[1].T, dtype, 0.5);
        memset(x->call.in[1].data, 0, tensor_bytes(&x->call.in[1]));
        run(x);
        run(y);
        assert_same_tensor(&x->call.out[0], &y->call.out[0]);
        assert_same_tensor(&x->call.d_in[0], &y->call.d_in[0]);
        for (int p = 0; p < e->n_param; p++) ck_assert_mem_eq(x->call.sink[p].sum, y->call.sink[p].sum, x->sink_bytes[p]);
    }
}
END_TEST

static void setup(void) { arena_open_growing(&arena, "ops"); }
static void teardown(void) { arena_close(&arena); }

int main(void)
{
    parallel_init();
    parallel_set_threads(2);
    TCase *c = tcase_create("ops");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_op_of_the_table_has_an_example);
    tcase_add_loop_test(c, forward_is_the_reference, 0, N_EXAMPLES);
    tcase_add_loop_test(c, gradients_are_finite_differences, 0, N_EXAMPLES);
    tcase_add_loop_test(c, bits_do_not_depend_on_threads, 0, N_EXAMPLES);
    tcase_add_loop_test(c, gradients_are_added_where_asked_and_skipped_where_unwanted, 0, N_EXAMPLES);
    tcase_add_loop_test(c, a_frozen_parameter_leaves_the_others_alone, 0, N_EXAMPLES);
    tcase_add_loop_test(c, bf16_is_close_to_fp32, 0, N_EXAMPLES);
    tcase_add_loop_test(c, zeros_give_no_nan, 0, N_EXAMPLES);
    tcase_add_loop_test(c, a_loss_is_the_same_forward_and_backward, 0, N_EXAMPLES);
    tcase_add_loop_test(c, nan_is_not_swallowed, 0, N_EXAMPLES);
    tcase_add_test(c, the_head_adds_once_per_chunk);
    tcase_add_loop_test(c, attention_with_a_cache_is_attention, 0, 2);
    tcase_add_test(c, positions_count_from_the_cache);
    tcase_add_loop_test(c, a_document_is_what_it_is_alone, 0, N_SEPARATE);
    tcase_add_loop_test(c, nothing_passes_between_documents, 0, N_SEPARATE);
    tcase_add_loop_test(c, one_document_per_window_is_the_op_without_starts, 0, N_SEPARATE);
    Suite *s = suite_create("ops");
    suite_add_tcase(s, c);
    return suite_main(s, CK_NOFORK);
}
