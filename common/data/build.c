#define LAMINA_DATA
#include "build.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/parallel.h"
#include "common/comm/agree.h"
#include "common/data/build/building.h"
#include "common/data/build/join.h"
#include "common/data/build/work.h"
#include "common/data/private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status data_share(const char *text, double *out)
{
    char number[32];
    const size_t n = strlen(text);
    const bool percent = n > 0 && text[n - 1] == '%';
    double share;
    if (n == 0 || n >= sizeof number) FAIL(ST_USAGE, "'%.40s' is not a share: give 1%% or 0.01", text);
    (void)snprintf(number, sizeof number, "%.*s", (int)(n - percent), text);
    TRY(str_to_f64(number, &share));
    if (percent) share /= 100;
    if (!(share > 0 && share < 1)) FAIL(ST_USAGE, "the share %s must lie between 0 and 100 %%, both excluded", text);
    *out = share;
    return ST_OK;
}

enum status data_bad_utf8(const char *text, enum bad_utf8 *out)
{
    static const char *const names[] = { [BAD_UTF8_KEEP] = "keep", [BAD_UTF8_REPLACE] = "replace", [BAD_UTF8_REFUSE] = "refuse" };
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = (enum bad_utf8)i;
        return ST_OK;
    }
    const char *const near = str_nearest(text, names, 3);
    FAIL(ST_USAGE, "--bad-utf8 is keep, replace or refuse, not \"%.40s\"%s%s%s", text, near != NULL ? "; did you mean " : "",
         near != NULL ? near : "", near != NULL ? "?" : "");
}

/* --- settings ----------------------------------------------------------------------------------------------------------- */

char *setting_place(const struct setting *s, int64_t file, int64_t place, char *out, size_t size)
{
    const struct input *const f = &s->inputs.file[file];
    if (f->format->lines)
        (void)snprintf(out, size, "%s:%lld", f->path, (long long)reader_line(f->path, s->options->max_unpacked, place));
    else if (place > 0)
        (void)snprintf(out, size, "%s, document at byte %lld", f->path, (long long)place);
    else
        (void)snprintf(out, size, "%s", f->path);
    return out;
}

static enum status check_options(const struct data_build *o)
{
    if (o->n_inputs < 1) FAIL(ST_USAGE, "no input file was given");
    if (o->out == NULL || o->out[0] == '\0') FAIL(ST_USAGE, "no output file was given (--out)");
    if (o->valid_out != NULL && strcmp(o->out, o->valid_out) == 0) FAIL(ST_USAGE, "--out and --valid-out are the same file, %s", o->out);
    if (o->valid_out != NULL && !(o->valid_share > 0 && o->valid_share < 1))
        FAIL(ST_USAGE, "--valid-out needs a --valid-share between 0 and 100 %%");
    if (strlen(o->out) > 1000 || (o->valid_out != NULL && strlen(o->valid_out) > 1000))
        FAIL(ST_USAGE, "the output's path is longer than 1000 bytes");
    return ST_OK;
}

static void add_text(struct digest_stream *d, const char *text)
{
    digest_add(d, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 0);
}

/* All that decides what a record becomes. */
static struct digest128 digest_of(const struct setting *s)
{
    const struct data_build *const o = s->options;
    const int64_t numbers[] = { s->tokenizer.end_of_document, s->tokenizer.vocab, s->n_sides, o->skip_bad_records, o->bad_utf8 };
    const double share = s->n_sides > 1 ? o->valid_share : 0;
    struct digest_stream *const d = digest_begin();
    add_text(d, "lamina data build 1");
    digest_add(d, &s->tokenizer.digest, sizeof s->tokenizer.digest);
    digest_add(d, numbers, sizeof numbers);
    digest_add(d, &share, sizeof share);
    add_text(d, o->document_start);
    add_text(d, o->field);
    return digest_end(d);
}

static enum status prepare(struct arena *arena, struct setting *s)
{
    const struct data_build *const o = s->options;
    TRY(check_options(o));
    TRY(tokenizer_open(arena, o->tokenizer, &s->tokenizer));
    TRY(cutter_open(o->document_start, &s->cutter));
    TRY(inputs_find(arena, o->inputs, o->n_inputs, o->more_text, &s->inputs));
    s->n_sides = o->valid_out != NULL ? 2 : 1;
    s->width = tokens_width(s->tokenizer.vocab);
    s->digest = digest_of(s);
    (void)snprintf(s->folder, sizeof s->folder, "%s.building", o->out);
    return ST_OK;
}

/* --- encoding ----------------------------------------------------------------------------------------------------------- */

/* While the tasks of one batch run, another task reads the next one. */
struct encode {
    const struct setting *setting;
    const struct units *units;
    struct work work;
    struct encoding *encoding;
    struct segment_writer *segment;
    struct batch batch[2];
    int now;            /* the batch that is encoded */
    enum status filled; /* how reading the other one went, and the sentence where it failed */
    char sentence[STATUS_TEXT_BYTES];
};

static void run_task(void *context, int64_t task, int thread)
{
    struct encode *const e = context;
    if (task > 0) {
        batch_encode(e->encoding, &e->batch[e->now], task - 1, thread);
        return;
    }
    e->filled = work_fill(&e->work, &e->batch[1 - e->now]);
    if (e->filled) (void)snprintf(e->sentence, sizeof e->sentence, "%s", status_text());
}

static enum status write_batch(struct encode *e, struct batch *b)
{
    const struct unit *const u = &e->units->unit[b->unit];
    if (b->begins) TRY(segment_create(e->setting, u->key, b->shard, &e->segment));
    TRY(batch_write(e->encoding, b, u->first, e->segment));
    if (!b->ends) return ST_OK;
    struct segment_writer *const done = e->segment;
    e->segment = NULL;
    segment_counters(done)->last = b->last;
    return segment_finish(done, encoding_counts(e->encoding));
}

/* One batch becomes tokens. */
static enum status step(struct encode *e)
{
    struct batch *const b = &e->batch[e->now];
    batch_cut(b);
    parallel_for(1 + b->n_tasks, run_task, e);
    if (b->unit >= 0) TRY(write_batch(e, b));
    if (e->filled) FAIL(e->filled, "%s", e->sentence);
    e->now = 1 - e->now;
    return ST_OK;
}

static bool finished(const struct encode *e) { return e->batch[e->now].unit < 0 && !e->batch[e->now].more; }

/* All ranks meet once in a while, so that a failure of one ends all soon, and rank 0 knows how far they are. */
static enum status encode_all(const struct comm *world, struct encode *e, data_progress_fn progress, void *context,
                              struct data_built *result)
{
    static const double round_seconds = 1;
    const bool zero = comm_rank(world) == 0;
    bool told = false;
    TRY_ALL(world, step(e)); /* fills the first batch; there is none to encode yet */
    for (int64_t busy = 1; busy > 0;) {
        const double begin = clock_seconds();
        enum status s = ST_OK;
        while (!s && !finished(e) && clock_seconds() - begin < round_seconds) s = step(e);
        TRY_ALL(world, s);
        int64_t sums[] = { !finished(e), (int64_t)work_done(&e->work), e->work.taken_up };
        TRY(comm_sum_i64(world, COMM_CONTROL, sums, 3));
        busy = sums[0];
        result->taken_up = sums[2];
        char size[32];
        if (zero && sums[2] > 0 && !told)
            log_note("%s: taking up %s of text that an earlier build has encoded", e->setting->folder,
                     str_bytes(size, sizeof size, (double)sums[2]));
        told |= sums[2] > 0;
        if (zero && progress != NULL) progress(context, min_i64(sums[1], e->setting->inputs.bytes), e->setting->inputs.bytes);
    }
    return ST_OK;
}

static enum status encode(const struct comm *world, const struct setting *s, const struct units *units, data_progress_fn progress,
                          void *context, struct data_built *result)
{
    struct encode *const e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    e->setting = s;
    e->units = units;
    e->work = work_begin(s, units, comm_rank(world), comm_size(world));
    batch_empty(&e->batch[0]);
    enum status status = comm_agree(world, encoding_open(s, &e->encoding));
    if (!status) status = encode_all(world, e, progress, context, result);
    segment_abandon(e->segment);
    work_close(&e->work);
    encoding_close(e->encoding);
    for (int i = 0; i < 2; i++) batch_close(&e->batch[i]);
    free(e);
    return status;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------- */

/* Equal lists of files, sizes and times, so that all ranks cut the same work. */
static struct digest128 digest_of_units(const struct setting *s, const struct units *units)
{
    struct digest_stream *const d = digest_begin();
    digest_add(d, &s->digest, sizeof s->digest);
    for (int64_t i = 0; i < units->n; i++) digest_add(d, &units->unit[i].key, sizeof units->unit[i].key);
    return digest_end(d);
}

/* *useless: it failed in a way that other settings alone can mend, so what is encoded serves nobody. */
static enum status build(const struct comm *world, struct arena *arena, struct setting *s, int *lock, bool *useless,
                         data_progress_fn progress, void *context, struct data_built *result)
{
    struct units units;
    TRY_ALL(world, prepare(arena, s));
    units_cut(arena, s, comm_size(world), &units);
    TRY(comm_same(world, "the list of inputs", digest_of_units(s, &units)));
    result->n_files = s->inputs.n;
    result->n_passed = s->inputs.n_passed;
    result->input_bytes = s->inputs.bytes;
    TRY_ALL(world, comm_rank(world) == 0 ? building_open(s, lock) : ST_OK);
    TRY(encode(world, s, &units, progress, context, result));
    TRY_ALL(world, comm_rank(world) == 0 ? inputs_unchanged(&s->inputs) : ST_OK);
    const enum status status = join_segments(world, s, &units, result);
    *useless = status == ST_DATA;
    return status;
}

/* Rank 0, after a failure, whose sentence must stay: what can be taken up stays too. */
static void leave(const struct setting *s, enum status how, bool useless)
{
    char sentence[STATUS_TEXT_BYTES];
    if (!useless && building_holds_segments(s)) {
        log_note("%s: holds what is encoded so far; the same command goes on from there", s->folder);
        return;
    }
    (void)snprintf(sentence, sizeof sentence, "%s", status_text());
    if (building_remove(s) != ST_OK) log_note("%s: cannot be removed", s->folder);
    (void)status_fail(how, __FILE__, __LINE__, "%s", sentence);
}

enum status data_build(const struct comm *world, const struct data_build *options, data_progress_fn progress, void *context,
                       struct data_built *result)
{
    struct arena arena;
    struct setting s = { .options = options };
    int lock = -1;
    bool useless = false;
    *result = (struct data_built){ 0 };
    arena_open_growing(&arena, "data build");
    enum status status = build(world, &arena, &s, &lock, &useless, progress, context, result);
    if (status == ST_OK)
        status = comm_agree(world, lock >= 0 ? building_remove(&s) : ST_OK);
    else if (lock >= 0)
        leave(&s, status, useless);
    building_close(lock);
    cutter_close(s.cutter);
    tokenizer_close(&s.tokenizer);
    arena_close(&arena);
    return status;
}
