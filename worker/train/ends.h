/* ends.h: a buffer for at most two units at a time, one from each end. Gathered weights live in one of these, contributions that travel to
 * their owners in another; that a third unit cannot be taken is what keeps the promise of `shard: full`. */
#ifndef LAMINA_WORKER_TRAIN_ENDS_H
#define LAMINA_WORKER_TRAIN_ENDS_H

#include "common/plan/program.h"

struct ends {
    unsigned char *base;
    size_t cap, element_bytes;
    int unit[2]; /* held at the low and the high end, -1: free */
    size_t bytes[2];
    int held_most; /* most units held at one time since start */
};

/* The largest sum of units held at one time by a list of actions: taken at `take`, dropped at `drop`. A tied head's backward takes the
 * embedding's contributions as well. Returns bytes. */
size_t ends_need(const struct partition *p, const struct program *program, enum action_kind take, enum action_kind drop, bool tied,
                 size_t element_bytes);

void ends_place(struct ends *e, struct arena *arena, size_t cap, size_t element_bytes);
/* Memory for a unit of n elements; it must not be held. */
void *ends_take(struct ends *e, int unit, int64_t n);
/* NULL when the unit is not held. */
void *ends_find(const struct ends *e, int unit, int64_t n);
void ends_drop(struct ends *e, int unit);

#endif
