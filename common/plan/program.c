/* The one generator of a step's actions. A list is emitted twice: first counted, then written, by the same code. */
#include "program.h"

#include "common/base/check.h"

struct emitter {
    const struct program_shape *shape;
    int64_t n_now;
    struct action *out; /* NULL while counting */
    int n;
    int reducing; /* unit whose reduction is in flight, -1: none */
};

static void emit(struct emitter *e, enum action_kind kind, int unit, int local)
{
    if (e->out) e->out[e->n] = (struct action){ kind, unit, local };
    e->n++;
}

static void gather_begin(struct emitter *e, int unit)
{
    if (e->shape->gathered) emit(e, ACTION_GATHER_BEGIN, unit, -1);
}
static void gather_wait(struct emitter *e, int unit)
{
    if (e->shape->gathered) emit(e, ACTION_GATHER_WAIT, unit, -1);
}
static void release(struct emitter *e, int unit)
{
    if (e->shape->gathered) emit(e, ACTION_RELEASE, unit, -1);
}

static void each_microbatch(struct emitter *e, enum action_kind kind, int unit)
{
    for (int64_t i = 0; i < e->n_now; i++) emit(e, kind, unit, (int)i);
}

/* One reduction is in flight at a time: it travels while the next unit's backward computes. */
static void reduce_wait(struct emitter *e)
{
    if (e->reducing >= 0) emit(e, ACTION_REDUCE_WAIT, e->reducing, -1);
    e->reducing = -1;
}
static void reduce_begin(struct emitter *e, int unit)
{
    if (!e->shape->reduced || !e->shape->trains[unit]) return;
    reduce_wait(e);
    emit(e, ACTION_REDUCE_BEGIN, unit, -1);
    e->reducing = unit;
}

int program_lowest(const struct program_shape *shape)
{
    int lowest = 0;
    while (lowest < shape->n_units - 1 && !shape->trains[lowest]) lowest++;
    return lowest;
}

/* Embedding and blocks; the next unit's weights travel while this one computes. */
static void emit_forward(struct emitter *e)
{
    const int head = e->shape->n_units - 1;
    gather_begin(e, 0);
    for (int u = 0; u < head; u++) {
        gather_wait(e, u);
        gather_begin(e, u + 1);
        each_microbatch(e, ACTION_FORWARD, u);
        release(e, u);
    }
}

/* The head holds its own unit and, where the embedding is tied, that one too: then nothing is fetched ahead. */
static void emit_head(struct emitter *e, enum action_kind kind, bool fetch_ahead)
{
    const int head = e->shape->n_units - 1;
    gather_wait(e, head);
    if (e->shape->tied) {
        gather_begin(e, 0);
        gather_wait(e, 0);
    } else if (fetch_ahead) {
        gather_begin(e, head - 1);
    }
    each_microbatch(e, kind, head);
    release(e, head);
    if (e->shape->tied) {
        release(e, 0);
        if (fetch_ahead) gather_begin(e, head - 1);
    }
}

static void emit_backward(struct emitter *e, int lowest)
{
    const int head = e->shape->n_units - 1;
    const bool to_owner = e->shape->to_owner;
    if (to_owner) {
        reduce_begin(e, head);
        if (e->shape->tied) reduce_begin(e, 0);
    }
    for (int u = head - 1; u >= lowest; u--) {
        if (u > 0) { /* an embedding's backward reads no weights */
            gather_wait(e, u);
            if (u - 1 > 0 && u - 1 >= lowest) gather_begin(e, u - 1);
        }
        each_microbatch(e, ACTION_BACKWARD, u);
        if (u > 0) release(e, u);
        if (to_owner) reduce_begin(e, u);
    }
    reduce_wait(e);
}

static void emit_pass(struct emitter *e)
{
    const int head = e->shape->n_units - 1;
    emit_forward(e);
    if (e->shape->phase == PHASE_EVALUATE) {
        emit_head(e, ACTION_FORWARD, false);
        return;
    }
    const int lowest = program_lowest(e->shape);
    emit_head(e, ACTION_BACKWARD, head - 1 > 0 && head - 1 >= lowest);
    emit_backward(e, lowest);
}

static void emit_finish(struct emitter *e)
{
    if (e->shape->to_owner) return;
    for (int u = e->shape->n_units - 1; u >= 0; u--) reduce_begin(e, u);
    reduce_wait(e);
}

static void build(struct arena *arena, const struct program_shape *shape, int64_t n_now, void (*write)(struct emitter *),
                  struct program *out)
{
    struct emitter count = { .shape = shape, .n_now = n_now, .reducing = -1 };
    write(&count);
    out->n = count.n;
    out->actions = arena_place_n(arena, (size_t)count.n, sizeof *out->actions);
    struct emitter fill = { .shape = shape, .n_now = n_now, .reducing = -1, .out = out->actions };
    write(&fill);
}

void program_pass(struct arena *arena, const struct program_shape *shape, int64_t n_now, struct program *out)
{
    CHECK(n_now <= shape->window);
    build(arena, shape, n_now, emit_pass, out);
}

void program_finish(struct arena *arena, const struct program_shape *shape, struct program *out)
{
    build(arena, shape, 0, emit_finish, out);
}

int64_t program_passes(const struct program_shape *shape) { return ceil_div(shape->n_most, shape->window); }

const char *action_name(enum action_kind kind)
{
    static const char *const names[ACTION_KINDS] = { "gather begin", "gather wait",  "forward",    "backward",
                                                     "release",      "reduce begin", "reduce wait" };
    return names[kind];
}

int program_gathered_most(const struct program *p)
{
    int held = 0, most = 0;
    for (int i = 0; i < p->n; i++) {
        if (p->actions[i].kind == ACTION_GATHER_BEGIN) held++;
        if (p->actions[i].kind == ACTION_RELEASE) held--;
        if (held > most) most = held;
    }
    return most;
}
