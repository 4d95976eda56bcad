#include "late_adam.h"
#include "common/base/clones.h"
#include "power.h"

#include <math.h>

double late_adam_gain(const double betas[2], int64_t t) { return sqrt(1 - power_whole(betas[1], t)) / (1 - power_whole(betas[0], t)); }

VECTOR_CLONES void late_adam(const double betas[2], double eps, double gain, float *restrict m, float *restrict v, const float *g, float *u,
                             int64_t n)
{
    const float b1 = (float)betas[0], a1 = (float)(1 - betas[0]), b2 = (float)betas[1], a2 = (float)(1 - betas[1]);
    const float add = (float)eps, factor = (float)gain;
    for (int64_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        const float divisor = sqrtf(v[i]) + add;
        u[i] = divisor > 0 ? factor * (m[i] / divisor) : 0; /* no gradient ever: no step */
    }
}
