/* SOAP: Adam in the eigenbases of Shampoo's two statistics. Bases are kept with the eigenvectors in rows, the largest eigenvalue first, and
 * follow the statistics by one power step and QR. A side longer than max_dim keeps the identity, vectors take plain Adam. The first step of
 * a tensor builds statistics and bases only, so k = t - 1 counts the moves. */
#include "common/base/check.h"
#include "common/math/linalg.h"
#include "late_adam.h"
#include "optim.h"
#include "workspace.h"

#include <math.h>

struct soap {
    double betas[2], shampoo_beta, eps; /* shampoo_beta: below 0: betas[1] */
    int64_t every, max_dim;
};
enum { SLOT_M, SLOT_V, SLOT_LEFT, SLOT_RIGHT, SLOT_BASIS_LEFT, SLOT_BASIS_RIGHT };
enum { NOTE_GAIN };

static bool turned_left(const struct param *p, const struct soap *h) { return p->n_dims >= 2 && p->rows <= h->max_dim; }
static bool turned_right(const struct param *p, const struct soap *h) { return p->n_dims >= 2 && p->cols <= h->max_dim; }
static bool turned(const struct param *p, const struct soap *h) { return turned_left(p, h) || turned_right(p, h); }

static enum extent extent_of_moment(const struct param *p, const void *hyper) { return turned(p, hyper) ? AT_OWNER : PER_ELEMENT; }
static enum extent extent_of_left(const struct param *p, const void *hyper) { return turned_left(p, hyper) ? AT_OWNER : EXTENT_NONE; }
static enum extent extent_of_right(const struct param *p, const void *hyper) { return turned_right(p, hyper) ? AT_OWNER : EXTENT_NONE; }
static void shape_of_moment(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    (void)hyper;
    *rows = p->rows;
    *cols = p->cols;
}
static void shape_of_left(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    (void)hyper;
    *rows = *cols = p->rows;
}
static void shape_of_right(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    (void)hyper;
    *rows = *cols = p->cols;
}

static const char *soap_problem(const struct opt_rule *rule)
{
    (void)rule;
    return linalg_has_lapack() ? NULL : "soap needs LAPACK, which this build lacks";
}

static void soap_need(const struct param *p, const void *hyper, struct opt_need *out) { out->whole = turned(p, hyper); }

static void soap_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    tensor->still = s->t == 1;
    tensor->note[NOTE_GAIN] = tensor->still ? 0 : late_adam_gain(((const struct soap *)s->hyper)->betas, s->t - 1);
}

static void soap_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct soap *h = s->hyper;
    if (v->slot[SLOT_M] != NULL && s->t > 1)
        late_adam(h->betas, h->eps, v->tensor->note[NOTE_GAIN], v->slot[SLOT_M], v->slot[SLOT_V], v->grad, v->u, v->count);
    else
        for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
}

/* ---- at the owner ---- */

struct buffers {
    float *rotated, *half, *original;        /* [rows, cols] */
    double *g, *statistic, *basis, *iterate; /* [rows, cols]; [side, side] of the longer turned side */
    double *values;                          /* [side] */
    int64_t *order;
    void *lapack;
};
static struct buffers take(struct workspace *w, const struct param *p, const struct soap *h)
{
    const int64_t n = p->rows * p->cols;
    const int64_t side = max_i64(turned_left(p, h) ? p->rows : 0, turned_right(p, h) ? p->cols : 0);
    const size_t eigen = linalg_eigen_scratch(side), rows = linalg_orthonormal_rows_scratch(side, side);
    struct buffers b = { .rotated = workspace_floats(w, n), .half = workspace_floats(w, n), .original = workspace_floats(w, n) };
    b.g = workspace_doubles(w, n);
    b.statistic = workspace_doubles(w, side * side);
    b.basis = workspace_doubles(w, side * side);
    b.iterate = workspace_doubles(w, side * side);
    b.values = workspace_doubles(w, side);
    b.order = workspace_bytes(w, (size_t)side * sizeof *b.order);
    b.lapack = workspace_bytes(w, eigen > rows ? eigen : rows);
    return b;
}

/* out = V_L X V_R^T, or back: V_L^T X V_R. A basis that is not there is the identity; one of them is there. */
static void rotate(const struct opt_matrix *x, const float *in, float *out, float *half, bool back)
{
    const struct param *p = x->tensor->param;
    const float *left = x->slot[SLOT_BASIS_LEFT], *right = x->slot[SLOT_BASIS_RIGHT];
    float *first = right != NULL ? half : out;
    if (left != NULL) linalg_product_f32(first, p->rows, p->cols, p->rows, left, back, in, false);
    if (right != NULL) linalg_product_f32(out, p->rows, p->cols, p->cols, left != NULL ? half : in, false, right, !back);
}

/* One side: its statistic G G^T or G^T G, and its basis. */
struct side {
    int64_t n, other;
    float *statistic, *basis;
    bool right;
};

/* L <- beta L + (1 - beta) G G^T; b->statistic holds it before it is rounded. */
static void follow_statistic(const struct soap *h, const struct side *side, const struct buffers *b)
{
    const double beta = h->shampoo_beta < 0 ? h->betas[1] : h->shampoo_beta;
    linalg_gram_f64(b->statistic, side->n, side->other, b->g, side->right);
    for (int64_t i = 0; i < side->n * side->n; i++) {
        b->statistic[i] = beta * (double)side->statistic[i] + (1 - beta) * b->statistic[i];
        side->statistic[i] = (float)b->statistic[i];
    }
}

static void first_basis(const struct side *side, const struct buffers *b)
{
    const int64_t n = side->n;
    const bool found = linalg_eigen(n, b->statistic, b->values, b->lapack);
    for (int64_t i = 0; i < n; i++) {
        const double *vector = b->statistic + (n - 1 - i) * n;
        for (int64_t j = 0; j < n; j++) side->basis[i * n + j] = found ? (float)vector[j] : (float)(i == j);
    }
}

/* Indices by falling values; equal ones keep their order. */
static void order_by(const double *values, int64_t n, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i;
        for (; at > 0 && values[order[at - 1]] < values[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* Eigenvectors by falling v L v^T, then one power step: the rows of V L made orthonormal. b->order tells where each came from. */
static void next_basis(const struct side *side, const struct buffers *b)
{
    const int64_t n = side->n;
    for (int64_t i = 0; i < n * n; i++) b->basis[i] = (double)side->basis[i];
    linalg_product_f64(b->iterate, n, n, n, b->basis, false, b->statistic, false);
    for (int64_t i = 0; i < n; i++) {
        b->values[i] = 0;
        for (int64_t j = 0; j < n; j++) b->values[i] += b->iterate[i * n + j] * b->basis[i * n + j];
    }
    order_by(b->values, n, b->order);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) b->basis[i * n + j] = b->iterate[b->order[i] * n + j];
    linalg_orthonormal_rows(n, n, b->basis, b->lapack);
    for (int64_t i = 0; i < n * n; i++) side->basis[i] = (float)b->basis[i];
}

/* v goes with the eigenvectors: its rows or columns change places. */
static void permute(const struct param *p, float *v, const int64_t *order, bool columns, float *copy)
{
    for (int64_t i = 0; i < p->rows * p->cols; i++) copy[i] = v[i];
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t j = 0; j < p->cols; j++) v[i * p->cols + j] = columns ? copy[i * p->cols + order[j]] : copy[order[i] * p->cols + j];
}

static void follow_side(const struct opt_step *s, const struct opt_matrix *x, const struct side *side, const struct buffers *b,
                        bool refresh)
{
    if (side->basis == NULL) return;
    follow_statistic(s->hyper, side, b);
    if (s->t == 1) first_basis(side, b);
    if (!refresh) return;
    next_basis(side, b);
    permute(x->tensor->param, x->slot[SLOT_V], b->order, side->right, b->half);
}

/* Project with the bases as they are and take the step; only then does the gradient change them. m is turned into the new bases. */
static void soap_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct soap *h = s->hyper;
    const struct param *p = x->tensor->param;
    const int64_t n = p->rows * p->cols;
    struct workspace w = { x->scratch, 0 };
    const struct buffers b = take(&w, p, h);
    float *m = x->slot[SLOT_M], *v = x->slot[SLOT_V];
    for (int64_t i = 0; i < n; i++) b.g[i] = (double)x->u[i];
    if (s->t > 1) {
        rotate(x, x->u, b.rotated, b.half, false);
        late_adam(h->betas, h->eps, x->tensor->note[NOTE_GAIN], m, v, b.rotated, b.rotated, n);
        rotate(x, b.rotated, x->u, b.half, true);
    }
    const bool refresh = s->t > 1 && (s->t - 1) % h->every == 0;
    if (refresh) rotate(x, m, b.original, b.half, true);
    const struct side left = { p->rows, p->cols, x->slot[SLOT_LEFT], x->slot[SLOT_BASIS_LEFT], false };
    const struct side right = { p->cols, p->rows, x->slot[SLOT_RIGHT], x->slot[SLOT_BASIS_RIGHT], true };
    follow_side(s, x, &left, &b, refresh);
    follow_side(s, x, &right, &b, refresh);
    if (refresh) rotate(x, b.original, m, b.half, false);
}

static size_t soap_scratch(const struct param *p, const void *hyper)
{
    struct workspace w = { NULL, 0 };
    (void)take(&w, p, hyper);
    return w.used;
}

static double soap_flops(const struct param *p, const void *hyper)
{
    const struct soap *h = hyper;
    const double n = turned_left(p, h) ? (double)p->rows : 0, m = turned_right(p, h) ? (double)p->cols : 0;
    const double of_turns = (double)p->rows * (double)p->cols * (n + m); /* half of one rotation, or the statistics in fp32 */
    return 6 * of_turns + (4 * of_turns + 12 * (n * n * n + m * m * m)) / (double)h->every; /* by time: double takes two of fp32 */
}

static int64_t soap_every(const void *hyper) { return ((const struct soap *)hyper)->every; }

static const char *const shampoo_beta_words[] = { "", "beta2", NULL };
static const struct field soap_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct soap, betas), "[0.95, 0.95]", 0, 0.999999, NULL, "",
      "decay of the mean of rotated gradients, and of the mean of their squares", true },
    { "shampoo_beta", FIELD_F64, offsetof(struct soap, shampoo_beta), "beta2", 0, 0.999999, shampoo_beta_words, "",
      "decay of the statistics whose eigenvectors are the bases; beta2: as betas[1]", true },
    { "eps", FIELD_F64, offsetof(struct soap, eps), "1e-8", 0, 1, NULL, "", "added to the root of the second moment, before correction",
      true },
    { "every", FIELD_I64, offsetof(struct soap, every), "10", 1, 1e9, NULL, "steps", "after how many steps the bases follow the statistics",
      true },
    { "max_dim", FIELD_I64, offsetof(struct soap, max_dim), "10000", 1, 1e9, NULL, "", "a longer side is not rotated", true },
    { 0 }
};
static const struct opt_slot soap_slots[] = {
    [SLOT_M] = { .name = "m", .extent_of = extent_of_moment, .shape = shape_of_moment },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_moment, .shape = shape_of_moment, .positive = true },
    [SLOT_LEFT] = { .name = "left", .extent_of = extent_of_left, .shape = shape_of_left },
    [SLOT_RIGHT] = { .name = "right", .extent_of = extent_of_right, .shape = shape_of_right },
    [SLOT_BASIS_LEFT] = { .name = "basis_left", .extent_of = extent_of_left, .shape = shape_of_left },
    [SLOT_BASIS_RIGHT] = { .name = "basis_right", .extent_of = extent_of_right, .shape = shape_of_right },
};
static const char *const soap_preset[] = { "lr", "3e-3", "weight_decay", "1e-2", NULL };

const struct opt_desc opt_soap = {
    .variant = { .name = "soap",
                 .summary = "Adam in the eigenbases of Shampoo's statistics",
                 .source = "Vyas et al. 2024 (arXiv 2409.11321), Alg. 3; nikhilvyas/SOAP soap.py",
                 .fields = soap_fields,
                 .bytes = sizeof(struct soap),
                 .preset = soap_preset },
    .equations =
        "A(x): m <- b1 m + (1 - b1) x, v <- b2 v + (1 - b2) x^2, the result m / (sqrt(v) + eps) sqrt(1 - b2^t) / (1 - b1^t); t - 1 for t\n"
        "t = 1: L = (1 - bs) G G^T, R = (1 - bs) G^T G, QL and QR their eigenvectors; theta rests;  bs = shampoo_beta\n"
        "later: u = QL A(QL^T G QR) QR^T;  theta <- (1 - lr weight_decay) (theta - lr u)\n"
        "then L <- bs L + (1 - bs) G G^T, R <- bs R + (1 - bs) G^T G; each `every` steps Q <- qr(L Q), columns by falling diag(Q^T L Q)\n"
        "before it, in which order v follows; m is turned back and into the new bases\n"
        "sides above max_dim keep Q = 1; vectors: u = A(g)",
    .slots = soap_slots,
    .n_slots = 6,
    .decay = DECAY_AFTER,
    .problem = soap_problem,
    .need = soap_need,
    .prepare = soap_prepare,
    .propose = soap_propose,
    .direction = soap_direction,
    .whole_scratch = soap_scratch,
    .whole_flops = soap_flops,
    .whole_every = soap_every
};
