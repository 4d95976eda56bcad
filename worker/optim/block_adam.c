#include "block_adam.h"
#include "common/base/check.h"
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "power.h"

#include <math.h>

enum { SLOT_M, SLOT_V, SLOT_MOST, SLOT_PRODUCT };
/* What a step's tiles share: v <- keep v + take mean(g^2); u = (cm m + cg g) / (root(v) * inverse + eps), inverse = 1 / sqrt(1 - b2^t);
 * of blocks whose sums cross ranks: the divisors, one for each part of the tensor. */
enum { NOTE_KEEP, NOTE_TAKE, NOTE_CM, NOTE_CG, NOTE_INVERSE, NOTE_DIVISOR };
_Static_assert(NOTE_DIVISOR + (int)COUNTS_MAX <= (int)OPT_NOTES && (int)COUNTS_MAX <= (int)OPT_MAX_SUMS, "a note and a sum for each part");

const char *const nadam_words[] = { "none", "torch", "optax", NULL };
const char *const granularity_words[] = { "element", "row", "head", "tensor", "model", NULL };
const char *const head_rows_words[] = { "auto", NULL };

const char *block_adam_problem(const struct opt_rule *rule)
{
    const struct block_adam *h = rule->hyper;
    if (h->head_rows > 0 && h->granularity != BY_HEAD) return "head_rows is for granularity: head";
    if (h->split.n > 0 && h->granularity != BY_TENSOR) return "split is for granularity: tensor";
    if (h->frozen_after > 0 && h->amsgrad) return "frozen_after and amsgrad exclude each other: what stands still has no maximum to follow";
    return NULL;
}

/* ---- blocks ---- */

static enum granularity granularity_of(const struct param *p, const struct block_adam *h)
{
    return h->biases == BIASES_BY_ELEMENT && p->role == ROLE_BIAS ? BY_ELEMENT : (enum granularity)h->granularity;
}

/* Rows of a block that lies in rows. */
static int64_t rows_of_block(const struct param *p, const struct block_adam *h)
{
    if (granularity_of(p, h) != BY_HEAD) return 1;
    return h->head_rows > 0 ? h->head_rows : max_i64(1, p->head_rows);
}

/* Parts of a fused tensor, each of which is a block; a tensor whose rows are not those of the parts is one block. */
static int parts_of(const struct param *p, const struct block_adam *h)
{
    int64_t rows = 0;
    for (int k = 0; k < h->split.n; k++) rows += h->split.value[k];
    return granularity_of(p, h) == BY_TENSOR && rows == p->rows ? h->split.n : 1;
}

static int part_of_row(const struct block_adam *h, int parts, int64_t row)
{
    int k = 0;
    while (k + 1 < parts && row >= h->split.value[k]) row -= h->split.value[k++];
    return k;
}

static enum extent extent_of_v(const struct param *p, const void *hyper)
{
    static const enum extent of[] = {
        [BY_ELEMENT] = PER_ELEMENT, [BY_ROW] = PER_ROW, [BY_HEAD] = PER_BLOCK, [BY_TENSOR] = PER_TENSOR, [BY_MODEL] = PER_TENSOR
    };
    return of[granularity_of(p, hyper)];
}
static enum extent extent_of_most(const struct param *p, const void *hyper)
{
    return ((const struct block_adam *)hyper)->amsgrad ? extent_of_v(p, hyper) : EXTENT_NONE;
}
static enum extent extent_of_product(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct block_adam *)hyper)->nadam == NADAM_TORCH ? PER_TENSOR : EXTENT_NONE;
}
static void shape_of_v(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    *rows = 1;
    *cols = parts_of(p, hyper);
}

const struct opt_slot block_adam_slots[BLOCK_ADAM_SLOTS] = {
    [SLOT_M] = { .name = "m", .extent = PER_ELEMENT },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_v, .shape = shape_of_v, .positive = true },
    [SLOT_MOST] = { .name = "v_most", .extent_of = extent_of_most, .shape = shape_of_v, .positive = true },
    [SLOT_PRODUCT] = { .name = "mu_product", .extent_of = extent_of_product, .initial = 1 },
};

int64_t block_adam_row_align(const struct param *p, const void *hyper) { return rows_of_block(p, hyper); }

/* All tensors of the rule keep the model's second moment, with the same bits: nothing has to be stored elsewhere. */
void block_adam_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    const enum granularity by = granularity_of(p, hyper);
    out->scalars[0] = by == BY_TENSOR || by == BY_MODEL ? parts_of(p, hyper) : 0;
    out->shared = by == BY_MODEL;
}

/* ---- the step ---- */

/* Frozen moments: over the first T steps, in which the weights stand still, v is the mean of T + 1 squares, the first of them 0; later it
 * stays. It is never corrected. */
static void prepare_moment(const struct block_adam *h, int64_t t, struct opt_tensor *tensor)
{
    const bool averages = t <= h->frozen_after;
    tensor->still = averages;
    tensor->note[NOTE_KEEP] = h->frozen_after == 0 ? h->betas[1] : averages ? (double)t / (double)(t + 1) : 1;
    tensor->note[NOTE_TAKE] = h->frozen_after == 0 ? 1 - h->betas[1] : averages ? 1 / (double)(t + 1) : 0;
    tensor->note[NOTE_INVERSE] = h->frozen_after == 0 ? 1 / sqrt(1 - power_whole(h->betas[1], t)) : 1;
}

/* n = cm m + cg g. torch: mu_t = b1 (1 - 0.96^(t psi) / 2), weights (1 - mu_t) / (1 - prod mu) and mu_(t+1) / (1 - prod mu mu_(t+1)). */
void block_adam_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct block_adam *h = s->hyper;
    const double b1 = h->betas[0], c1 = 1 - power_whole(b1, s->t);
    double cm = 1 / c1, cg = 0;
    if (h->nadam == NADAM_OPTAX) {
        cm = b1 / (1 - power_whole(b1, s->t + 1));
        cg = (1 - b1) / c1;
    } else if (h->nadam == NADAM_TORCH) {
        const double mu = b1 * (1 - 0.5 * power(0.96, (double)s->t * h->momentum_decay));
        const double next = b1 * (1 - 0.5 * power(0.96, (double)(s->t + 1) * h->momentum_decay));
        float *product = tensor->slot[SLOT_PRODUCT];
        *product *= (float)mu;
        cm = next / (1 - (double)*product * next);
        cg = (1 - mu) / (1 - (double)*product);
    }
    tensor->note[NOTE_CM] = cm;
    tensor->note[NOTE_CG] = cg;
    prepare_moment(h, s->t, tensor);
}

/* One second moment: v takes in the block's mean square; the number to divide n by. */
static double block_divisor(const struct block_adam *h, const double *note, double mean_square, float *v, float *most)
{
    *v = (float)(note[NOTE_KEEP] * (double)*v + note[NOTE_TAKE] * mean_square);
    if (most != NULL && *v > *most) *most = *v;
    return sqrt((double)(most != NULL ? *most : *v)) * note[NOTE_INVERSE] + h->eps;
}

VECTOR_CLONES static void propose_numerator(const struct block_adam *h, const double *note, struct opt_tile *v)
{
    const float b1 = (float)h->betas[0], a1 = (float)(1 - h->betas[0]), cm = (float)note[NOTE_CM], cg = (float)note[NOTE_CG];
    const float *restrict g = v->grad;
    float *restrict m = v->slot[SLOT_M], *restrict u = v->u;
    for (int64_t i = 0; i < v->count; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        u[i] = cm * m[i] + cg * g[i];
    }
}

/* Zero over zero (no gradient ever, eps 0 or below the smallest float) is no step. */
static float quotient(float n, float divisor) { return divisor > 0 ? n / divisor : 0; }

VECTOR_CLONES static void divide_elements(const struct block_adam *h, const double *note, struct opt_tile *tile)
{
    const float b2 = (float)note[NOTE_KEEP], a2 = (float)note[NOTE_TAKE], inverse = (float)note[NOTE_INVERSE], eps = (float)h->eps;
    const float *restrict g = tile->grad;
    float *restrict v = tile->slot[SLOT_V], *restrict u = tile->u, *restrict most = tile->slot[SLOT_MOST];
    for (int64_t i = 0; i < tile->count; i++) v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
    if (most != NULL)
        for (int64_t i = 0; i < tile->count; i++) most[i] = v[i] > most[i] ? v[i] : most[i];
    const float *restrict w = most != NULL ? most : v;
    for (int64_t i = 0; i < tile->count; i++) u[i] = quotient(u[i], sqrtf(w[i]) * inverse + eps);
}

VECTOR_CLONES static void divide_block(float *restrict u, double divisor, int64_t n)
{
    const float d = (float)divisor;
    for (int64_t i = 0; i < n; i++) u[i] = quotient(u[i], d);
}

static void divide_blocks(const struct block_adam *h, const double *note, struct opt_tile *v, int64_t rows)
{
    for (int64_t first = 0, k = 0; first < v->n_rows; first += rows, k++) {
        float *most = v->slot[SLOT_MOST] != NULL ? &v->slot[SLOT_MOST][k] : NULL;
        const int64_t n = min_i64(rows, v->n_rows - first) * v->cols;
        const double mean_square = vec_sum_squares(v->grad + first * v->cols, n) / (double)n;
        divide_block(v->u + first * v->cols, block_divisor(h, note, mean_square, &v->slot[SLOT_V][k], most), n);
    }
}

void block_adam_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct block_adam *h = s->hyper;
    const struct param *p = v->tensor->param;
    const enum granularity by = granularity_of(p, h);
    propose_numerator(h, v->tensor->note, v);
    if (by == BY_ELEMENT) divide_elements(h, v->tensor->note, v);
    if (by == BY_ROW || by == BY_HEAD) divide_blocks(h, v->tensor->note, v, rows_of_block(p, h));
}

/* A block of rows is one row here, so it lies in one part. */
void block_adam_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    const struct block_adam *h = s->hyper;
    const int parts = parts_of(block->tensor->param, h);
    for (int k = 0; k < parts; k++) terms->scalar[k] = 0;
    terms->scalar[part_of_row(h, parts, block->row)] = vec_sum_squares(block->grad, block->count);
}

void block_adam_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct block_adam *h = s->hyper;
    const int parts = parts_of(tensor->param, h);
    for (int k = 0; k < parts; k++) {
        const int64_t size = parts > 1 ? h->split.value[k] * tensor->param->cols : tensor->scope;
        float *most = tensor->slot[SLOT_MOST] != NULL ? &tensor->slot[SLOT_MOST][k] : NULL;
        tensor->note[NOTE_DIVISOR + k] = block_divisor(h, tensor->note, sums->scalar[k] / (double)size, &tensor->slot[SLOT_V][k], most);
    }
}

void block_adam_absorb(const struct opt_step *s, struct opt_tile *v)
{
    const struct block_adam *h = s->hyper;
    const double *divisor = v->tensor->note + NOTE_DIVISOR;
    const int parts = parts_of(v->tensor->param, h);
    if (parts == 1)
        divide_block(v->u, divisor[0], v->count);
    else
        for (int64_t r = 0; r < v->n_rows; r++) divide_block(v->u + r * v->cols, divisor[part_of_row(h, parts, v->row + r)], v->cols);
}
