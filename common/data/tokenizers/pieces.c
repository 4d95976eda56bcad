#include "pieces.h"
#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/parallel.h"
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1 << 10, BYTES_FIRST = 1 << 13, SHARD_BITS = 6 };

struct piece_slot {
    int64_t count; /* 0: free */
    size_t begin;  /* in bytes */
    uint32_t n, tag;
};

/* --- one table --------------------------------------------------------------------------------------------------------- */

/* The low half of a digest: its upper bits choose the shard, its lower ones the slot, 32 in the middle spare most comparisons. */
static uint64_t hash_of(const unsigned char *bytes, int64_t n) { return digest_bytes(bytes, (size_t)n).low; }
static uint32_t tag_of(uint64_t hash) { return (uint32_t)(hash >> 26); }

static struct piece_slot *find(const struct piece_table *t, const unsigned char *bytes, int64_t n, uint64_t hash)
{
    const uint32_t tag = tag_of(hash);
    for (size_t at = (size_t)hash & (t->n_slots - 1);; at = (at + 1) & (t->n_slots - 1)) {
        struct piece_slot *const s = &t->slots[at];
        if (s->count == 0) return s;
        if (s->tag == tag && s->n == (uint32_t)n && memcmp(t->bytes + s->begin, bytes, (size_t)n) == 0) return s;
    }
}

static bool grow_slots(struct piece_table *t)
{
    struct piece_table more = { .n_slots = t->n_slots > 0 ? 2 * t->n_slots : SLOTS_FIRST };
    more.slots = calloc(more.n_slots, sizeof *more.slots);
    if (more.slots == NULL) return false;
    for (size_t i = 0; i < t->n_slots; i++) {
        const struct piece_slot *const s = &t->slots[i];
        if (s->count == 0) continue;
        size_t at = (size_t)hash_of(t->bytes + s->begin, s->n) & (more.n_slots - 1);
        while (more.slots[at].count != 0) at = (at + 1) & (more.n_slots - 1);
        more.slots[at] = *s;
    }
    free(t->slots);
    t->slots = more.slots;
    t->n_slots = more.n_slots;
    return true;
}

static bool grow_bytes(struct piece_table *t, size_t n)
{
    size_t cap = t->cap_bytes > 0 ? t->cap_bytes : BYTES_FIRST;
    while (cap - t->n_bytes < n) cap += cap / 2;
    if (cap == t->cap_bytes) return true;
    unsigned char *const more = realloc(t->bytes, cap);
    if (more == NULL) return false;
    t->bytes = more;
    t->cap_bytes = cap;
    return true;
}

bool piece_table_add(struct piece_table *t, struct piece p)
{
    const uint64_t hash = hash_of(p.bytes, p.n);
    CHECK(p.n > 0 && p.n <= UINT32_MAX && p.count > 0);
    if (8 * t->used >= 5 * t->n_slots && !grow_slots(t)) return false;
    struct piece_slot *const s = find(t, p.bytes, p.n, hash);
    if (s->count == 0) {
        if (!grow_bytes(t, (size_t)p.n)) return false;
        memcpy(t->bytes + t->n_bytes, p.bytes, (size_t)p.n);
        *s = (struct piece_slot){ .begin = t->n_bytes, .n = (uint32_t)p.n, .tag = tag_of(hash) };
        t->n_bytes += (size_t)p.n;
        t->used++;
    }
    s->count += p.count;
    return true;
}

void piece_table_clear(struct piece_table *t)
{
    if (t->used > 0) memset(t->slots, 0, t->n_slots * sizeof *t->slots);
    t->used = t->n_bytes = 0;
}

void piece_table_free(struct piece_table *t)
{
    free(t->slots);
    free(t->bytes);
    *t = (struct piece_table){ 0 };
}

size_t piece_table_memory(const struct piece_table *t) { return t->n_slots * sizeof *t->slots + t->cap_bytes; }

bool piece_table_next(const struct piece_table *t, size_t *at, struct piece *out)
{
    while (*at < t->n_slots && t->slots[*at].count == 0) ++*at;
    if (*at >= t->n_slots) return false;
    const struct piece_slot *const s = &t->slots[(*at)++];
    *out = (struct piece){ .bytes = t->bytes + s->begin, .n = s->n, .count = s->count };
    return true;
}

/* --- all shards -------------------------------------------------------------------------------------------------------- */

struct pieces_sum pieces_sum(const struct pieces *p)
{
    struct pieces_sum sum = { 0 };
    for (int i = 0; i < PIECE_SHARDS; i++) {
        const struct piece_table *const t = &p->shard[i];
        struct piece piece;
        sum.different += (int64_t)t->used;
        sum.different_bytes += (int64_t)t->n_bytes;
        for (size_t at = 0; piece_table_next(t, &at, &piece);) {
            sum.all += piece.count;
            sum.all_bytes += piece.count * piece.n;
        }
    }
    return sum;
}

/* First every table's pieces are grouped by shard, one task a table; then every shard takes its groups, one task a shard. */
struct take {
    struct pieces *to;
    const struct piece_table *from;
    int64_t n;
    struct group {
        struct piece *piece;
        size_t begin[PIECE_SHARDS + 1];
    } * group;
    bool failed[PIECE_SHARDS];
};

static int shard_of(struct piece p) { return (int)(hash_of(p.bytes, p.n) >> (64 - SHARD_BITS)); }

static void group_table(void *context, int64_t task, int thread)
{
    const struct take *const c = context;
    const struct piece_table *const t = &c->from[task];
    struct group *const g = &c->group[task];
    size_t next[PIECE_SHARDS];
    struct piece p;
    for (size_t at = 0; piece_table_next(t, &at, &p);) g->begin[shard_of(p) + 1]++;
    for (int i = 0; i < PIECE_SHARDS; i++) {
        g->begin[i + 1] += g->begin[i];
        next[i] = g->begin[i];
    }
    for (size_t at = 0; piece_table_next(t, &at, &p);) g->piece[next[shard_of(p)]++] = p;
}

static void take_shard(void *context, int64_t task, int thread)
{
    struct take *const c = context;
    for (int64_t i = 0; i < c->n && !c->failed[task]; i++)
        for (size_t k = c->group[i].begin[task]; k < c->group[i].begin[task + 1] && !c->failed[task]; k++)
            c->failed[task] = !piece_table_add(&c->to->shard[task], c->group[i].piece[k]);
}

enum status pieces_take(struct pieces *p, const struct piece_table tables[], int64_t n)
{
    struct take c = { .to = p, .from = tables, .n = n, .group = calloc((size_t)n + 1, sizeof *c.group) };
    bool failed = c.group == NULL;
    for (int64_t i = 0; i < n && !failed; i++) {
        c.group[i].piece = calloc(tables[i].used + 1, sizeof *c.group[i].piece);
        failed = c.group[i].piece == NULL;
    }
    if (!failed) {
        parallel_for(n, group_table, &c);
        parallel_for(PIECE_SHARDS, take_shard, &c);
    }
    for (int i = 0; i < PIECE_SHARDS; i++) failed = failed || c.failed[i];
    for (int64_t i = 0; i < n && c.group != NULL; i++) free(c.group[i].piece);
    free(c.group);
    if (failed)
        FAIL(ST_IO, "no memory for the different pieces of the text, of which there are %lld so far", (long long)pieces_sum(p).different);
    return ST_OK;
}

void pieces_free(struct pieces *p)
{
    for (int i = 0; i < PIECE_SHARDS; i++) piece_table_free(&p->shard[i]);
}
