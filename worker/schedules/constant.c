#include "schedules.h"

static double constant_factor(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps)
{
    (void)fields, (void)t, (void)warmup, (void)n_steps;
    return 1;
}

static const struct field constant_fields[] = { SCHEDULE_WARMUP, { 0 } };

const struct schedule_desc schedule_constant = { .variant = { "constant", "the full rate after warm-up", "", constant_fields,
                                                              sizeof(struct schedule_fields), schedule_endless },
                                                 .factor = constant_factor };
