#include "partition.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

static void name_param(struct param *p, enum unit_kind kind, const char *name)
{
    static const char *const prefix[UNIT_KINDS] = { "embedding", "blocks", "head" };
    const int n = kind == UNIT_BLOCK ? snprintf(p->name, sizeof p->name, "%s.%d.%s", prefix[kind], p->layer, name)
                                     : snprintf(p->name, sizeof p->name, "%s.%s", prefix[kind], name);
    CHECK(n > 0 && (size_t)n < sizeof p->name);
}

static void place_params(struct unit *u, int unit, const struct unit_shape *shape, struct param *params)
{
    u->count = 0;
    for (int i = 0; i < shape->n_params; i++) {
        const struct param_shape *s = &shape->param[i];
        params[u->first_param + i] = (struct param){ .role = s->role,
                                                     .unit = unit,
                                                     .layer = u->layer,
                                                     .n_dims = s->n_dims,
                                                     .rows = s->rows,
                                                     .cols = s->cols,
                                                     .offset = u->count,
                                                     .init = s->init,
                                                     .std = s->std,
                                                     .row_align = 1,
                                                     .owner = -1 };
        name_param(&params[u->first_param + i], u->kind, s->name);
        u->count += s->rows * s->cols;
    }
}

/* Insertion sort: a few hundred names, once. */
static void order_by_name(struct partition *p)
{
    for (int i = 0; i < p->n_params; i++) {
        int at = i;
        while (at > 0 && strcmp(p->params[p->by_name[at - 1]].name, p->params[i].name) > 0) {
            p->by_name[at] = p->by_name[at - 1];
            at--;
        }
        p->by_name[at] = i;
    }
    for (int i = 0; i < p->n_params; i++) p->params[p->by_name[i]].name_order = i;
}

void partition_units(struct arena *arena, const struct unit_shape shapes[UNIT_KINDS], int64_t layers, bool tie, struct partition *out)
{
    *out = (struct partition){ .n_units = (int)layers + 2, .tied_param = tie ? 0 : -1 };
    out->units = arena_place_n(arena, (size_t)out->n_units, sizeof *out->units);
    for (int i = 0; i < out->n_units; i++) {
        struct unit *u = &out->units[i];
        *u = (struct unit){ .kind = i == 0 ? UNIT_EMBEDDING : i == out->n_units - 1 ? UNIT_HEAD : UNIT_BLOCK, .layer = -1 };
        if (u->kind == UNIT_BLOCK) u->layer = i - 1;
        u->first_param = out->n_params;
        u->n_params = shapes[u->kind].n_params;
        out->n_params += u->n_params;
    }
    out->params = arena_place_n(arena, (size_t)out->n_params, sizeof *out->params);
    out->by_name = arena_place_n(arena, (size_t)out->n_params, sizeof *out->by_name);
    for (int i = 0; i < out->n_units; i++) {
        place_params(&out->units[i], i, &shapes[out->units[i].kind], out->params);
        out->n_elements += out->units[i].count;
    }
    order_by_name(out);
    CHECK(!tie || out->params[0].role == ROLE_HEAD);
}

/* The row boundary of the unit nearest to an element position, on the alignment of the tensor it falls in. */
static int64_t nearest_cut(const struct partition *p, const struct unit *u, int64_t position)
{
    for (int i = 0; i < u->n_params; i++) {
        const struct param *q = &p->params[u->first_param + i];
        const int64_t inside = position - q->offset;
        if (inside >= q->rows * q->cols) continue;
        const int64_t step = q->row_align * q->cols;
        const int64_t row = (inside + step / 2) / step * q->row_align;
        return q->offset + min_i64(row, q->rows) * q->cols;
    }
    return u->count;
}

void partition_cut(struct arena *arena, struct partition *p, int group)
{
    p->group = group;
    for (int i = 0; i < p->n_units; i++) {
        struct unit *u = &p->units[i];
        u->cut = arena_place_n(arena, (size_t)group + 1, sizeof *u->cut);
        for (int r = 0; r <= group; r++) {
            /* count * r / group without overflow */
            const int64_t position = u->count / group * r + u->count % group * r / group;
            u->cut[r] = r == 0 ? 0 : r == group ? u->count : max_i64(u->cut[r - 1], nearest_cut(p, u, position));
        }
    }
}

int partition_pieces(const struct partition *p, int unit, int r, struct piece out[UNIT_MAX_PARAMS])
{
    const struct unit *u = &p->units[unit];
    const int64_t begin = u->cut[r], end = u->cut[r + 1];
    int n = 0;
    for (int i = 0; i < u->n_params; i++) {
        const struct param *q = &p->params[u->first_param + i];
        const int64_t low = max_i64(begin, q->offset), high = min_i64(end, q->offset + q->rows * q->cols);
        if (low >= high) continue;
        out[n++] = (struct piece){ .param = u->first_param + i,
                                   .row_begin = (low - q->offset) / q->cols,
                                   .row_end = (high - q->offset) / q->cols };
    }
    return n;
}

int64_t partition_owned(const struct partition *p, int r)
{
    int64_t n = 0;
    for (int i = 0; i < p->n_units; i++) n += p->units[i].cut[r + 1] - p->units[i].cut[r];
    return n;
}
