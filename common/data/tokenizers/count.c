#include "count.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "learn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PART: a document is cut into parts of at most this size where it can be. TASK: parts of one task. SHARE: bytes of text in a row that are
 * one rank's. BATCH: text that is counted at one time. All tasks are cut by these alone. */
enum { PART_BYTES = 1 << 18, TASK_BYTES = 1 << 18, SHARE_BYTES = 1 << 20, BATCH_BYTES = 1 << 24 };

struct counter {
    const struct split *split;
    int rank, ranks;
    int64_t offset; /* bytes of all documents before the next part */
    unsigned char *batch;
    size_t used, cap;
    struct part {
        size_t begin, n;
        bool first; /* it begins a document */
    } * part;
    struct task {
        size_t first, end; /* parts */
        enum status status;
        char why[256];
    } * task;
    struct piece_table *table; /* one a task */
    size_t n_parts, cap_parts, n_tasks, cap_tasks;
    struct splitter **splitter; /* one a thread */
    int n_splitters;
    struct pieces pieces;
};

enum status counter_open(const struct split *split, int rank, int ranks, struct counter **out)
{
    struct counter *const c = *out = calloc(1, sizeof *c);
    CHECK(c != NULL);
    *c = (struct counter){ .split = split, .rank = rank, .ranks = ranks, .n_splitters = parallel_threads() };
    c->splitter = calloc((size_t)c->n_splitters, sizeof *c->splitter);
    CHECK(c->splitter != NULL);
    for (int i = 0; i < c->n_splitters; i++) TRY(splitter_open(split, &c->splitter[i]));
    return ST_OK;
}

void counter_close(struct counter *c)
{
    if (c == NULL) return;
    for (int i = 0; i < c->n_splitters; i++) splitter_close(c->splitter[i]);
    for (size_t i = 0; i < c->cap_tasks; i++) piece_table_free(&c->table[i]);
    pieces_free(&c->pieces);
    free(c->splitter);
    free(c->batch);
    free(c->part);
    free(c->task);
    free(c->table);
    free(c);
}

struct pieces *counter_pieces(struct counter *c) { return &c->pieces; }

/* --- counting a batch -------------------------------------------------------------------------------------------------- */

static enum status count_piece(void *context, const unsigned char *piece, int64_t n)
{
    if (!piece_table_add(context, (struct piece){ .bytes = piece, .n = n, .count = 1 }))
        FAIL(ST_IO, "no memory for the pieces of a block of text");
    return ST_OK;
}

/* A failure's sentence belongs to the thread it happened on: it is kept for the one that tells it. */
static void count_task(void *context, int64_t task, int thread)
{
    struct counter *const c = context;
    struct task *const t = &c->task[task];
    piece_table_clear(&c->table[task]);
    t->status = ST_OK;
    for (size_t i = t->first; i < t->end && t->status == ST_OK; i++)
        t->status = splitter_pieces(c->splitter[thread], c->batch + c->part[i].begin, (int64_t)c->part[i].n, c->part[i].first, count_piece,
                                    &c->table[task]);
    if (t->status != ST_OK) (void)snprintf(t->why, sizeof t->why, "%s", status_text());
}

static enum status cut_tasks(struct counter *c)
{
    c->n_tasks = 0;
    for (size_t i = 0; i < c->n_parts; c->n_tasks++) {
        if (c->n_tasks == c->cap_tasks) {
            const size_t more = c->cap_tasks > 0 ? 2 * c->cap_tasks : 64;
            struct task *const task = realloc(c->task, more * sizeof *task);
            if (task != NULL) c->task = task;
            struct piece_table *const table = realloc(c->table, more * sizeof *table);
            if (table != NULL) c->table = table;
            if (task == NULL || table == NULL) FAIL(ST_IO, "no memory for %zu tasks", more);
            memset(table + c->cap_tasks, 0, (more - c->cap_tasks) * sizeof *table);
            c->cap_tasks = more;
        }
        struct task *const t = &c->task[c->n_tasks];
        size_t bytes = 0;
        *t = (struct task){ .first = i };
        for (; i < c->n_parts && (bytes == 0 || bytes + c->part[i].n <= TASK_BYTES); i++) bytes += c->part[i].n;
        t->end = i;
    }
    return ST_OK;
}

enum status counter_finish(struct counter *c)
{
    if (c->n_parts == 0) return ST_OK;
    TRY(cut_tasks(c));
    parallel_for((int64_t)c->n_tasks, count_task, c);
    for (size_t i = 0; i < c->n_tasks; i++)
        if (c->task[i].status != ST_OK) FAIL(c->task[i].status, "%s", c->task[i].why);
    c->used = c->n_parts = 0;
    TRY(pieces_take(&c->pieces, c->table, (int64_t)c->n_tasks));
    return learn_bound(&c->pieces);
}

/* --- documents into parts ---------------------------------------------------------------------------------------------- */

static enum status room(struct counter *c, size_t n)
{
    if (c->n_parts == c->cap_parts) {
        const size_t more = c->cap_parts > 0 ? 2 * c->cap_parts : 1024;
        struct part *const part = realloc(c->part, more * sizeof *part);
        if (part == NULL) FAIL(ST_IO, "no memory for %zu parts of text", more);
        c->part = part;
        c->cap_parts = more;
    }
    if (c->cap - c->used >= n) return ST_OK;
    const size_t cap = c->used + n > BATCH_BYTES ? c->used + n : BATCH_BYTES;
    unsigned char *const batch = realloc(c->batch, cap);
    if (batch == NULL) FAIL(ST_IO, "no memory for %zu bytes of text", cap);
    c->batch = batch;
    c->cap = cap;
    return ST_OK;
}

static enum status add_part(struct counter *c, bool first, const unsigned char *bytes, int64_t n)
{
    const bool mine = c->offset / SHARE_BYTES % c->ranks == c->rank;
    c->offset += n;
    if (!mine) return ST_OK;
    if (c->used + (size_t)n > BATCH_BYTES) TRY(counter_finish(c));
    TRY(room(c, (size_t)n));
    memcpy(c->batch + c->used, bytes, (size_t)n);
    c->part[c->n_parts++] = (struct part){ .begin = c->used, .n = (size_t)n, .first = first };
    c->used += (size_t)n;
    return ST_OK;
}

/* Where the first part of a longer document ends: within PART_BYTES where it can be cut there, else as soon as it can. */
static int64_t part_of(const struct counter *c, const unsigned char *document, int64_t n)
{
    for (int64_t size = PART_BYTES; size < n; size *= 2) {
        const int64_t cut = split_cut(c->split, document, size);
        if (cut > 0) return cut;
    }
    return n;
}

enum status counter_add(struct counter *c, const unsigned char *document, int64_t n)
{
    for (bool first = true; n > 0; first = false) {
        const int64_t part = part_of(c, document, n);
        TRY(add_part(c, first, document, part));
        document += part;
        n -= part;
    }
    return ST_OK;
}
