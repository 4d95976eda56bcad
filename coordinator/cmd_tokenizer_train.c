/* lamina tokenizer train: a vocabulary learned from text files. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/data/tokenizer_train.h"
#include "coordinator/cores.h"
#include "coordinator/input_options.h"
#include "coordinator/memory.h"
#include "coordinator/private.h"
#include "coordinator/progress.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row train_options[] = {
    { .name = "vocab",
      .type = OPTION_INTEGER,
      .arg = "N",
      .low = 1,
      .high = 1 << 24,
      .help = "entries in all: 256 bytes, merges and special tokens (must be given)" },
    { .name = "out", .type = OPTION_TEXT, .arg = "OUT.json", .help = "tokenizer.json to write (must be given)" },
    { .name = "pattern",
      .type = OPTION_TEXT,
      .arg = "NAME",
      .value = "gpt2",
      .help = "what no token crosses: gpt2, llama3, qwen2, or a regular expression for a piece" },
    { .name = "special", .type = OPTION_LIST, .arg = "TOKEN", .help = "a further special token; may be given more than once" },
    { .name = "end-token",
      .type = OPTION_TEXT,
      .arg = "TOKEN",
      .value = "<|endoftext|>",
      .help = "the special token that ends a document" },
    { .name = "min-count",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "2",
      .low = 1,
      .high = 1e15,
      .help = "what occurs less often becomes no entry" },
    OPTION_INPUT_ROWS,
    { .name = "limit",
      .type = OPTION_TEXT,
      .arg = "SIZE",
      .help = "read so much text of each FILE, FOLDER or PATTERN, as 100MB; not given: all" },
    OPTION_JSON_ROW,
    { 0 },
};

struct display {
    struct progress progress;
    enum tokenizer_phase phase;
};

static void show(void *context, enum tokenizer_phase phase, int64_t done, int64_t total)
{
    struct display *const d = context;
    if (d->progress.what == NULL || phase != d->phase) {
        progress_end(&d->progress);
        if (phase == TOKENIZER_COUNTING)
            progress_begin(&d->progress, "counting pieces", PROGRESS_BYTES, 0);
        else
            progress_begin(&d->progress, "learning merges", PROGRESS_COUNT, 0);
        d->phase = phase;
    }
    progress_note(&d->progress, done, total);
}

static void print_text(const struct tokenizer_train *how, const struct tokenizer_trained *r)
{
    char a[32], b[32], c[32];
    (void)printf("%s: %s entries: 256 bytes, %s merge%s, %d special token%s\n", how->out, str_count(a, sizeof a, how->vocab),
                 str_count(b, sizeof b, r->merges), r->merges == 1 ? "" : "s", how->n_special, how->n_special == 1 ? "" : "s");
    (void)printf("text: %s bytes in %s documents and %s pieces", str_count(a, sizeof a, r->bytes), str_count(b, sizeof b, r->documents),
                 str_count(c, sizeof c, r->pieces));
    (void)printf(" (%s different); %.3f bytes per token\n", str_count(a, sizeof a, r->different), (double)r->bytes / (double)r->tokens);
    if (r->passed > 0) (void)printf("%s other files in the folders were passed over\n", str_count(a, sizeof a, r->passed));
    (void)printf("counting %s", str_seconds(a, sizeof a, r->count_seconds));
    (void)printf(" (%s/s), learning %s; at most %s of memory on rank 0\n", str_bytes(b, sizeof b, (double)r->bytes / r->count_seconds),
                 str_seconds(a, sizeof a, r->learn_seconds), str_bytes(c, sizeof c, (double)memory_use().peak));
}

static void print_json(const struct comm *world, const struct tokenizer_train *how, const struct tokenizer_trained *r)
{
    json_t *const all = json_pack(
        "{s:s, s:I, s:I, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:i, s:i}", "out", how->out, "vocab",
        (json_int_t)how->vocab, "merges", (json_int_t)r->merges, "special_tokens", how->n_special, "pattern", how->pattern, "files",
        (json_int_t)r->files, "files_passed_over", (json_int_t)r->passed, "documents", (json_int_t)r->documents, "text_bytes",
        (json_int_t)r->bytes, "pieces", (json_int_t)r->pieces, "different_pieces", (json_int_t)r->different, "tokens",
        (json_int_t)r->tokens, "bytes_per_token", (double)r->bytes / (double)r->tokens, "count_seconds", r->count_seconds, "learn_seconds",
        r->learn_seconds, "peak_memory_bytes", (json_int_t)memory_use().peak, "ranks", comm_size(world), "threads", parallel_threads());
    char *const text = all != NULL ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    CHECK(text != NULL);
    (void)printf("%s\n", text);
    free(text);
    json_decref(all);
}

static enum status understand(const struct options *options, struct input_options *input, struct tokenizer_train *how)
{
    if (!option_given(options, "vocab")) FAIL(ST_USAGE, "--vocab N is missing: how many entries the vocabulary is to have");
    if (how->out == NULL) FAIL(ST_USAGE, "--out OUT.json is missing");
    how->vocab = option_integer(options, "vocab");
    TRY(input_options(options, input));
    how->document_start = input->document_start;
    how->field = input->field;
    how->more_text = input->more_text;
    how->max_unpacked = input->max_unpacked;
    if (option_given(options, "limit")) TRY(str_to_bytes(option_text(options, "limit"), &how->limit));
    return ST_OK;
}

static enum status train_together(const struct comm *world, const struct options *options)
{
    const char *special[OPTIONS_MAX + 1] = { option_text(options, "end-token") };
    struct tokenizer_train how = { .inputs = options->operand,
                                   .n_inputs = options->n_operands,
                                   .out = option_text(options, "out"),
                                   .pattern = option_text(options, "pattern"),
                                   .special = special,
                                   .n_special = 1 + option_list(options, "special", special + 1),
                                   .min_count = option_integer(options, "min-count") };
    struct input_options input;
    struct tokenizer_trained trained;
    struct display display = { 0 };
    struct cores cores;
    TRY(understand(options, &input, &how));
    TRY(cores_all(world, &cores));
    if (getenv("OMP_NUM_THREADS") == NULL) parallel_set_threads(cores.allowed / cores.sharing);
    const enum status s = tokenizer_train(world, &how, show, &display, &trained);
    progress_end(&display.progress);
    TRY(s);
    if (comm_rank(world) != 0) return ST_OK;
    if (option_flag(options, "json"))
        print_json(world, &how, &trained);
    else
        print_text(&how, &trained);
    return ST_OK;
}

/* Without a launcher: no MPI, which takes half a second to start. */
static enum status train_alone(const struct options *options)
{
    struct comm *self;
    TRY(comm_self(&self));
    const enum status s = train_together(self, options);
    comm_finish(self);
    return s;
}

const struct command command_tokenizer_train = {
    .name = "tokenizer train",
    .group = "things",
    .summary = "Learn a vocabulary (byte-level BPE) from text files",
    .rules = { .rows = train_options, .least = 1, .most = -1, .usage = "--vocab N --out OUT.json [options] FILE|FOLDER|'PATTERN' ..." },
    .notes =
        "The file is a Hugging Face tokenizer.json. Ids: bytes, merges in the order learned, the end of a document, further special "
        "tokens.\n"
        "The same text gives the same file at any number of ranks and threads. Every rank reads all files and counts a share of the text.",
    .example = "lamina tokenizer train --vocab 4096 --out tokenizer.json --document-start '^\\S' gcide.dict.dz",
    .local = train_alone,
    .collective = train_together,
};
