/* lamina generate: text from a checkpoint, printed as it comes. Every rank sees every token, so all stop at the same one. */
#include "common/base/check.h"
#include "common/comm/agree.h"
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include "coordinator/utf8.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row generate_options[] = {
    RUN_REF_WEIGHTS_ROW,
    { .name = "prompt", .type = OPTION_TEXT, .arg = "TEXT", .value = "", .help = "text to go on from; empty: the beginning of a document" },
    { .name = "max-tokens", .type = OPTION_INTEGER, .arg = "N", .value = "200", .low = 1, .high = 1e9, .help = "tokens to make at most" },
    { .name = "temperature",
      .type = OPTION_NUMBER,
      .arg = "T",
      .value = "0.8",
      .low = 0,
      .high = 100,
      .help = "0 takes the likeliest token each time" },
    { .name = "top-k",
      .type = OPTION_INTEGER,
      .arg = "K",
      .value = "0",
      .low = 0,
      .high = 1e9,
      .help = "draw from the K likeliest tokens; 0: all" },
    { .name = "top-p",
      .type = OPTION_NUMBER,
      .arg = "P",
      .value = "0.95",
      .low = 0,
      .high = 1,
      .help = "draw from the fewest tokens whose probability reaches P" },
    { .name = "seed",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "1",
      .low = 0,
      .high = 9e18,
      .help = "of the draws: equal seeds give equal text" },
    { .name = "stop", .type = OPTION_LIST, .arg = "TEXT", .help = "end before this text; may be repeated" },
    { .name = "no-cache", .type = OPTION_FLAG, .help = "compute the whole context again for each token: the slow reference" },
    RUN_REF_FOLDER_ROW,
    OPTION_JSON_ROW,
    { 0 },
};

/* The text so far; the same on every rank, printed by one. */
struct stream {
    struct decoder decoder;
    enum status failed; /* what decoding said: it ends the text */
    struct text made;
    size_t printed, held; /* held: bytes that may be the beginning of a stop text */
    int64_t tokens;
    bool prints;
    const char *stop[OPTIONS_MAX];
    int n_stop;
};

static void print_until(struct stream *s, size_t end)
{
    struct text out = { 0 };
    if (!s->prints || end <= s->printed) return;
    text_add_printable(&out, s->made.data + s->printed, end - s->printed);
    (void)fwrite(out.data, 1, out.length, stdout);
    (void)fflush(stdout);
    text_free(&out);
    s->printed = end;
}

/* As far as whole characters reach and no stop text can begin. */
static void print_whole(struct stream *s)
{
    if (s->made.length <= s->printed + s->held) return;
    print_until(s, s->printed + utf8_complete(s->made.data + s->printed, s->made.length - s->held - s->printed));
}

/* Cuts the text before the first stop text that it holds. */
static bool cut_at_stop(struct stream *s)
{
    for (int i = 0; i < s->n_stop; i++) {
        const size_t n = strlen(s->stop[i]);
        const char *found = n > 0 && s->made.length > 0 ? memmem(s->made.data, s->made.length, s->stop[i], n) : NULL;
        if (found == NULL) continue;
        s->made.length = (size_t)(found - s->made.data);
        return true;
    }
    return false;
}

static bool take_token(void *context, int32_t token)
{
    struct stream *s = context;
    s->tokens++;
    s->failed = decoder_add(&s->decoder, &token, 1, &s->made);
    if (s->failed || cut_at_stop(s)) return false;
    print_whole(s);
    return true;
}

static void print_json(const struct stream *s, const char *prompt)
{
    struct text before = { 0 }, made = { 0 };
    text_add_printable(&before, prompt, strlen(prompt));
    text_add_printable(&made, s->made.data != NULL ? s->made.data : "", s->made.length);
    json_t *o = json_pack("{s:s%, s:s%, s:I}", "prompt", before.data != NULL ? before.data : "", before.length, "text",
                          made.data != NULL ? made.data : "", made.length, "tokens", (json_int_t)s->tokens);
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    CHECK(text != NULL);
    (void)printf("%s\n", text);
    free(text);
    json_decref(o);
    text_free(&before);
    text_free(&made);
}

/* Of several documents only the last is seen where they are kept apart, from the end mark before it on. */
static void keep_last_document(const struct tokenizer *t, struct ids *ids)
{
    int64_t begin = ids->n - 1;
    while (begin > 0 && ids->id[begin] != t->end_of_document) begin--;
    ids->n -= begin;
    memmove(ids->id, ids->id + begin, (size_t)ids->n * sizeof *ids->id);
}

/* The tokens to go on from. Without a prompt, what stands before a document in training; where documents are kept apart, that stands before
 * any prompt. */
static enum status encode_prompt(const struct tokenizer *t, bool separate, const char *prompt, struct ids *ids)
{
    struct encoder *encoder;
    if (separate) TRY(ids_add(ids, t->end_of_document));
    TRY(encoder_open(t, &encoder));
    const enum status s = encoder_add(encoder, (const unsigned char *)prompt, (int64_t)strlen(prompt), ids);
    encoder_close(encoder);
    TRY(s);
    if (separate) keep_last_document(t, ids);
    return ids->n > 0 ? ST_OK : ids_add(ids, t->end_of_document);
}

static enum status generate_stream(const struct comm *world, const struct options *options, struct run_opened *o, struct stream *s,
                                   struct ids *ids)
{
    const struct tokenizer *const t = &o->session.tokenizer;
    const char *prompt = option_text(options, "prompt");
    const bool json = option_flag(options, "json");
    const bool separate = o->session.config->data.documents == DOCUMENTS_SEPARATE;
    TRY_ALL(world, encode_prompt(t, separate, prompt, ids));
    const struct generate_options how = { .max_tokens = option_integer(options, "max-tokens"),
                                          .temperature = option_number(options, "temperature"),
                                          .top_k = option_integer(options, "top-k"),
                                          .top_p = option_number(options, "top-p"),
                                          .seed = (uint64_t)option_integer(options, "seed"),
                                          .stop_token = t->end_of_document,
                                          .cached = !option_flag(options, "no-cache") };
    s->decoder = (struct decoder){ .tokenizer = t, .inside = prompt[0] != '\0' };
    s->prints = comm_rank(world) == 0 && !json;
    s->n_stop = option_list(options, "stop", s->stop);
    for (int i = 0; i < s->n_stop; i++)
        if (strlen(s->stop[i]) > s->held + 1) s->held = strlen(s->stop[i]) - 1;
    if (s->prints) {
        struct text shown = { 0 };
        text_add_printable(&shown, prompt, strlen(prompt));
        if (shown.length > 0) (void)printf("%s", shown.data);
        text_free(&shown);
    }
    TRY(worker_generate(world, o->worker, &how, ids->id, ids->n, take_token, s));
    TRY_ALL(world, s->failed);
    print_until(s, s->made.length);
    if (s->prints) (void)printf("\n");
    if (json && comm_rank(world) == 0) print_json(s, prompt);
    return ST_OK;
}

static void adjust(struct config *config, const struct options *options)
{
    run_ref_without_data(config, options);
    run_ref_choose_weights(config, options);
}

static enum status generate_opened(const struct comm *world, const struct options *options, struct run_opened *o)
{
    struct stream stream = { 0 };
    struct ids prompt = { 0 };
    TRY(run_ref_load(world, options->operand[0], option_text(options, "folder"), WORKER_EVALUATE, adjust, options, o));
    const enum status s = generate_stream(world, options, o, &stream, &prompt);
    text_free(&stream.made);
    ids_close(&prompt);
    return s;
}

static enum status generate_run(const struct comm *world, const struct options *options)
{
    struct run_opened o = { 0 };
    TRY(run_ref_weights(options));
    const enum status s = generate_opened(world, options, &o);
    run_opened_close(&o);
    return s;
}

const struct command command_generate = {
    .name = "generate",
    .group = "daily",
    .summary = "Continue a text with a checkpoint",
    .rules = { .rows = generate_options, .least = 1, .most = 1, .usage = "RUN [--prompt TEXT] [options]" },
    .notes = RUN_REF_NOTES "\nBytes that a terminal would act on are printed as \\xNN. The text is the same at any number of ranks.",
    .example = "lamina generate quickstart --prompt \"Ocean\" --max-tokens 300",
    .collective = generate_run,
};
