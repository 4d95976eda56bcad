/* LAMB: Adam's direction with weight decay, scaled per tensor to the size of the weights. Round 0: the sums of theta^2 and r^2. */
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "optim.h"
#include "power.h"

#include <math.h>

enum lamb_variant { LAMB_PAPER, LAMB_DEEPSPEED };
struct lamb {
    int variant;
    double betas[2], eps, clamp[2];
};
enum { BY_VARIANT = -1 }; /* the word auto, of eps and clamp */
enum { SLOT_M, SLOT_V };
/* r = cm m / (root(v) * inverse + eps) + lambda theta; outer: what the whole step is multiplied by; then the ratio times outer. */
enum { NOTE_CM, NOTE_INVERSE, NOTE_OUTER, NOTE_SCALE };
enum { SUM_THETA, SUM_R };

static double lamb_eps(const struct lamb *h)
{
    if (h->eps != BY_VARIANT) return h->eps;
    return h->variant == LAMB_PAPER ? 1e-6 : 1e-8;
}

static const char *lamb_problem(const struct opt_rule *rule)
{
    const struct lamb *h = rule->hyper;
    return h->clamp[0] > h->clamp[1] ? "clamp must be [low, high]: the first number is above the second" : NULL;
}

static void lamb_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)p, (void)hyper;
    out->scalars[0] = 2;
}

/* paper corrects both moments inside r; deepspeed takes them as they are and corrects the step as a whole, so that early ratios, and with
 * them early steps, are far smaller. */
static void lamb_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct lamb *h = s->hyper;
    const double c1 = 1 - power_whole(h->betas[0], s->t), root_c2 = sqrt(1 - power_whole(h->betas[1], s->t));
    const bool paper = h->variant == LAMB_PAPER;
    tensor->note[NOTE_CM] = paper ? 1 / c1 : 1;
    tensor->note[NOTE_INVERSE] = paper ? 1 / root_c2 : 1;
    tensor->note[NOTE_OUTER] = paper ? 1 : root_c2 / c1;
}

VECTOR_CLONES static void decayed_direction(const struct lamb *h, const double *note, float lambda, struct opt_tile *tile)
{
    const float b1 = (float)h->betas[0], a1 = (float)(1 - h->betas[0]), b2 = (float)h->betas[1], a2 = (float)(1 - h->betas[1]);
    const float cm = (float)note[NOTE_CM], inverse = (float)note[NOTE_INVERSE], eps = (float)lamb_eps(h);
    const float *restrict g = tile->grad, *restrict theta = tile->theta;
    float *restrict m = tile->slot[SLOT_M], *restrict v = tile->slot[SLOT_V], *restrict u = tile->u;
    for (int64_t i = 0; i < tile->count; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        const float divisor = sqrtf(v[i]) * inverse + eps;
        u[i] = (divisor > 0 ? cm * m[i] / divisor : 0) + lambda * theta[i]; /* eps 0 and never a gradient: only decay */
    }
}

static void lamb_propose(const struct opt_step *s, struct opt_tile *v)
{
    decayed_direction(s->hyper, v->tensor->note, (float)s->weight_decay, v);
}

static void lamb_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[SUM_THETA] = vec_sum_squares(block->theta, block->count);
    terms->scalar[SUM_R] = vec_sum_squares(block->u, block->count);
}

/* The ratio ||theta|| / ||r||, in bounds; 1, whatever they are, where either norm is 0. */
static void lamb_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct lamb *h = s->hyper;
    const double weights = sqrt(sums->scalar[SUM_THETA]), direction = sqrt(sums->scalar[SUM_R]);
    double low = h->clamp[0], high = h->clamp[1], ratio = 1;
    if (low == BY_VARIANT) {
        low = h->variant == LAMB_DEEPSPEED ? 0.01 : 0;
        high = h->variant == LAMB_DEEPSPEED ? 10 : 0;
    }
    if (weights > 0 && direction > 0) {
        ratio = weights / direction;
        if (high > 0) ratio = fmin(fmax(ratio, low), high);
    }
    tensor->note[NOTE_SCALE] = ratio * tensor->note[NOTE_OUTER];
}

static void lamb_absorb(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    vec_scale(v->u, (float)v->tensor->note[NOTE_SCALE], v->u, v->count);
}

static const char *const variant_words[] = { "paper", "deepspeed", NULL };
static const char *const eps_words[] = { "", "auto", NULL };
static const char *const clamp_words[] = { "none", "auto", NULL };
static const struct field lamb_fields[] = {
    { "variant", FIELD_ENUM, offsetof(struct lamb, variant), "paper", 0, 0, variant_words, "",
      "paper corrects the moments in the direction, deepspeed (fused kernel up to 0.19.6) the step as a whole", true },
    { "betas", FIELD_F64x2, offsetof(struct lamb, betas), "[0.9, 0.999]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients, and of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct lamb, eps), "auto", 0, 1, eps_words, "",
      "added to the root of the second moment; auto: 1e-6 for paper, 1e-8 for deepspeed", true },
    { "clamp", FIELD_F64x2, offsetof(struct lamb, clamp), "auto", 0, 1e9, clamp_words, "",
      "bounds of the ratio of the weights' norm to the direction's; auto: none for paper, [0.01, 10] for deepspeed", true },
    { 0 }
};
static const struct opt_slot lamb_slots[] = {
    [SLOT_M] = { .name = "m", .extent = PER_ELEMENT }, [SLOT_V] = { .name = "v", .extent = PER_ELEMENT, .positive = true }
};
static const char *const lamb_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_lamb = { .variant = { .name = "lamb",
                                                .summary = "Adam's direction, scaled per tensor to the size of the weights",
                                                .source = "You et al. 2020 (arXiv 1904.00962), Alg. 2; microsoft/DeepSpeed csrc/lamb",
                                                .fields = lamb_fields,
                                                .bytes = sizeof(struct lamb),
                                                .preset = lamb_preset },
                                   .equations =
                                       "m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2\n"
                                       "paper: r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay theta;  a = 1\n"
                                       "deepspeed: r = m / (sqrt(v) + eps) + weight_decay theta;  a = sqrt(1 - b2^t) / (1 - b1^t)\n"
                                       "ratio = |theta| / |r| within clamp; 1 where either norm is 0\n"
                                       "theta <- theta - lr a ratio r",
                                   .slots = lamb_slots,
                                   .n_slots = 2,
                                   .decay = DECAY_INSIDE,
                                   .problem = lamb_problem,
                                   .need = lamb_need,
                                   .prepare = lamb_prepare,
                                   .propose = lamb_propose,
                                   .rounds = { { lamb_partial, lamb_settle, lamb_absorb } } };
