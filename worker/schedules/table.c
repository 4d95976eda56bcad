#include "schedules.h"

const struct schedule_desc *const schedule_table[] = { &schedule_constant, &schedule_linear,       &schedule_cosine,
                                                       &schedule_wsd,      &schedule_inverse_sqrt, NULL };

const char *const schedule_endless[] = { "run.steps", NULL, NULL };
