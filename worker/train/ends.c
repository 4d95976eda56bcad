#include "ends.h"

#include "common/base/check.h"

static size_t padded(size_t bytes) { return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN; }

static void account_take(const struct partition *p, int unit, size_t element_bytes, bool *held, size_t *now)
{
    if (held[unit]) return;
    held[unit] = true;
    *now += padded((size_t)p->units[unit].count * element_bytes);
}

size_t ends_need(const struct partition *p, const struct program *program, enum action_kind take, enum action_kind drop, bool tied,
                 size_t element_bytes)
{
    size_t now = 0, most = 0;
    struct arena arena;
    arena_open_growing(&arena, "ends");
    bool *held = arena_place_n(&arena, (size_t)p->n_units, sizeof *held);
    for (int i = 0; i < program->n; i++) {
        const struct action *a = &program->actions[i];
        if (a->kind == take) {
            account_take(p, a->unit, element_bytes, held, &now);
            if (tied && take == ACTION_BACKWARD && a->unit == p->n_units - 1) account_take(p, 0, element_bytes, held, &now);
        }
        if (a->kind == drop && held[a->unit]) {
            held[a->unit] = false;
            now -= padded((size_t)p->units[a->unit].count * element_bytes);
        }
        if (now > most) most = now;
    }
    arena_close(&arena);
    return most;
}

void ends_place(struct ends *e, struct arena *arena, size_t cap, size_t element_bytes)
{
    *e = (struct ends){ .base = arena_place(arena, cap), .cap = cap, .element_bytes = element_bytes, .unit = { -1, -1 } };
}

void *ends_take(struct ends *e, int unit, int64_t n)
{
    const size_t bytes = padded((size_t)n * e->element_bytes);
    const int end = e->unit[0] < 0 ? 0 : 1;
    CHECK(e->unit[end] < 0 && bytes + e->bytes[1 - end] <= e->cap);
    e->unit[end] = unit;
    e->bytes[end] = bytes;
    const int held = (e->unit[0] >= 0) + (e->unit[1] >= 0);
    if (held > e->held_most) e->held_most = held;
    return ends_find(e, unit, n);
}

void *ends_find(const struct ends *e, int unit, int64_t n)
{
    if (e->unit[0] == unit) return e->base;
    if (e->unit[1] == unit) return e->base + e->cap - padded((size_t)n * e->element_bytes);
    return NULL;
}

void ends_drop(struct ends *e, int unit)
{
    const int end = e->unit[0] == unit ? 0 : 1;
    CHECK(e->unit[end] == unit);
    e->unit[end] = -1;
    e->bytes[end] = 0;
}
