#include "schedules.h"
#include "common/base/check.h"

static const struct schedule_desc *find(const struct variant *type)
{
    int i = 0;
    while (schedule_table[i] != NULL && &schedule_table[i]->variant != type) i++;
    CHECK(schedule_table[i] != NULL);
    return schedule_table[i];
}

double schedule_factor(const struct schedule_config *schedule, int64_t t, int64_t n_steps)
{
    const struct schedule_fields *fields = schedule->fields;
    const struct schedule_desc *desc = find(schedule->type);
    const int64_t warmup = share_steps(fields->warmup, n_steps);
    if (t <= warmup) return (double)t / (double)warmup;
    return desc->factor(fields, t, warmup, n_steps);
}
