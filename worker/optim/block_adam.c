#include "block_adam.h"
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "power.h"

#include <math.h>

enum { SLOT_M, SLOT_V, SLOT_MOST, SLOT_PRODUCT };
/* What a step's tiles share: u = (cm m + cg g) / (root(v) * inverse + eps), inverse = 1 / sqrt(1 - b2^t); of a tensor block: divisor. */
enum { NOTE_CM, NOTE_CG, NOTE_INVERSE, NOTE_DIVISOR };

const char *const nadam_words[] = { "none", "torch", "optax", NULL };
const char *const granularity_words[] = { "element", "row", "tensor", NULL };

static enum extent extent_of_v(const struct param *p, const void *hyper)
{
    static const enum extent of[] = { [BY_ELEMENT] = PER_ELEMENT, [BY_ROW] = PER_ROW, [BY_TENSOR] = PER_TENSOR };
    (void)p;
    return of[((const struct block_adam *)hyper)->granularity];
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

const struct opt_slot block_adam_slots[BLOCK_ADAM_SLOTS] = {
    [SLOT_M] = { .name = "m", .extent = PER_ELEMENT },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_v },
    [SLOT_MOST] = { .name = "v_most", .extent_of = extent_of_most },
    [SLOT_PRODUCT] = { .name = "mu_product", .extent_of = extent_of_product, .initial = 1 },
};

void block_adam_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)p;
    out->scalars[0] = ((const struct block_adam *)hyper)->granularity == BY_TENSOR ? 1 : 0;
}

/* n = cm m + cg g. torch: mu_t = b1 (1 - 0.96^(t psi) / 2), weights (1 - mu_t) / (1 - prod mu) and mu_(t+1) / (1 - prod mu mu_(t+1)). */
void block_adam_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct block_adam *h = s->hyper;
    const double b1 = h->betas[0], c1 = 1 - power_whole(b1, s->t), c2 = 1 - power_whole(h->betas[1], s->t);
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
    tensor->note[NOTE_INVERSE] = 1 / sqrt(c2);
}

/* One second moment: v takes in the block's mean square; the number to divide n by. */
static double block_divisor(const struct block_adam *h, const double *note, double mean_square, float *v, float *most)
{
    *v = (float)(h->betas[1] * (double)*v + (1 - h->betas[1]) * mean_square);
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
    const float b2 = (float)h->betas[1], a2 = (float)(1 - h->betas[1]), inverse = (float)note[NOTE_INVERSE], eps = (float)h->eps;
    const float *restrict g = tile->grad;
    float *restrict v = tile->slot[SLOT_V], *restrict u = tile->u, *restrict most = tile->slot[SLOT_MOST];
    for (int64_t i = 0; i < tile->count; i++) v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
    if (most != NULL)
        for (int64_t i = 0; i < tile->count; i++) most[i] = v[i] > most[i] ? v[i] : most[i];
    const float *restrict w = most != NULL ? most : v;
    for (int64_t i = 0; i < tile->count; i++) u[i] = quotient(u[i], sqrtf(w[i]) * inverse + eps);
}

VECTOR_CLONES static void divide_row(float *restrict u, double divisor, int64_t n)
{
    const float d = (float)divisor;
    for (int64_t i = 0; i < n; i++) u[i] = quotient(u[i], d);
}

static void divide_rows(const struct block_adam *h, const double *note, struct opt_tile *v)
{
    for (int64_t r = 0; r < v->n_rows; r++) {
        float *most = v->slot[SLOT_MOST] != NULL ? &v->slot[SLOT_MOST][r] : NULL;
        const double mean_square = vec_sum_squares(v->grad + r * v->cols, v->cols) / (double)v->cols;
        divide_row(v->u + r * v->cols, block_divisor(h, note, mean_square, &v->slot[SLOT_V][r], most), v->cols);
    }
}

void block_adam_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct block_adam *h = s->hyper;
    propose_numerator(h, v->tensor->note, v);
    if (h->granularity == BY_ELEMENT) divide_elements(h, v->tensor->note, v);
    if (h->granularity == BY_ROW) divide_rows(h, v->tensor->note, v);
}

void block_adam_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[0] = vec_sum_squares(block->grad, block->count);
}

void block_adam_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const double size = (double)(tensor->param->rows * tensor->param->cols);
    tensor->note[NOTE_DIVISOR] =
        block_divisor(s->hyper, tensor->note, sums->scalar[0] / size, tensor->slot[SLOT_V], tensor->slot[SLOT_MOST]);
}

void block_adam_absorb(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    divide_row(v->u, v->tensor->note[NOTE_DIVISOR], v->count);
}
