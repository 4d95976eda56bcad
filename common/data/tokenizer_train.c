#include "tokenizer_train.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "common/comm/agree.h"
#include "common/data/source.h"
#include "common/data/tokenizers/bpe_file.h"
#include "common/data/tokenizers/bpe_file_write.h"
#include "common/data/tokenizers/byte_letters.h"
#include "common/data/tokenizers/count.h"
#include "common/store/folder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct train {
    const struct tokenizer_train *options;
    tokenizer_progress_fn progress;
    void *context;
    struct split *split;
    struct cutter *cutter;
    struct counter *counter;
    struct piece *reserved; /* by special token: the bytes whose symbol would be written like it; n = 0: none */
    struct learned learned;
    struct tokenizer_trained *result;
    struct inputs *files;         /* of each input */
    int64_t before, total;        /* bytes of the files that are done, and of all */
    int64_t left;                 /* of the limit, in this input */
    struct digest_stream *digest; /* of the text */
};

/* --- options ----------------------------------------------------------------------------------------------------------- */

static enum status check_special(struct train *t, int i)
{
    const char *const token = t->options->special[i];
    const size_t n = strlen(token);
    if (n == 0) FAIL(ST_USAGE, "a special token must not be empty");
    for (int k = 0; k < i; k++)
        if (strcmp(token, t->options->special[k]) == 0) FAIL(ST_USAGE, "the special token '%.100s' is given twice", token);
    unsigned char *const bytes = malloc(n);
    CHECK(bytes != NULL);
    t->reserved[i] = (struct piece){ .bytes = bytes, .n = max_i64(byte_letters_read(token, (int64_t)n, bytes), 0) };
    if (utf8_run((const unsigned char *)token, (int64_t)n) != (int64_t)n)
        FAIL(ST_USAGE, "a special token of %zu bytes is not valid UTF-8", n);
    if (t->reserved[i].n == 1)
        FAIL(ST_USAGE, "the special token '%s' is how the byte 0x%02x is written in the vocabulary", token, bytes[0]);
    return ST_OK;
}

/* The file says which tokens are special, not which of them ends documents: a reader goes by its name, or takes the only one. */
static enum status check_end(const struct tokenizer_train *o)
{
    const char *found = o->n_special == 1 ? o->special[0] : NULL;
    for (const char *const *name = bpe_end_names; *name != NULL && found == NULL; name++)
        for (int i = 0; i < o->n_special; i++)
            if (strcmp(o->special[i], *name) == 0) found = *name;
    if (found == NULL)
        FAIL(ST_USAGE, "among several special tokens the end of a document is known by its name: call it %s, not '%.100s'",
             bpe_end_names[0], o->special[0]);
    if (strcmp(found, o->special[0]) != 0)
        FAIL(ST_USAGE, "of these special tokens a reader takes %s for the end of a document, not '%.100s'", found, o->special[0]);
    return ST_OK;
}

static bool ends_in_json(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

static enum status check_options(struct train *t)
{
    const struct tokenizer_train *const o = t->options;
    char folder[4096];
    if (o->n_inputs < 1) FAIL(ST_USAGE, "no input file was given");
    if (o->out == NULL || o->out[0] == '\0') FAIL(ST_USAGE, "no output file was given (--out)");
    if (!ends_in_json(o->out)) FAIL(ST_USAGE, "--out %s must end in .json: by that a vocabulary is known", o->out);
    if (access(folder_of(o->out, folder, sizeof folder), W_OK) != 0) FAIL(ST_IO, "%s: cannot be written to: %s", folder, strerror(errno));
    t->reserved = calloc((size_t)o->n_special + 1, sizeof *t->reserved);
    CHECK(t->reserved != NULL);
    for (int i = 0; i < o->n_special; i++) TRY(check_special(t, i));
    TRY(check_end(o));
    const int64_t least = LEARN_BYTES + o->n_special + 1;
    if (o->vocab < least)
        FAIL(ST_USAGE, "a vocabulary of %lld entries has no room to learn: 256 bytes and %d special token%s leave the first to entry %lld",
             (long long)o->vocab, o->n_special, o->n_special == 1 ? "" : "s", (long long)least);
    return ST_OK;
}

/* A wrong name is told before minutes of reading. */
static enum status find_files(struct arena *arena, struct train *t)
{
    const struct tokenizer_train *const o = t->options;
    t->files = arena_place_n(arena, (size_t)o->n_inputs, sizeof *t->files);
    for (int i = 0; i < o->n_inputs; i++) {
        const struct inputs *const found = &t->files[i];
        TRY(inputs_find(arena, &o->inputs[i], 1, o->more_text, &t->files[i]));
        for (int64_t k = 0; k < found->n; k++)
            if (strcmp(o->out, found->file[k].path) == 0) FAIL(ST_USAGE, "--out and an input are the same file, %s", o->out);
        t->total += found->bytes;
        t->result->files += found->n;
        t->result->passed += found->n_passed;
    }
    return ST_OK;
}

/* A word that is no name would be an expression that matches itself and nothing else: a slip, told as one. */
static enum status open_pattern(struct train *t)
{
    const char *const pattern = t->options->pattern, *names[8];
    size_t n = 0;
    for (const struct split_pattern *p = split_patterns; p->name != NULL; p++) names[n++] = p->name;
    if (split_pattern_named(pattern) == NULL && pattern[strspn(pattern, WORD)] == '\0') {
        const char *const near = str_nearest(pattern, names, n);
        FAIL(ST_USAGE, "there is no pattern '%.100s'; %s%s", pattern,
             near != NULL ? "did you mean " : "an expression has more than letters", near != NULL ? near : "");
    }
    const struct split_step step = { .kind = SPLIT_MATCH, .pattern = pattern, .behaviour = SPLIT_ISOLATED };
    const enum status s = split_open(&step, 1, &t->split);
    if (s != ST_DATA) return s;
    char why[512];
    (void)snprintf(why, sizeof why, "%s", status_text());
    FAIL(ST_USAGE, "--pattern: %s", why);
}

static enum status prepare(const struct comm *world, struct arena *arena, struct train *t)
{
    TRY(check_options(t));
    TRY(find_files(arena, t));
    TRY(open_pattern(t));
    TRY(cutter_open(t->options->document_start, &t->cutter));
    t->digest = digest_begin();
    return counter_open(t->split, comm_rank(world), comm_size(world), &t->counter);
}

/* --- counting ---------------------------------------------------------------------------------------------------------- */

/* No more than `most` bytes, and no part of a character at the end. */
static int64_t whole_characters(const unsigned char *text, int64_t most)
{
    int64_t n = most;
    while (n > 0 && most - n < 3 && text[n] >> 6 == 2) n--;
    return text[n] >> 6 == 2 ? most : n; /* no character is that long: not UTF-8, so cut anywhere */
}

/* ST_STOPPED, without a sentence, ends the reading of an input. */
static enum status take_document(void *context, const unsigned char *document, int64_t n)
{
    struct train *const t = context;
    const bool last = t->options->limit > 0 && n >= t->left;
    if (last) n = n > t->left ? whole_characters(document, t->left) : n;
    t->left -= n;
    t->result->documents += n > 0;
    t->result->bytes += n;
    digest_add(t->digest, &n, sizeof n);
    digest_add(t->digest, document, (size_t)n);
    TRY(counter_add(t->counter, document, n));
    return last ? ST_STOPPED : ST_OK;
}

static void note_reading(void *context, int64_t bytes_into_file)
{
    const struct train *const t = context;
    if (t->progress != NULL) t->progress(t->context, TOKENIZER_COUNTING, t->before + bytes_into_file, t->total);
}

static enum status count_input(struct train *t, const struct inputs *files)
{
    enum status s = ST_OK;
    t->left = t->options->limit;
    for (int64_t i = 0; i < files->n; i++) {
        const struct source source = {
            .file = &files->file[i], .cutter = t->cutter, .field = t->options->field, .max_unpacked = t->options->max_unpacked
        };
        if (s != ST_STOPPED) s = source_read(&source, take_document, note_reading, t);
        if (s != ST_STOPPED) TRY(s);
        t->before += source.file->bytes;
    }
    status_clear();
    return ST_OK;
}

static enum status count_all(struct train *t)
{
    for (int i = 0; i < t->options->n_inputs; i++) TRY(count_input(t, &t->files[i]));
    return counter_finish(t->counter);
}

/* Shares of different texts would leave parts out and count others twice, and nobody would know. */
static enum status agree_on_text(const struct comm *world, struct train *t)
{
    const struct digest128 text = digest_end(t->digest);
    t->digest = NULL;
    return comm_same(world, "the text that was read", text);
}

/* --- the ranks' counts into one ---------------------------------------------------------------------------------------- */

static int64_t packed_bytes(const struct piece_table *t) { return (int64_t)(t->used * (sizeof(int64_t) + sizeof(uint32_t)) + t->n_bytes); }

static void pack(const struct piece_table *t, unsigned char *out)
{
    struct piece p;
    for (size_t at = 0; piece_table_next(t, &at, &p); out += p.n) {
        const uint32_t n = (uint32_t)p.n;
        memcpy(out, &p.count, sizeof p.count);
        memcpy(out + sizeof p.count, &n, sizeof n);
        out += sizeof p.count + sizeof n;
        memcpy(out, p.bytes, (size_t)p.n);
    }
}

static enum status unpack(struct piece_table *t, const unsigned char *in, int64_t bytes)
{
    for (const unsigned char *const end = in + bytes; in < end;) {
        struct piece p = { .bytes = in + sizeof(int64_t) + sizeof(uint32_t) };
        uint32_t n;
        memcpy(&p.count, in, sizeof p.count);
        memcpy(&n, in + sizeof p.count, sizeof n);
        p.n = n;
        if (!piece_table_add(t, p)) FAIL(ST_IO, "no memory for the different pieces that the ranks counted");
        in = p.bytes + n;
    }
    return ST_OK;
}

/* To rank `to`, from rank `from`; -1: to or from none. */
static enum status exchange(const struct comm *world, int to, int from, void *bytes, size_t n)
{
    struct comm_request request = { 0 };
    const struct comm_message sent = { .peer = to, .bytes = bytes, .n = n }, got = { .peer = from, .bytes = bytes, .n = n };
    TRY(comm_messages_begin(world, COMM_DATA, &sent, to >= 0, &got, from >= 0, &request));
    return comm_wait(world, &request);
}

static enum status move_shard(const struct comm *world, int to, int from, struct piece_table *shard, int64_t bytes, unsigned char *buffer)
{
    if (to >= 0) {
        pack(shard, buffer);
        piece_table_free(shard);
    }
    TRY(exchange(world, to, from, buffer, (size_t)bytes));
    TRY_ALL(world, from >= 0 ? unpack(shard, buffer, bytes) : ST_OK);
    return ST_OK;
}

static enum status buffer_for(int64_t bytes, unsigned char **out)
{
    *out = malloc((size_t)bytes + 1);
    if (*out == NULL) FAIL(ST_IO, "no memory for counts of %lld bytes", (long long)bytes);
    return ST_OK;
}

/* A tree: in each round every other rank that still has counts gives them to the one before it; one shard at a time, so that a message is
 * small beside what is counted. */
static enum status sum_pieces(const struct comm *world, struct pieces *pieces)
{
    const int rank = comm_rank(world), size = comm_size(world);
    for (int step = 1; step < size; step *= 2) {
        const int to = rank % (2 * step) == step ? rank - step : -1;
        const int from = rank % (2 * step) == 0 && rank + step < size ? rank + step : -1;
        for (int i = 0; i < PIECE_SHARDS; i++) {
            unsigned char *buffer = NULL;
            int64_t bytes = to >= 0 ? packed_bytes(&pieces->shard[i]) : 0;
            TRY(exchange(world, to, from, &bytes, sizeof bytes));
            enum status s = comm_agree(world, buffer_for(bytes, &buffer));
            if (s == ST_OK) s = move_shard(world, to, from, &pieces->shard[i], bytes, buffer);
            free(buffer);
            TRY(s);
        }
    }
    return ST_OK;
}

/* --- learning, on rank 0 ----------------------------------------------------------------------------------------------- */

/* The other ranks wait, but not longer than a deadline for a silent one: now and then they hear that rank 0 lives. */
static const double PULSE_SECONDS = 1;
struct pulse {
    const struct comm *world;
    struct train *train;
    double last;
    enum status status;
};

static void beat(void *context, int64_t merges)
{
    struct pulse *const p = context;
    const struct train *const t = p->train;
    const struct tokenizer_train *const o = t->options;
    if (t->progress != NULL) t->progress(t->context, TOKENIZER_LEARNING, merges, o->vocab - LEARN_BYTES - o->n_special);
    if (clock_seconds() - p->last < PULSE_SECONDS || p->status != ST_OK) return;
    int64_t more = 1;
    p->last = clock_seconds();
    p->status = comm_broadcast(p->world, COMM_CONTROL, &more, sizeof more, 0);
}

static enum status learn(const struct comm *world, struct train *t)
{
    const struct tokenizer_train *const o = t->options;
    struct pulse pulse = { .world = world, .train = t, .last = clock_seconds() };
    const struct learn_options how = { .most_merges = o->vocab - LEARN_BYTES - o->n_special,
                                       .least_count = o->min_count,
                                       .reserved = t->reserved,
                                       .n_reserved = o->n_special,
                                       .progress = beat,
                                       .context = &pulse };
    int64_t more = 0;
    enum status s = ST_OK;
    if (comm_rank(world) == 0) {
        s = learn_merges(counter_pieces(t->counter), &how, &t->learned);
        TRY(pulse.status);
        TRY(comm_broadcast(world, COMM_CONTROL, &more, sizeof more, 0));
    } else
        do TRY(comm_broadcast(world, COMM_CONTROL, &more, sizeof more, 0));
        while (more);
    TRY_ALL(world, s);
    return ST_OK;
}

/* As the file has it: GPT-2's pattern goes by the name of ByteLevel there. */
static const char *expression_of(const char *pattern)
{
    const struct split_pattern *const named = split_pattern_named(pattern);
    return named == NULL ? pattern : strcmp(named->name, "gpt2") == 0 ? NULL : named->expression;
}

static enum status write_file(const struct train *t)
{
    const struct tokenizer_train *const o = t->options;
    const int64_t wanted = o->vocab - LEARN_BYTES - o->n_special, found = t->learned.n_merges;
    if (found < wanted)
        FAIL(ST_DATA,
             "the text is good for %lld entries and not for %lld: no pair of neighbours occurs %lld times after %lld merges; "
             "give more text, or a smaller --vocab%s",
             (long long)(o->vocab - wanted + found), (long long)o->vocab, (long long)o->min_count, (long long)found,
             o->min_count > 1 ? " or --min-count" : "");
    struct text file = { 0 };
    const struct bpe_file_write what = {
        .learned = &t->learned, .pattern = expression_of(o->pattern), .special = o->special, .n_special = o->n_special
    };
    bpe_file_write(&what, &file);
    const enum status s = file_replace(o->out, file.data, file.length);
    text_free(&file);
    return s;
}

static enum status train(const struct comm *world, struct arena *arena, struct train *t)
{
    struct tokenizer_trained *const result = t->result;
    const double begin = clock_seconds();
    TRY_ALL(world, prepare(world, arena, t));
    TRY_ALL(world, count_all(t));
    TRY(agree_on_text(world, t));
    TRY(sum_pieces(world, counter_pieces(t->counter)));
    const struct pieces_sum sum = pieces_sum(counter_pieces(t->counter));
    const double counted = clock_seconds();
    TRY(learn(world, t));
    TRY_ALL(world, comm_rank(world) == 0 ? write_file(t) : ST_OK);
    result->pieces = sum.all;
    result->different = sum.different;
    result->merges = t->learned.n_merges;
    result->tokens = t->learned.n_tokens;
    result->count_seconds = counted - begin;
    result->learn_seconds = clock_seconds() - counted;
    return comm_broadcast(world, COMM_CONTROL, result, sizeof *result, 0);
}

enum status tokenizer_train(const struct comm *world, const struct tokenizer_train *options, tokenizer_progress_fn progress, void *context,
                            struct tokenizer_trained *result)
{
    struct train t = { .options = options, .progress = progress, .context = context, .result = result };
    struct arena arena;
    *result = (struct tokenizer_trained){ 0 };
    arena_open_growing(&arena, "tokenizer train");
    const enum status s = train(world, &arena, &t);
    for (int i = 0; i < options->n_special && t.reserved != NULL; i++) free((void *)(uintptr_t)t.reserved[i].bytes);
    free(t.reserved);
    learned_free(&t.learned);
    if (t.digest != NULL) (void)digest_end(t.digest);
    counter_close(t.counter);
    cutter_close(t.cutter);
    split_close(t.split);
    arena_close(&arena);
    return s;
}
