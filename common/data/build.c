#include "build.h"
#include "common/base/check.h"
#include "common/data/source.h"
#include "common/data/tokenizer.h"
#include <stdio.h>
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

struct build {
    const struct data_build *options;
    struct tokenizer tokenizer;
    struct cutter *cutter;
    struct tokens_writer *train, *valid;
    struct encoder *encoder;
    struct ids ids; /* of the document at hand */
    data_progress_fn progress;
    void *context;
    int64_t before, total; /* bytes of the files that are done, and of all */
};

static bool goes_to_valid(const struct build *b, const unsigned char *document, int64_t n)
{
    if (b->valid == NULL) return false;
    return (double)digest_bytes(document, (size_t)n).high * 0x1p-64 < b->options->valid_share;
}

static enum status take_document(void *context, const unsigned char *document, int64_t n)
{
    struct build *const b = context;
    b->ids.n = 0;
    TRY(encoder_add(b->encoder, document, n, &b->ids));
    TRY(ids_add(&b->ids, b->tokenizer.end_of_document));
    return tokens_append(goes_to_valid(b, document, n) ? b->valid : b->train, b->ids.id, b->ids.n, document, n);
}

static void note_progress(void *context, int64_t bytes_into_file)
{
    const struct build *const b = context;
    if (b->progress != NULL) b->progress(b->context, b->before + bytes_into_file, b->total);
}

static enum status check_options(const struct data_build *o)
{
    if (o->n_inputs < 1) FAIL(ST_USAGE, "no input file was given");
    if (o->out == NULL || o->out[0] == '\0') FAIL(ST_USAGE, "no output file was given (--out)");
    if (o->valid_out != NULL && strcmp(o->out, o->valid_out) == 0) FAIL(ST_USAGE, "--out and --valid-out are the same file, %s", o->out);
    if (o->valid_out != NULL && !(o->valid_share > 0 && o->valid_share < 1))
        FAIL(ST_USAGE, "--valid-out needs a --valid-share between 0 and 100 %%");
    return ST_OK;
}

static enum status check_side(const struct build *b, const struct tokens_writer *w, const char *path)
{
    if (tokens_written(w).n_documents > 0) return ST_OK;
    FAIL(ST_DATA, "%s: would be empty: %lld documents went to the other side%s", path,
         (long long)(tokens_written(b->train).n_documents + (b->valid ? tokens_written(b->valid).n_documents : 0)),
         b->options->document_start == NULL ? "; without --document-start each file is one document" : "; give more text or another share");
}

static enum status read_inputs(struct build *b)
{
    for (int i = 0; i < b->options->n_inputs; i++) {
        int64_t bytes;
        TRY(source_read(b->options->inputs[i], b->options->max_unpacked, b->cutter, take_document, note_progress, b));
        TRY(source_size(b->options->inputs[i], &bytes));
        b->before += bytes;
    }
    TRY(check_side(b, b->train, b->options->out));
    if (b->valid != NULL) TRY(check_side(b, b->valid, b->options->valid_out));
    return ST_OK;
}

/* All that can fail first, for both files; then the names. */
static enum status finish(struct build *b, struct data_built *result)
{
    if (b->valid != NULL) tokens_judge(b->valid, b->train);
    TRY(tokens_seal(b->train));
    if (b->valid != NULL) TRY(tokens_seal(b->valid));
    *result = (struct data_built){ .train = tokens_written(b->train) };
    if (b->valid != NULL) result->valid = tokens_written(b->valid);
    struct tokens_writer *const train = b->train, *const valid = b->valid;
    b->train = b->valid = NULL;
    if (valid != NULL) {
        const enum status s = tokens_publish(valid);
        if (s) tokens_abandon(train);
        TRY(s);
    }
    return tokens_publish(train);
}

static enum status build(struct arena *arena, struct build *b, struct data_built *result)
{
    const struct data_build *const o = b->options;
    TRY(check_options(o));
    TRY(tokenizer_open(arena, o->tokenizer, &b->tokenizer));
    TRY(encoder_open(&b->tokenizer, &b->encoder));
    TRY(cutter_open(o->document_start, &b->cutter));
    for (int i = 0; i < o->n_inputs; i++) { /* a wrong name is told before an hour of reading */
        int64_t bytes;
        TRY(source_size(o->inputs[i], &bytes));
        b->total += bytes;
    }
    TRY(tokens_create(o->out, b->tokenizer.name, b->tokenizer.digest, b->tokenizer.vocab, &b->train));
    if (o->valid_out != NULL) TRY(tokens_create(o->valid_out, b->tokenizer.name, b->tokenizer.digest, b->tokenizer.vocab, &b->valid));
    TRY(read_inputs(b));
    return finish(b, result);
}

enum status data_build(const struct data_build *options, data_progress_fn progress, void *context, struct data_built *result)
{
    struct arena arena;
    struct build b = { .options = options, .progress = progress, .context = context };
    arena_open_growing(&arena, "data build");
    const enum status s = build(&arena, &b, result);
    tokens_abandon(b.train);
    tokens_abandon(b.valid);
    cutter_close(b.cutter);
    ids_close(&b.ids);
    encoder_close(b.encoder);
    tokenizer_close(&b.tokenizer);
    arena_close(&arena);
    return s;
}
