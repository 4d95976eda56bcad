/* Shampoo: L^(-1/4) M R^(-1/4) per block of a matrix, L and R sums of G G^T and G^T G; a vector has R^(-1/2) alone. Blocks stand in the
 * coordinates of the whole tensor, so no layout can change them. Grafting gives each block the norm of a simpler step. */
#include "common/base/check.h"
#include "common/math/linalg.h"
#include "optim.h"
#include "power.h"
#include "workspace.h"

#include <math.h>

enum shampoo_graft { GRAFT_NONE, GRAFT_SGD, GRAFT_ADAGRAD, GRAFT_RMSPROP, GRAFT_ADAM };
struct shampoo {
    double betas[2], eps, graft_beta2, graft_eps;
    int64_t every, block;
    int graft;
};
enum { SLOT_M, SLOT_V, SLOT_LEFT, SLOT_RIGHT, SLOT_ROOT_LEFT, SLOT_ROOT_RIGHT };
enum { NOTE_C1, NOTE_C2, NOTE_C_GRAFT };

/* ---- what is stored ---- */

static bool is_vector(const struct param *p) { return p->n_dims < 2; }

/* Blocks along a side: all of `block` elements but the last. The left root of every block, one after the other. */
static int64_t squares_along(int64_t side, int64_t block)
{
    const int64_t rest = side % block;
    return side / block * block * block + rest * rest;
}
static void shape_of_side(int64_t side, int64_t other, int64_t block, int64_t *rows, int64_t *cols)
{
    const bool one = side <= block && other <= block;
    *rows = one ? side : 1;
    *cols = one ? side : squares_along(side, block) * ceil_div(other, block);
}
static void shape_of_root_left(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    shape_of_side(p->rows, p->cols, ((const struct shampoo *)hyper)->block, rows, cols);
}
static void shape_of_root_right(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    shape_of_side(p->cols, p->rows, ((const struct shampoo *)hyper)->block, rows, cols);
}
static void shape_of_v(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    (void)hyper;
    *rows = p->rows;
    *cols = p->cols;
}

/* Until a statistic has full rank its root multiplies what lies outside by eps^(-1/4), a thousand, or for a vector by eps^(-1/2), a
 * million: what fp32 rounds off would come back as large as the step. So statistics, and m of a vector, are pairs of floats: values, and
 * behind them what these round off. */
static void shape_of_left(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    shape_of_root_left(p, hyper, rows, cols);
    *rows *= 2;
}
static void shape_of_right(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    shape_of_root_right(p, hyper, rows, cols);
    *rows *= 2;
}
static void shape_of_m(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    shape_of_v(p, hyper, rows, cols);
    *rows *= is_vector(p) ? 2 : 1;
}

static enum extent extent_of_m(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct shampoo *)hyper)->betas[0] > 0 ? AT_OWNER : EXTENT_NONE;
}
static enum extent extent_of_v(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct shampoo *)hyper)->graft >= GRAFT_ADAGRAD ? AT_OWNER : EXTENT_NONE;
}
static enum extent extent_of_left(const struct param *p, const void *hyper)
{
    (void)hyper;
    return is_vector(p) ? EXTENT_NONE : AT_OWNER;
}
/* Roots that are taken in every step need not be kept. */
static enum extent extent_of_root_right(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct shampoo *)hyper)->every > 1 ? AT_OWNER : EXTENT_NONE;
}
static enum extent extent_of_root_left(const struct param *p, const void *hyper)
{
    return is_vector(p) ? EXTENT_NONE : extent_of_root_right(p, hyper);
}

static const char *shampoo_problem(const struct opt_rule *rule)
{
    if (((const struct shampoo *)rule->hyper)->betas[0] == 1) return "the first of betas must be below 1";
    return linalg_has_lapack() ? NULL : "shampoo needs LAPACK, which this build lacks";
}

static void shampoo_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)p;
    (void)hyper;
    out->whole = true;
}

static void shampoo_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct shampoo *h = s->hyper;
    tensor->note[NOTE_C1] = 1 - power_whole(h->betas[0], s->t);
    tensor->note[NOTE_C2] = h->betas[1] < 1 ? 1 - power_whole(h->betas[1], s->t) : 1;
    tensor->note[NOTE_C_GRAFT] = h->graft == GRAFT_ADAM ? 1 - power_whole(h->graft_beta2, s->t) : 1;
}

static void shampoo_propose(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
}

/* ---- one block, in double ---- */

struct buffers {
    double *g, *m, *graft, *half; /* [rows, cols] of a block: gradient, M, A, and a product */
    double *left, *right;         /* roots of the sides */
    double *statistic, *values;   /* of one side; its eigenvectors */
    void *lapack;
};
static struct buffers take(struct workspace *w, const struct param *p, const struct shampoo *h)
{
    const int64_t rows = min_i64(p->rows, h->block), cols = min_i64(p->cols, h->block), n = rows * cols, side = max_i64(rows, cols);
    struct buffers b = { .g = workspace_doubles(w, n), .m = workspace_doubles(w, n) };
    b.graft = workspace_doubles(w, n);
    b.half = workspace_doubles(w, n);
    b.left = workspace_doubles(w, rows * rows);
    b.right = workspace_doubles(w, cols * cols);
    b.statistic = workspace_doubles(w, side * side);
    b.values = workspace_doubles(w, side);
    b.lapack = workspace_bytes(w, linalg_eigen_scratch(side));
    return b;
}

/* Values and what they round off (NULL: lost). */
struct pair {
    float *high, *low;
};
static double pair_load(struct pair x, int64_t i) { return x.low != NULL ? (double)x.high[i] + (double)x.low[i] : (double)x.high[i]; }
static void pair_store(struct pair x, int64_t i, double value)
{
    x.high[i] = (float)value;
    if (x.low != NULL) x.low[i] = (float)(value - (double)x.high[i]);
}

struct block {
    int64_t row, rows, col, cols;
    struct pair m; /* of the whole tensor */
    /* Its part of the slots; NULL where there is none. */
    struct pair left, right;
    float *root_left, *root_right;
};

/* L <- L + G G^T, or beta L + (1 - beta) G G^T; b->statistic holds it before it is rounded. */
static void follow_statistic(const struct shampoo *h, const struct block *at, bool right, const struct buffers *b)
{
    const int64_t n = right ? at->cols : at->rows;
    const struct pair stored = right ? at->right : at->left;
    const double keep = h->betas[1], add = keep < 1 ? 1 - keep : 1;
    linalg_gram_f64(b->statistic, n, right ? at->rows : at->cols, b->g, right);
    for (int64_t i = 0; i < n * n; i++) {
        b->statistic[i] = keep * pair_load(stored, i) + add * b->statistic[i];
        pair_store(stored, i, b->statistic[i]);
    }
}

/* root = V^T (values / c2 + eps)^(-1/4) V, or -1/2 for a vector: a gram matrix of the scaled eigenvectors, so symmetric. A value that
 * rounding made negative is zero; with eps zero as well its direction gets no step. */
static void take_root(double eps, double c2, bool square_root, int64_t n, double *root, const struct buffers *b)
{
    const bool found = linalg_eigen(n, b->statistic, b->values, b->lapack);
    for (int64_t i = 0; i < n; i++) {
        const double value = fmax(b->values[i], 0) / c2 + eps, inverse = value > 0 ? 1 / sqrt(value) : 0;
        const double half = square_root ? sqrt(inverse) : sqrt(sqrt(inverse)); /* squared by the product */
        for (int64_t j = 0; j < n; j++) b->statistic[i * n + j] = found ? half * b->statistic[i * n + j] : (double)(i == j);
    }
    linalg_gram_f64(root, n, n, b->statistic, true);
}

/* The root of one side in this step: new ones every so many steps, else those that were kept. */
static void side_root(const struct opt_step *s, const struct opt_matrix *x, const struct block *at, bool right, const struct buffers *b)
{
    const struct shampoo *h = s->hyper;
    const int64_t n = right ? at->cols : at->rows;
    float *kept = right ? at->root_right : at->root_left;
    double *root = right ? b->right : b->left;
    follow_statistic(h, at, right, b);
    if (s->t % h->every == 0) {
        take_root(h->eps, x->tensor->note[NOTE_C2], is_vector(x->tensor->param), n, root, b);
        for (int64_t i = 0; kept != NULL && i < n * n; i++) kept[i] = (float)root[i];
    } else {
        for (int64_t i = 0; i < n * n; i++) root[i] = (double)kept[i];
    }
}

/* M = the corrected mean of gradients, A = M / (sqrt(V / c) + eps). */
static void simple_steps(const struct opt_step *s, const struct opt_matrix *x, const struct block *at, const struct buffers *b)
{
    const struct shampoo *h = s->hyper;
    const double b1 = h->betas[0], c1 = x->tensor->note[NOTE_C1], c = x->tensor->note[NOTE_C_GRAFT];
    const double keep = h->graft == GRAFT_ADAGRAD ? 1 : h->graft_beta2, add = h->graft == GRAFT_ADAGRAD ? 1 : 1 - h->graft_beta2;
    for (int64_t i = 0; i < at->rows; i++)
        for (int64_t j = 0; j < at->cols; j++) {
            const int64_t in = i * at->cols + j, out = (at->row + i) * x->tensor->param->cols + at->col + j;
            const double g = (double)x->u[out];
            double m = g;
            if (at->m.high != NULL) {
                m = b1 * pair_load(at->m, out) + (1 - b1) * g;
                pair_store(at->m, out, m);
                m /= c1;
            }
            b->g[in] = g;
            b->m[in] = b->graft[in] = m;
            if (x->slot[SLOT_V] == NULL) continue;
            const double v = keep * (double)x->slot[SLOT_V][out] + add * g * g, divisor = sqrt(v / c) + h->graft_eps;
            x->slot[SLOT_V][out] = (float)v;
            b->graft[in] = divisor > 0 ? m / divisor : 0;
        }
}

static double norm_of(const double *x, int64_t n)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += x[i] * x[i];
    return sqrt(squares);
}

/* U = L^(-1/4) M R^(-1/4) in b->g; with a graft of the norm |A|. */
static void precondition(const struct shampoo *h, const struct block *at, const struct buffers *b)
{
    const int64_t n = at->rows * at->cols;
    if (at->left.high != NULL) linalg_product_f64(b->half, at->rows, at->cols, at->rows, b->left, false, b->m, false);
    linalg_product_f64(b->g, at->rows, at->cols, at->cols, at->left.high != NULL ? b->half : b->m, false, b->right, false);
    if (h->graft == GRAFT_NONE) return;
    const double factor = norm_of(b->graft, n) / (norm_of(b->g, n) + 1e-16);
    for (int64_t i = 0; i < n; i++) b->g[i] *= factor;
}

static void block_direction(const struct opt_step *s, struct opt_matrix *x, const struct block *at, const struct buffers *b)
{
    const struct shampoo *h = s->hyper;
    simple_steps(s, x, at, b);
    if (at->left.high != NULL) side_root(s, x, at, false, b);
    side_root(s, x, at, true, b);
    const bool ready = s->t >= h->every; /* before the first roots the step is A */
    if (ready) precondition(h, at, b);
    const double *step = ready ? b->g : b->graft;
    for (int64_t i = 0; i < at->rows; i++)
        for (int64_t j = 0; j < at->cols; j++) x->u[(at->row + i) * x->tensor->param->cols + at->col + j] = (float)step[i * at->cols + j];
}

static int64_t values_of(void (*shape)(const struct param *, const void *, int64_t *, int64_t *), const struct param *p, const void *hyper)
{
    int64_t rows, cols;
    shape(p, hyper, &rows, &cols);
    return rows * cols;
}

/* Values of a slot from `at` on; what they round off stands `half` behind (0: nowhere). */
static struct pair pair_at(float *slot, int64_t at, int64_t half)
{
    return slot != NULL ? (struct pair){ slot + at, half > 0 ? slot + half + at : NULL } : (struct pair){ NULL, NULL };
}
static float *offset(float *slot, int64_t at) { return slot != NULL ? slot + at : NULL; }

static void shampoo_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct shampoo *h = s->hyper;
    const struct param *p = x->tensor->param;
    struct workspace w = { x->scratch, 0 };
    const struct buffers b = take(&w, p, h);
    const int64_t all_left = values_of(shape_of_root_left, p, h), all_right = values_of(shape_of_root_right, p, h);
    int64_t left = 0, right = 0; /* where a block's part begins */
    for (int64_t row = 0; row < p->rows; row += h->block)
        for (int64_t col = 0; col < p->cols; col += h->block) {
            struct block at = {
                .row = row, .rows = min_i64(h->block, p->rows - row), .col = col, .cols = min_i64(h->block, p->cols - col)
            };
            at.m = pair_at(x->slot[SLOT_M], 0, is_vector(p) ? p->cols : 0);
            at.left = pair_at(x->slot[SLOT_LEFT], left, all_left);
            at.right = pair_at(x->slot[SLOT_RIGHT], right, all_right);
            at.root_left = offset(x->slot[SLOT_ROOT_LEFT], left);
            at.root_right = offset(x->slot[SLOT_ROOT_RIGHT], right);
            block_direction(s, x, &at, &b);
            left += at.rows * at.rows;
            right += at.cols * at.cols;
        }
}

static size_t shampoo_scratch(const struct param *p, const void *hyper)
{
    struct workspace w = { NULL, 0 };
    (void)take(&w, p, hyper);
    return w.used;
}

/* In operations of a product in fp32, by time: double takes two of them, eigenvectors run at half the speed of products. */
static double shampoo_flops(const struct param *p, const void *hyper)
{
    const struct shampoo *h = hyper;
    const double rows = (double)min_i64(p->rows, h->block), cols = (double)min_i64(p->cols, h->block);
    const double blocks = (double)(p->rows * p->cols) / (rows * cols);
    return blocks * (6 * rows * cols * (rows + cols) + 24 * (rows * rows * rows + cols * cols * cols) / (double)h->every);
}

static int64_t shampoo_every(const void *hyper) { return ((const struct shampoo *)hyper)->every; }

static const char *const graft_words[] = { "none", "sgd", "adagrad", "rmsprop", "adam", NULL };
static const struct field shampoo_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct shampoo, betas), "[0.9, 1.0]", 0, 1, NULL, "",
      "decay of the mean of gradients, and of the statistics; the second 1: they are sums", true },
    { "eps", FIELD_F64, offsetof(struct shampoo, eps), "1e-12", 0, 1, NULL, "", "added to eigenvalues before the root", true },
    { "every", FIELD_I64, offsetof(struct shampoo, every), "1", 1, 1e9, NULL, "steps", "after how many steps roots are taken anew", true },
    { "block", FIELD_I64, offsetof(struct shampoo, block), "1024", 1, 1e6, NULL, "", "longest side of a block with statistics of its own",
      true },
    { "graft", FIELD_ENUM, offsetof(struct shampoo, graft), "none", 0, 0, graft_words, "",
      "whose norm a block's step takes, and whose step is taken before the first roots", true },
    { "graft_beta2", FIELD_F64, offsetof(struct shampoo, graft_beta2), "0.999", 0, 0.999999, NULL, "",
      "decay of the mean of squares of rmsprop and adam", true },
    { "graft_eps", FIELD_F64, offsetof(struct shampoo, graft_eps), "1e-8", 0, 1, NULL, "", "added to the root of those squares", true },
    { 0 }
};
static const struct opt_slot shampoo_slots[] = {
    [SLOT_M] = { .name = "m", .extent_of = extent_of_m, .shape = shape_of_m },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_v, .shape = shape_of_v, .positive = true },
    [SLOT_LEFT] = { .name = "left", .extent_of = extent_of_left, .shape = shape_of_left },
    [SLOT_RIGHT] = { .name = "right", .extent = AT_OWNER, .shape = shape_of_right },
    [SLOT_ROOT_LEFT] = { .name = "root_left", .extent_of = extent_of_root_left, .shape = shape_of_root_left },
    [SLOT_ROOT_RIGHT] = { .name = "root_right", .extent_of = extent_of_root_right, .shape = shape_of_root_right },
};
static const char *const shampoo_preset[] = { "lr", "1e-2", "weight_decay", "0", NULL };

const struct opt_desc opt_shampoo = {
    .variant = { .name = "shampoo",
                 .summary = "inverse roots of row and column statistics around the gradient",
                 .source = "Gupta et al. 2018 (arXiv 1802.09568), Alg. 1; facebookresearch/optimizers",
                 .fields = shampoo_fields,
                 .bytes = sizeof(struct shampoo),
                 .preset = shampoo_preset },
    .equations =
        "by block: L <- b2 L + (1 - b2) G G^T, R <- b2 R + (1 - b2) G^T G (b2 = 1: sums);  M = mean of G, corrected\n"
        "U = (L / (1 - b2^t) + eps)^(-1/4) M (R / (1 - b2^t) + eps)^(-1/4); roots anew each `every` steps;  vectors: (R + eps)^(-1/2) M\n"
        "graft: U <- U |A| / (|U| + 1e-16), A = M (sgd) or M / (sqrt(V) + graft_eps); V: sum (adagrad), mean (rmsprop), corrected mean "
        "(adam) of G^2\n"
        "theta <- (1 - lr weight_decay) theta - lr U",
    .slots = shampoo_slots,
    .n_slots = 6,
    .decay = DECAY_BEFORE,
    .problem = shampoo_problem,
    .need = shampoo_need,
    .prepare = shampoo_prepare,
    .propose = shampoo_propose,
    .direction = shampoo_direction,
    .whole_scratch = shampoo_scratch,
    .whole_flops = shampoo_flops,
    .whole_every = shampoo_every
};
