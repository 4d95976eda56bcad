#include "learn_pairs.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

enum { INDEX_FIRST = 256, PLACES_BLOCK = 1 << 18 };

/* The array with room for one more than its n elements, doubled where need be; NULL: no memory, and it is as it was. */
static void *grown(void *array, size_t *cap, size_t n, size_t width)
{
    if (n < *cap) return array;
    const size_t more = *cap > 0 ? 2 * *cap : 64;
    void *const moved = realloc(array, more * width);
    if (moved != NULL) *cap = more;
    return moved;
}

/* --- index ------------------------------------------------------------------------------------------------------------- */

/* Keys are two small numbers: the product moves their bits up, and the upper ones are taken. */
static size_t slot_of(uint64_t key, size_t n_slots) { return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (n_slots - 1); }

/* The slot of this key, free where it is not there. keys: the first key of an array of things that are `stride` bytes apart. */
static uint32_t *index_find(const struct pair_index *x, const void *keys, size_t stride, uint64_t key)
{
    for (size_t at = slot_of(key, x->n_slots);; at = (at + 1) & (x->n_slots - 1)) {
        uint32_t *const s = &x->slot[at];
        uint64_t there;
        if (*s == 0) return s;
        memcpy(&there, (const char *)keys + (*s - 1) * stride, sizeof there);
        if (there == key) return s;
    }
}

/* Room for one more than the n keys that are there: at most half of the slots are in use. */
static bool index_grow(struct pair_index *x, const void *keys, size_t stride, size_t n)
{
    if (2 * (n + 1) <= x->n_slots) return true;
    struct pair_index more = { .n_slots = x->n_slots > 0 ? 2 * x->n_slots : INDEX_FIRST };
    more.slot = calloc(more.n_slots, sizeof *more.slot);
    if (more.slot == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t key;
        memcpy(&key, (const char *)keys + i * stride, sizeof key);
        *index_find(&more, keys, stride, key) = (uint32_t)i + 1;
    }
    free(x->slot);
    *x = more;
    return true;
}

/* --- tally ------------------------------------------------------------------------------------------------------------- */

_Static_assert(offsetof(struct change, key) == 0 && offsetof(struct learn_pair, key) == 0, "the index reads keys at the front");

void tally_clear(struct tally *t)
{
    if (t->index.n_slots > 64 * t->n) { /* few of many: a late merge must not pay for the table of an early one */
        for (size_t i = 0; i < t->n; i++)
            for (size_t at = slot_of(t->change[i].key, t->index.n_slots); t->index.slot[at] != 0; at = (at + 1) & (t->index.n_slots - 1))
                t->index.slot[at] = 0;
    } else if (t->n > 0)
        memset(t->index.slot, 0, t->index.n_slots * sizeof *t->index.slot);
    t->n = t->n_notes = 0;
    t->merged = 0;
}

void tally_free(struct tally *t)
{
    free(t->change);
    free(t->index.slot);
    free(t->note);
    *t = (struct tally){ 0 };
}

int64_t tally_find(struct tally *t, uint64_t key)
{
    if (!index_grow(&t->index, t->change, sizeof *t->change, t->n)) return -1;
    uint32_t *const slot = index_find(&t->index, t->change, sizeof *t->change, key);
    if (*slot != 0) return *slot - 1;
    struct change *const change = grown(t->change, &t->cap, t->n, sizeof *change);
    if (change == NULL) return -1;
    t->change = change;
    t->change[t->n++] = (struct change){ .key = key };
    *slot = (uint32_t)t->n;
    return (int64_t)t->n - 1;
}

void tally_add(struct tally *t, uint64_t key, int64_t delta)
{
    const int64_t i = tally_find(t, key);
    t->failed = t->failed || i < 0;
    if (!t->failed) t->change[i].delta += delta;
}

void tally_note(struct tally *t, uint64_t key, int64_t delta, uint32_t place)
{
    const int64_t i = tally_find(t, key);
    struct note *const note = grown(t->note, &t->cap_notes, t->n_notes, sizeof *note);
    if (note != NULL) t->note = note;
    t->failed = t->failed || i < 0 || note == NULL;
    if (t->failed) return;
    t->change[i].delta += delta;
    t->change[i].n_places++;
    t->note[t->n_notes++] = (struct note){ .change = (uint32_t)i, .place = place };
}

/* --- pairs ------------------------------------------------------------------------------------------------------------- */

static uint32_t *place_places(struct learn_pairs *p, size_t n)
{
    struct place_block *b = p->places;
    if (b == NULL || b->cap - b->used < n) {
        const size_t cap = n > PLACES_BLOCK ? n : PLACES_BLOCK;
        b = malloc(sizeof *b + cap * sizeof b->place[0]);
        if (b == NULL) return NULL;
        *b = (struct place_block){ .before = p->places, .cap = cap };
        p->places = b;
    }
    b->used += n;
    return b->place + b->used - n;
}

static bool before(const struct queued *a, const struct queued *b) { return a->count != b->count ? a->count > b->count : a->key < b->key; }

static void sift_up(struct queued *heap, size_t at)
{
    const struct queued moving = heap[at];
    for (; at > 0 && before(&moving, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = moving;
}

static void sift_down(struct queued *heap, size_t n)
{
    const struct queued moving = heap[0];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* A pair that comes into being, with memory for its places. */
static bool add_pair(struct learn_pairs *p, struct change *c)
{
    CHECK(p->n < UINT32_MAX - 1);
    c->place = place_places(p, c->n_places);
    struct learn_pair *const pair = grown(p->pair, &p->cap, p->n, sizeof *pair);
    if (pair != NULL) p->pair = pair;
    struct queued *const queue = grown(p->queue, &p->cap_queued, p->n_queued, sizeof *queue);
    if (queue != NULL) p->queue = queue;
    if (c->place == NULL || pair == NULL || queue == NULL || !index_grow(&p->index, p->pair, sizeof *p->pair, p->n)) return false;
    uint32_t *const slot = index_find(&p->index, p->pair, sizeof *p->pair, c->key);
    CHECK(*slot == 0);
    p->pair[p->n] = (struct learn_pair){ .key = c->key, .count = c->delta, .place = c->place, .n_places = c->n_places };
    p->queue[p->n_queued++] = (struct queued){ .count = c->delta, .key = c->key, .pair = (uint32_t)p->n };
    *slot = (uint32_t)++p->n;
    sift_up(p->queue, p->n_queued - 1);
    return true;
}

enum status pairs_change(struct learn_pairs *p, struct tally *whole)
{
    for (size_t i = 0; i < whole->n; i++) {
        struct change *const c = &whole->change[i];
        c->place = NULL;
        if (c->n_places == 0) { /* an older pair, which only loses */
            const uint32_t slot = p->n > 0 ? *index_find(&p->index, p->pair, sizeof *p->pair, c->key) : 0;
            if (slot != 0) p->pair[slot - 1].count += c->delta;
        } else if (c->delta >= p->least_count && !add_pair(p, c))
            FAIL(ST_IO, "no memory for %zu pairs of symbols", p->n + 1);
    }
    return ST_OK;
}

bool pairs_take(struct learn_pairs *p, struct learn_pair *out)
{
    while (p->n_queued > 0) {
        struct queued *const top = &p->queue[0];
        const struct learn_pair *const pair = &p->pair[top->pair];
        const bool found = pair->count == top->count;
        if (found) *out = *pair;
        top->count = pair->count;
        if (found || pair->count < p->least_count) *top = p->queue[--p->n_queued];
        if (p->n_queued > 0) sift_down(p->queue, p->n_queued);
        if (found) return true;
    }
    return false;
}

void pairs_free(struct learn_pairs *p)
{
    while (p->places != NULL) {
        struct place_block *const before_it = p->places->before;
        free(p->places);
        p->places = before_it;
    }
    free(p->pair);
    free(p->index.slot);
    free(p->queue);
    *p = (struct learn_pairs){ 0 };
}
