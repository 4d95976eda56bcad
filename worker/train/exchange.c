/* Weights to those who compute, contributions to those who own. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"

#include <string.h>

static const struct unit *unit_of(const struct worker *w, int unit) { return &w->plan->partition.units[unit]; }

enum status exchange_gather_begin(const struct comm *shard, struct worker *w, int unit)
{
    const struct unit *u = unit_of(w, unit);
    const size_t bytes = dtype_bytes(w->plan->compute);
    unsigned char *buffer = ends_take(&w->gathered, unit, u->count);
    memcpy(buffer + (size_t)u->cut[w->member] * bytes, w->units[unit].own_weights, w->units[unit].span_bytes[w->member]);
    CHECK(w->gathering_unit < 0);
    w->gathering_unit = unit;
    return comm_gather_begin(shard, COMM_GATHER, buffer, w->units[unit].span_bytes, &w->gathering);
}

enum status exchange_gather_wait(const struct comm *shard, struct worker *w, int unit)
{
    CHECK(w->gathering_unit == unit);
    w->gathering_unit = -1;
    return comm_wait(shard, &w->gathering);
}

void exchange_release(struct worker *w, int unit) { ends_drop(&w->gathered, unit); }

const unsigned char *exchange_weights(struct worker *w, int unit)
{
    if (w->units[unit].resident) return w->units[unit].resident;
    const unsigned char *weights = ends_find(&w->gathered, unit, unit_of(w, unit)->count);
    CHECK(weights != NULL || unit == 0); /* an embedding's backward reads none */
    return weights;
}

int64_t *exchange_contribution(struct worker *w, int unit)
{
    if (w->units[unit].contribution) return w->units[unit].contribution;
    const int64_t count = unit_of(w, unit)->count;
    int64_t *sum = ends_find(&w->contributing, unit, count);
    if (sum == NULL) {
        sum = ends_take(&w->contributing, unit, count);
        memset(sum, 0, (size_t)count * sizeof *sum);
    }
    return sum;
}

/* A rank without microbatches still has a contribution to send: zeros. */
enum status exchange_reduce_begin(const struct comm *shard, struct worker *w, int unit)
{
    CHECK(w->reducing_unit < 0);
    w->reducing_unit = unit;
    return slices_begin(shard, w->slices, exchange_contribution(w, unit), unit_of(w, unit)->cut, w->units[unit].own_sum);
}

enum status exchange_reduce_wait(const struct comm *shard, struct worker *w, int unit)
{
    CHECK(w->reducing_unit == unit);
    w->reducing_unit = -1;
    TRY(slices_wait(shard, w->slices));
    if (w->plan->to_owner) ends_drop(&w->contributing, unit);
    return ST_OK;
}

void exchange_poll(void *worker)
{
    struct worker *w = worker;
    if (w->gathering_unit >= 0 || w->travelling) comm_poll(w->shard);
    if (w->reducing_unit >= 0) slices_poll(w->slices);
}

enum status exchange_across(const struct comm *across, struct worker *w, const struct stretch *s)
{
    if (w->plan->n_groups == 1) return ST_OK;
    enum { SLICE = PLAN_SLICE_BYTES / sizeof(int64_t) };
    for (int unit = 0; unit < w->plan->partition.n_units; unit++) {
        if (!s->trains[unit]) continue;
        const struct unit *u = unit_of(w, unit);
        const int64_t own = u->cut[w->member + 1] - u->cut[w->member];
        for (int64_t at = 0; at < own; at += SLICE) {
            struct comm_request request = { 0 };
            TRY(comm_sum_begin(across, COMM_ACROSS, w->units[unit].own_sum + at, min_i64(SLICE, own - at), &request));
            TRY(comm_wait(across, &request));
        }
    }
    return ST_OK;
}

enum status exchange_refresh(const struct comm *shard, struct worker *w, const struct stretch *s)
{
    if (s == NULL) w->stale = false;
    if (w->plan->group == 1 || plan_gathers(w->plan)) return ST_OK;
    for (int unit = 0; unit < w->plan->partition.n_units; unit++) {
        if (s && !s->trains[unit]) continue;
        struct comm_request request = { 0 };
        TRY(comm_gather_begin(shard, COMM_GATHER, w->units[unit].resident, w->units[unit].span_bytes, &request));
        TRY(comm_wait(shard, &request));
    }
    return ST_OK;
}
