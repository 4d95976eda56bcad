/* schedules.h: the factor by which a rule's base learning rate is multiplied at each step. One file per schedule, one row in table.c.
 *
 * Steps count from 1. During warm-up (W steps of n) the factor is t / W. Afterwards (t - 1 - W) / (n - W) of the decay lies behind, as
 * PyTorch, Transformers and Megatron count: the first step after warm-up has the full rate, the last one still has some, and the floor is
 * where step n + 1 would be. */
#ifndef LAMINA_SCHEDULES_SCHEDULES_H
#define LAMINA_SCHEDULES_SCHEDULES_H

#include "common/config/config.h"

/* The keys of all schedules; each table has a row for those that its schedule reads, warmup always. */
struct schedule_fields {
    struct share warmup, decay;
    double floor;
};
#define SCHEDULE_WARMUP                                                                                                                    \
    {                                                                                                                                      \
        "warmup", FIELD_SHARE, offsetof(struct schedule_fields, warmup), "0", 0, 1e12, NULL, "steps",                                      \
            "steps, or N% of the run, over which the rate rises from 0", true                                                              \
    }

/* One whose shape does not depend on the number of steps says so in its preset (schedule_endless): field.h. */
struct schedule_desc {
    struct variant variant; /* name, summary, source, fields */
    /* The factor at t in (warmup, n_steps]. */
    double (*factor)(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps);
};
extern const char *const schedule_endless[];

extern const struct schedule_desc *const schedule_table[]; /* NULL-terminated */
extern const struct schedule_desc schedule_constant, schedule_linear, schedule_cosine, schedule_wsd, schedule_inverse_sqrt;

/* Factor at step t of a run of n_steps, 1 <= t <= n_steps: in [0, 1], the same bits on every machine. */
double schedule_factor(const struct schedule_config *schedule, int64_t t, int64_t n_steps);

#endif
