/* APOLLO: the gradient itself, each channel (or the whole) scaled as Adam would scale it in a random projection; a norm that grows too
 * fast is limited. APOLLO-Mini is rank 1, scope tensor, scale 128. Vectors take plain Adam. */
#include "common/base/check.h"
#include "common/math/vec.h"
#include "late_adam.h"
#include "low_rank.h"
#include "optim.h"
#include "workspace.h"

#include <math.h>

enum apollo_scope { SCOPE_CHANNEL, SCOPE_TENSOR };
struct apollo {
    double betas[2], eps, scale, limit;
    int64_t rank, every;
    int scope;
};
enum { SLOT_M, SLOT_V, SLOT_NORM };
enum { NOTE_GAIN };

static bool projected(const struct param *p) { return p->n_dims >= 2; }
static int64_t rank_of(const void *hyper) { return ((const struct apollo *)hyper)->rank; }
static int64_t channels(const struct param *p) { return max_i64(p->rows, p->cols); }

static enum extent extent_of_moment(const struct param *p, const void *hyper)
{
    (void)hyper;
    return projected(p) ? AT_OWNER : PER_ELEMENT;
}
static void shape_of_moment(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    low_rank_shape(p, rank_of(hyper), rows, cols);
}
static enum extent extent_of_norm(const struct param *p, const void *hyper)
{
    (void)hyper;
    return projected(p) ? AT_OWNER : EXTENT_NONE;
}

static void apollo_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)hyper;
    out->whole = projected(p);
}

static void apollo_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    tensor->note[NOTE_GAIN] = late_adam_gain(((const struct apollo *)s->hyper)->betas, s->t);
}

static void apollo_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct apollo *h = s->hyper;
    if (v->slot[SLOT_M] != NULL)
        late_adam(h->betas, h->eps, v->tensor->note[NOTE_GAIN], v->slot[SLOT_M], v->slot[SLOT_V], v->grad, v->u, v->count);
    else
        for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
}

struct buffers {
    float *projection, *reduced, *step; /* P; the gradient through it; Adam's step for that */
    double *of_step, *of_gradient;      /* per channel: sums of squares, then the factor */
};
static struct buffers take(struct workspace *w, const struct param *p, const void *hyper)
{
    const int64_t rank = rank_of(hyper), n = rank * channels(p);
    struct buffers b = { workspace_floats(w, rank * low_rank_short(p)), workspace_floats(w, n), workspace_floats(w, n), NULL, NULL };
    b.of_step = workspace_doubles(w, channels(p));
    b.of_gradient = workspace_doubles(w, channels(p));
    return b;
}

/* N(0, 1/rank), made again in every step instead of kept: a function of the tensor's key and of how often it was drawn anew. */
static const float *projection_of(const struct opt_step *s, const struct param *p, float *out)
{
    const struct apollo *h = s->hyper;
    if (s->projection != NULL) return s->projection;
    const double deviation = 1 / sqrt((double)h->rank);
    for (int64_t i = 0; i < h->rank * low_rank_short(p); i++) out[i] = (float)(deviation * rng_normal(s->key, (s->t - 1) / h->every, i));
    return out;
}

/* Sums of squares of each channel of a projected matrix: of a column where rows < cols, else of a row. */
static void channel_squares(const struct param *p, int64_t rank, const float *x, double *out)
{
    const int64_t n = channels(p);
    if (p->rows >= p->cols) {
        for (int64_t j = 0; j < n; j++) out[j] = vec_sum_squares(x + j * rank, rank);
        return;
    }
    for (int64_t j = 0; j < n; j++) out[j] = 0;
    for (int64_t r = 0; r < rank; r++)
        for (int64_t j = 0; j < n; j++) out[j] += (double)x[r * n + j] * (double)x[r * n + j];
}

static double total(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* s = |u| / (|P G| + 1e-8), of a channel or of all. */
static double ratio(double step_squares, double gradient_squares) { return sqrt(step_squares) / (sqrt(gradient_squares) + 1e-8); }
static void find_factors(const struct apollo *h, const struct param *p, const struct buffers *b)
{
    const int64_t n = channels(p);
    channel_squares(p, h->rank, b->step, b->of_step);
    channel_squares(p, h->rank, b->reduced, b->of_gradient);
    if (h->scope == SCOPE_TENSOR) {
        const double all = ratio(total(b->of_step, n), total(b->of_gradient, n));
        for (int64_t j = 0; j < n; j++) b->of_step[j] = all;
    } else {
        for (int64_t j = 0; j < n; j++) b->of_step[j] = ratio(b->of_step[j], b->of_gradient[j]);
    }
}

/* u <- s u; the sum of its squares. */
static double scale_channels(const struct param *p, const double *factor, float *u)
{
    double squares = 0;
    for (int64_t i = 0; i < p->rows; i++) {
        float *row = u + i * p->cols;
        if (p->rows >= p->cols)
            vec_scale(row, (float)factor[i], row, p->cols);
        else
            for (int64_t j = 0; j < p->cols; j++) row[j] *= (float)factor[j];
        squares += vec_sum_squares(row, p->cols);
    }
    return squares;
}

static void apollo_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct apollo *h = s->hyper;
    const struct param *p = x->tensor->param;
    struct workspace w = { x->scratch, 0 };
    const struct buffers b = take(&w, p, h);
    low_rank_down(p, h->rank, projection_of(s, p, b.projection), x->u, b.reduced);
    late_adam(h->betas, h->eps, 1, x->slot[SLOT_M], x->slot[SLOT_V], b.reduced, b.step, h->rank * channels(p));
    find_factors(h, p, &b);
    const double norm = sqrt(scale_channels(p, b.of_step, x->u)), last = (double)x->slot[SLOT_NORM][0];
    const double limiter = s->t > 1 ? fmax(1, norm / (h->limit * (last + 1e-8))) : 1;
    x->slot[SLOT_NORM][0] = (float)(norm / limiter);
    vec_scale(x->u, (float)(x->tensor->note[NOTE_GAIN] * sqrt(h->scale) / limiter), x->u, p->rows * p->cols);
}

static size_t apollo_scratch(const struct param *p, const void *hyper)
{
    struct workspace w = { NULL, 0 };
    (void)take(&w, p, hyper);
    return w.used;
}

static double apollo_flops(const struct param *p, const void *hyper)
{
    enum { OF_A_NORMAL = 100 }; /* logarithm, cosine and root of a random number */
    const double rank = (double)rank_of(hyper);
    return 2 * (double)p->rows * (double)p->cols * rank + OF_A_NORMAL * rank * (double)low_rank_short(p);
}

static const char *const scope_words[] = { "channel", "tensor", NULL };
static const struct field apollo_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct apollo, betas), "[0.9, 0.999]", 0, 0.999999, NULL, "",
      "decay of the mean of projected gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct apollo, eps), "1e-6", 0, 1, NULL, "", "added to the root of the second moment, before correction",
      true },
    { "rank", FIELD_I64, offsetof(struct apollo, rank), "128", 1, 1e6, NULL, "", "random directions of the projection", true },
    { "every", FIELD_I64, offsetof(struct apollo, every), "200", 1, 1e9, NULL, "steps", "after how many steps they are drawn anew", true },
    { "scale", FIELD_F64, offsetof(struct apollo, scale), "1", 0, 1e9, NULL, "", "its root multiplies the step of a matrix (Mini: 128)",
      true },
    { "scope", FIELD_ENUM, offsetof(struct apollo, scope), "channel", 0, 0, scope_words, "",
      "what has one factor: each channel along the long side, or the tensor (Mini)", true },
    { "limit", FIELD_F64, offsetof(struct apollo, limit), "1.01", 1, 1e9, NULL, "", "most growth of a step's norm from step to step",
      true },
    { 0 }
};
static const struct opt_slot apollo_slots[] = {
    [SLOT_M] = { .name = "m", .extent_of = extent_of_moment, .shape = shape_of_moment },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_moment, .shape = shape_of_moment, .positive = true },
    [SLOT_NORM] = { .name = "norm", .extent_of = extent_of_norm },
};
static const char *const apollo_preset[] = { "lr", "1e-2", "weight_decay", "0", NULL };

const struct opt_desc opt_apollo = {
    .variant = { .name = "apollo",
                 .summary = "gradient scaled by channel as Adam would in a random projection",
                 .source = "Zhu et al. 2024 (arXiv 2412.05270), Alg. 1; zhuhanqing/APOLLO",
                 .fields = apollo_fields,
                 .bytes = sizeof(struct apollo),
                 .preset = apollo_preset },
    .equations =
        "A(x): m <- b1 m + (1 - b1) x, v <- b2 v + (1 - b2) x^2, the result m / (sqrt(v) + eps) sqrt(1 - b2^t) / (1 - b1^t)\n"
        "P: `rank` rows of N(0, 1 / rank) as long as the shorter side, drawn anew each `every` steps;  r = P G (or G P^T)\n"
        "s = |m / (sqrt(v) + eps)| / (|r| + 1e-8), the moments those of r: by channel of the longer side, or one for the tensor (scope)\n"
        "S = s G;  S <- S / max(1, |S| / (limit (|S of the last step| + 1e-8))) from the second step on\n"
        "u = sqrt(scale) sqrt(1 - b2^t) / (1 - b1^t) S;  vectors: u = A(g)\n"
        "theta <- (1 - lr weight_decay) (theta - lr u)",
    .slots = apollo_slots,
    .n_slots = 3,
    .decay = DECAY_AFTER,
    .flags = OPT_PROJECTED,
    .need = apollo_need,
    .prepare = apollo_prepare,
    .propose = apollo_propose,
    .direction = apollo_direction,
    .whole_scratch = apollo_scratch,
    .whole_flops = apollo_flops
};
