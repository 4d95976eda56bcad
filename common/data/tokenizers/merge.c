#include "merge.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

static const uint64_t no_pair = UINT64_MAX;

static uint64_t pair_of(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

static const struct merge_row *find(const struct merges *t, int32_t left, int32_t right)
{
    const uint64_t pair = pair_of(left, right);
    for (uint64_t i = pair * UINT64_C(0x9e3779b97f4a7c15) >> t->shift;; i++) {
        const struct merge_row *const row = &t->row[i & t->mask];
        if (row->pair == pair) return row;
        if (row->pair == no_pair) return NULL;
    }
}

int64_t merges_build(struct arena *arena, const struct bpe_merge *merge, int64_t n, struct merges *out)
{
    int bits = 4;
    while ((INT64_C(1) << bits) < 2 * n) bits++;
    const uint64_t rows = UINT64_C(1) << bits;
    *out = (struct merges){ .row = arena_place_n(arena, rows, sizeof *out->row), .mask = rows - 1, .shift = 64 - bits };
    for (uint64_t i = 0; i < rows; i++) out->row[i].pair = no_pair;
    for (int64_t k = 0; k < n; k++) {
        if (find(out, merge[k].left, merge[k].right) != NULL) return k;
        const uint64_t pair = pair_of(merge[k].left, merge[k].right);
        uint64_t i = pair * UINT64_C(0x9e3779b97f4a7c15) >> out->shift;
        while (out->row[i & out->mask].pair != no_pair) i++;
        out->row[i & out->mask] = (struct merge_row){ .pair = pair, .rank = (uint32_t)k, .result = merge[k].result };
    }
    return -1;
}

void merger_close(struct merger *m)
{
    free(m->next);
    free(m->before);
    free(m->heap);
    *m = (struct merger){ 0 };
}

/* --- Short rows ------------------------------------------------------------------------------------------------------------- */

enum { SHORT = 64 };
static const uint32_t no_rank = UINT32_MAX;

static int merge_short(const struct merges *t, int32_t *symbol, int n)
{
    uint32_t rank[SHORT]; /* of the pair that begins here */
    int32_t result[SHORT];
    for (int i = 0; i + 1 < n; i++) {
        const struct merge_row *const row = find(t, symbol[i], symbol[i + 1]);
        rank[i] = row != NULL ? row->rank : no_rank;
        result[i] = row != NULL ? row->result : -1;
    }
    while (n > 1) {
        int best = 0;
        for (int i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == no_rank) break;
        symbol[best] = result[best];
        n--;
        for (int i = best + 1; i < n; i++) {
            symbol[i] = symbol[i + 1];
            rank[i] = rank[i + 1];
            result[i] = result[i + 1];
        }
        for (int i = best > 0 ? best - 1 : 0; i <= best && i + 1 < n; i++) {
            const struct merge_row *const row = find(t, symbol[i], symbol[i + 1]);
            rank[i] = row != NULL ? row->rank : no_rank;
            result[i] = row != NULL ? row->result : -1;
        }
    }
    return n;
}

/* --- Long rows: symbols in a list, pairs in a heap by (rank, place) -------------------------------------------------------------- */

static void sink(uint64_t *heap, int64_t n, int64_t i)
{
    const uint64_t value = heap[i];
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= value) break;
        heap[i] = heap[child];
    }
    heap[i] = value;
}

static void rise(uint64_t *heap, int64_t i, uint64_t value)
{
    for (int64_t parent; i > 0 && heap[parent = (i - 1) / 2] > value; i = parent) heap[i] = heap[parent];
    heap[i] = value;
}

static enum status room(struct merger *m, int64_t n)
{
    if (n >= INT32_MAX) FAIL(ST_DATA, "a piece of %lld symbols is too long to merge", (long long)n);
    if (n <= m->cap) return ST_OK;
    merger_close(m);
    const size_t cap = (size_t)n + (size_t)n / 2;
    m->next = malloc(cap * sizeof *m->next);
    m->before = malloc(cap * sizeof *m->before);
    m->heap = malloc(2 * cap * sizeof *m->heap); /* each merge takes one pair and brings two at most */
    if (m->next == NULL || m->before == NULL || m->heap == NULL) {
        merger_close(m);
        FAIL(ST_IO, "no memory to merge a piece of %lld symbols", (long long)n);
    }
    m->cap = (int64_t)cap;
    return ST_OK;
}

static int64_t push(const struct merges *t, struct merger *m, int64_t n_heap, const int32_t *symbol, int32_t at)
{
    if (at < 0 || m->next[at] < 0) return n_heap;
    const struct merge_row *const row = find(t, symbol[at], symbol[m->next[at]]);
    if (row == NULL) return n_heap;
    rise(m->heap, n_heap, (uint64_t)row->rank << 32 | (uint32_t)at);
    return n_heap + 1;
}

static void merge_long(const struct merges *t, struct merger *m, int32_t *symbol, int64_t *n)
{
    int64_t n_heap = 0, kept = 0;
    for (int64_t i = 0; i < *n; i++) {
        m->before[i] = (int32_t)i - 1;
        m->next[i] = i + 1 < *n ? (int32_t)i + 1 : -1;
        const struct merge_row *const row = i + 1 < *n ? find(t, symbol[i], symbol[i + 1]) : NULL;
        if (row != NULL) m->heap[n_heap++] = (uint64_t)row->rank << 32 | (uint64_t)i;
    }
    for (int64_t i = n_heap / 2 - 1; i >= 0; i--) sink(m->heap, n_heap, i);
    while (n_heap > 0) {
        const int32_t at = (int32_t)(uint32_t)m->heap[0];
        const uint32_t rank = (uint32_t)(m->heap[0] >> 32);
        m->heap[0] = m->heap[--n_heap];
        if (n_heap > 0) sink(m->heap, n_heap, 0);
        const int32_t right = symbol[at] >= 0 ? m->next[at] : -1;
        const struct merge_row *const row = right >= 0 ? find(t, symbol[at], symbol[right]) : NULL;
        if (row == NULL || row->rank != rank) continue; /* one of the two has been merged meanwhile */
        symbol[at] = row->result;
        symbol[right] = -1;
        m->next[at] = m->next[right];
        if (m->next[at] >= 0) m->before[m->next[at]] = at;
        n_heap = push(t, m, n_heap, symbol, at);
        n_heap = push(t, m, n_heap, symbol, m->before[at]);
    }
    for (int64_t i = 0; i < *n; i++)
        if (symbol[i] >= 0) symbol[kept++] = symbol[i];
    *n = kept;
}

enum status merge_symbols(const struct merges *t, struct merger *m, int32_t *symbol, int64_t *n)
{
    if (*n <= SHORT) {
        *n = merge_short(t, symbol, (int)*n);
        return ST_OK;
    }
    TRY(room(m, *n));
    merge_long(t, m, symbol, n);
    return ST_OK;
}
