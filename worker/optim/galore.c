/* GaLore: Adam in the directions of the gradient's largest singular vectors, found anew every so many steps; the rest of the gradient is
 * dropped. Vectors take plain Adam. */
#include "common/math/linalg.h"
#include "late_adam.h"
#include "low_rank.h"
#include "optim.h"
#include "workspace.h"

#include <math.h>

struct galore {
    double betas[2], eps, scale;
    int64_t rank, every;
};
enum { SLOT_M, SLOT_V, SLOT_P };
enum { NOTE_GAIN };

static bool projected(const struct param *p) { return p->n_dims >= 2; }
static int64_t rank_of(const struct param *p, const void *hyper)
{
    const int64_t rank = ((const struct galore *)hyper)->rank, most = low_rank_short(p);
    return rank < most ? rank : most;
}

static enum extent extent_of_moment(const struct param *p, const void *hyper)
{
    (void)hyper;
    return projected(p) ? AT_OWNER : PER_ELEMENT;
}
static void shape_of_moment(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    low_rank_shape(p, rank_of(p, hyper), rows, cols);
}
static enum extent extent_of_p(const struct param *p, const void *hyper)
{
    (void)hyper;
    return projected(p) ? AT_OWNER : EXTENT_NONE;
}
static void shape_of_p(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    *rows = rank_of(p, hyper);
    *cols = low_rank_short(p);
}

static const char *galore_problem(const struct opt_rule *rule)
{
    (void)rule;
    return linalg_has_lapack() ? NULL : "galore needs LAPACK, which this build lacks";
}

static void galore_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)hyper;
    out->whole = projected(p);
}

static void galore_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    tensor->note[NOTE_GAIN] = late_adam_gain(((const struct galore *)s->hyper)->betas, s->t);
}

static void galore_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct galore *h = s->hyper;
    if (v->slot[SLOT_M] != NULL)
        late_adam(h->betas, h->eps, v->tensor->note[NOTE_GAIN], v->slot[SLOT_M], v->slot[SLOT_V], v->grad, v->u, v->count);
    else
        for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
}

struct buffers {
    float *reduced; /* the gradient through P, then its Adam step */
    double *g, *left, *values, *right;
    void *lapack;
};
static struct buffers take(struct workspace *w, const struct param *p, const void *hyper)
{
    int64_t rows, cols, k = low_rank_short(p);
    shape_of_moment(p, hyper, &rows, &cols);
    struct buffers b = { .reduced = workspace_floats(w, rows * cols), .g = workspace_doubles(w, p->rows * p->cols) };
    b.left = workspace_doubles(w, p->rows * k);
    b.values = workspace_doubles(w, k);
    b.right = workspace_doubles(w, k * p->cols);
    b.lapack = workspace_bytes(w, linalg_svd_scratch(p->rows, p->cols));
    return b;
}

/* The singular vectors of the short side with the largest values, in rows. Moments are not turned with them, so the sign counts: the
 * largest entry of each (the first of equals) is positive. */
static void find_projection(const struct param *p, int64_t rank, const float *g, float *projection, const struct buffers *b)
{
    const int64_t k = low_rank_short(p);
    for (int64_t i = 0; i < p->rows * p->cols; i++) b->g[i] = (double)g[i];
    if (!linalg_svd(p->rows, p->cols, b->g, b->left, b->values, b->right, b->lapack)) return; /* no convergence: as it was */
    for (int64_t r = 0; r < rank; r++) {
        const double *vector = p->rows < p->cols ? b->left + r : b->right + r * p->cols;
        const int64_t stride = p->rows < p->cols ? k : 1;
        double largest = 0;
        for (int64_t i = 0; i < k; i++)
            if (fabs(vector[i * stride]) > fabs(largest)) largest = vector[i * stride];
        for (int64_t i = 0; i < k; i++) projection[r * k + i] = (float)(largest < 0 ? -vector[i * stride] : vector[i * stride]);
    }
}

static void galore_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct galore *h = s->hyper;
    const struct param *p = x->tensor->param;
    struct workspace w = { x->scratch, 0 };
    const struct buffers b = take(&w, p, h);
    const int64_t rank = rank_of(p, h);
    int64_t rows, cols;
    shape_of_moment(p, h, &rows, &cols);
    if ((s->t - 1) % h->every == 0) find_projection(p, rank, x->u, x->slot[SLOT_P], &b);
    low_rank_down(p, rank, x->slot[SLOT_P], x->u, b.reduced);
    late_adam(h->betas, h->eps, h->scale * x->tensor->note[NOTE_GAIN], x->slot[SLOT_M], x->slot[SLOT_V], b.reduced, b.reduced, rows * cols);
    low_rank_up(p, rank, x->slot[SLOT_P], b.reduced, x->u);
}

static size_t galore_scratch(const struct param *p, const void *hyper)
{
    struct workspace w = { NULL, 0 };
    (void)take(&w, p, hyper);
    return w.used;
}

static double galore_flops(const struct param *p, const void *hyper)
{
    const struct galore *h = hyper;
    const double n = (double)p->rows, m = (double)p->cols, k = (double)low_rank_short(p);
    return 4 * n * m * (double)rank_of(p, h) + (12 * n * m * k + 40 * k * k * k) / (double)h->every; /* by time: double takes two of fp32 */
}

static int64_t galore_every(const void *hyper) { return ((const struct galore *)hyper)->every; }

static const struct field galore_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct galore, betas), "[0.9, 0.999]", 0, 0.999999, NULL, "",
      "decay of the mean of projected gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct galore, eps), "1e-6", 0, 1, NULL, "", "added to the root of the second moment, before correction",
      true },
    { "rank", FIELD_I64, offsetof(struct galore, rank), "128", 1, 1e9, NULL, "", "singular vectors kept; at most the short side", true },
    { "every", FIELD_I64, offsetof(struct galore, every), "200", 1, 1e9, NULL, "steps", "after how many steps they are found anew", true },
    { "scale", FIELD_F64, offsetof(struct galore, scale), "0.25", 0, 1e6, NULL, "", "multiplies the step of a matrix", true },
    { 0 }
};
static const struct opt_slot galore_slots[] = {
    [SLOT_M] = { .name = "m", .extent_of = extent_of_moment, .shape = shape_of_moment },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_moment, .shape = shape_of_moment, .positive = true },
    [SLOT_P] = { .name = "projection", .extent_of = extent_of_p, .shape = shape_of_p },
};
static const char *const galore_preset[] = { "lr", "1e-2", "weight_decay", "0", NULL };

const struct opt_desc opt_galore = {
    .variant = { .name = "galore",
                 .summary = "Adam in the leading singular directions of the gradient",
                 .source = "Zhao et al. 2024 (arXiv 2403.03507), Alg. 2; jiaweizzhao/GaLore",
                 .fields = galore_fields,
                 .bytes = sizeof(struct galore),
                 .preset = galore_preset },
    .equations = "A(x): m <- b1 m + (1 - b1) x, v <- b2 v + (1 - b2) x^2, the result m / (sqrt(v) + eps) sqrt(1 - b2^t) / (1 - b1^t)\n"
                 "t = 1, every + 1, ...: P = the `rank` first singular vectors of G on its shorter side, largest entries positive\n"
                 "rows < columns: u = scale P^T A(P G);  else u = scale A(G P^T) P;  vectors: u = A(g)\n"
                 "theta <- (1 - lr weight_decay) (theta - lr u)",
    .slots = galore_slots,
    .n_slots = 3,
    .decay = DECAY_AFTER,
    .problem = galore_problem,
    .need = galore_need,
    .prepare = galore_prepare,
    .propose = galore_propose,
    .direction = galore_direction,
    .whole_scratch = galore_scratch,
    .whole_flops = galore_flops,
    .whole_every = galore_every
};
