#include "tape.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

void tape_begin(struct tape *t, struct arena *attributes, enum unit_kind kind, enum tape_end end, enum dtype compute,
                const struct model_config *config, int64_t batch, int64_t time, int64_t cache_tokens, const struct unit_shape *embedding)
{
    CHECK(batch > 0 && time > 0 && cache_tokens >= 0 && (compute == DT_F32 || compute == DT_BF16));
    memset(t, 0, sizeof *t);
    t->kind = kind;
    t->end = end;
    t->compute = compute;
    t->batch = batch;
    t->time = time;
    t->width = config->width;
    t->cache_tokens = cache_tokens;
    t->embedding = embedding;
    t->attributes = attributes;
    t->input = t->output = t->starts = -1;
}

void tape_separate(struct tape *t)
{
    CHECK(t->n_values == 0 && t->cache_tokens == 0);
    t->separate = true;
}

static int add_value(struct tape *t, enum value_kind kind, struct tensor shape)
{
    CHECK(t->n_values < TAPE_MAX_VALUES);
    t->value[t->n_values] = (struct tape_value){ .kind = kind, .shape = shape, .first_op = -1, .last_op = -1 };
    return t->n_values++;
}

int tape_input(struct tape *t)
{
    CHECK(t->input < 0);
    t->input = add_value(t, VALUE_BOUNDARY_IN, tensor_make(t->compute, 3, (int64_t[]){ t->batch, t->time, t->width }, NULL));
    return t->input;
}

int tape_tokens(struct tape *t) { return add_value(t, VALUE_TOKENS, tensor_make(DT_I32, 2, (int64_t[]){ t->batch, t->time }, NULL)); }

int tape_targets(struct tape *t) { return add_value(t, VALUE_TARGETS, tensor_make(DT_I32, 2, (int64_t[]){ t->batch, t->time }, NULL)); }

int tape_starts(struct tape *t)
{
    if (t->separate && t->starts < 0)
        t->starts = add_value(t, VALUE_STARTS, tensor_make(DT_I32, 2, (int64_t[]){ t->batch, t->time }, NULL));
    return t->starts;
}

static int add_param(struct tape *t, const struct unit_shape *unit, int param, bool tied)
{
    const struct param_shape *p = &unit->param[param];
    const int64_t two[2] = { p->rows, p->cols }, one[1] = { p->cols };
    const int v = add_value(t, VALUE_PARAM, tensor_make(t->compute, p->n_dims, p->n_dims == 1 ? one : two, NULL));
    t->value[v].param = param;
    t->value[v].tied = tied;
    for (int i = 0; i < param; i++) t->value[v].offset += (size_t)(unit->param[i].rows * unit->param[i].cols) * dtype_bytes(t->compute);
    return v;
}

int tape_param(struct tape *t, const char *name, enum role role, int n_dims, int64_t rows, int64_t cols, enum init init, double std)
{
    CHECK(t->unit.n_params < UNIT_MAX_PARAMS && (n_dims == 2 || (n_dims == 1 && rows == 1)));
    struct param_shape *p = &t->unit.param[t->unit.n_params];
    *p = (struct param_shape){ .role = role, .n_dims = n_dims, .rows = rows, .cols = cols, .init = init, .std = std };
    const int n = snprintf(p->name, sizeof p->name, "%s", name);
    CHECK(n > 0 && (size_t)n < sizeof p->name);
    return add_param(t, &t->unit, t->unit.n_params++, false);
}

int tape_tied(struct tape *t, const char *name)
{
    CHECK(t->embedding != NULL);
    int param = 0;
    while (param < t->embedding->n_params && strcmp(t->embedding->param[param].name, name) != 0) param++;
    CHECK(param < t->embedding->n_params);
    return add_param(t, t->embedding, param, true);
}

static const void *keep_attributes(struct tape *t, const void *attr, size_t bytes)
{
    if (bytes == 0) return NULL;
    void *kept = arena_place(t->attributes, bytes);
    memcpy(kept, attr, bytes);
    return kept;
}

int tape_op(struct tape *t, const struct op_desc *desc, const void *attr, size_t attr_bytes, int n_in, const int in[], int n_param,
            const int param[])
{
    CHECK(t->n_ops < TAPE_MAX_OPS && n_in <= OP_MAX && n_param <= OP_MAX);
    const int number = t->n_ops++;
    struct tape_op *op = &t->op[number];
    *op = (struct tape_op){ .desc = desc,
                            .shape = { .attr = keep_attributes(t, attr, attr_bytes),
                                       .compute = t->compute,
                                       .cache_tokens = t->cache_tokens,
                                       .n_in = n_in,
                                       .n_param = n_param } };
    for (int i = 0; i < n_in; i++) {
        op->in[i] = in[i];
        op->shape.in[i] = t->value[in[i]].shape;
        t->value[in[i]].last_op = number;
    }
    for (int i = 0; i < n_param; i++) {
        CHECK(t->value[param[i]].kind == VALUE_PARAM);
        op->param[i] = param[i];
        op->shape.param[i] = t->value[param[i]].shape;
    }
    desc->infer(&op->shape);
    CHECK(op->shape.n_out >= 1 && op->shape.n_out <= OP_MAX);
    for (int i = 0; i < op->shape.n_out; i++) {
        op->out[i] = add_value(t, VALUE_TEMPORARY, op->shape.out[i]);
        t->value[op->out[i]].first_op = t->value[op->out[i]].last_op = number;
    }
    return op->out[0];
}

void tape_output(struct tape *t, int value)
{
    CHECK(t->output < 0 && t->value[value].kind == VALUE_TEMPORARY);
    t->value[value].kind = VALUE_BOUNDARY_OUT;
    t->output = value;
}
