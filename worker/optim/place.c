/* The driver's memory: what is placed for which parameter, the initial state, and the way to it for checkpoints. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"

enum {
    TASK_ELEMENTS = 1 << 14,
    TASK_COLUMN_ROWS = 64
}; /* a task with column sums has at least so many rows: they cost 16 bytes per column */

struct opt_rule driver_rule(const struct plan *plan, int param)
{
    const int rule = plan->partition.params[param].rule;
    const struct rule_config *config = &plan->config->rules[rule];
    return (struct opt_rule){ .opt = plan->optimizers[rule], .hyper = config->fields, .common = &config->common };
}

int64_t driver_exchange_values(const struct plan *plan, int round)
{
    int64_t n = 0;
    for (int p = 0; p < plan->partition.n_params; p++) {
        const struct opt_rule rule = driver_rule(plan, p);
        n += opt_exchange_values(&rule, &plan->partition.params[p], round);
    }
    return n;
}

static int64_t task_rows(const struct span *s)
{
    int64_t rows = max_i64(1, TASK_ELEMENTS / s->param->cols);
    if (s->need.column[0] > 0 || s->need.column[1] > 0) rows = max_i64(rows, TASK_COLUMN_ROWS);
    return ceil_div(rows, s->tile_rows) * s->tile_rows;
}

static void place_span(struct arena *memory, const struct plan *plan, const struct driver_piece *piece, struct span *s)
{
    const struct param *p = &plan->partition.params[piece->param];
    const int64_t n_rows = piece->row_end - piece->row_begin;
    *s = (struct span){ .piece = *piece, .param = p, .rule = driver_rule(plan, piece->param), .tensor = { .param = p } };
    const struct opt_desc *opt = s->rule.opt;
    s->need = opt_needs(opt, p, s->rule.hyper);
    s->place = opt_decay(opt, s->rule.hyper);
    s->exchanges = opt_exchanges(&s->rule, p);
    s->rounds = s->exchanges - (s->exchanges > 0 && s->rule.common->cautious ? 1 : 0);
    s->block_rows = opt_row_align(opt, p, s->rule.hyper);
    s->tile_rows = ceil_div(max_i64(1, OPT_TILE / p->cols), s->block_rows) * s->block_rows;
    CHECK(0 <= piece->row_begin && piece->row_begin < piece->row_end && piece->row_end <= p->rows);
    CHECK(piece->row_begin % s->block_rows == 0 && (piece->row_end % s->block_rows == 0 || piece->row_end == p->rows));
    /* the bound of column terms knows gradients, not weights */
    CHECK(s->place != DECAY_L2 || (s->need.column[0] == 0 && s->need.column[1] == 0));
    if (p->frozen_until < 0) return;

    for (int k = 0; k < opt->n_slots; k++) {
        s->extent[k] = opt_extent(opt, k, p, s->rule.hyper);
        if (s->extent[k] == EXTENT_NONE) continue;
        s->slot[k] = arena_place_n(memory, (size_t)opt_extent_values(s->extent[k], n_rows, p->cols), sizeof(float));
        if (s->extent[k] == PER_COL || s->extent[k] == PER_TENSOR) s->tensor.slot[k] = s->slot[k];
    }
    if (s->exchanges > 0) s->u = arena_place_n(memory, (size_t)(n_rows * p->cols), sizeof(float));
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

static void place_scratch(struct arena *memory, struct arena *tables, struct driver *d)
{
    int64_t tile = 0, cols = 0;
    for (int i = 0; i < d->n_spans; i++) {
        tile = max_i64(tile, d->spans[i].tile_rows * d->spans[i].param->cols);
        if (d->spans[i].sums.column != NULL) cols = max_i64(cols, d->spans[i].param->cols);
    }
    d->scratch = arena_place_n(tables, (size_t)d->threads, sizeof *d->scratch);
    for (int t = 0; t < d->threads; t++) {
        d->scratch[t].grad = arena_place_n(memory, (size_t)tile, sizeof(float));
        d->scratch[t].u = arena_place_n(memory, (size_t)tile, sizeof(float));
        d->scratch[t].column = arena_place_n(memory, (size_t)cols, sizeof(double));
    }
}

/* Every rank lays the values out alike: parameter after parameter, owned or not. */
static void place_exchange(struct arena *memory, struct driver *d)
{
    int64_t most = 0;
    for (int round = 0; round < DRIVER_ROUNDS; round++) {
        int64_t at = 0;
        for (int p = 0; p < d->plan->partition.n_params; p++) {
            const struct opt_rule rule = driver_rule(d->plan, p);
            if (d->span_of[p] >= 0) d->spans[d->span_of[p]].value_at[round] = at;
            at += opt_exchange_values(&rule, &d->plan->partition.params[p], round);
        }
        d->n_values[round] = at;
        most = max_i64(most, at);
    }
    d->values = arena_place_n(memory, (size_t)most, sizeof *d->values);
}

struct driver *driver_place(struct arena *memory, struct arena *tables, const struct plan *plan, int threads,
                            const struct driver_piece *pieces, int n)
{
    const int n_params = plan->partition.n_params;
    struct driver *d = arena_place(tables, sizeof *d);
    *d = (struct driver){ .plan = plan, .n_spans = n, .threads = threads };
    d->span_of = arena_place_n(tables, (size_t)n_params, sizeof *d->span_of);
    d->updates = arena_place_n(tables, (size_t)n_params, sizeof *d->updates);
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
    place_tasks(memory, tables, d);
    place_scratch(memory, tables, d);
    place_exchange(memory, d);
    return d;
}

void driver_fresh(struct driver *d)
{
    for (int p = 0; p < d->plan->partition.n_params; p++) d->updates[p] = 0;
    for (int i = 0; i < d->n_spans; i++) {
        const struct span *s = &d->spans[i];
        for (int k = 0; k < OPT_MAX_SLOTS; k++) {
            const int64_t n = opt_extent_values(s->extent[k], s->piece.row_end - s->piece.row_begin, s->param->cols);
            for (int64_t j = 0; j < n; j++) s->slot[k][j] = s->rule.opt->slots[k].initial;
        }
    }
}

bool driver_slot(const struct driver *d, int param, int slot, struct driver_slot *out)
{
    const struct param *p = &d->plan->partition.params[param];
    const struct opt_rule rule = driver_rule(d->plan, param);
    if (slot >= rule.opt->n_slots || p->frozen_until < 0) return false;
    const enum extent extent = opt_extent(rule.opt, slot, p, rule.hyper);
    if (extent == EXTENT_NONE) return false;
    const bool split = extent == PER_ELEMENT || extent == PER_ROW;
    *out = (struct driver_slot){ .name = rule.opt->slots[slot].name,
                                 .rows = split ? p->rows : 1,
                                 .cols = extent == PER_ELEMENT || extent == PER_COL ? p->cols : 1 };
    if (d->span_of[param] < 0) return true;
    const struct span *s = &d->spans[d->span_of[param]];
    out->row_begin = split ? s->piece.row_begin : 0;
    out->row_end = split ? s->piece.row_end : 1;
    out->data = s->slot[slot];
    out->writes = split || s->piece.row_begin == 0;
    return true;
}

int64_t *driver_updates(struct driver *d) { return d->updates; }
