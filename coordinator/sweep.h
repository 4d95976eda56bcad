/* sweep.h: the grid of a sweep: axes read from --over, points as combinations of their values, and a run name for each point.
 * Nothing here knows a configuration or a file. Points and values are counted from 0 here, from 1 on the command line. */
#ifndef LAMINA_COORDINATOR_SWEEP_H
#define LAMINA_COORDINATOR_SWEEP_H

#include "common/base/arena.h"
#include "common/config/config.h"

enum { SWEEP_AXES = 8, SWEEP_POINTS = 4096 };

enum sweep_scale { SCALE_LIST, SCALE_LINEAR, SCALE_GEOMETRIC };
struct sweep_axis {
    const char *key;
    const char *label; /* the shortest end of the key that no other axis has: "lr", or "head.lr" beside "rest.lr" */
    enum sweep_scale scale;
    int n;
    const char *const *value; /* as a run gets them behind KEY=: the text is the value, so that a number has one meaning everywhere */
};
struct sweep {
    int n_axes, n_points;
    struct sweep_axis axis[SWEEP_AXES];
};

/* KEY=LOW..HIGH@N: N values from LOW to HIGH, geometric where both are positive, else linear; @Nlog and @Nlin force one of them. The ends
 * stand as they were given, what is between is rounded to few digits. KEY=a,b,c: these; commas inside brackets, braces or quotes belong
 * to a value. Fails: ST_USAGE with what to write. */
enum status sweep_axis_read(struct arena *arena, const char *over, struct sweep_axis *out) MUST_USE;
/* All axes. The first varies slowest. Fails: ST_USAGE. */
enum status sweep_read(struct arena *arena, const char *const over[], int n, struct sweep *out) MUST_USE;

const char *sweep_value(const struct sweep *s, int point, int axis);

/* BASE-label1value1-label2value2: made from the values alone, so that a point keeps its name when the grid grows. Where a value holds
 * characters that a run name may not, or the name gets too long, it is shortened and ends in eight digits of a digest. */
void sweep_name(const struct sweep *s, const char *base, int point, char out[CONFIG_NAME_MAX]);

/* A decimal of at most so many significant digits (up to 17). Below 1 it has an exponent where the caller likes one, or where that is
 * shorter; from 1 on it has none (up to 15 digits), so that integers read as such. */
enum { SWEEP_NUMBER = 48 };
void sweep_number(double value, int digits, bool exponent, char out[SWEEP_NUMBER]);

#endif
