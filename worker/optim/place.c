/* The driver's memory: what is placed for which parameter. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"

enum {
    TASK_ELEMENTS = 1 << 14,
    TASK_COLUMN_ROWS = 64
}; /* a task with column sums has at least so many rows: they cost 16 bytes per column */

int64_t driver_exchange_values(const struct plan *plan, int exchange)
{
    int64_t n = 0;
    for (int p = 0; p < plan->partition.n_params; p++) {
        const struct opt_rule rule = plan_rule(plan, p);
        n += opt_exchange_values(&rule, &plan->partition.params[p], exchange);
    }
    return n;
}

static int64_t task_rows(const struct span *s)
{
    int64_t rows = max_i64(1, TASK_ELEMENTS / s->param->cols);
    if (s->need.column[0] > 0 || s->need.column[1] > 0) rows = max_i64(rows, TASK_COLUMN_ROWS);
    return ceil_div(rows, s->tile_rows) * s->tile_rows;
}

static void place_slot(struct arena *memory, const struct span *s, int64_t n_rows, int slot, struct stored *out)
{
    static const size_t bytes[] = { [STORAGE_FP32] = sizeof(float), [STORAGE_BF16] = sizeof(uint16_t), [STORAGE_Q8] = 1 };
    out->whole = opt_stored(&s->rule, slot, s->param);
    int64_t n = out->whole.rows * out->whole.cols;
    switch (out->whole.extent) {
    case EXTENT_NONE:
    case AT_OWNER: return;
    case PER_ELEMENT: n = n_rows * s->param->cols; break;
    case PER_ROW: n = n_rows; break;
    case PER_BLOCK: n = ceil_div(n_rows, s->block_rows); break;
    case PER_COL:
    case PER_TENSOR: break;
    }
    out->data = arena_place_n(memory, (size_t)n, bytes[out->whole.dtype]);
    if (out->whole.dtype == STORAGE_Q8) out->scale = arena_place_n(memory, (size_t)ceil_div(n, out->whole.block), sizeof *out->scale);
}

static void place_span(struct arena *memory, const struct plan *plan, const struct driver_piece *piece, struct span *s)
{
    const struct param *p = &plan->partition.params[piece->param];
    const int64_t n_rows = piece->row_end - piece->row_begin;
    *s = (struct span){ .piece = *piece, .param = p, .rule = plan_rule(plan, piece->param), .now.tensor = { .param = p } };
    const struct opt_desc *opt = s->rule.opt;
    const int64_t align = opt_row_align(&s->rule, p);
    s->need = opt_needs(opt, p, s->rule.hyper);
    s->place = opt_decay(opt, s->rule.hyper);
    s->rounds = opt_rounds(&s->need);
    s->plain = s->rounds == 0 && !s->need.whole && !s->rule.common->cautious;
    s->block_rows = opt_block_rows(&s->rule, p);
    s->tile_rows = ceil_div(max_i64(1, OPT_TILE / p->cols), align) * align;
    CHECK(0 <= piece->row_begin && piece->row_begin < piece->row_end && piece->row_end <= p->rows);
    CHECK(piece->row_begin % align == 0 && (piece->row_end % align == 0 || piece->row_end == p->rows));
    /* the bound of column terms knows gradients, not weights */
    CHECK(s->place != DECAY_L2 || (s->need.column[0] == 0 && s->need.column[1] == 0));
    if (p->frozen_until < 0) return;

    for (int k = 0; k < opt->n_slots; k++) {
        place_slot(memory, s, n_rows, k, &s->slot[k]);
        const enum extent extent = s->slot[k].whole.extent;
        if (extent != PER_COL && extent != PER_TENSOR) continue;
        CHECK(!s->need.whole); /* the owner of the matrix may own none of its rows */
        s->now.tensor.slot[k] = s->slot[k].data;
    }
    if (s->rule.common->average > 0) s->average = arena_place_n(memory, (size_t)(n_rows * p->cols), sizeof(float));
    if (opt->eval_weights != NULL) s->kept = arena_place_n(memory, (size_t)(n_rows * p->cols), sizeof(float));
    if (!s->plain) s->u = arena_place_n(memory, (size_t)(n_rows * p->cols), sizeof(float));
    if (s->need.column[0] > 0 || s->need.column[1] > 0) s->sums.column = arena_place_n(memory, (size_t)p->cols, sizeof(double));
}

static void place_tasks(struct arena *memory, struct arena *tables, struct driver *d)
{
    int64_t n = 0;
    for (int i = 0; i < d->n_spans; i++) {
        struct span *s = &d->spans[i];
        s->first_task = (int)n;
        n += ceil_div(s->piece.row_end - s->piece.row_begin, task_rows(s));
        s->n_tasks = (int)n - s->first_task;
    }
    CHECK(n <= INT32_MAX);
    d->n_tasks = (int)n;
    d->tasks = arena_place_n(tables, (size_t)n, sizeof *d->tasks);
    for (int i = 0; i < d->n_spans; i++) {
        const struct span *s = &d->spans[i];
        const int sums = s->need.scalars[0] > s->need.scalars[1] ? s->need.scalars[0] : s->need.scalars[1];
        for (int k = 0; k < s->n_tasks; k++) {
            const int64_t begin = s->piece.row_begin + k * task_rows(s);
            d->tasks[s->first_task + k] = (struct task){
                .span = i,
                .row_begin = begin,
                .row_end = min_i64(begin + task_rows(s), s->piece.row_end),
                .scalar = arena_place_n(memory, sums > 1 ? (size_t)sums : 1, sizeof(struct super)),
                .column = s->sums.column != NULL ? arena_place_n(memory, (size_t)s->param->cols, sizeof(struct wide)) : NULL,
            };
        }
    }
}

static bool is_coded(const struct stored *slot) { return slot->data != NULL && slot->whole.dtype != STORAGE_FP32; }

static void place_scratch(struct arena *memory, struct arena *tables, struct driver *d)
{
    int64_t tile = 0, cols = 0, coded[OPT_MAX_SLOTS] = { 0 };
    size_t whole = 0;
    for (int i = 0; i < d->n_spans; i++) {
        const struct span *s = &d->spans[i];
        const int64_t n = s->tile_rows * s->param->cols;
        tile = max_i64(tile, n);
        if (s->sums.column != NULL) cols = max_i64(cols, s->param->cols);
        for (int k = 0; k < OPT_MAX_SLOTS; k++)
            if (is_coded(&s->slot[k])) coded[k] = max_i64(coded[k], n);
    }
    for (int i = 0; i < d->n_owned; i++) {
        const struct owned *o = &d->owned[i];
        const struct param *p = &d->plan->partition.params[o->param];
        const size_t bytes = o->rule.opt->whole_scratch != NULL ? o->rule.opt->whole_scratch(p, o->rule.hyper) : 0;
        if (bytes > whole) whole = bytes;
    }
    d->scratch = arena_place_n(tables, (size_t)d->threads, sizeof *d->scratch);
    for (int t = 0; t < d->threads; t++) {
        struct scratch *s = &d->scratch[t];
        s->grad = arena_place_n(memory, (size_t)tile, sizeof(float));
        s->u = arena_place_n(memory, (size_t)tile, sizeof(float));
        s->column = arena_place_n(memory, (size_t)cols, sizeof(double));
        s->whole = arena_place(memory, whole);
        for (int k = 0; k < OPT_MAX_SLOTS; k++) s->state[k] = arena_place_n(memory, (size_t)coded[k], sizeof(float));
    }
}

/* Every rank lays the values out alike: parameter after parameter, owned or not. */
static void place_exchange(struct arena *memory, struct arena *tables, struct driver *d)
{
    const int n_params = d->plan->partition.n_params;
    int64_t most = 0;
    for (int round = 0; round < OPT_EXCHANGES; round++) {
        int64_t at = 0;
        d->value_at[round] = arena_place_n(tables, (size_t)n_params, sizeof *d->value_at[round]);
        for (int p = 0; p < n_params; p++) {
            const struct opt_rule rule = plan_rule(d->plan, p);
            d->value_at[round][p] = at;
            if (d->span_of[p] >= 0) d->spans[d->span_of[p]].value_at[round] = at;
            at += opt_exchange_values(&rule, &d->plan->partition.params[p], round);
        }
        d->n_values[round] = at;
        most = max_i64(most, at);
    }
    d->values = arena_place_n(memory, (size_t)most, sizeof *d->values);
}

/* The matrices of this owner, the dearest first, so that threads end together. */
static void place_owned(struct arena *memory, struct arena *tables, struct driver *d)
{
    const struct partition *p = &d->plan->partition;
    int n_whole = 0;
    for (int i = 0; i < p->n_params; i++) {
        n_whole += p->params[i].owner >= 0;
        d->n_owned += p->params[i].owner == d->group.rank;
    }
    d->owned = arena_place_n(tables, (size_t)d->n_owned, sizeof *d->owned);
    d->routes = arena_place_n(tables, (size_t)d->group.ranks, sizeof *d->routes);
    d->sends = arena_place_n(tables, (size_t)(n_whole * d->group.ranks), sizeof *d->sends);
    d->recvs = arena_place_n(tables, (size_t)(n_whole * d->group.ranks), sizeof *d->recvs);
    int n = 0;
    for (int i = 0; i < p->n_params; i++) {
        const struct param *q = &p->params[i];
        if (q->owner != d->group.rank) continue;
        struct owned o = { .param = i, .rule = plan_rule(d->plan, i), .now.tensor = { .param = q } };
        const double flops = opt_whole_flops(&o.rule, q);
        CHECK(flops > 0 && o.rule.opt->direction != NULL);
        o.whole.u = d->group.ranks == 1 ? d->spans[d->span_of[i]].u : arena_place_n(memory, (size_t)(q->rows * q->cols), sizeof(float));
        for (int k = 0; k < o.rule.opt->n_slots; k++) {
            const struct opt_stored s = opt_stored(&o.rule, k, q);
            if (s.extent == AT_OWNER) o.whole.slot[k] = arena_place_n(memory, (size_t)(s.rows * s.cols), sizeof(float));
        }
        int at = n++;
        for (; at > 0 && opt_whole_flops(&d->owned[at - 1].rule, &p->params[d->owned[at - 1].param]) < flops; at--)
            d->owned[at] = d->owned[at - 1];
        d->owned[at] = o;
    }
}

struct driver *driver_place(struct arena *memory, struct arena *tables, const struct plan *plan, int threads,
                            const struct driver_group *group, const struct driver_piece *pieces, int n)
{
    const int n_params = plan->partition.n_params;
    struct driver *d = arena_place(tables, sizeof *d);
    *d = (struct driver){ .plan = plan, .group = *group, .n_spans = n, .threads = threads };
    d->span_of = arena_place_n(tables, (size_t)n_params, sizeof *d->span_of);
    d->updates = arena_place_n(tables, (size_t)n_params, sizeof *d->updates);
    d->scope = arena_place_n(tables, (size_t)n_params, sizeof *d->scope);
    for (int p = 0; p < n_params; p++) {
        d->span_of[p] = -1;
        d->updates[p] = 0;
    }
    d->spans = arena_place_n(tables, (size_t)n, sizeof *d->spans);
    for (int i = 0; i < n; i++) {
        CHECK(d->span_of[pieces[i].param] < 0); /* a rank's rows of one parameter are one piece */
        d->span_of[pieces[i].param] = i;
        place_span(memory, plan, &pieces[i], &d->spans[i]);
    }
    place_owned(memory, tables, d);
    place_tasks(memory, tables, d);
    place_scratch(memory, tables, d);
    place_exchange(memory, tables, d);
    return d;
}
