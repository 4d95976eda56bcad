/* MARS: gradients corrected by their change since the last step (variance reduction), limited per tensor to norm 1, then AdamW's moments,
 * or a momentum whose sign is the step or that is made orthogonal. Round 0: the sum of c^2. One-dimensional tensors take AdamW on the
 * gradient itself, with settings of their own. */
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "newton_schulz.h"
#include "optim.h"
#include "power.h"

#include <math.h>
#include <string.h>

enum mars_variant { MARS_ADAMW, MARS_LION, MARS_MUON };
struct mars {
    int variant;
    double betas[2], eps, gamma, lr_1d, betas_1d[2], weight_decay_1d;
};
enum { SLOT_M, SLOT_V, SLOT_PREVIOUS, SLOT_M_1D, SLOT_V_1D }; /* the first three of matrices, from the corrected gradient on */
enum { NEWTON_SCHULZ_STEPS = 5 };
enum { NOTE_CM, NOTE_INVERSE, NOTE_LIMIT }; /* 1 / (1 - b1^t); 1 / sqrt(1 - b2^t); 1 / max(1, ||c||) */

static bool corrected(const struct param *p) { return p->n_dims >= 2; }

static enum extent extent_of_matrix(const struct param *p, const void *hyper)
{
    return (void)hyper, corrected(p) ? PER_ELEMENT : EXTENT_NONE;
}
static enum extent extent_of_v(const struct param *p, const void *hyper)
{
    return ((const struct mars *)hyper)->variant == MARS_ADAMW ? extent_of_matrix(p, hyper) : EXTENT_NONE;
}
static enum extent extent_of_vector(const struct param *p, const void *hyper)
{
    return (void)hyper, corrected(p) ? EXTENT_NONE : PER_ELEMENT;
}

static void mars_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    out->scalars[0] = corrected(p) ? 1 : 0;
    out->whole = corrected(p) && ((const struct mars *)hyper)->variant == MARS_MUON;
}

static void mars_base(const struct param *p, const void *hyper, struct opt_base *base)
{
    const struct mars *h = hyper;
    if (corrected(p)) return;
    base->lr = h->lr_1d;
    base->weight_decay = h->weight_decay_1d;
}

static void mars_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct mars *h = s->hyper;
    const double *betas = corrected(tensor->param) ? h->betas : h->betas_1d;
    tensor->note[NOTE_CM] = 1 / (1 - power_whole(betas[0], s->t));
    tensor->note[NOTE_INVERSE] = 1 / sqrt(1 - power_whole(betas[1], s->t));
    tensor->note[NOTE_LIMIT] = 1;
}

/* c = g + gamma b1 / (1 - b1) (g - g_prev); g_prev starts at 0 */
VECTOR_CLONES static void correct(float gain, float *restrict previous, const float *restrict g, float *restrict u, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        u[i] = g[i] + gain * (g[i] - previous[i]);
        previous[i] = g[i];
    }
}

/* u enters as a gradient, to be multiplied by NOTE_LIMIT, and leaves as Adam's direction */
VECTOR_CLONES static void adam(const double betas[2], double eps, const double *note, float *restrict m, float *restrict v,
                               float *restrict u, int64_t n)
{
    const float b1 = (float)betas[0], a1 = (float)(1 - betas[0]), b2 = (float)betas[1], a2 = (float)(1 - betas[1]), e = (float)eps;
    const float cm = (float)note[NOTE_CM], inverse = (float)note[NOTE_INVERSE], limit = (float)note[NOTE_LIMIT];
    for (int64_t i = 0; i < n; i++) {
        const float c = limit * u[i];
        m[i] = b1 * m[i] + a1 * c;
        v[i] = b2 * v[i] + a2 * (c * c);
        const float divisor = sqrtf(v[i]) * inverse + e;
        u[i] = divisor > 0 ? cm * m[i] / divisor : 0;
    }
}

/* the same with the sign of the new momentum */
VECTOR_CLONES static void sign_of_momentum(double beta, const double *note, float *restrict m, float *restrict u, int64_t n)
{
    const float b = (float)beta, a = (float)(1 - beta), limit = (float)note[NOTE_LIMIT];
    for (int64_t i = 0; i < n; i++) {
        m[i] = b * m[i] + a * (limit * u[i]);
        u[i] = (float)((m[i] > 0) - (m[i] < 0));
    }
}

/* the momentum alone, in the size of a sum, as the authors hand it on: their eps is added to that norm */
VECTOR_CLONES static void summed_momentum(double beta, const double *note, float *restrict m, float *restrict u, int64_t n)
{
    const float b = (float)beta, a = (float)(1 - beta), limit = (float)note[NOTE_LIMIT], size = (float)(1 / (1 - beta));
    for (int64_t i = 0; i < n; i++) {
        m[i] = b * m[i] + a * (limit * u[i]);
        u[i] = size * m[i];
    }
}

static void mars_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct mars *h = s->hyper;
    if (corrected(v->tensor->param)) {
        correct((float)(h->gamma * h->betas[0] / (1 - h->betas[0])), v->slot[SLOT_PREVIOUS], v->grad, v->u, v->count);
        return;
    }
    memcpy(v->u, v->grad, (size_t)v->count * sizeof *v->u);
    adam(h->betas_1d, h->eps, v->tensor->note, v->slot[SLOT_M_1D], v->slot[SLOT_V_1D], v->u, v->count);
}

static void mars_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[0] = vec_sum_squares(block->u, block->count);
}

static void mars_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    (void)s;
    tensor->note[NOTE_LIMIT] = 1 / fmax(1, sqrt(sums->scalar[0]));
}

static void mars_absorb(const struct opt_step *s, struct opt_tile *v)
{
    const struct mars *h = s->hyper;
    switch ((enum mars_variant)h->variant) {
    case MARS_ADAMW: adam(h->betas, h->eps, v->tensor->note, v->slot[SLOT_M], v->slot[SLOT_V], v->u, v->count); return;
    case MARS_LION: sign_of_momentum(h->betas[0], v->tensor->note, v->slot[SLOT_M], v->u, v->count); return;
    case MARS_MUON: summed_momentum(h->betas[0], v->tensor->note, v->slot[SLOT_M], v->u, v->count); return;
    }
}

static void mars_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct param *p = x->tensor->param;
    const struct newton_schulz how = { .coefficients = COEFFICIENTS_KELLER,
                                       .steps = NEWTON_SCHULZ_STEPS,
                                       .eps = ((const struct mars *)s->hyper)->eps,
                                       .scale = newton_schulz_scale(SCALE_KELLER, p->rows, p->cols) };
    newton_schulz(&how, p->rows, p->cols, x->u, x->scratch);
}

static size_t mars_scratch(const struct param *p, const void *hyper) { return (void)hyper, newton_schulz_scratch(p->rows, p->cols); }
static double mars_flops(const struct param *p, const void *hyper)
{
    return (void)hyper, newton_schulz_flops(NEWTON_SCHULZ_STEPS, p->rows, p->cols);
}

static const char *const variant_words[] = { "adamw", "lion", "muon", NULL };
static const struct field mars_fields[] = {
    { "variant", FIELD_ENUM, offsetof(struct mars, variant), "adamw", 0, 0, variant_words, "",
      "what takes the corrected gradient of a matrix: AdamW's moments, a momentum whose sign is the step, or Muon's", true },
    { "betas", FIELD_F64x2, offsetof(struct mars, betas), "[0.95, 0.99]", 0, 0.999999, NULL, "",
      "decay of the mean of corrected gradients, and of the mean of their squares (adamw only)", true },
    { "eps", FIELD_F64, offsetof(struct mars, eps), "1e-8", 0, 1, NULL, "",
      "added to the root of the corrected second moment, and to the norm of Muon's momentum", true },
    { "gamma", FIELD_F64, offsetof(struct mars, gamma), "0.025", 0, 1, NULL, "", "strength of the correction; 0: none", true },
    { "lr_1d", FIELD_F64, offsetof(struct mars, lr_1d), "3e-3", 0, 1e6, NULL, "",
      "learning rate of one-dimensional tensors, which take AdamW; the schedule multiplies it too", true },
    { "betas_1d", FIELD_F64x2, offsetof(struct mars, betas_1d), "[0.9, 0.95]", 0, 0.999999, NULL, "", "betas of one-dimensional tensors",
      true },
    { "weight_decay_1d", FIELD_F64, offsetof(struct mars, weight_decay_1d), "0.1", 0, 1e6, NULL, "",
      "weight decay of one-dimensional tensors", true },
    { 0 }
};
static const struct opt_slot mars_slots[] = {
    [SLOT_M] = { .name = "m", .extent_of = extent_of_matrix, .stage = 1 },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_v, .stage = 1, .positive = true },
    [SLOT_PREVIOUS] = { .name = "g_prev", .extent_of = extent_of_matrix, .precise = true }, /* a difference is taken from it */
    [SLOT_M_1D] = { .name = "m", .extent_of = extent_of_vector },
    [SLOT_V_1D] = { .name = "v", .extent_of = extent_of_vector, .positive = true },
};
static const char *const mars_preset[] = { "lr", "3e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_mars = {
    .variant = { .name = "mars",
                 .summary = "moments of gradients corrected by their change since the last step",
                 .source = "Yuan et al. 2024 (arXiv 2411.10438), Alg. 2 to 4; AGI-Arena/MARS, approximate mode",
                 .fields = mars_fields,
                 .bytes = sizeof(struct mars),
                 .preset = mars_preset },
    .equations = "c = g + gamma b1 / (1 - b1) (g - g_prev), g_prev = 0 before the first step;  c <- c / max(1, |c|)\n"
                 "m <- b1 m + (1 - b1) c\n"
                 "adamw: v <- b2 v + (1 - b2) c^2, u = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)\n"
                 "lion: u = sign(m);  muon: u = m / (1 - b1), made nearly orthogonal (see muon: scale keller, no nesterov)\n"
                 "theta <- (1 - lr weight_decay) theta - lr u\n"
                 "tensors of one dimension: AdamW on g with lr_1d, betas_1d, weight_decay_1d",
    .slots = mars_slots,
    .n_slots = 5,
    .decay = DECAY_BEFORE,
    .need = mars_need,
    .base = mars_base,
    .prepare = mars_prepare,
    .propose = mars_propose,
    .rounds = { { mars_partial, mars_settle, mars_absorb } },
    .direction = mars_direction,
    .whole_scratch = mars_scratch,
    .whole_flops = mars_flops
};
