/* LARS: momentum of gradients that are scaled per tensor to the size of the weights. The rate stands inside the momentum, so a step keeps
 * the rates that its gradients had. Round 0: the sums of theta^2 and of g^2, or of (g + lambda theta)^2. One-dimensional tensors are
 * neither scaled nor decayed, and need no sums. */
#include "common/base/clones.h"
#include "common/math/vec.h"
#include "optim.h"

#include <math.h>

enum lars_variant { LARS_PAPER, LARS_JOINT };
struct lars {
    int variant;
    double momentum, trust;
    bool nesterov;
};
enum { SLOT_SCALED, SLOT_PLAIN }; /* one of them: the momentum is read after the sums, or, of vectors, in propose */
enum { NOTE_RATE };               /* lr * ratio */
enum { SUM_THETA, SUM_G };

static bool scaled(const struct param *p) { return p->n_dims >= 2; }

static enum extent extent_of_scaled(const struct param *p, const void *hyper)
{
    return scaled(p) && ((const struct lars *)hyper)->momentum > 0 ? PER_ELEMENT : EXTENT_NONE;
}
static enum extent extent_of_plain(const struct param *p, const void *hyper)
{
    return !scaled(p) && ((const struct lars *)hyper)->momentum > 0 ? PER_ELEMENT : EXTENT_NONE;
}

static const char *lars_problem(const struct opt_rule *rule)
{
    const struct lars *h = rule->hyper;
    return h->nesterov && h->momentum == 0 ? "nesterov needs a momentum" : NULL;
}

static void lars_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)hyper;
    out->scalars[0] = scaled(p) ? 2 : 0;
}

static void lars_base(const struct param *p, const void *hyper, struct opt_base *base)
{
    (void)hyper;
    if (!scaled(p)) base->weight_decay = 0;
}

VECTOR_CLONES static void add_decay(float lambda, const float *restrict theta, const float *restrict g, float *restrict u, int64_t n)
{
    for (int64_t i = 0; i < n; i++) u[i] = g[i] + lambda * theta[i];
}

/* u enters as g + lambda theta and leaves as the step: x = rate u; b <- mu b + x; b, or x + mu b with Nesterov. */
VECTOR_CLONES static void step_from(const struct lars *h, float rate, float *restrict b, float *restrict u, int64_t n)
{
    const float mu = (float)h->momentum, now = h->nesterov ? 1 : 0, then = h->nesterov ? mu : 1;
    for (int64_t i = 0; i < n; i++) {
        const float x = rate * u[i];
        b[i] = mu * b[i] + x;
        u[i] = now * x + then * b[i];
    }
}

static void lars_step(const struct lars *h, double rate, float *b, struct opt_tile *v)
{
    if (h->momentum > 0)
        step_from(h, (float)rate, b, v->u, v->count);
    else
        vec_scale(v->u, (float)rate, v->u, v->count);
}

static void lars_propose(const struct opt_step *s, struct opt_tile *v)
{
    add_decay((float)s->weight_decay, v->theta, v->grad, v->u, v->count);
    if (!scaled(v->tensor->param)) lars_step(s->hyper, s->lr, v->slot[SLOT_PLAIN], v);
}

static void lars_partial(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    const bool paper = ((const struct lars *)s->hyper)->variant == LARS_PAPER;
    terms->scalar[SUM_THETA] = vec_sum_squares(block->theta, block->count);
    terms->scalar[SUM_G] = vec_sum_squares(paper ? block->grad : block->u, block->count);
}

/* trust ||theta|| / (||g|| + lambda ||theta||), or trust ||theta|| / ||g + lambda theta||; 1 where either side of it is 0. */
static void lars_settle(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct lars *h = s->hyper;
    const double weights = sqrt(sums->scalar[SUM_THETA]), gradient = sqrt(sums->scalar[SUM_G]);
    const double below = h->variant == LARS_PAPER ? gradient + s->weight_decay * weights : gradient;
    tensor->note[NOTE_RATE] = s->lr * (weights > 0 && below > 0 ? h->trust * weights / below : 1);
}

static void lars_absorb(const struct opt_step *s, struct opt_tile *v)
{
    lars_step(s->hyper, v->tensor->note[NOTE_RATE], v->slot[SLOT_SCALED], v);
}

static const char *const variant_words[] = { "paper", "joint", NULL };
static const struct field lars_fields[] = {
    { "variant", FIELD_ENUM, offsetof(struct lars, variant), "paper", 0, 0, variant_words, "",
      "what the weights' norm is divided by: ||g|| + lambda ||theta|| (paper), or ||g + lambda theta|| (joint; optax)", true },
    { "momentum", FIELD_F64, offsetof(struct lars, momentum), "0.9", 0, 0.999999, NULL, "",
      "decay of the sum of scaled gradients, which has the learning rate inside", true },
    { "nesterov", FIELD_BOOL, offsetof(struct lars, nesterov), "false", 0, 0, NULL, "",
      "step along the momentum that the next step would see", true },
    { "trust", FIELD_F64, offsetof(struct lars, trust), "1e-3", 0, 1e6, NULL, "",
      "size of a step at rate 1, as a share of the weights' norm", true },
    { 0 }
};
static const struct opt_slot lars_slots[] = {
    [SLOT_SCALED] = { .name = "m", .extent_of = extent_of_scaled, .stage = 1 }, [SLOT_PLAIN] = { .name = "m", .extent_of = extent_of_plain }
};
static const char *const lars_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_lars = { .variant = { .name = "lars",
                                                .summary = "momentum of gradients scaled per tensor to the size of the weights",
                                                .source = "You et al. 2017 (arXiv 1708.03888), Alg. 1; joint: optax lars",
                                                .fields = lars_fields,
                                                .bytes = sizeof(struct lars),
                                                .preset = lars_preset },
                                   .equations = "matrices: x = lr ratio (g + weight_decay theta);  others: x = lr g\n"
                                                "ratio = trust |theta| / (|g| + weight_decay |theta|) (paper), trust |theta| / |g + "
                                                "weight_decay theta| (joint); 1 where a norm is 0\n"
                                                "b <- momentum b + x\n"
                                                "theta <- theta - b;  nesterov: theta - (x + momentum b)",
                                   .slots = lars_slots,
                                   .n_slots = 2,
                                   .decay = DECAY_INSIDE,
                                   .flags = OPT_STEP_OWN,
                                   .problem = lars_problem,
                                   .need = lars_need,
                                   .base = lars_base,
                                   .propose = lars_propose,
                                   .rounds = { { lars_partial, lars_settle, lars_absorb } } };
