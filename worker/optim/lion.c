/* Lion: the sign of an interpolated momentum. */
#include "optim.h"

struct lion {
    double betas[2];
};

static void lion_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct lion *h = s->hyper;
    const float b1 = (float)h->betas[0], a1 = (float)(1 - h->betas[0]); /* 1 - beta is formed in double: beta near 1 loses digits */
    const float b2 = (float)h->betas[1], a2 = (float)(1 - h->betas[1]);
    float *restrict m = v->slot[0], *restrict u = v->u;
    const float *restrict g = v->grad;
    for (int64_t i = 0; i < v->count; i++) {
        const float c = b1 * m[i] + a1 * g[i];
        u[i] = (float)((c > 0) - (c < 0)); /* sign(0) = 0 */
        m[i] = b2 * m[i] + a2 * g[i];
    }
}

static const struct field lion_fields[] = { { "betas", FIELD_F64x2, offsetof(struct lion, betas), "[0.9, 0.99]", 0, 1, NULL, "",
                                              "weight of the stored momentum in the sign, and its decay", true },
                                            { 0 } };
static const struct opt_slot lion_slots[] = { { .name = "m", .extent = PER_ELEMENT } };
static const char *const lion_preset[] = { "lr", "1e-4", "weight_decay", "0", NULL };

const struct opt_desc opt_lion = { .variant = { .name = "lion",
                                                .summary = "sign of an interpolated momentum",
                                                .source = "Chen et al. 2023 (arXiv 2302.06675), Alg. 2",
                                                .fields = lion_fields,
                                                .bytes = sizeof(struct lion),
                                                .preset = lion_preset },
                                   .equations = "u = sign(b1 m + (1 - b1) g);  sign(0) = 0\n"
                                                "m <- b2 m + (1 - b2) g\n"
                                                "theta <- (1 - lr weight_decay) theta - lr u",
                                   .slots = lion_slots,
                                   .n_slots = 1,
                                   .decay = DECAY_BEFORE,
                                   .propose = lion_propose };
