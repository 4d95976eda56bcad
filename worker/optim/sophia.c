/* Sophia-G: momentum over an estimate of the loss's curvature, clipped per element. The estimate comes from a second gradient, of labels
 * sampled from the model (Gauss-Newton-Bartlett), every few steps. */
#include "common/base/clones.h"
#include "optim.h"

struct sophia {
    double betas[2], rho, batch_tokens;
    int64_t every;
};
enum { SLOT_M, SLOT_H };

static int64_t sophia_observe_every(const void *hyper) { return ((const struct sophia *)hyper)->every; }

/* h <- b2 h + (1 - b2) ghat^2. The tokens B of the batch, which make it an estimate of curvature, enter in the step. */
VECTOR_CLONES static void squares_into(float b, float a, float *restrict h, const float *restrict g, int64_t n)
{
    for (int64_t i = 0; i < n; i++) h[i] = b * h[i] + a * (g[i] * g[i]);
}

static void sophia_observe(const struct opt_step *s, struct opt_tile *v)
{
    const double beta = ((const struct sophia *)s->hyper)->betas[1];
    squares_into((float)beta, (float)(1 - beta), v->slot[SLOT_H], v->grad, v->count);
}

/* u = sign(m) min(|m| / (rho B h + 1e-15), 1) */
VECTOR_CLONES static void clipped_direction(double beta, double scale, struct opt_tile *v)
{
    const float b = (float)beta, a = (float)(1 - beta), rho_b = (float)scale;
    const float *restrict g = v->grad, *restrict h = v->slot[SLOT_H];
    float *restrict m = v->slot[SLOT_M], *restrict u = v->u;
    for (int64_t i = 0; i < v->count; i++) {
        m[i] = b * m[i] + a * g[i];
        const float size = m[i] < 0 ? -m[i] : m[i], part = size / (rho_b * h[i] + 1e-15f);
        const float clipped = part < 1 ? part : 1;
        u[i] = m[i] < 0 ? -clipped : clipped; /* m = 0: 0 / 1e-15 */
    }
}

static void sophia_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct sophia *h = s->hyper;
    clipped_direction(h->betas[0], h->rho * (h->batch_tokens > 0 ? h->batch_tokens : s->batch_tokens), v);
}

static const char *const tokens_words[] = { "run", NULL };
static const struct field sophia_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct sophia, betas), "[0.965, 0.99]", 0, 0.999999, NULL, "",
      "decay of the mean of gradients, and of the estimate of curvature", true },
    { "rho", FIELD_F64, offsetof(struct sophia, rho), "0.04", 0, 1e6, NULL, "",
      "curvature is multiplied by it; to be chosen so that 10 to 50 % of the elements are not clipped", true },
    { "every", FIELD_I64, offsetof(struct sophia, every), "10", 1, 1e12, NULL, "steps",
      "the estimate is refreshed before steps 1, every + 1, ..., by one more backward pass", true },
    { "batch_tokens", FIELD_F64, offsetof(struct sophia, batch_tokens), "run", 0, 1e15, tokens_words, "tokens",
      "B, the tokens behind a gradient; run: those with loss in the step", true },
    { 0 }
};
static const struct opt_slot sophia_slots[] = {
    [SLOT_M] = { .name = "m", .extent = PER_ELEMENT }, [SLOT_H] = { .name = "h", .extent = PER_ELEMENT, .observed = true, .positive = true }
};
static const char *const sophia_preset[] = { "lr", "1e-4", "weight_decay", "0.1", NULL };

const struct opt_desc opt_sophia = {
    .variant = { .name = "sophia",
                 .summary = "momentum over an estimate of curvature, clipped per element",
                 .source = "Liu et al. 2023 (arXiv 2305.14342), Alg. 3 with Alg. 2; Liuhong99/Sophia",
                 .fields = sophia_fields,
                 .bytes = sizeof(struct sophia),
                 .preset = sophia_preset },
    .equations = "before steps 1, every + 1, ...: h <- b2 h + (1 - b2) ghat^2, ghat the gradient for labels drawn from the model\n"
                 "m <- b1 m + (1 - b1) g\n"
                 "u = sign(m) min(|m| / (rho B h + 1e-15), 1);  B = batch_tokens\n"
                 "theta <- (1 - lr weight_decay) theta - lr u",
    .slots = sophia_slots,
    .n_slots = 2,
    .decay = DECAY_BEFORE,
    .propose = sophia_propose,
    .observe_every = sophia_observe_every,
    .observe = sophia_observe
};
