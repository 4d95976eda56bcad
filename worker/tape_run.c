/* A tape bound to memory: the forward walk, the reverse walk, and the tape as text. */
#include "tape.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/str.h"

#include <string.h>

/* Views of tensors carry no const; an op reads its parameters and ids and writes neither. */
static unsigned char *readable(const void *data)
{
    unsigned char *p;
    memcpy(&p, &data, sizeof p);
    return p;
}

static void *at(unsigned char *base, size_t offset) { return base == NULL ? NULL : base + offset; }

static struct tensor value_view(const struct tape *t, const struct tape_run *run, int v)
{
    const struct tape_value *value = &t->value[v];
    struct tensor view = value->shape;
    switch (value->kind) {
    case VALUE_BOUNDARY_IN: view.data = run->input; break;
    case VALUE_BOUNDARY_OUT: view.data = run->output; break;
    case VALUE_TOKENS: view.data = readable(run->tokens); break;
    case VALUE_TARGETS: view.data = readable(run->targets); break;
    case VALUE_STARTS: view.data = readable(run->starts); break;
    case VALUE_PARAM: view.data = at(readable(value->tied ? run->tied_weights : run->weights), value->offset); break;
    case VALUE_TEMPORARY: view.data = at(run->pass, value->offset); break;
    case VALUE_SAVED: view.data = at(run->saved, value->offset); break;
    }
    return view;
}

static struct tensor gradient_view(const struct tape *t, const struct tape_run *run, int v)
{
    const struct tape_value *value = &t->value[v];
    struct tensor view = value->shape;
    if (value->kind == VALUE_BOUNDARY_IN)
        view.data = run->d_input;
    else if (value->kind == VALUE_BOUNDARY_OUT)
        view.data = run->d_output;
    else
        view.data = at(run->pass, value->grad_offset);
    return view;
}

static struct op_call bind_forward(const struct tape *t, const struct tape_run *run, const struct tape_op *op)
{
    struct op_call call = {
        .shape = &op->shape, .scratch = run->scratch, .shared = run->shared, .position = run->position, .draw = run->draw
    };
    for (int i = 0; i < op->shape.n_in; i++) call.in[i] = value_view(t, run, op->in[i]);
    for (int i = 0; i < op->shape.n_out; i++) call.out[i] = value_view(t, run, op->out[i]);
    for (int i = 0; i < op->shape.n_param; i++) call.param[i] = value_view(t, run, op->param[i]);
    for (int i = 0; i < op->shape.n_saved; i++) {
        call.saved[i] = op->shape.saved[i];
        call.saved[i].data = at(t->train ? run->saved : run->pass, op->saved_offset[i]);
    }
    for (int i = 0; i < op->shape.n_cache; i++) {
        call.cache[i] = op->shape.cache[i];
        call.cache[i].data = at(run->cache, op->cache_offset[i]);
    }
    return call;
}

static struct op_call bind_backward(const struct tape *t, const struct tape_run *run, const struct tape_op *op)
{
    struct op_call call = bind_forward(t, run, op);
    for (int i = 0; i < op->shape.n_in; i++) {
        if (op->want[i]) call.d_in[i] = gradient_view(t, run, op->in[i]);
        call.add[i] = op->add[i];
    }
    for (int i = 0; i < op->shape.n_out; i++) call.d_out[i] = gradient_view(t, run, op->out[i]);
    for (int i = 0; i < op->shape.n_param; i++) {
        const struct tape_value *p = &t->value[op->param[i]];
        const struct exact_sink *sinks = p->tied ? run->tied_sinks : run->sinks;
        if (sinks != NULL) call.sink[i] = sinks[p->param];
    }
    return call;
}

static void forward_ops(const struct tape *t, const struct tape_run *run, int n_ops)
{
    for (int o = 0; o < n_ops; o++) {
        const struct op_call call = bind_forward(t, run, &t->op[o]);
        const double start = clock_seconds();
        t->op[o].desc->forward(&call);
        if (run->seconds == NULL) continue;
        run->seconds[o].forward += clock_seconds() - start;
        run->seconds[o].forwards++;
    }
}

void tape_forward(const struct tape *t, const struct tape_run *run) { forward_ops(t, run, t->n_ops); }

void tape_backward(const struct tape *t, const struct tape_run *run)
{
    CHECK(t->train);
    if (t->op[t->n_ops - 1].desc->loss) forward_ops(t, run, t->n_ops - 1);
    for (int o = t->n_ops - 1; o >= 0; o--) {
        const struct tape_op *op = &t->op[o];
        if (!t->value[op->out[0]].needs_grad) continue; /* nothing below is trained */
        const struct op_call call = bind_backward(t, run, op);
        const double start = clock_seconds();
        op->desc->backward(&call);
        if (run->seconds == NULL) continue;
        run->seconds[o].backward += clock_seconds() - start;
        run->seconds[o].backwards++;
    }
}

static void print_value(const struct tape *t, int v, struct text *out)
{
    const struct tape_value *value = &t->value[v];
    if (value->kind == VALUE_PARAM) {
        const struct unit_shape *unit = value->tied ? t->embedding : &t->unit;
        text_add(out, " %s%s", value->tied ? "tied:" : "", unit->param[value->param].name);
        return;
    }
    static const char *const mark[] = {
        [VALUE_BOUNDARY_IN] = "in", [VALUE_BOUNDARY_OUT] = "out", [VALUE_TOKENS] = "tokens", [VALUE_TARGETS] = "targets",
        [VALUE_STARTS] = "starts",  [VALUE_TEMPORARY] = "t",      [VALUE_SAVED] = "saved"
    };
    text_add(out, " %s%d[", mark[value->kind], v);
    for (int d = 0; d < value->shape.n_dims; d++) text_add(out, "%s%lld", d ? "," : "", (long long)value->shape.dim[d]);
    text_add(out, "]");
}

void tape_print(const struct tape *t, struct text *out)
{
    for (int o = 0; o < t->n_ops; o++) {
        const struct tape_op *op = &t->op[o];
        text_add(out, "%-10s", op->desc->name);
        for (int i = 0; i < op->shape.n_in; i++) print_value(t, op->in[i], out);
        for (int i = 0; i < op->shape.n_param; i++) print_value(t, op->param[i], out);
        text_add(out, " ->");
        for (int i = 0; i < op->shape.n_out; i++) print_value(t, op->out[i], out);
        text_add(out, "  %.4g MFLOP\n", op->shape.flops_forward / 1e6);
    }
}
