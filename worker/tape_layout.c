/* Where the values of a tape stand. Saved values live until backward and never share memory; temporaries and gradients share by lifetime.
 */
#include "tape.h"

#include "common/base/check.h"

#include <string.h>

/* Bytes that live from op `first` to op `last`, both included. */
struct lifetime {
    size_t offset, bytes;
    int first, last;
};
struct region {
    int n;
    struct lifetime placed[TAPE_MAX_VALUES + TAPE_MAX_OPS * OP_MAX];
    size_t bytes;
};

static size_t round_up(size_t bytes) { return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN; }
static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* First fit: the lowest offset that no neighbour in time uses. */
static size_t region_place(struct region *r, size_t bytes, int first, int last)
{
    struct lifetime l = { 0, round_up(bytes), first, last };
    for (int i = 0; i < r->n; i++) {
        const struct lifetime *p = &r->placed[i];
        const bool together = p->first <= last && first <= p->last;
        if (together && p->offset < l.offset + l.bytes && l.offset < p->offset + p->bytes) {
            l.offset = p->offset + p->bytes;
            i = -1; /* moved: look at all of them again */
        }
    }
    CHECK(r->n < (int)(sizeof r->placed / sizeof r->placed[0]));
    r->placed[r->n++] = l;
    r->bytes = max_size(r->bytes, l.offset + l.bytes);
    return l.offset;
}

static size_t append(size_t *bytes, size_t more)
{
    const size_t at = *bytes;
    *bytes += round_up(more);
    return at;
}

/* A value needs a gradient when something below it is trained. */
static void mark_gradients(struct tape *t, bool below)
{
    if (t->input >= 0) t->value[t->input].needs_grad = below;
    for (int o = 0; o < t->n_ops; o++) {
        struct tape_op *op = &t->op[o];
        bool any = op->shape.n_param > 0;
        for (int i = 0; i < op->shape.n_in; i++) {
            op->want[i] = t->value[op->in[i]].needs_grad;
            any = any || op->want[i];
        }
        for (int i = 0; i < op->shape.n_out; i++) t->value[op->out[i]].needs_grad = any;
    }
}

/* Backward reads some operands: they are kept. What leaves the unit is not ours to keep (a loss computes it again). */
static void mark_saved(struct tape *t)
{
    for (int o = 0; o < t->n_ops; o++) {
        const struct tape_op *op = &t->op[o];
        if (!t->value[op->out[0]].needs_grad) continue;
        for (int i = 0; i < op->shape.n_in; i++)
            if ((op->shape.reads_in >> i & 1) && t->value[op->in[i]].kind == VALUE_TEMPORARY) t->value[op->in[i]].kind = VALUE_SAVED;
        for (int i = 0; i < op->shape.n_out; i++) {
            struct tape_value *v = &t->value[op->out[i]];
            if (!(op->shape.reads_out >> i & 1)) continue;
            CHECK(v->kind != VALUE_BOUNDARY_OUT);
            v->kind = VALUE_SAVED;
        }
    }
}

/* In the reverse walk the first consumer of a value writes its gradient and the others add. */
static void mark_adders(struct tape *t)
{
    bool written[TAPE_MAX_VALUES] = { false };
    for (int o = t->n_ops - 1; o >= 0; o--) {
        struct tape_op *op = &t->op[o];
        for (int i = 0; i < op->shape.n_in; i++) {
            if (!op->want[i]) continue;
            for (int j = 0; j < i; j++) CHECK(op->in[j] != op->in[i]); /* one op must not write and add to the same memory */
            op->add[i] = written[op->in[i]];
            written[op->in[i]] = true;
        }
    }
    CHECK(t->output >= 0 && !written[t->output]); /* what leaves the unit has no consumer inside */
    for (int v = 0; v < t->n_values; v++) {
        const struct tape_value *value = &t->value[v];
        const bool inside = value->kind == VALUE_TEMPORARY || value->kind == VALUE_SAVED;
        CHECK(!inside || !value->needs_grad || written[v]); /* every gradient that is read was written */
    }
}

static void place_forward(struct tape *t, struct region *temporary)
{
    for (int v = 0; v < t->n_values; v++) {
        struct tape_value *value = &t->value[v];
        if (value->kind == VALUE_SAVED) value->offset = append(&t->saved_bytes, tensor_bytes(&value->shape));
        if (value->kind == VALUE_TEMPORARY)
            value->offset = region_place(temporary, tensor_bytes(&value->shape), value->first_op, value->last_op);
    }
    for (int o = 0; o < t->n_ops; o++) {
        struct tape_op *op = &t->op[o];
        for (int i = 0; i < op->shape.n_saved; i++) {
            const size_t bytes = tensor_bytes(&op->shape.saved[i]);
            op->saved_offset[i] = t->train ? append(&t->saved_bytes, bytes) : region_place(temporary, bytes, o, o);
        }
        for (int i = 0; i < op->shape.n_cache; i++) op->cache_offset[i] = append(&t->cache_bytes, tensor_bytes(&op->shape.cache[i]));
    }
}

static void place_gradients(struct tape *t, struct region *gradients)
{
    for (int v = t->n_values - 1; v >= 0; v--) {
        struct tape_value *value = &t->value[v];
        if (value->needs_grad && (value->kind == VALUE_TEMPORARY || value->kind == VALUE_SAVED))
            value->grad_offset = region_place(gradients, tensor_bytes(&value->shape), value->first_op, value->last_op);
    }
}

void tape_layout(struct tape *t, bool train, bool below)
{
    CHECK(t->n_ops > 0 && t->output >= 0 && t->saved_bytes == 0 && t->forward_bytes == 0);
    struct region temporary = { 0 }, gradients = { 0 };
    t->train = train;
    if (train) {
        mark_gradients(t, below);
        mark_saved(t);
        mark_adders(t);
    }
    place_forward(t, &temporary);
    if (train) place_gradients(t, &gradients);
    t->forward_bytes = temporary.bytes;
    t->backward_bytes = gradients.bytes;
    for (int o = 0; o < t->n_ops; o++) {
        const struct op_shape *s = &t->op[o].shape;
        t->scratch_bytes = max_size(t->scratch_bytes, s->scratch_bytes);
        t->shared_bytes = max_size(t->shared_bytes, s->shared_bytes);
        t->flops_forward += s->flops_forward;
        t->flops_backward += s->flops_backward;
        t->contributions = max_i64(t->contributions, s->contributions);
    }
}
