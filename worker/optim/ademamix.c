/* AdEMAMix: Adam with a second, much slower mean of gradients added to the first. */
#include "common/base/clones.h"
#include "optim.h"
#include "power.h"

#include <math.h>

struct ademamix {
    double betas[3], alpha, eps;
    int64_t alpha_warmup, beta3_warmup;
};
enum { SLOT_M, SLOT_SLOW, SLOT_V };
/* u = (cm m + alpha slow) / (root(v) * inverse + eps); beta3 is the decay of slow at this step */
enum { NOTE_CM, NOTE_ALPHA, NOTE_BETA3, NOTE_INVERSE };

static enum extent extent_of_m(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct ademamix *)hyper)->betas[0] > 0 ? PER_ELEMENT : EXTENT_NONE;
}

static const char *ademamix_problem(const struct opt_rule *rule)
{
    const struct ademamix *h = rule->hyper;
    if (h->beta3_warmup > 0 && h->betas[2] < fmax(h->betas[0], 1e-8))
        return "beta3_warmup starts from the first of betas, which must not be above the third";
    return NULL;
}

/* How far a warm-up of n steps has come after step t. */
static double warmed(int64_t t, int64_t n) { return t < n ? (double)t / (double)n : 1; }

/* beta3 rises from beta1 so that the half-life grows by the same amount each step:
 *   exp(ln b1 ln b3 / ((1 - w) ln b3 + w ln b1)) = b3^(1 / ((1 - w) ln b3 / ln b1 + w)).   For b1 = 0 the authors' 1e-8 stands in. */
static double slow_decay(const struct ademamix *h, int64_t t)
{
    const double w = warmed(t, h->beta3_warmup), b1 = fmax(h->betas[0], 1e-8), b3 = h->betas[2];
    return w == 1 ? b3 : power(b3, 1 / ((1 - w) * logarithm(b3) / logarithm(b1) + w));
}

static void ademamix_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct ademamix *h = s->hyper;
    tensor->note[NOTE_CM] = 1 / (1 - power_whole(h->betas[0], s->t)); /* 1 for beta1 = 0 */
    tensor->note[NOTE_ALPHA] = h->alpha * warmed(s->t, h->alpha_warmup);
    tensor->note[NOTE_BETA3] = slow_decay(h, s->t);
    tensor->note[NOTE_INVERSE] = 1 / sqrt(1 - power_whole(h->betas[1], s->t));
}

VECTOR_CLONES static void update_mean(double beta, float *restrict m, const float *restrict g, int64_t n)
{
    const float b = (float)beta, a = (float)(1 - beta);
    for (int64_t i = 0; i < n; i++) m[i] = b * m[i] + a * g[i];
}

/* fast: the first mean, or the gradient itself where beta1 is 0 */
VECTOR_CLONES static void mixed_direction(const struct ademamix *h, const double *note, const float *restrict fast, struct opt_tile *tile)
{
    const float b2 = (float)h->betas[1], a2 = (float)(1 - h->betas[1]), eps = (float)h->eps;
    const float cm = (float)note[NOTE_CM], alpha = (float)note[NOTE_ALPHA], inverse = (float)note[NOTE_INVERSE];
    const float *g = tile->grad, *restrict slow = tile->slot[SLOT_SLOW];
    float *restrict v = tile->slot[SLOT_V], *restrict u = tile->u;
    for (int64_t i = 0; i < tile->count; i++) {
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        const float divisor = sqrtf(v[i]) * inverse + eps;
        u[i] = divisor > 0 ? (cm * fast[i] + alpha * slow[i]) / divisor : 0;
    }
}

static void ademamix_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct ademamix *h = s->hyper;
    const double *note = v->tensor->note;
    update_mean(note[NOTE_BETA3], v->slot[SLOT_SLOW], v->grad, v->count);
    if (v->slot[SLOT_M] != NULL) update_mean(h->betas[0], v->slot[SLOT_M], v->grad, v->count);
    mixed_direction(h, note, v->slot[SLOT_M] != NULL ? v->slot[SLOT_M] : v->grad, v);
}

static const struct field ademamix_fields[] = {
    { "betas", FIELD_F64x3, offsetof(struct ademamix, betas), "[0.9, 0.999, 0.9999]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients (0: none is stored), of the mean of their squares, and of the slow mean", true },
    { "alpha", FIELD_F64, offsetof(struct ademamix, alpha), "5", 0, 1e6, NULL, "",
      "weight of the slow mean, which has no bias correction, beside the first", true },
    { "alpha_warmup", FIELD_I64, offsetof(struct ademamix, alpha_warmup), "0", 0, 1e12, NULL, "steps",
      "alpha grows over so many steps from 0", true },
    { "beta3_warmup", FIELD_I64, offsetof(struct ademamix, beta3_warmup), "0", 0, 1e12, NULL, "steps",
      "the half-life of the slow mean grows over so many steps from that of the first", true },
    { "eps", FIELD_F64, offsetof(struct ademamix, eps), "1e-8", 0, 1, NULL, "", "added to the root of the corrected second moment", true },
    { 0 }
};
static const struct opt_slot ademamix_slots[] = { [SLOT_M] = { .name = "m", .extent_of = extent_of_m },
                                                  [SLOT_SLOW] = { .name = "m_slow", .extent = PER_ELEMENT },
                                                  [SLOT_V] = { .name = "v", .extent = PER_ELEMENT, .positive = true } };
static const char *const ademamix_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_ademamix = {
    .variant = { .name = "ademamix",
                 .summary = "Adam with a second, slow mean of gradients",
                 .source = "Pagliardini et al. 2024 (arXiv 2409.03137), Alg. 1; apple/ml-ademamix",
                 .fields = ademamix_fields,
                 .bytes = sizeof(struct ademamix),
                 .preset = ademamix_preset },
    .equations =
        "alpha(t) = alpha min(1, t / alpha_warmup);  the half-life of b3(t) grows over beta3_warmup steps from that of b1 to that of b3\n"
        "m <- b1 m + (1 - b1) g;  s <- b3(t) s + (1 - b3(t)) g;  v <- b2 v + (1 - b2) g^2\n"
        "u = (m / (1 - b1^t) + alpha(t) s) / (sqrt(v / (1 - b2^t)) + eps)\n"
        "theta <- (1 - lr weight_decay) theta - lr u",
    .slots = ademamix_slots,
    .n_slots = 3,
    .decay = DECAY_BEFORE,
    .problem = ademamix_problem,
    .prepare = ademamix_prepare,
    .propose = ademamix_propose
};
