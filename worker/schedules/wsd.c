#include "schedules.h"

/* Warm-up, stable, decay: the full rate until the last `decay` steps, then a straight line to the floor. */
static double wsd_factor(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps)
{
    (void)warmup;
    const int64_t decay = share_steps(fields->decay, n_steps), stable = n_steps - decay;
    if (t <= stable) return 1;
    return 1 - (1 - fields->floor) * (double)(t - 1 - stable) / (double)decay;
}

static const struct field wsd_fields[] = { SCHEDULE_WARMUP,
                                           { "decay", FIELD_SHARE, offsetof(struct schedule_fields, decay), "20%", 0, 1e12, NULL, "steps",
                                             "steps, or N% of the run, at its end over which the rate falls", true },
                                           { "floor", FIELD_F64, offsetof(struct schedule_fields, floor), "0", 0, 1, NULL, "",
                                             "share of the rate that is left at the end", true },
                                           { 0 } };

const struct schedule_desc schedule_wsd = { .variant = { "wsd", "warm-up, stable, then a straight line to the floor",
                                                         "Hu et al. 2024 (MiniCPM), section 4", wsd_fields, sizeof(struct schedule_fields),
                                                         NULL },
                                            .factor = wsd_factor };
