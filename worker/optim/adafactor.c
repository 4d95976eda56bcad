/* Adafactor: the second moment of a matrix is the product of a row and a column vector, the update is clipped by its root mean square, the
 * step is scaled by the weights'. Round 0: column sums of g^2 and the sum of theta^2; round 1: the sum of U^2. Three programs are its
 * references, and differ:
 *
 *             rate rho                                          eps1                      decay of theta    factored
 *     torch   min(lr, 1/sqrt t)                                 bounds mean(R), sqrt(V)   lr lambda         matrices
 *     hf      lr; without one min(1e-2 or 1e-6 t, 1/sqrt t)     added to g^2              alpha lambda      matrices
 *     t5x     lr                                                added to g^2              lambda            both sides >= min_dim
 *
 * alpha = max(eps2, RMS(theta)) rho; hf and t5x can leave that out, and can average the steps. */
#include "common/base/check.h"
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "optim.h"
#include "power.h"

#include <math.h>

enum adafactor_variant { ADAFACTOR_TORCH, ADAFACTOR_HF, ADAFACTOR_T5X };
enum relative_step { RELATIVE_AUTO, RELATIVE_TRUE, RELATIVE_FALSE };
struct adafactor {
    double eps[2], update_clip, decay_rate, beta1; /* eps below 0: the variant's; beta1 0: none */
    int64_t min_dim;                               /* below 0: the variant's */
    int variant, relative_step;
    bool scale_parameter, warmup_init;
};
enum { SLOT_ROW, SLOT_COLUMN, SLOT_V, SLOT_M };
enum { NOTE_FORGET, NOTE_ALPHA, NOTE_MEAN, NOTE_SCALE, NOTE_DECAY }; /* 1 - beta_t; alpha; mean(R); alpha / max(1, RMS(U)/d) */
enum { SUM_THETA = 0, SUM_U = 0 };                                   /* of round 0, of round 1 */
enum { BLOCK_ROWS = 8 }; /* rows whose squares are added in double before they become fixed point: an eighth of the conversions */

/* ---- what the variant makes of the settings ---- */

static double eps_of(const struct adafactor *h, int k)
{
    if (h->eps[k] >= 0) return h->eps[k];
    return k == 1 ? 1e-3 : h->variant == ADAFACTOR_TORCH ? 0x1p-23 : 1e-30;
}
static double eps_added(const struct adafactor *h) { return h->variant == ADAFACTOR_TORCH ? 0 : eps_of(h, 0); }
static double eps_bound(const struct adafactor *h) { return h->variant == ADAFACTOR_TORCH ? eps_of(h, 0) : 0; }

static bool factored(const struct param *p, const struct adafactor *h)
{
    const int64_t least = h->variant != ADAFACTOR_T5X ? 0 : h->min_dim >= 0 ? h->min_dim : 128;
    return p->n_dims >= 2 && min_i64(p->rows, p->cols) >= least;
}

static enum extent extent_of_row(const struct param *p, const void *hyper) { return factored(p, hyper) ? PER_ROW : EXTENT_NONE; }
static enum extent extent_of_column(const struct param *p, const void *hyper) { return factored(p, hyper) ? PER_COL : EXTENT_NONE; }
static enum extent extent_of_v(const struct param *p, const void *hyper) { return factored(p, hyper) ? EXTENT_NONE : PER_ELEMENT; }
static enum extent extent_of_m(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct adafactor *)hyper)->beta1 > 0 ? PER_ELEMENT : EXTENT_NONE;
}

static int64_t adafactor_row_align(const struct param *p, const void *hyper) { return factored(p, hyper) ? BLOCK_ROWS : 1; }

static enum decay_place adafactor_decay(const void *hyper)
{
    return ((const struct adafactor *)hyper)->variant == ADAFACTOR_TORCH ? DECAY_BEFORE : DECAY_INSIDE;
}

static const char *adafactor_problem(const struct opt_rule *rule)
{
    const struct adafactor *h = rule->hyper;
    const struct rule_common *common = rule->common;
    const bool torch = h->variant == ADAFACTOR_TORCH, hf = h->variant == ADAFACTOR_HF, no_rate = common->lr < 0;
    if (torch && h->beta1 > 0) return "beta1 is for variant: hf and t5x";
    if (torch && !h->scale_parameter) return "scale_parameter: false is for variant: hf and t5x";
    if (!hf && h->relative_step != RELATIVE_AUTO) return "relative_step is for variant: hf";
    if (!hf && h->warmup_init) return "warmup_init is for variant: hf";
    if (h->variant != ADAFACTOR_T5X && h->min_dim >= 0) return "min_dim is for variant: t5x";
    if (h->variant == ADAFACTOR_T5X && no_rate) return "variant: t5x needs a number for lr";
    if (h->relative_step == RELATIVE_FALSE && no_rate) return "relative_step: false needs a number for lr";
    if (h->relative_step == RELATIVE_TRUE && !no_rate) return "relative_step: true stands in place of a rate: lr must be none";
    if (h->warmup_init && !no_rate) return "warmup_init is the start of a relative step: lr must be none";
    if (hf && no_rate && common->layer_decay > 0 && common->layer_decay < 1) return "layer_decay multiplies a rate, and lr is none";
    if (!torch && common->cautious && common->weight_decay > 0)
        return "cautious would leave out weight decay as well, which is part of the step of variant: hf and t5x";
    return NULL;
}

static void adafactor_base(const struct param *p, const void *hyper, struct opt_base *base)
{
    (void)p;
    if (((const struct adafactor *)hyper)->variant == ADAFACTOR_TORCH && base->lr < 0) base->lr = 1e-2;
}

static void adafactor_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    out->scalars[0] = out->scalars[1] = 1;
    out->column[0] = factored(p, hyper) ? 2 : 0;
}

/* ---- round 0: moments ---- */

static void adafactor_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct adafactor *h = s->hyper;
    tensor->note[NOTE_FORGET] = power((double)s->t, -h->decay_rate); /* 1 at t = 1: the initial zeros are forgotten */
}

/* R <- beta R + (1 - beta) rowmean(g^2 + eps1); u carries the gradient to the rounds. */
static void adafactor_propose(const struct opt_step *s, struct opt_tile *v)
{
    const double forget = v->tensor->note[NOTE_FORGET], added = eps_added(s->hyper);
    for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
    for (int64_t r = 0; v->slot[SLOT_ROW] != NULL && r < v->n_rows; r++) {
        const double mean = vec_sum_squares(v->grad + r * v->cols, v->cols) / (double)v->cols + added;
        v->slot[SLOT_ROW][r] = (float)((1 - forget) * (double)v->slot[SLOT_ROW][r] + forget * mean);
    }
}

VECTOR_CLONES static void add_squares(double *restrict column, const float *restrict g, int64_t n)
{
    for (int64_t j = 0; j < n; j++) column[j] += (double)g[j] * (double)g[j];
}

static void partial_moments(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    terms->scalar[SUM_THETA] = vec_sum_squares(block->theta, block->count);
    if (!factored(block->tensor->param, s->hyper)) return;
    for (int64_t j = 0; j < block->cols; j++) terms->column[j] = 0;
    for (int64_t r = 0; r < block->n_rows; r++) add_squares(terms->column, block->grad + r * block->cols, block->cols);
}

static double relative_rate(const struct adafactor *h, double t) { return fmin(h->warmup_init ? 1e-6 * t : 1e-2, 1 / sqrt(t)); }

static double step_size(const struct opt_step *s, double rms_of_theta)
{
    const struct adafactor *h = s->hyper;
    const double t = (double)s->t, scale = h->scale_parameter ? fmax(eps_of(h, 1), rms_of_theta) : 1;
    if (h->variant == ADAFACTOR_TORCH) return scale * fmin(s->lr, 1 / sqrt(t));
    return scale * (s->lr < 0 ? s->factor * relative_rate(h, t) : s->lr);
}

/* C <- beta C + (1 - beta) colmean(g^2 + eps1). mean(R) = mean(C), since both average the same squares with the same weights, and every
 * owner has all of C. */
static void settle_moments(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct adafactor *h = s->hyper;
    const struct param *p = tensor->param;
    const double forget = tensor->note[NOTE_FORGET], added = eps_added(h);
    tensor->note[NOTE_ALPHA] = step_size(s, sqrt(sums->scalar[SUM_THETA] / (double)(p->rows * p->cols)));
    tensor->note[NOTE_DECAY] = h->variant == ADAFACTOR_HF    ? tensor->note[NOTE_ALPHA] * s->weight_decay
                               : h->variant == ADAFACTOR_T5X ? s->weight_decay
                                                             : 0;
    if (!factored(p, h)) return;
    float *c = tensor->slot[SLOT_COLUMN];
    for (int64_t j = 0; j < p->cols; j++)
        c[j] = (float)((1 - forget) * (double)c[j] + forget * (sums->column[j] / (double)p->rows + added));
    tensor->note[NOTE_MEAN] = fmax(vec_sum(c, p->cols) / (double)p->cols, eps_bound(h));
}

/* g / max(sqrt(V), bound). A root of zero has a gradient of zero above it. */
static float divided(float g, float root, float bound)
{
    const float divisor = root > bound ? root : bound;
    return divisor > 0 ? g / divisor : 0;
}

/* sqrt(V_ij) = sqrt(R_i / mean(R)) sqrt(C_j): of two roots, because with a tiny gradient the product of R and C underflows. */
VECTOR_CLONES static void divide_row(float *restrict u, const float *restrict c, float root, float bound, int64_t n)
{
    for (int64_t j = 0; j < n; j++) u[j] = divided(u[j], root * sqrtf(c[j]), bound);
}

VECTOR_CLONES static void divide_elements(float *restrict u, float *restrict v, double forget, double eps, float bound, int64_t n)
{
    const float a = (float)forget, b = (float)(1 - forget), added = (float)eps;
    for (int64_t i = 0; i < n; i++) {
        v[i] = b * v[i] + a * (u[i] * u[i] + added);
        u[i] = divided(u[i], sqrtf(v[i]), bound);
    }
}

/* U = g / sqrt(V), where a tensor that is not factored has V <- beta V + (1 - beta)(g^2 + eps1). */
static void absorb_moments(const struct opt_step *s, struct opt_tile *v)
{
    const double *note = v->tensor->note, mean = note[NOTE_MEAN];
    const float bound = (float)eps_bound(s->hyper);
    if (v->slot[SLOT_V] != NULL) {
        divide_elements(v->u, v->slot[SLOT_V], note[NOTE_FORGET], eps_added(s->hyper), bound, v->count);
        return;
    }
    for (int64_t r = 0; r < v->n_rows; r++) {
        const double share = mean > 0 ? (double)v->slot[SLOT_ROW][r] / mean : 0;
        divide_row(v->u + r * v->cols, v->tensor->slot[SLOT_COLUMN], (float)sqrt(share), bound, v->cols);
    }
}

/* ---- round 1: the update clip ---- */

static void partial_update(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[SUM_U] = vec_sum_squares(block->u, block->count);
}

static void settle_update(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct adafactor *h = s->hyper;
    const double rms = sqrt(sums->scalar[SUM_U] / (double)(tensor->param->rows * tensor->param->cols));
    tensor->note[NOTE_SCALE] = tensor->note[NOTE_ALPHA] / fmax(1, rms / h->update_clip);
}

/* The step alpha U / max(1, RMS(U) / d), averaged with beta1 where that is given, and the decay of hf and t5x. */
VECTOR_CLONES static void absorb_update(const struct opt_step *s, struct opt_tile *v)
{
    const struct adafactor *h = s->hyper;
    const float scale = (float)v->tensor->note[NOTE_SCALE], decay = (float)v->tensor->note[NOTE_DECAY];
    const float b1 = (float)h->beta1, a1 = (float)(1 - h->beta1);
    const float *restrict theta = v->theta;
    float *restrict u = v->u, *restrict m = v->slot[SLOT_M];
    for (int64_t i = 0; i < v->count; i++) u[i] *= scale;
    for (int64_t i = 0; m != NULL && i < v->count; i++) u[i] = m[i] = b1 * m[i] + a1 * u[i];
    for (int64_t i = 0; decay > 0 && i < v->count; i++) u[i] += decay * theta[i];
}

/* ---- the row ---- */

static const char *const variant_words[] = { "torch", "hf", "t5x", NULL };
static const char *const eps_words[] = { "", "auto", NULL };
static const char *const min_dim_words[] = { "", "auto", NULL };
static const char *const beta1_words[] = { "none", NULL };
static const char *const relative_words[] = { "auto", "true", "false", NULL };
static const struct field adafactor_fields[] = {
    { "variant", FIELD_ENUM, offsetof(struct adafactor, variant), "torch", 0, 0, variant_words, "",
      "whose formula: torch (torch/optim/_adafactor.py), hf (transformers, from fairseq), t5x (also optax)", true },
    { "eps", FIELD_F64x2, offsetof(struct adafactor, eps), "auto", 0, 1, eps_words, "",
      "torch: least root of the second moment (hf, t5x: added to squares of gradients), and least root mean square of the weights that "
      "scales the step. auto: [2^-23, 1e-3] for torch, [1e-30, 1e-3] for hf and t5x",
      true },
    { "update_clip", FIELD_F64, offsetof(struct adafactor, update_clip), "1", 1e-3, 1e6, NULL, "",
      "root mean square above which an update is scaled down", true },
    { "decay_rate", FIELD_F64, offsetof(struct adafactor, decay_rate), "0.8", 0, 1, NULL, "",
      "c in beta_t = 1 - t^-c, the decay of the second moment", true },
    { "beta1", FIELD_F64, offsetof(struct adafactor, beta1), "none", 0, 0.999999, beta1_words, "",
      "hf, t5x: decay of a mean of the steps, 4 bytes per element", true },
    { "scale_parameter", FIELD_BOOL, offsetof(struct adafactor, scale_parameter), "true", 0, 0, NULL, "",
      "scale the step by the root mean square of the weights; only hf and t5x can leave it out", true },
    { "relative_step", FIELD_ENUM, offsetof(struct adafactor, relative_step), "auto", 0, 0, relative_words, "",
      "hf: min(1e-2, 1/sqrt t) in place of a rate; auto: where lr is none", true },
    { "warmup_init", FIELD_BOOL, offsetof(struct adafactor, warmup_init), "false", 0, 0, NULL, "", "hf: the relative step begins as 1e-6 t",
      true },
    { "min_dim", FIELD_I64, offsetof(struct adafactor, min_dim), "auto", 0, 1e9, min_dim_words, "",
      "t5x: a matrix with a side below it is not factored; auto: 128", true },
    { 0 }
};
static const struct opt_slot adafactor_slots[] = {
    [SLOT_ROW] = { .name = "row", .extent_of = extent_of_row },
    [SLOT_COLUMN] = { .name = "column", .extent_of = extent_of_column },
    [SLOT_V] = { .name = "v", .extent_of = extent_of_v, .stage = 1, .positive = true },
    [SLOT_M] = { .name = "m", .extent_of = extent_of_m, .stage = 2 },
};
static const char *const adafactor_preset[] = { "lr", "none", "weight_decay", "0", NULL };

const struct opt_desc opt_adafactor = {
    .variant = { .name = "adafactor",
                 .summary = "factored second moments, step scaled by the weights",
                 .source = "Shazeer & Stern 2018, Alg. 5; pytorch/pytorch torch/optim/_adafactor.py, "
                           "huggingface/transformers optimization.py, google-research/t5x adafactor.py",
                 .fields = adafactor_fields,
                 .bytes = sizeof(struct adafactor),
                 .preset = adafactor_preset },
    .equations =
        "beta = 1 - t^-decay_rate;  torch adds no eps1 to g^2, but bounds mean(R) and sqrt(V) by it from below\n"
        "R <- beta R + (1 - beta) rowmean(g^2 + eps1), C <- beta C + (1 - beta) colmean(g^2 + eps1), V = R C / mean(R)\n"
        "vectors, and in t5x sides below min_dim: V <- beta V + (1 - beta) (g^2 + eps1)\n"
        "U = g / sqrt(V);  U <- U / max(1, RMS(U) / update_clip);  alpha = rho max(eps2, RMS(theta)) (rho without scale_parameter)\n"
        "rho: torch min(lr, 1 / sqrt(t)), lr 1e-2 where none is given;  t5x lr\n"
        "rho: hf lr, where none is given min(1e-2, 1 / sqrt(t)), with warmup_init min(1e-6 t, 1 / sqrt(t)), times the schedule's factor\n"
        "beta1: M <- beta1 M + (1 - beta1) alpha U in place of alpha U\n"
        "theta <- (1 - d) theta - alpha U;  d: torch lr weight_decay, hf alpha weight_decay, t5x weight_decay",
    .slots = adafactor_slots,
    .n_slots = 4,
    .decay_of = adafactor_decay,
    .flags = OPT_STEP_OWN | OPT_RATE_OPTIONAL,
    .problem = adafactor_problem,
    .row_align = adafactor_row_align,
    .need = adafactor_need,
    .base = adafactor_base,
    .prepare = adafactor_prepare,
    .propose = adafactor_propose,
    .rounds = { { partial_moments, settle_moments, absorb_moments }, { partial_update, settle_update, absorb_update } }
};
