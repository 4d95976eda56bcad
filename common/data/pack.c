#include "pack.h"
#include "common/base/check.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Memory of n things that begin at zero. */
static void *table(int64_t n, size_t bytes)
{
    void *const p = calloc((size_t)n, bytes);
    CHECK(p != NULL);
    return p;
}

/* --- which windows have room: a tree over 0 .. context, each node true where something below it is ---------------------- */

struct rooms {
    int64_t leaves; /* a power of two */
    bool *any;      /* [2 * leaves]: node i has the children 2i and 2i + 1; leaf r is leaves + r */
};

static struct rooms rooms_open(int64_t most)
{
    struct rooms t = { .leaves = 1 };
    while (t.leaves <= most) t.leaves *= 2;
    t.any = table(2 * t.leaves, sizeof *t.any);
    return t;
}

static void rooms_set(struct rooms *t, int64_t room, bool any)
{
    int64_t i = t->leaves + room;
    t->any[i] = any;
    for (i /= 2; i > 0; i /= 2) t->any[i] = t->any[2 * i] || t->any[2 * i + 1];
}

/* The least room >= n that some window has; -1: none. */
static int64_t rooms_least(const struct rooms *t, int64_t n)
{
    int64_t i = t->leaves + n;
    if (t->any[i]) return n;
    while (i > 1 && (i % 2 == 1 || !t->any[i + 1])) i /= 2;
    if (i <= 1) return -1;
    for (i++; i < t->leaves;) i = t->any[2 * i] ? 2 * i : 2 * i + 1;
    return i - t->leaves;
}

/* --- packing ------------------------------------------------------------------------------------------------------------- */

struct packer {
    const int64_t *starts;
    int64_t n_documents, n_tokens, context;
    int64_t n_rests;
    int64_t *rest;   /* [n_rests] documents that leave a rest, the longest rest first */
    int64_t *window; /* [n_rests] where each goes */
    int64_t *size;   /* [n_rests] pieces of each shared window */
    int64_t n_shared;
};

static int64_t length_of(const struct packer *p, int64_t document)
{
    return (document + 1 < p->n_documents ? p->starts[document + 1] : p->n_tokens) - p->starts[document];
}
static int64_t rest_of(const struct packer *p, int64_t document) { return length_of(p, document) % p->context; }

/* Counting sort, the longest first, equal ones in order. */
static void sort_rests(struct packer *p)
{
    int64_t *const place = table(p->context + 1, sizeof *place); /* of the next rest of each length */
    for (int64_t d = 0; d < p->n_documents; d++) place[rest_of(p, d)]++;
    for (int64_t n = p->context, before = 0; n >= 0; n--) {
        const int64_t count = place[n];
        place[n] = before;
        before += count;
    }
    p->n_rests = place[0]; /* those of length 0 would stand behind all */
    p->rest = table(max_i64(1, p->n_rests), sizeof *p->rest);
    for (int64_t d = 0; d < p->n_documents; d++)
        if (rest_of(p, d) > 0) p->rest[place[rest_of(p, d)]++] = d;
    free(place);
}

static void best_fit(struct packer *p)
{
    int64_t *const last = table(p->context + 1, sizeof *last);             /* 1 + the window used last with this room; 0: none */
    int64_t *const before = table(max_i64(1, p->n_rests), sizeof *before); /* 1 + the one used before it */
    struct rooms rooms = rooms_open(p->context);
    p->window = table(max_i64(1, p->n_rests), sizeof *p->window);
    p->size = table(max_i64(1, p->n_rests), sizeof *p->size);
    for (int64_t i = 0; i < p->n_rests; i++) {
        const int64_t n = rest_of(p, p->rest[i]), found = rooms_least(&rooms, n), room = found < 0 ? p->context : found;
        const int64_t window = found < 0 ? p->n_shared++ : last[room] - 1;
        if (found >= 0) {
            last[room] = before[window];
            if (last[room] == 0) rooms_set(&rooms, room, false);
        }
        p->window[i] = window;
        p->size[window]++;
        if (room == n) continue;
        before[window] = last[room - n];
        if (last[room - n] == 0) rooms_set(&rooms, room - n, true);
        last[room - n] = window + 1;
    }
    free(rooms.any);
    free(before);
    free(last);
}

/* Windows of one piece that fills them, in the order of the file. */
static int64_t put_whole(const struct packer *p, struct pack *out)
{
    int64_t n = 0;
    for (int64_t d = 0; d < p->n_documents; d++)
        for (int64_t k = 0; k < length_of(p, d) / p->context; k++, n++) {
            out->window[n] = n;
            out->pieces[n] = (struct pack_piece){ p->starts[d] + k * p->context, (int32_t)p->context, k == 0 };
        }
    return n;
}

static void put_shared(const struct packer *p, int64_t first, struct pack *out)
{
    int64_t *const next = out->window + first; /* becomes the end of each window, then its begin */
    for (int64_t w = 0, at = first; w < p->n_shared; at += p->size[w++]) next[w] = at;
    for (int64_t i = 0; i < p->n_rests; i++) {
        const int64_t d = p->rest[i], length = length_of(p, d), n = length % p->context;
        out->pieces[next[p->window[i]]++] = (struct pack_piece){ p->starts[d] + length - n, (int32_t)n, n == length };
    }
    for (int64_t w = 0; w < p->n_shared; w++) next[w] -= p->size[w];
    next[p->n_shared] = first + p->n_rests;
}

void pack_open(const int64_t *starts, int64_t n_documents, int64_t n_tokens, int64_t context, struct pack *out)
{
    CHECK(n_documents > 0 && starts[0] == 0 && context > 0 && context <= INT32_MAX);
    struct packer p = { .starts = starts, .n_documents = n_documents, .n_tokens = n_tokens, .context = context };
    int64_t whole = 0;
    *out = (struct pack){ .context = context, .n_tokens = n_tokens };
    for (int64_t d = 0; d < n_documents; d++) {
        CHECK(length_of(&p, d) > 0);
        whole += length_of(&p, d) / context;
        out->n_cut += length_of(&p, d) > context;
    }
    sort_rests(&p);
    best_fit(&p);
    out->n_windows = whole + p.n_shared;
    out->n_pieces = whole + p.n_rests;
    out->window = table(out->n_windows + 1, sizeof *out->window);
    out->pieces = table(out->n_pieces, sizeof *out->pieces);
    put_shared(&p, put_whole(&p, out), out);
    free(p.rest);
    free(p.window);
    free(p.size);
}

void pack_close(struct pack *p)
{
    free(p->window);
    free(p->pieces);
    *p = (struct pack){ 0 };
}

double pack_padding(const struct pack *p) { return 1 - (double)p->n_tokens / ((double)p->n_windows * (double)p->context); }

double pack_seen(const struct pack *p)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n_pieces; i++) sum += 0.5 * (double)p->pieces[i].n * (double)(p->pieces[i].n + 1);
    return sum / (double)p->n_tokens;
}

void pack_print(const struct pack *p, struct text *out)
{
    char windows[32], cut[32];
    text_add(out, "%s window%s of %lld tokens, %.3g %% padding; %s document%s longer and cut; a token sees %.0f on average\n",
             str_count(windows, sizeof windows, p->n_windows), p->n_windows == 1 ? "" : "s", (long long)p->context, 100 * pack_padding(p),
             p->n_cut > 0 ? str_count(cut, sizeof cut, p->n_cut) : "no", p->n_cut > 1 ? "s are" : " is", pack_seen(p));
}

json_t *pack_json(const struct pack *p)
{
    return json_pack("{s:I, s:I, s:f, s:I, s:f}", "context", (json_int_t)p->context, "windows", (json_int_t)p->n_windows, "padding",
                     pack_padding(p), "cut", (json_int_t)p->n_cut, "seen", pack_seen(p));
}
