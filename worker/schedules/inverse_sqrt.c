#include "schedules.h"

#include <math.h>

/* sqrt(W / t), so that it meets the warm-up at t = W; without one, 1 / sqrt t. Knows no end. */
static double inverse_sqrt_factor(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps)
{
    (void)fields, (void)n_steps;
    return sqrt((double)(warmup > 0 ? warmup : 1) / (double)t);
}

static const struct field inverse_sqrt_fields[] = { SCHEDULE_WARMUP, { 0 } };

const struct schedule_desc schedule_inverse_sqrt = { .variant = { "inverse_sqrt", "falls as one over the root of the step",
                                                                  "Vaswani et al. 2017, eq. 3", inverse_sqrt_fields,
                                                                  sizeof(struct schedule_fields), schedule_endless },
                                                     .factor = inverse_sqrt_factor };
