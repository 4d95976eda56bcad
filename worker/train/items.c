#define LAMINA_WORKER_TRAIN
#include "items.h"
#include "private.h"

#include "common/base/check.h"
#include "common/base/parallel.h"

#include <stdio.h>
#include <string.h>

static struct piece find_piece(const struct worker *w, int param)
{
    struct piece own[UNIT_MAX_PARAMS];
    const int n = partition_pieces(&w->plan->partition, w->plan->partition.params[param].unit, w->member, own);
    for (int i = 0; i < n; i++)
        if (own[i].param == param) return own[i];
    return (struct piece){ .param = param };
}

static struct item weights_item(const struct worker *w, int param)
{
    const struct param *q = &w->plan->partition.params[param];
    const struct piece own = find_piece(w, param), share = place_share(w, own);
    struct item it = { .param = param,
                       .n_dims = q->n_dims,
                       .dtype = DT_F32,
                       .rows = q->rows,
                       .cols = q->cols,
                       .held_begin = own.row_begin,
                       .held_end = own.row_end,
                       .write_begin = share.row_begin,
                       .write_end = share.row_end };
    snprintf(it.name, sizeof it.name, "weights/%s", q->name);
    if (own.row_begin < own.row_end) it.data = w->units[q->unit].master + place_in_span(w, &own);
    return it;
}

/* Replicas of a span share the work on its rows; of what one owner holds whole, the first group's is the writer. */
static bool slot_item(const struct worker *w, int param, int slot, struct item *out)
{
    struct driver_slot s;
    if (!driver_slot(w->driver, param, slot, &s)) return false;
    *out = (struct item){ .param = param,
                          .n_dims = s.rows == 1 ? 1 : 2,
                          .dtype = s.dtype,
                          .rows = s.rows,
                          .cols = s.cols,
                          .held_begin = s.row_begin,
                          .held_end = s.row_end,
                          .data = s.data };
    snprintf(out->name, sizeof out->name, "state/%s.%s", w->plan->partition.params[param].name, s.name);
    if (s.split && s.data != NULL) {
        const struct piece share = place_share(w, (struct piece){ param, s.row_begin, s.row_end });
        out->write_begin = share.row_begin;
        out->write_end = share.row_end;
    } else if (s.writes && plan_group(w->plan, w->rank) == 0) {
        out->write_end = s.rows;
    }
    return true;
}

void items_list(struct worker *w, struct arena *arena, bool state, struct items *out)
{
    const struct partition *p = &w->plan->partition;
    const size_t most = (size_t)p->n_params * (state ? 1 + DRIVER_SLOTS : 1);
    *out = (struct items){ .item = arena_place_n(arena, most, sizeof *out->item) };
    for (int k = 0; k < p->n_params; k++) out->item[out->n++] = weights_item(w, p->by_name[k]);
    out->n_weights = out->n;
    for (int k = 0; state && k < p->n_params; k++)
        for (int slot = 0; slot < DRIVER_SLOTS; slot++) out->n += slot_item(w, p->by_name[k], slot, &out->item[out->n]);
}

/* --- Digest ------------------------------------------------------------------------------------------------------------ */

enum { PARTS = 4, DIGEST_ROWS = 64 }; /* a digest as four 32-bit numbers: sums of 2^31 rows do not overflow */

struct hash_rows {
    const struct item *item;
    int64_t (*sum)[PARTS];
};

static void add_digest(int64_t sum[PARTS], struct digest128 d)
{
    sum[0] += (int64_t)(d.low & 0xffffffffu);
    sum[1] += (int64_t)(d.low >> 32);
    sum[2] += (int64_t)(d.high & 0xffffffffu);
    sum[3] += (int64_t)(d.high >> 32);
}

static void hash_task(void *context, int64_t task, int thread)
{
    (void)thread;
    const struct hash_rows *h = context;
    const struct item *it = h->item;
    const int64_t begin = it->write_begin + task * DIGEST_ROWS, end = min_i64(begin + DIGEST_ROWS, it->write_end);
    memset(h->sum[task], 0, sizeof h->sum[task]);
    for (int64_t row = begin; row < end; row++) {
        const size_t row_bytes = (size_t)it->cols * dtype_bytes(it->dtype);
        const struct digest128 bytes = digest_bytes((const char *)it->data + (size_t)(row - it->held_begin) * row_bytes, row_bytes);
        const uint64_t with_number[3] = { (uint64_t)row, bytes.high, bytes.low };
        add_digest(h->sum[task], digest_bytes(with_number, sizeof with_number));
    }
}

static void hash_item(struct arena *arena, const struct item *it, int64_t sum[PARTS])
{
    memset(sum, 0, PARTS * sizeof *sum);
    const int64_t n_tasks = ceil_div(it->write_end - it->write_begin, DIGEST_ROWS);
    if (n_tasks <= 0) return;
    struct hash_rows h = { it, arena_place_n(arena, (size_t)n_tasks, sizeof *h.sum) };
    parallel_for(n_tasks, hash_task, &h);
    for (int64_t t = 0; t < n_tasks; t++)
        for (int i = 0; i < PARTS; i++) sum[i] += h.sum[t][i];
}

static struct digest128 digest_list(const struct items *items, int64_t (*sums)[PARTS], const void *scalars, size_t n)
{
    struct digest_stream *stream = digest_begin();
    for (int i = 0; i < items->n; i++) {
        const struct item *it = &items->item[i];
        const int64_t shape[2] = { it->rows, it->cols };
        digest_add(stream, it->name, strlen(it->name) + 1);
        digest_add(stream, dtype_name(it->dtype), strlen(dtype_name(it->dtype)) + 1);
        digest_add(stream, shape, sizeof shape);
        digest_add(stream, sums[i], sizeof sums[i]);
    }
    digest_add(stream, scalars, n);
    return digest_end(stream);
}

enum status items_digest(const struct comm *world, const struct items *items, const void *scalars, size_t n, struct digest128 *out)
{
    struct arena arena;
    arena_open_growing(&arena, "digest");
    int64_t(*sums)[PARTS] = arena_place_n(&arena, (size_t)items->n, sizeof *sums);
    for (int i = 0; i < items->n; i++) hash_item(&arena, &items->item[i], sums[i]);
    const enum status s = comm_sum_i64(world, COMM_CONTROL, sums[0], (int64_t)items->n * PARTS);
    if (!s) *out = digest_list(items, sums, scalars, n);
    arena_close(&arena);
    return s;
}
