#include "finder.h"
#include "common/base/check.h"

void finder_open(struct arena *arena, int64_t bytes, struct finder *out)
{
    *out = (struct finder){ .n = 1, .cap = (int32_t)bytes + 1 };
    CHECK(bytes < INT32_MAX);
    out->node = arena_place_n(arena, (size_t)out->cap, sizeof *out->node);
}

static int32_t make_node(struct finder *f, unsigned char byte, int32_t sibling)
{
    CHECK(f->n < f->cap);
    f->node[f->n] = (struct finder_node){ .sibling = sibling, .found = -1, .byte = byte };
    return f->n++;
}

static int32_t child_of(const struct finder *f, int32_t node, unsigned char byte)
{
    int32_t child = f->node[node].child;
    while (child != 0 && f->node[child].byte != byte) child = f->node[child].sibling;
    return child;
}

bool finder_add(struct finder *f, const unsigned char *content, int64_t n, int32_t what)
{
    if (f->first[content[0]] == 0) f->first[content[0]] = make_node(f, content[0], 0);
    int32_t at = f->first[content[0]];
    for (int64_t i = 1; i < n; i++) {
        int32_t child = child_of(f, at, content[i]);
        if (child == 0) child = f->node[at].child = make_node(f, content[i], f->node[at].child);
        at = child;
    }
    if (f->node[at].found >= 0) return false;
    f->node[at].found = what;
    return true;
}

struct finding finder_next(const struct finder *f, const unsigned char *text, int64_t n, int64_t from)
{
    struct finding best = { .begin = n, .end = n, .what = -1 };
    if (f->n <= 1) return best;
    for (int64_t i = from; i < n && best.what < 0; i++) {
        int32_t at = f->first[text[i]];
        for (int64_t end = i + 1; at != 0; at = end < n ? child_of(f, at, text[end]) : 0, end++)
            if (f->node[at].found >= 0) best = (struct finding){ .begin = i, .end = end, .what = f->node[at].found };
    }
    return best;
}
