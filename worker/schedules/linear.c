#include "schedules.h"

static double linear_factor(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps)
{
    const double done = (double)(t - 1 - warmup) / (double)(n_steps - warmup);
    return 1 - (1 - fields->floor) * done;
}

static const struct field linear_fields[] = { SCHEDULE_WARMUP,
                                              { "floor", FIELD_F64, offsetof(struct schedule_fields, floor), "0", 0, 1, NULL, "",
                                                "share of the rate that is left at the end", true },
                                              { 0 } };

const struct schedule_desc schedule_linear = { .variant = { "linear", "a straight line to the floor", "Devlin et al. 2019 (BERT)",
                                                            linear_fields, sizeof(struct schedule_fields), NULL },
                                               .factor = linear_factor };
