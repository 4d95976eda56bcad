/* Every byte of a rank, placed by lifetime. The same code runs on measuring arenas for `plan`, so nothing here touches what it places:
 * what must be zero is cleared where the run starts. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/parallel.h"

struct piece place_share(const struct worker *w, struct piece piece)
{
    const struct plan *plan = w->plan;
    const int64_t copies = plan->n_groups, number = plan_group(plan, w->rank), rows = piece.row_end - piece.row_begin;
    return (struct piece){ piece.param, piece.row_begin + rows * number / copies, piece.row_begin + rows * (number + 1) / copies };
}

int64_t place_in_span(const struct worker *w, const struct piece *piece)
{
    const struct param *q = &w->plan->partition.params[piece->param];
    return q->offset + piece->row_begin * q->cols - w->plan->partition.units[q->unit].cut[w->member];
}

static void place_unit(struct worker *w, int unit)
{
    const struct plan *plan = w->plan;
    const struct unit *u = &plan->partition.units[unit];
    struct unit_memory *m = &w->units[unit];
    const size_t bytes = dtype_bytes(plan->compute), own = (size_t)(u->cut[w->member + 1] - u->cut[w->member]);
    *m = (struct unit_memory){ 0 };
    m->span_bytes = arena_place_n(&w->tables, (size_t)plan->group, sizeof *m->span_bytes);
    for (int r = 0; r < plan->group; r++) m->span_bytes[r] = (size_t)(u->cut[r + 1] - u->cut[r]) * bytes;

    if (!plan_gathers(plan)) {
        m->resident = arena_place_n(&w->run, (size_t)u->count, bytes);
        m->own_weights = m->resident + (size_t)u->cut[w->member] * bytes;
    } else {
        m->own_weights = arena_place_n(&w->run, own, bytes);
    }
    if (plan->compute == DT_F32) m->master = (float *)(void *)m->own_weights;
    if (plan->compute != DT_F32) m->master = arena_place_n(&w->run, own, sizeof *m->master);
    if (w->mode == WORKER_EVALUATE) return;
    m->own_sum = arena_place_n(&w->step, own, sizeof *m->own_sum);
    if (w->mode == WORKER_UPDATE) return;
    if (plan->group == 1)
        m->contribution = m->own_sum;
    else if (!plan->to_owner)
        m->contribution = arena_place_n(&w->step, (size_t)u->count, sizeof *m->contribution);
}

/* Most bytes that gathered weights, or contributions on their way, take at one time in any program of the run. */
static size_t ends_most(const struct worker *w, enum action_kind take, enum action_kind drop, size_t element_bytes)
{
    const struct partition *p = &w->plan->partition;
    const bool tied = p->tied_param >= 0;
    size_t most =
        w->mode == WORKER_EVALUATE || take == ACTION_GATHER_BEGIN ? ends_need(p, &w->evaluate[1], take, drop, tied, element_bytes) : 0;
    for (int s = 0; s < w->n_stretches; s++) {
        const size_t need = ends_need(p, &w->stretches[s].pass[1], take, drop, tied, element_bytes);
        if (need > most) most = need;
    }
    return most;
}

static void place_exchange(struct worker *w)
{
    const struct plan *plan = w->plan;
    if (plan_gathers(plan)) {
        const size_t bytes = dtype_bytes(plan->compute);
        ends_place(&w->gathered, &w->run, ends_most(w, ACTION_GATHER_BEGIN, ACTION_RELEASE, bytes), bytes);
    }
    if (w->mode == WORKER_EVALUATE || plan->group == 1) return;
    if (plan->to_owner)
        ends_place(&w->contributing, &w->step, ends_most(w, ACTION_BACKWARD, ACTION_REDUCE_WAIT, sizeof(int64_t)), sizeof(int64_t));
    w->slices = slices_place(&w->step, plan->group);
}

/* Which rows of a parameter the members of the group own: [group + 1]. */
static const int64_t *row_cut(struct arena *tables, const struct partition *p, int param)
{
    const struct param *q = &p->params[param];
    int64_t *cut = arena_place_n(tables, (size_t)p->group + 1, sizeof *cut);
    for (int r = 0; r <= p->group; r++) cut[r] = max_i64(0, min_i64((p->units[q->unit].cut[r] - q->offset) / q->cols, q->rows));
    return cut;
}

static void place_driver(struct worker *w)
{
    const struct partition *p = &w->plan->partition;
    const int64_t **cuts = arena_place_n(&w->tables, (size_t)p->n_params, sizeof *cuts);
    for (int i = 0; i < p->n_params; i++) cuts[i] = p->params[i].owner >= 0 ? row_cut(&w->tables, p, i) : NULL;
    const struct driver_group group = { w->member, w->plan->group, cuts };
    struct driver_piece *pieces = arena_place_n(&w->tables, (size_t)p->n_params, sizeof *pieces);
    int n = 0;
    for (int u = 0; u < p->n_units; u++) {
        struct piece own[UNIT_MAX_PARAMS];
        const int n_own = partition_pieces(p, u, w->member, own);
        for (int i = 0; i < n_own; i++) {
            const int64_t at = place_in_span(w, &own[i]);
            struct unit_memory *m = &w->units[u];
            pieces[n++] = (struct driver_piece){ .param = own[i].param,
                                                 .row_begin = own[i].row_begin,
                                                 .row_end = own[i].row_end,
                                                 .theta = m->master + at,
                                                 .sum = m->own_sum + at,
                                                 .rounded = w->plan->compute == DT_BF16 ? (uint16_t *)(void *)m->own_weights + at : NULL };
        }
    }
    w->driver = driver_place(&w->run, &w->tables, w->plan, w->threads, &group, pieces, n);
}

/* Boundary activations: training keeps one per unit and microbatch of the window, evaluation two per microbatch. */
static void place_activations(struct worker *w)
{
    const struct plan *plan = w->plan;
    const size_t window = (size_t)plan->window, units = (size_t)plan->partition.n_units;
    const struct tape *t = w->tapes;
    w->boundary_bytes = plan->micro_tokens * t[0].width * (int64_t)dtype_bytes(plan->compute);
    const size_t kept = w->mode == WORKER_TRAIN ? units - 1 : 2;
    w->boundaries = arena_place_n(&w->step, kept * window, (size_t)w->boundary_bytes);
    const bool recompute = plan->config->parallel.recompute;
    const size_t block = t[UNIT_BLOCK].saved_bytes;
    w->saved_stride = t[UNIT_EMBEDDING].saved_bytes + (recompute ? 0 : (units - 2) * block);
    w->saved = arena_place_n(&w->step, window, w->saved_stride);
    if (w->mode == WORKER_TRAIN) {
        w->gradients = arena_place_n(&w->step, window + 1, (size_t)w->boundary_bytes);
        w->gradient_of = arena_place_n(&w->tables, window + 1, sizeof *w->gradient_of);
    }
    w->nll = arena_place_n(&w->step, (size_t)plan->micro_tokens, sizeof *w->nll);

    size_t pass = t[UNIT_HEAD].saved_bytes, scratch = 0, shared = 0, temporary = 0;
    if (recompute && block > pass) pass = block;
    for (int kind = 0; kind < UNIT_KINDS; kind++) {
        const size_t most =
            w->mode == WORKER_TRAIN && t[kind].backward_bytes > t[kind].forward_bytes ? t[kind].backward_bytes : t[kind].forward_bytes;
        if (most > temporary) temporary = most;
        if (t[kind].scratch_bytes > scratch) scratch = t[kind].scratch_bytes;
        if (t[kind].shared_bytes > shared) shared = t[kind].shared_bytes;
    }
    w->pass_memory = arena_place(&w->pass, pass + temporary);
    w->scratch_memory = arena_place_n(&w->scratch, (size_t)w->threads, scratch);
    w->shared_memory = arena_place(&w->scratch, shared);
    w->batch.inputs = arena_place_n(&w->data, window * (size_t)plan->micro_tokens, sizeof *w->batch.inputs);
    w->batch.targets = arena_place_n(&w->data, window * (size_t)plan->micro_tokens, sizeof *w->batch.targets);
    if (plan->config->data.documents == DOCUMENTS_SEPARATE)
        w->batch.starts = arena_place_n(&w->data, window * (size_t)plan->micro_tokens, sizeof *w->batch.starts);
}

static struct program *programs_by_count(struct worker *w, const struct program_shape *shape)
{
    struct program *list = arena_place_n(&w->tables, (size_t)shape->window + 1, sizeof *list);
    for (int64_t n = 0; n <= shape->window; n++) program_pass(&w->tables, shape, n, &list[n]);
    return list;
}

/* Steps at which the set of trained units changes: step 1 and every unfreezing. */
static int64_t next_stretch(const struct plan *plan, int64_t after)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < plan->partition.n_params; i++) {
        const int64_t until = plan->partition.params[i].frozen_until;
        if (until > after) next = min_i64(next, until);
    }
    return next;
}

void place_programs(struct worker *w)
{
    const struct plan *plan = w->plan;
    const int64_t n_most = ceil_div(plan->n_micro, plan->ranks);
    const struct program_shape evaluate = plan_program(plan, PHASE_EVALUATE, n_most, NULL);
    w->evaluate = programs_by_count(w, &evaluate);
    if (w->mode == WORKER_EVALUATE) return;
    for (int64_t step = 1; step != INT64_MAX; step = next_stretch(plan, step)) w->n_stretches++;
    w->stretches = arena_place_n(&w->tables, (size_t)w->n_stretches, sizeof *w->stretches);
    int64_t step = 1;
    for (int i = 0; i < w->n_stretches; i++, step = next_stretch(plan, step)) {
        struct stretch *s = &w->stretches[i];
        s->from_step = step;
        s->trains = arena_place_n(&w->tables, (size_t)plan->partition.n_units, sizeof *s->trains);
        plan_trained_units(plan, step, s->trains);
        const struct program_shape train = plan_program(plan, PHASE_TRAIN, n_most, s->trains);
        s->lowest = program_lowest(&train);
        s->pass = programs_by_count(w, &train);
        program_finish(&w->tables, &train, &s->finish);
    }
}

void place_worker(struct worker *w)
{
    const struct plan *plan = w->plan;
    const size_t n = (size_t)plan->partition.n_params;
    if (w->mode != WORKER_UPDATE) {
        setup_tapes(&w->tables, plan->config, plan->model, plan->compute, w->mode == WORKER_TRAIN, w->tapes);
        place_programs(w);
    }
    w->units = arena_place_n(&w->tables, (size_t)plan->partition.n_units, sizeof *w->units);
    for (int u = 0; u < plan->partition.n_units; u++) place_unit(w, u);
    if (w->mode != WORKER_UPDATE) {
        place_exchange(w);
        place_activations(w);
    }
    w->sinks = arena_place_n(&w->tables, n, sizeof *w->sinks);
    w->exponent = arena_place_n(&w->tables, n, sizeof *w->exponent);
    w->before_max = arena_place_n(&w->tables, n, sizeof *w->before_max);
    w->observed_exponent = arena_place_n(&w->tables, n, sizeof *w->observed_exponent);
    w->observed_max = arena_place_n(&w->tables, n, sizeof *w->observed_max);
    w->max_bits = arena_place_n(&w->tables, n, sizeof *w->max_bits);
    w->record_bytes = report_bytes(plan->config->n_rules, (int)n);
    w->record = arena_place(&w->tables, w->record_bytes);
    if (w->mode != WORKER_EVALUATE) place_driver(w);
}
