#include "batch.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a task made for one side. */
struct task_side {
    unsigned char *tokens;
    size_t used, cap;
    struct segment_document *document;
    int64_t n_documents, cap_documents;
    struct segment_side facts; /* its counters, without digests */
};
struct batch_task {
    int64_t first, n; /* records */
    struct task_side side[SIDES];
    int64_t empty, skipped, skipped_file, skipped_place;
    char skipped_why[200];
    enum status status;
    char *sentence; /* why it failed: the thread's own text is gone when another task runs there */
};

/* --- records ------------------------------------------------------------------------------------------------------------ */

enum status batch_add(struct batch *b, int64_t file, const struct record *record)
{
    const size_t need = b->used + (size_t)record->n;
    if (need > b->cap || b->bytes == NULL) {
        b->cap = need > 2 * BATCH_BYTES ? need : 2 * BATCH_BYTES;
        unsigned char *const larger = realloc(b->bytes, b->cap);
        if (larger == NULL) FAIL(ST_IO, "no memory for %zu bytes of text", need);
        b->bytes = larger;
    }
    if (b->n_records == b->cap_records) {
        b->cap_records = max_i64(1024, 2 * b->cap_records);
        b->record = realloc(b->record, (size_t)b->cap_records * sizeof *b->record);
        CHECK(b->record != NULL);
    }
    memcpy(b->bytes + b->used, record->bytes, (size_t)record->n);
    b->record[b->n_records++] = (struct batch_record){ (int64_t)b->used, record->n, file, record->place };
    b->used = need;
    return ST_OK;
}

void batch_empty(struct batch *b)
{
    b->used = 0;
    b->n_records = b->n_tasks = 0;
    b->unit = -1;
    b->more = b->begins = b->ends = b->last = false;
}

void batch_close(struct batch *b)
{
    for (int64_t t = 0; t < b->cap_tasks; t++) {
        for (int i = 0; i < SIDES; i++) {
            free(b->task[t].side[i].tokens);
            free(b->task[t].side[i].document);
        }
        free(b->task[t].sentence);
    }
    free(b->task);
    free(b->record);
    free(b->bytes);
    *b = (struct batch){ 0 };
}

/* A task's memory serves again. */
static void reuse(struct batch_task *t, int64_t first)
{
    struct task_side side[SIDES];
    memcpy(side, t->side, sizeof side);
    free(t->sentence);
    *t = (struct batch_task){ .first = first };
    for (int i = 0; i < SIDES; i++)
        t->side[i] = (struct task_side){
            .tokens = side[i].tokens, .cap = side[i].cap, .document = side[i].document, .cap_documents = side[i].cap_documents
        };
}

void batch_cut(struct batch *b)
{
    int64_t bytes = TASK_BYTES;
    b->n_tasks = 0;
    for (int64_t i = 0; i < b->n_records; i++) {
        if (bytes >= TASK_BYTES) {
            if (b->n_tasks == b->cap_tasks) {
                const int64_t cap = max_i64(64, 2 * b->cap_tasks);
                b->task = realloc(b->task, (size_t)cap * sizeof *b->task);
                CHECK(b->task != NULL);
                memset(b->task + b->cap_tasks, 0, (size_t)(cap - b->cap_tasks) * sizeof *b->task);
                b->cap_tasks = cap;
            }
            reuse(&b->task[b->n_tasks++], i);
            bytes = 0;
        }
        b->task[b->n_tasks - 1].n++;
        bytes += max_i64(16, b->record[i].n); /* a record costs something, however short it is */
    }
}

/* --- encoding ----------------------------------------------------------------------------------------------------------- */

struct worker {
    struct encoder *encoder;
    struct ids ids;
    struct text repaired, scratch;
    struct byte_counts *counts[SIDES];
};
struct encoding {
    const struct setting *setting;
    struct worker *worker; /* [n], one per thread */
    int n;
    struct byte_counts *sum[SIDES];
};

enum status encoding_open(const struct setting *s, struct encoding **out)
{
    struct encoding *const e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    *out = e;
    e->setting = s;
    e->n = parallel_threads();
    e->worker = calloc((size_t)e->n, sizeof *e->worker);
    CHECK(e->worker != NULL);
    for (int i = 0; i < s->n_sides; i++) {
        e->sum[i] = calloc(1, sizeof *e->sum[i]);
        CHECK(e->sum[i] != NULL);
        for (int t = 0; t < e->n; t++) {
            e->worker[t].counts[i] = calloc(1, sizeof *e->sum[i]);
            CHECK(e->worker[t].counts[i] != NULL);
        }
    }
    for (int t = 0; t < e->n; t++) TRY(encoder_open(&s->tokenizer, &e->worker[t].encoder));
    return ST_OK;
}

void encoding_close(struct encoding *e)
{
    if (e == NULL) return;
    for (int t = 0; t < e->n; t++) {
        struct worker *const w = &e->worker[t];
        encoder_close(w->encoder);
        ids_close(&w->ids);
        text_free(&w->repaired);
        text_free(&w->scratch);
        for (int i = 0; i < SIDES; i++) free(w->counts[i]);
    }
    for (int i = 0; i < SIDES; i++) free(e->sum[i]);
    free(e->worker);
    free(e);
}

struct byte_counts *const *encoding_counts(struct encoding *e)
{
    for (int i = 0; i < e->setting->n_sides; i++) {
        memset(e->sum[i], 0, sizeof *e->sum[i]);
        for (int t = 0; t < e->n; t++) {
            const int64_t *const from = &e->worker[t].counts[i]->pair[0][0];
            int64_t *const to = &e->sum[i]->pair[0][0];
            for (int64_t j = 0; j < BYTE_SYMBOLS * BYTE_SYMBOLS; j++) to[j] += from[j];
            e->sum[i]->bytes += e->worker[t].counts[i]->bytes;
            memset(e->worker[t].counts[i], 0, sizeof *e->sum[i]);
        }
    }
    return e->sum;
}

static enum status put_tokens(const struct setting *s, const struct ids *ids, struct task_side *side)
{
    const size_t need = side->used + (size_t)ids->n * s->width;
    if (need > side->cap) {
        side->cap = need > 2 * side->cap ? need : 2 * side->cap;
        unsigned char *const larger = realloc(side->tokens, side->cap);
        if (larger == NULL) FAIL(ST_IO, "no memory for %zu bytes of tokens", side->cap);
        side->tokens = larger;
    }
    unsigned char *to = side->tokens + side->used;
    for (int64_t i = 0; i < ids->n; i++, to += s->width) {
        CHECK(ids->id[i] >= 0 && ids->id[i] < s->tokenizer.vocab);
        memcpy(to, &ids->id[i], s->width); /* little-endian: the low half comes first */
    }
    side->used = need;
    return ST_OK;
}

static void note_document(struct task_side *side, const struct batch_record *r, struct digest128 digest, int64_t text_bytes,
                          int64_t n_tokens)
{
    if (side->n_documents == side->cap_documents) {
        side->cap_documents = max_i64(64, 2 * side->cap_documents);
        side->document = realloc(side->document, (size_t)side->cap_documents * sizeof *side->document);
        CHECK(side->document != NULL);
    }
    side->document[side->n_documents++] = (struct segment_document){ digest, text_bytes, n_tokens };
    side->facts.text_bytes += text_bytes;
    if (n_tokens - 1 > side->facts.longest_tokens || side->n_documents == 1) {
        side->facts.longest_tokens = n_tokens - 1;
        side->facts.longest_bytes = text_bytes;
        side->facts.longest_file = r->file;
        side->facts.longest_place = r->place;
    }
}

static enum status put_document(const struct setting *s, struct worker *w, struct batch_task *t, const struct batch_record *r,
                                const unsigned char *text, int64_t n, int64_t bad)
{
    if (n == 0) {
        t->empty++;
        return ST_OK;
    }
    const struct digest128 digest = digest_bytes(text, (size_t)n);
    const int to = s->n_sides > 1 && (double)digest.high * 0x1p-64 < s->options->valid_share ? VALID : TRAIN;
    w->ids.n = 0;
    TRY(encoder_add(w->encoder, text, n, &w->ids));
    TRY(ids_add(&w->ids, s->tokenizer.end_of_document));
    TRY(put_tokens(s, &w->ids, &t->side[to]));
    note_document(&t->side[to], r, digest, n, w->ids.n);
    t->side[to].facts.bad_utf8 += bad;
    t->side[to].facts.bad_utf8_documents += bad > 0;
    byte_counts_add(w->counts[to], text, n);
    return ST_OK;
}

/* What the record is once bytes that are not UTF-8 are dealt with; JSON with such bytes is none. */
static enum status repair(const struct setting *s, struct worker *w, const struct batch_record *r, const unsigned char **bytes, int64_t *n,
                          int64_t *bad)
{
    const bool lines = s->inputs.file[r->file].format->lines;
    const struct utf8_check check = utf8_check(*bytes, *n);
    *bad = check.bad;
    if (check.bad == 0 || (s->options->bad_utf8 == BAD_UTF8_KEEP && !lines)) return ST_OK;
    if (s->options->bad_utf8 != BAD_UTF8_REPLACE)
        FAIL(ST_DATA, "byte %lld of the %s is %02x, which is not UTF-8%s: --bad-utf8 replace puts U+FFFD there",
             (long long)(check.first + (lines ? 0 : r->place)), lines ? "line" : "file", (*bytes)[check.first],
             lines ? ", and JSON must be" : "");
    w->repaired.length = 0;
    utf8_repair(*bytes, *n, &w->repaired);
    *bytes = (const unsigned char *)w->repaired.data;
    *n = (int64_t)w->repaired.length;
    return ST_OK;
}

static enum status take_record(const struct setting *s, struct worker *w, struct batch_task *t, const struct batch *b,
                               const struct batch_record *r)
{
    const struct format_desc *const format = s->inputs.file[r->file].format;
    const unsigned char *bytes = b->bytes + r->begin, *text = bytes;
    int64_t n = r->n, text_bytes = 0, bad = 0;
    w->scratch.length = 0;
    enum status status = repair(s, w, r, &bytes, &n, &bad);
    const bool refused = status != ST_OK && s->options->bad_utf8 == BAD_UTF8_REFUSE; /* asked for, so not to be skipped */
    if (!status) status = format->text(s->options->field, bytes, n, &w->scratch, &text, &text_bytes);
    if (!status) return put_document(s, w, t, r, text, text_bytes, bad);
    if (status != ST_DATA || refused || !s->options->skip_bad_records) return status;
    if (t->skipped++ == 0) {
        t->skipped_file = r->file;
        t->skipped_place = r->place;
        (void)snprintf(t->skipped_why, sizeof t->skipped_why, "%s", status_text());
    }
    status_clear();
    return ST_OK;
}

void batch_encode(struct encoding *e, struct batch *b, int64_t task, int thread)
{
    const struct setting *const s = e->setting;
    struct batch_task *const t = &b->task[task];
    for (int64_t i = t->first; i < t->first + t->n && !t->status; i++) {
        t->status = take_record(s, &e->worker[thread], t, b, &b->record[i]);
        if (!t->status) continue;
        char place[1300];
        t->sentence = malloc(STATUS_TEXT_BYTES);
        CHECK(t->sentence != NULL);
        (void)snprintf(t->sentence, STATUS_TEXT_BYTES, "%s: %s",
                       setting_place(s, b->record[i].file, b->record[i].place, place, sizeof place), status_text());
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

static void merge(struct segment_side *to, const struct segment_side *from, int64_t first_file, bool is_first)
{
    to->text_bytes += from->text_bytes;
    to->bad_utf8 += from->bad_utf8;
    to->bad_utf8_documents += from->bad_utf8_documents;
    if (!is_first && from->longest_tokens <= to->longest_tokens) return;
    to->longest_tokens = from->longest_tokens;
    to->longest_bytes = from->longest_bytes;
    to->longest_file = from->longest_file - first_file;
    to->longest_place = from->longest_place;
}

enum status batch_write(struct encoding *e, struct batch *b, int64_t first_file, struct segment_writer *w)
{
    struct segment_head *const head = segment_counters(w);
    for (int64_t i = 0; i < b->n_tasks; i++) {
        const struct batch_task *const t = &b->task[i];
        if (t->status) FAIL(t->status, "%s", t->sentence);
        for (int side = 0; side < e->setting->n_sides; side++) {
            const struct task_side *const from = &t->side[side];
            if (from->n_documents == 0) continue;
            merge(&head->side[side], &from->facts, first_file, head->side[side].n_documents == 0);
            TRY(segment_add(w, side, from->tokens, from->used, from->document, from->n_documents));
        }
        head->empty += t->empty;
        if (t->skipped > 0 && head->skipped == 0) {
            head->skipped_file = t->skipped_file - first_file;
            head->skipped_place = t->skipped_place;
            memcpy(head->skipped_why, t->skipped_why, sizeof head->skipped_why);
        }
        head->skipped += t->skipped;
    }
    return ST_OK;
}
