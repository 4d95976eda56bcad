/* The state of a run as one thing: digested, saved and loaded from the same list of tensors and the same few arrays. */
#define LAMINA_WORKER_TRAIN
#include "items.h"
#include "private.h"

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/config/rules.h"
#include "common/store/state.h"

#include <stdio.h>
#include <string.h>

/* What the trajectory depends on besides tensors and counters: one value per parameter, in name order. */
struct arrays {
    int64_t n;
    int32_t *exponent;
    float *largest;             /* the contribution that set the exponent; 0: none yet */
    int32_t *observed_exponent; /* the same of gradients that optimizers observe */
    float *observed_largest;
    int64_t *updates;
};

static struct arrays arrays_place(const struct worker *w, struct arena *arena)
{
    const size_t n = (size_t)w->plan->partition.n_params;
    return (struct arrays){ (int64_t)n,
                            arena_place_n(arena, n, sizeof(int32_t)),
                            arena_place_n(arena, n, sizeof(float)),
                            arena_place_n(arena, n, sizeof(int32_t)),
                            arena_place_n(arena, n, sizeof(float)),
                            arena_place_n(arena, n, sizeof(int64_t)) };
}

static void arrays_fill(const struct worker *w, const struct arrays *a)
{
    for (int64_t k = 0; k < a->n; k++) {
        const int i = w->plan->partition.by_name[k];
        a->exponent[k] = w->exponent[i];
        memcpy(&a->largest[k], &w->before_max[i], sizeof *a->largest);
        a->observed_exponent[k] = w->observed_exponent[i];
        memcpy(&a->observed_largest[k], &w->observed_max[i], sizeof *a->observed_largest);
        a->updates[k] = driver_updates(w->driver)[i];
    }
}

/* Numbers that a run can have: contributions are fp32, so exponents are small (common/comm/exact.h). */
static enum status arrays_check(const struct arrays *a)
{
    enum { MOST = 512 };
    for (int64_t k = 0; k < a->n; k++)
        if (a->exponent[k] < -MOST || a->exponent[k] > MOST || a->observed_exponent[k] < -MOST || a->observed_exponent[k] > MOST ||
            a->updates[k] < 0)
            FAIL(ST_DAMAGED, "exchange/ or optimizer/ of a checkpoint holds exponents or updates that no run has, at parameter %lld",
                 (long long)k);
    return ST_OK;
}

static void arrays_take(struct worker *w, const struct arrays *a)
{
    for (int64_t k = 0; k < a->n; k++) {
        const int i = w->plan->partition.by_name[k];
        w->exponent[i] = a->exponent[k];
        memcpy(&w->before_max[i], &a->largest[k], sizeof *a->largest);
        w->observed_exponent[i] = a->observed_exponent[k];
        memcpy(&w->observed_max[i], &a->observed_largest[k], sizeof *a->observed_largest);
        driver_updates(w->driver)[i] = a->updates[k];
    }
}

/* --- Digest ------------------------------------------------------------------------------------------------------------ */

enum status worker_digest(const struct comm *world, struct worker *w, bool weights_only, struct digest128 *out)
{
    struct arena arena;
    arena_open_growing(&arena, "state");
    struct items items;
    items_list(w, &arena, !weights_only, &items);
    struct text scalars = { 0 };
    if (!weights_only) {
        const struct arrays a = arrays_place(w, &arena);
        const int64_t counters[2] = { w->step_done, w->tokens_done };
        arrays_fill(w, &a);
        text_add_bytes(&scalars, (const char *)counters, sizeof counters);
        text_add_bytes(&scalars, (const char *)a.exponent, (size_t)a.n * sizeof *a.exponent);
        text_add_bytes(&scalars, (const char *)a.largest, (size_t)a.n * sizeof *a.largest);
        text_add_bytes(&scalars, (const char *)a.observed_exponent, (size_t)a.n * sizeof *a.observed_exponent);
        text_add_bytes(&scalars, (const char *)a.observed_largest, (size_t)a.n * sizeof *a.observed_largest);
        text_add_bytes(&scalars, (const char *)a.updates, (size_t)a.n * sizeof *a.updates);
        data_digest(w, &scalars);
    }
    const enum status s = items_digest(world, &items, scalars.data, scalars.length, out);
    text_free(&scalars);
    arena_close(&arena);
    return s;
}

/* --- The file ------------------------------------------------------------------------------------------------------------ */

enum {
    EXTRA_EXPONENT,
    EXTRA_LARGEST,
    EXTRA_OBSERVED_EXPONENT,
    EXTRA_OBSERVED_LARGEST,
    EXTRA_UPDATES,
    EXTRA_CONFIG,
    EXTRA_LEDGER,
    EXTRA_COUNT
};

static struct state_entry entry_of(const struct item *it)
{
    struct state_entry e = { .dtype = it->dtype, .n_dims = it->n_dims, .rows = it->rows, .cols = it->cols };
    _Static_assert(sizeof e.name >= sizeof it->name, "every name of a tensor fits");
    memcpy(e.name, it->name, sizeof it->name);
    return e;
}

static struct state_entry extra_entry(int extra, int64_t n)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } extras[EXTRA_COUNT] = { { "exchange/exponent", DT_I32 },
                              { "exchange/largest", DT_F32 },
                              { "exchange/observed_exponent", DT_I32 },
                              { "exchange/observed_largest", DT_F32 },
                              { "optimizer/updates", DT_I64 },
                              { "config", DT_U8 },
                              { DATA_LEDGER, DT_U8 } };
    struct state_entry e = { .dtype = extras[extra].dtype, .n_dims = 1, .rows = 1, .cols = n };
    memcpy(e.name, extras[extra].name, strlen(extras[extra].name));
    return e;
}

static enum status write_all(const struct comm *world, struct state_writer *f, const struct items *items, void *const extra[EXTRA_COUNT])
{
    for (int i = 0; i < items->n; i++) {
        const struct item *it = &items->item[i];
        const int64_t count = it->write_end - it->write_begin;
        const struct state_rows rows = {
            it->write_begin, count,
            count > 0 ? (char *)it->data + (size_t)((it->write_begin - it->held_begin) * it->cols) * dtype_bytes(it->dtype) : NULL
        };
        TRY(state_write_rows(world, f, i, &rows, count > 0));
    }
    for (int i = 0; i < EXTRA_COUNT; i++) {
        const struct state_rows all = { 0, 1, extra[i] };
        TRY(state_write_rows(world, f, items->n + i, &all, comm_rank(world) == 0));
    }
    return ST_OK;
}

static enum status set_facts(const struct comm *world, struct state_writer *f, const struct worker_facts *facts)
{
    char hex[DIGEST_HEX];
    TRY(state_set_i64(world, f, "step", facts->step));
    TRY(state_set_i64(world, f, "tokens", facts->tokens));
    TRY(state_set_i64(world, f, "lineage", facts->lineage));
    TRY(state_set_text(world, f, "config_digest", digest_hex(facts->config, hex)));
    return state_set_text(world, f, "fingerprint", digest_hex(facts->fingerprint, hex));
}

static enum status save(const struct comm *world, struct worker *w, struct arena *arena, const char *path, const char *config_text,
                        const struct worker_facts *facts)
{
    struct items items;
    items_list(w, arena, true, &items);
    struct arrays a = arrays_place(w, arena);
    arrays_fill(w, &a);
    char *const ledger = data_ledger_text(w, arena);
    void *const extra[EXTRA_COUNT] = {
        a.exponent, a.largest, a.observed_exponent, a.observed_largest, a.updates, arena_strdup(arena, config_text), ledger
    };
    const int64_t extra_n[EXTRA_COUNT] = { a.n, a.n, a.n, a.n, a.n, (int64_t)strlen(config_text), (int64_t)strlen(ledger) };
    struct state_entry *entries = arena_place_n(arena, (size_t)items.n + EXTRA_COUNT, sizeof *entries);
    for (int i = 0; i < items.n; i++) entries[i] = entry_of(&items.item[i]);
    for (int i = 0; i < EXTRA_COUNT; i++) entries[items.n + i] = extra_entry(i, extra_n[i]);

    struct state_writer *f;
    TRY(state_create(world, path, entries, items.n + EXTRA_COUNT, &f));
    enum status s = write_all(world, f, &items, extra);
    if (!s) s = set_facts(world, f, facts);
    if (s) {
        state_abandon(world, f);
        return status_trace(s, __FILE__, __LINE__);
    }
    return state_finish(world, f);
}

enum status worker_save(const struct comm *world, struct worker *w, const char *path, const char *config_text,
                        const struct worker_facts *facts)
{
    CHECK(w->mode == WORKER_TRAIN && facts->step == w->step_done);
    struct arena arena;
    arena_open_growing(&arena, "save");
    const enum status s = save(world, w, &arena, path, config_text, facts);
    arena_close(&arena);
    return s;
}

/* --- Loading: each rank for itself ------------------------------------------------------------------------------------- */

static enum status get_digest(const struct state *f, const char *name, struct digest128 *out)
{
    char hex[DIGEST_HEX];
    TRY(state_get_text(f, name, hex, sizeof hex));
    if (digest_parse(hex, out)) FAIL(ST_DAMAGED, "attribute %s is no digest: %s", name, hex);
    return ST_OK;
}

enum status worker_facts_stored(const struct state *f, struct worker_facts *out)
{
    static const int64_t most_steps = INT64_C(1) << 40, most_tokens = INT64_C(1)
                                                                      << 60; /* so that what is counted on from them is a number */
    *out = (struct worker_facts){ 0 };
    TRY(state_get_i64(f, "step", &out->step));
    TRY(state_get_i64(f, "tokens", &out->tokens));
    TRY(state_get_i64(f, "lineage", &out->lineage));
    TRY(get_digest(f, "config_digest", &out->config));
    TRY(get_digest(f, "fingerprint", &out->fingerprint));
    if (out->step < 0 || out->step > most_steps || out->tokens < 0 || out->tokens > most_tokens || out->lineage < 0 ||
        out->lineage > most_steps)
        FAIL(ST_DAMAGED, "a checkpoint of step %lld, with %lld tokens and lineage %lld", (long long)out->step, (long long)out->tokens,
             (long long)out->lineage);
    return ST_OK;
}

static enum status find_weights(const struct plan *plan, const char *path, const struct state *f)
{
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct param *const q = &plan->partition.params[i];
        char name[H5_NAME];
        (void)snprintf(name, sizeof name, "weights/%s", q->name);
        const struct state_entry *const e = state_find(f, name);
        if (e == NULL || e->dtype != DT_F32 || e->rows != q->rows || e->cols != q->cols)
            FAIL(ST_DAMAGED, "%s: its own configuration describes a model with %s [%lld, %lld], and it does not hold that", path, name,
                 (long long)q->rows, (long long)q->cols);
    }
    return ST_OK;
}

enum status worker_fits(const struct plan *plan, const char *path)
{
    struct state *f;
    TRY(state_open(path, &f));
    const enum status s = find_weights(plan, path, f);
    state_close(f);
    return s;
}

/* Rows [begin, begin + count) of a slot that is stored as fp32. */
static enum status read_slot(const struct state *f, const struct param *q, const char *slot, const struct piece *piece, float *out)
{
    struct state_entry e = { .dtype = DT_F32, .n_dims = q->rows == 1 ? 1 : 2, .rows = q->rows, .cols = q->cols };
    snprintf(e.name, sizeof e.name, "state/%s.%s", q->name, slot);
    const struct state_rows rows = { piece->row_begin, piece->row_end - piece->row_begin, out };
    return state_read_rows(f, &e, &rows, 1);
}

/* The weights to evaluate of one piece, from a file that holds the trained ones and their state: the average, or what the rule says. */
static enum status read_eval_weights(struct worker *w, const struct state *f, const struct piece *piece, float *master)
{
    const struct param *q = &w->plan->partition.params[piece->param];
    const struct opt_rule rule = plan_rule(w->plan, piece->param);
    if (rule.common->average > 0) return read_slot(f, q, "average", piece, master);
    struct arena arena;
    arena_open_growing(&arena, "evaluate");
    const struct opt_tensor tensor = { .param = q };
    const int64_t n_rows = piece->row_end - piece->row_begin, n = n_rows * q->cols;
    struct opt_tile v = { .tensor = &tensor, .row = piece->row_begin, .n_rows = n_rows, .cols = q->cols, .count = n };
    float *trained = arena_place_n(&arena, (size_t)n, sizeof *trained);
    memcpy(trained, master, (size_t)n * sizeof *trained);
    v.theta = trained;
    enum status s = ST_OK;
    for (int k = 0; k < rule.opt->n_slots && !s; k++) {
        const struct opt_stored stored = opt_stored(&rule, k, q);
        if (stored.extent != PER_ELEMENT || stored.dtype != STORAGE_FP32) continue;
        v.slot[k] = arena_place_n(&arena, (size_t)n, sizeof(float));
        s = read_slot(f, q, rule.opt->slots[k].name, piece, v.slot[k]);
    }
    if (!s) rule.opt->eval_weights(rule.hyper, &v, master);
    arena_close(&arena);
    return s;
}

static enum status read_evaluated(struct worker *w, const struct state *f, struct arena *arena)
{
    const struct partition *p = &w->plan->partition;
    const int64_t n = p->n_params;
    int64_t *updates = arena_place_n(arena, (size_t)n, sizeof *updates);
    const struct state_entry expected = extra_entry(EXTRA_UPDATES, n);
    const struct state_rows all = { 0, 1, updates };
    TRY(state_read_rows(f, &expected, &all, 1));
    for (int u = 0; u < p->n_units; u++) {
        struct piece own[UNIT_MAX_PARAMS];
        const int n_own = partition_pieces(p, u, w->member, own);
        for (int i = 0; i < n_own; i++) {
            const struct opt_rule rule = plan_rule(w->plan, own[i].param);
            if (!opt_has_eval(&rule) || updates[p->params[own[i].param].name_order] == 0) continue;
            TRY(read_eval_weights(w, f, &own[i], w->units[u].master + place_in_span(w, &own[i])));
        }
    }
    return ST_OK;
}

/* Does a rule store of this parameter what another did? */
static bool same_state(const struct opt_rule *a, const struct opt_rule *b, const struct param *q)
{
    if (a->opt != b->opt || (a->common->average > 0) != (b->common->average > 0)) return false;
    for (int k = 0; k < a->opt->n_slots; k++) {
        const struct opt_stored x = opt_stored(a, k, q), y = opt_stored(b, k, q);
        if (x.extent != y.extent || x.dtype != y.dtype || x.rows != y.rows || x.cols != y.cols) return false;
        if (x.dtype == STORAGE_Q8 && x.block != y.block) return false;
    }
    return true;
}

/* Which parameters' state is not that of the file: their rule is another than in the configuration before. */
static enum status find_changed(const struct worker *w, const struct config *before, struct arena *arena, bool *changed)
{
    const struct partition *p = &w->plan->partition;
    const size_t n = (size_t)p->n_params;
    struct rule_subject *subjects = arena_place_n(arena, n, sizeof *subjects);
    int *rule_of = arena_place_n(arena, n, sizeof *rule_of);
    int64_t *frozen = arena_place_n(arena, n, sizeof *frozen);
    struct text problems = { 0 };
    for (size_t i = 0; i < n; i++)
        subjects[i] = (struct rule_subject){ p->params[i].name, role_name(p->params[i].role), p->params[i].layer };
    const enum status s = rules_assign(before, subjects, p->n_params, rule_of, frozen, &problems);
    text_free(&problems);
    TRY(s);
    for (int i = 0; i < p->n_params; i++) {
        const struct rule_config *old = &before->rules[rule_of[i]];
        const struct opt_rule now = plan_rule(w->plan, i);
        const bool same_optimizer = &now.opt->variant == old->optimizer;
        const struct opt_rule then = { same_optimizer ? now.opt : NULL, old->fields, &old->common };
        const bool was_stored = frozen[i] >= 0, is_stored = p->params[i].frozen_until >= 0;
        changed[i] = is_stored && (!was_stored || !same_state(&now, &then, &p->params[i]));
    }
    return ST_OK;
}

static enum status read_items(struct worker *w, const struct state *f, const struct items *items, const bool *changed)
{
    for (int i = 0; i < items->n; i++) {
        const struct item *it = &items->item[i];
        const struct state_entry expected = entry_of(it);
        const struct state_rows rows = { it->held_begin, it->held_end - it->held_begin, it->data };
        if (i < items->n_weights || !changed[it->param]) TRY(state_read_rows(f, &expected, &rows, rows.count > 0));
    }
    return ST_OK;
}

static enum status read_all(struct worker *w, const struct state *f, const struct config *before, struct arena *arena, int64_t *anew)
{
    struct items items;
    bool *changed = arena_place_n(arena, (size_t)w->plan->partition.n_params, sizeof *changed);
    items_list(w, arena, w->mode == WORKER_TRAIN, &items);
    if (before != NULL && w->mode == WORKER_TRAIN) TRY(find_changed(w, before, arena, changed));
    TRY(read_items(w, f, &items, changed));
    if (w->mode == WORKER_EVALUATE) return w->plan->config->eval.weights == EVAL_AVERAGE ? read_evaluated(w, f, arena) : ST_OK;
    const struct arrays a = arrays_place(w, arena);
    void *const extra[EXTRA_CONFIG] = { a.exponent, a.largest, a.observed_exponent, a.observed_largest, a.updates };
    for (int i = 0; i < EXTRA_CONFIG; i++) {
        const struct state_entry expected = extra_entry(i, a.n);
        const struct state_rows all = { 0, 1, extra[i] };
        TRY(state_read_rows(f, &expected, &all, 1));
    }
    TRY(arrays_check(&a));
    arrays_take(w, &a);
    for (int i = 0; i < w->plan->partition.n_params; i++) {
        if (changed[i]) driver_fresh_param(w->driver, i);
        *anew += changed[i];
    }
    return ST_OK;
}

static enum status load(struct worker *w, const char *path, const struct config *before, struct worker_facts *facts)
{
    TRY(fault_here(FAULT_load_read));
    struct state *f;
    TRY(state_open(path, &f));
    struct arena arena;
    arena_open_growing(&arena, "load");
    enum status s = worker_facts_stored(f, facts);
    if (!s) s = read_all(w, f, before, &arena, &facts->anew);
    if (!s && w->mode == WORKER_TRAIN) s = data_go_on(w, f, before, facts);
    arena_close(&arena);
    state_close(f);
    return s;
}

enum status worker_load(const struct comm *world, struct worker *w, const char *path, const struct config *before,
                        struct worker_facts *facts)
{
    TRY_ALL(world, load(w, path, before, facts));
    w->step_done = facts->step;
    w->tokens_done = facts->tokens;
    worker_masters_changed(w);
    return ST_OK;
}
