/* Signum: the sign of the momentum; without momentum it is signSGD. */
#include "common/base/clones.h"
#include "optim.h"

struct signum {
    double beta;
};

static enum extent signum_extent(const struct param *p, const void *hyper)
{
    (void)p;
    return ((const struct signum *)hyper)->beta > 0 ? PER_ELEMENT : EXTENT_NONE;
}

VECTOR_CLONES static void sign_of_momentum(float b, float a, float *restrict m, const float *restrict g, float *restrict u, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        m[i] = b * m[i] + a * g[i];
        u[i] = (float)((m[i] > 0) - (m[i] < 0)); /* sign(0) = 0 */
    }
}

VECTOR_CLONES static void sign_of_gradient(const float *restrict g, float *restrict u, int64_t n)
{
    for (int64_t i = 0; i < n; i++) u[i] = (float)((g[i] > 0) - (g[i] < 0));
}

static void signum_propose(const struct opt_step *s, struct opt_tile *v)
{
    const double beta = ((const struct signum *)s->hyper)->beta;
    if (v->slot[0] != NULL)
        sign_of_momentum((float)beta, (float)(1 - beta), v->slot[0], v->grad, v->u, v->count);
    else
        sign_of_gradient(v->grad, v->u, v->count);
}

static const struct field signum_fields[] = { { "beta", FIELD_F64, offsetof(struct signum, beta), "0.9", 0, 0.999999, NULL, "",
                                                "decay of the mean of gradients whose sign is the step; 0: signSGD, without state", true },
                                              { 0 } };
static const struct opt_slot signum_slots[] = { { .name = "m", .extent_of = signum_extent } };
static const char *const signum_preset[] = { "lr", "1e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_signum = { .variant = { .name = "signum",
                                                  .summary = "sign of the momentum",
                                                  .source = "Bernstein et al. 2018 (arXiv 1802.04434), Alg. 2; optax signum, sign_sgd",
                                                  .fields = signum_fields,
                                                  .bytes = sizeof(struct signum),
                                                  .preset = signum_preset },
                                     .equations = "m <- beta m + (1 - beta) g;  beta 0: m = g\n"
                                                  "theta <- (1 - lr weight_decay) theta - lr sign(m);  sign(0) = 0",
                                     .slots = signum_slots,
                                     .n_slots = 1,
                                     .decay = DECAY_BEFORE,
                                     .propose = signum_propose };
