#include "schedules.h"

/* cos(pi x) for x in [0, 1], as the sine of pi (1/2 - x) by its Taylor series to z^21. Not the C library's: learning rates must have the
 * same bits on hosts with different ones. */
static double cosine_of_pi(double x)
{
    const double z = 3.14159265358979323846 * (0.5 - x), z2 = z * z;
    double sum = 1;
    for (int k = 21; k >= 3; k -= 2) sum = 1 - z2 / (double)(k * (k - 1)) * sum;
    return z * sum;
}

static double cosine_factor(const struct schedule_fields *fields, int64_t t, int64_t warmup, int64_t n_steps)
{
    const double done = (double)(t - 1 - warmup) / (double)(n_steps - warmup);
    return fields->floor + (1 - fields->floor) * 0.5 * (1 + cosine_of_pi(done));
}

static const struct field cosine_fields[] = { SCHEDULE_WARMUP,
                                              { "floor", FIELD_F64, offsetof(struct schedule_fields, floor), "0", 0, 1, NULL, "",
                                                "share of the rate that is left at the end", true },
                                              { 0 } };

const struct schedule_desc schedule_cosine = { .variant = { "cosine", "half a cosine to the floor", "Loshchilov & Hutter 2017, eq. 5",
                                                            cosine_fields, sizeof(struct schedule_fields), NULL },
                                               .factor = cosine_factor };
