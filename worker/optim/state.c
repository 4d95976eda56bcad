/* State of the driver as others see it: how it begins, the slots for checkpoints and digests, and the weights to evaluate. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/tensor/convert.h"
#include "worker/optim/storage.h"

#include <stdio.h>
#include <string.h>

/* ---- the beginning ---- */

static void fill(float *out, float value, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = value;
}

/* Coded state begins at zero, by the code that zeros get. */
static void fresh_slot(const struct span *s, int slot)
{
    const struct stored *stored = &s->slot[slot];
    const int64_t n_rows = s->piece.row_end - s->piece.row_begin, n = n_rows * s->param->cols;
    const float initial = s->rule.opt->slots[slot].initial;
    switch (stored->whole.extent) {
    case EXTENT_NONE:
    case AT_OWNER: return;
    case PER_ELEMENT: break;
    case PER_ROW: fill(stored->data, initial, n_rows); return;
    case PER_BLOCK: fill(stored->data, initial, ceil_div(n_rows, s->block_rows)); return;
    case PER_COL:
    case PER_TENSOR: fill(stored->data, initial, stored->whole.rows * stored->whole.cols); return;
    }
    CHECK(stored->whole.dtype == STORAGE_FP32 || initial == 0);
    if (stored->whole.dtype == STORAGE_FP32) fill(stored->data, initial, n);
    if (stored->whole.dtype == STORAGE_BF16) memset(stored->data, 0, (size_t)n * sizeof(uint16_t));
    if (stored->whole.dtype != STORAGE_Q8) return;
    static const float zeros[OPT_TILE];
    for (int64_t at = 0; at < n; at += stored->whole.block)
        for (int64_t part = at; part < min_i64(at + stored->whole.block, n); part += OPT_TILE)
            storage_q8_encode((uint8_t *)stored->data + part, stored->scale + at / stored->whole.block, zeros,
                              min_i64(OPT_TILE, min_i64(at + stored->whole.block, n) - part), stored->whole.block,
                              s->rule.opt->slots[slot].positive);
}

static const struct owned *find_owned(const struct driver *d, int param)
{
    for (int i = 0; i < d->n_owned; i++)
        if (d->owned[i].param == param) return &d->owned[i];
    return NULL;
}

void driver_fresh_param(struct driver *d, int param)
{
    d->updates[param] = 0;
    const struct span *s = d->span_of[param] >= 0 ? &d->spans[d->span_of[param]] : NULL;
    for (int k = 0; s != NULL && k < s->rule.opt->n_slots; k++)
        if (s->slot[k].data != NULL) fresh_slot(s, k);
    if (s != NULL && s->average != NULL) fill(s->average, 0, (s->piece.row_end - s->piece.row_begin) * s->param->cols);
    const struct owned *o = find_owned(d, param);
    for (int k = 0; o != NULL && k < o->rule.opt->n_slots; k++) {
        const struct opt_stored stored = opt_stored(&o->rule, k, &d->plan->partition.params[param]);
        if (o->whole.slot[k] != NULL) fill(o->whole.slot[k], o->rule.opt->slots[k].initial, stored.rows * stored.cols);
    }
}

void driver_fresh(struct driver *d)
{
    for (int p = 0; p < d->plan->partition.n_params; p++) driver_fresh_param(d, p);
}

int64_t *driver_updates(struct driver *d) { return d->updates; }

/* ---- slots ---- */

/* Rows [begin, end) of the parameter in units of `rows_per` rows of the slot. */
static void hold_rows(const struct span *s, int64_t rows_per, void *data, struct driver_slot *out)
{
    out->split = true;
    if (s == NULL) return;
    out->row_begin = s->piece.row_begin / rows_per;
    out->row_end = ceil_div(s->piece.row_end, rows_per);
    out->data = data;
    out->writes = true;
}

static bool average_slot(const struct driver *d, int param, struct driver_slot *out)
{
    const struct param *p = &d->plan->partition.params[param];
    const struct span *s = d->span_of[param] >= 0 ? &d->spans[d->span_of[param]] : NULL;
    if (!(plan_rule(d->plan, param).common->average > 0)) return false;
    *out = (struct driver_slot){ .name = "average", .dtype = DT_F32, .rows = p->rows, .cols = p->cols };
    hold_rows(s, 1, s != NULL ? s->average : NULL, out);
    return true;
}

/* Scales stand in a column; blocks of scales and cuts of rows meet at the same elements. */
static bool scale_slot(const struct driver *d, int param, int slot, const struct opt_stored *whole, struct driver_slot *out)
{
    const struct param *p = &d->plan->partition.params[param];
    const struct span *s = d->span_of[param] >= 0 ? &d->spans[d->span_of[param]] : NULL;
    if (whole->extent == EXTENT_NONE || whole->dtype != STORAGE_Q8) return false;
    *out = (struct driver_slot){ .dtype = DT_F32, .rows = ceil_div(p->rows * p->cols, whole->block), .cols = 1, .split = true };
    snprintf(out->name, sizeof out->name, "%s_scale", plan_rule(d->plan, param).opt->slots[slot].name);
    if (s == NULL) return true;
    out->row_begin = s->piece.row_begin * p->cols / whole->block;
    out->row_end = ceil_div(s->piece.row_end * p->cols, whole->block);
    out->data = s->slot[slot].scale;
    out->writes = true;
    return true;
}

bool driver_slot(const struct driver *d, int param, int slot, struct driver_slot *out)
{
    static const enum dtype dtypes[] = { [STORAGE_FP32] = DT_F32, [STORAGE_BF16] = DT_BF16, [STORAGE_Q8] = DT_U8 };
    const struct opt_rule rule = plan_rule(d->plan, param);
    const struct param *p = &d->plan->partition.params[param];
    if (p->frozen_until < 0) return false;
    if (slot == DRIVER_SLOTS - 1) return average_slot(d, param, out);
    const int k = slot % OPT_MAX_SLOTS;
    if (k >= rule.opt->n_slots) return false;
    const struct opt_stored whole = opt_stored(&rule, k, p);
    if (slot >= OPT_MAX_SLOTS) return scale_slot(d, param, k, &whole, out);
    if (whole.extent == EXTENT_NONE) return false;

    const struct span *s = d->span_of[param] >= 0 ? &d->spans[d->span_of[param]] : NULL;
    *out = (struct driver_slot){ .dtype = dtypes[whole.dtype], .rows = whole.rows, .cols = whole.cols };
    snprintf(out->name, sizeof out->name, "%s", rule.opt->slots[k].name);
    if (whole.extent == AT_OWNER) {
        const struct owned *o = find_owned(d, param);
        if (o == NULL) return true;
        out->data = o->whole.slot[k];
        out->row_end = whole.rows;
        out->writes = true;
    } else if (whole.extent == PER_COL || whole.extent == PER_TENSOR) {
        if (s == NULL) return true;
        out->data = s->slot[k].data;
        out->row_end = whole.rows;
        out->writes = s->piece.row_begin == 0;
    } else {
        hold_rows(s, whole.extent == PER_BLOCK ? opt_block_rows(&rule, p) : 1, s != NULL ? s->slot[k].data : NULL, out);
    }
    return true;
}

/* ---- weights to evaluate ---- */

static void exchange_floats(float *restrict a, float *restrict b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float x = a[i];
        a[i] = b[i];
        b[i] = x;
    }
}

/* Averages change places with the weights. Where a rule computes the weights to evaluate, the trained ones are kept aside. */
static void evaluate_span(const struct span *s, bool on)
{
    const int64_t n_rows = s->piece.row_end - s->piece.row_begin, n = n_rows * s->param->cols;
    if (s->average != NULL) exchange_floats(s->piece.theta, s->average, n);
    if (s->kept != NULL && !on) memcpy(s->piece.theta, s->kept, (size_t)n * sizeof(float));
    if (s->kept != NULL && on) {
        memcpy(s->kept, s->piece.theta, (size_t)n * sizeof(float));
        struct opt_tile v = { .tensor = &s->now.tensor, .row = s->piece.row_begin, .n_rows = n_rows, .cols = s->param->cols, .count = n };
        v.theta = s->kept;
        for (int k = 0; k < s->rule.opt->n_slots; k++)
            if (s->slot[k].whole.extent == PER_ELEMENT && s->slot[k].whole.dtype == STORAGE_FP32) v.slot[k] = s->slot[k].data;
        s->rule.opt->eval_weights(s->rule.hyper, &v, s->piece.theta);
    }
    if (s->piece.rounded != NULL) convert_f32_to_bf16(s->piece.rounded, s->piece.theta, n);
}

bool driver_evaluate(struct driver *d, bool on)
{
    bool changed = false;
    CHECK(d->evaluating != on);
    for (int p = 0; p < d->plan->partition.n_params; p++) {
        const struct opt_rule rule = plan_rule(d->plan, p);
        if (d->updates[p] == 0 || d->plan->partition.params[p].frozen_until < 0 || !opt_has_eval(&rule)) continue;
        changed = true;
        if (d->span_of[p] >= 0) evaluate_span(&d->spans[d->span_of[p]], on);
    }
    d->evaluating = on;
    return changed;
}
