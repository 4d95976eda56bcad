/* Stochastic gradient descent, with momentum in the heavy-ball form (PyTorch's) or as a running mean. */
#include "optim.h"
#include "power.h"

enum sgd_decay { SGD_DECAY_L2, SGD_DECAY_BEFORE };
struct sgd {
    struct momentum momentum;
    double dampening;
    bool nesterov;
    int decay;
};

static enum extent sgd_extent(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct sgd *)hyper)->momentum.beta > 0 ? PER_ELEMENT : EXTENT_NONE;
}

static enum decay_place sgd_decay_of(const void *hyper)
{
    return ((const struct sgd *)hyper)->decay == SGD_DECAY_L2 ? DECAY_L2 : DECAY_BEFORE;
}

static const char *sgd_problem(const struct opt_rule *rule)
{
    const struct sgd *h = rule->hyper;
    const bool heavy = h->momentum.form == MOMENTUM_HEAVY;
    if (h->nesterov && (h->momentum.beta == 0 || h->dampening != 0)) return "nesterov needs a momentum, and no dampening";
    if (h->dampening != 0 && (h->momentum.beta == 0 || !heavy)) return "dampening needs a momentum of the form heavy";
    if (h->momentum.debias && (h->momentum.beta == 0 || heavy)) return "debias needs a momentum of the form ema";
    return NULL;
}

/* Both forms are b <- beta b + a g, u = c_b b + c_g g:
 *   heavy          a = 1 - dampening (1 at t = 1), u = b;            nesterov u = beta b + g
 *   ema            a = 1 - beta,                   u = b;            nesterov u = beta b + (1 - beta) g
 *   ema, debiased  b / (1 - beta^t);               nesterov: b over 1 - beta^(t+1), g over 1 - beta^t (as optax) */
static void sgd_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct sgd *h = s->hyper;
    const double beta = h->momentum.beta;
    const float *restrict g = v->grad;
    float *restrict u = v->u, *restrict m = v->slot[0];
    if (m == NULL) {
        for (int64_t i = 0; i < v->count; i++) u[i] = g[i];
        return;
    }
    const bool ema = h->momentum.form == MOMENTUM_EMA, debias = h->momentum.debias;
    const double gain = ema ? 1 - beta : s->t == 1 ? 1 : 1 - h->dampening;
    const double now = debias ? 1 - power_whole(beta, s->t) : 1, next = debias ? 1 - power_whole(beta, s->t + 1) : 1;
    const float b = (float)beta, a = (float)gain;
    const float cm = (float)(h->nesterov ? beta / next : 1 / now), cg = (float)(h->nesterov ? (ema ? 1 - beta : 1) / now : 0);
    for (int64_t i = 0; i < v->count; i++) {
        m[i] = b * m[i] + a * g[i];
        u[i] = cm * m[i] + cg * g[i];
    }
}

static const char *const decay_words[] = { "l2", "before", NULL };
static const struct field sgd_fields[] = {
    { "momentum", FIELD_MOMENTUM, offsetof(struct sgd, momentum), "0", 0, 0.999999, NULL, "",
      "a number, or {beta, form: heavy | ema, debias}: b = beta b + g, or b = beta b + (1 - beta) g", true },
    { "dampening", FIELD_F64, offsetof(struct sgd, dampening), "0", 0, 1, NULL, "",
      "the gradient enters a heavy momentum times 1 - dampening, from the second step on", true },
    { "nesterov", FIELD_BOOL, offsetof(struct sgd, nesterov), "false", 0, 0, NULL, "",
      "step along the momentum that the next step would see", true },
    { "decay", FIELD_ENUM, offsetof(struct sgd, decay), "l2", 0, 0, decay_words, "",
      "weight decay in the gradient (PyTorch's SGD) or on the weights before the step (SGDW)", true },
    { 0 }
};
static const struct opt_slot sgd_slots[] = { { .name = "m", .extent_of = sgd_extent } };
static const char *const sgd_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_sgd = {
    .variant = { .name = "sgd",
                 .summary = "gradient descent with momentum",
                 .source = "pytorch/pytorch torch/optim/sgd.py; ema form: Zhao et al. 2024 (arXiv 2407.07972)",
                 .fields = sgd_fields,
                 .bytes = sizeof(struct sgd),
                 .preset = sgd_preset },
    .equations = "decay l2: g <- g + weight_decay theta;  before: theta <- (1 - lr weight_decay) theta\n"
                 "b <- beta b + a g;  a = 1 - dampening (heavy; 1 at t = 1), 1 - beta (ema)\n"
                 "u = b;  without momentum g;  debias: b / (1 - beta^t)\n"
                 "nesterov: u = beta b + g (heavy), beta b + (1 - beta) g (ema), debiased over 1 - beta^(t+1) and 1 - beta^t\n"
                 "theta <- theta - lr u",
    .slots = sgd_slots,
    .n_slots = 1,
    .decay_of = sgd_decay_of,
    .problem = sgd_problem,
    .propose = sgd_propose
};
