/* lamina data build: text files to token files. */
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/data/build.h"
#include "coordinator/cores.h"
#include "coordinator/input_options.h"
#include "coordinator/private.h"
#include "coordinator/progress.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row build_options[] = {
    { .name = "tokenizer", .type = OPTION_TEXT, .arg = "NAME", .value = "bytes", .help = "which tokenizer: bytes, or a tokenizer.json" },
    { .name = "out", .type = OPTION_TEXT, .arg = "OUT.h5", .help = "token file to write (must be given)" },
    { .name = "valid-out", .type = OPTION_TEXT, .arg = "V.h5", .help = "hold documents out for validation, in this file" },
    { .name = "valid-share",
      .type = OPTION_TEXT,
      .arg = "SHARE",
      .value = "1%",
      .help = "how many, by digest of the document: 1% or 0.01" },
    { .name = "bad-records",
      .type = OPTION_TEXT,
      .arg = "WHAT",
      .value = "refuse",
      .help = "records of .jsonl without that text: refuse, or skip and count" },
    { .name = "bad-utf8",
      .type = OPTION_TEXT,
      .arg = "WHAT",
      .value = "keep",
      .help = "bytes that are not UTF-8: keep, replace by U+FFFD, or refuse; they are counted" },
    OPTION_INPUT_ROWS,
    OPTION_JSON_ROW,
    { 0 },
};

static void show_progress(void *context, int64_t done, int64_t total) { progress_note(context, done, total); }

/* --- the report --------------------------------------------------------------------------------------------------------- */

static void print_side(const char *path, const struct tokens_written *w)
{
    char a[32], b[32], c[32];
    (void)printf("%s: %s tokens, %s documents, %s bytes of text", path, str_count(a, sizeof a, w->n_tokens),
                 str_count(b, sizeof b, w->n_documents), str_count(c, sizeof c, w->text_bytes));
    /* the end marks are no part of the text */
    if (w->n_tokens > w->n_documents)
        (void)printf(", %.3f bytes per token", (double)w->text_bytes / (double)(w->n_tokens - w->n_documents));
    if (isfinite(w->entropy0)) (void)printf("; order-0 bytes %.2f, order-1 %.2f bits per byte", w->entropy0, w->entropy1);
    (void)printf("\n");
    if (w->report.duplicate_documents > 0)
        (void)printf("  %s documents (%s bytes) have a text that came before\n", str_count(a, sizeof a, w->report.duplicate_documents),
                     str_count(b, sizeof b, w->report.duplicate_bytes));
    if (w->report.bad_utf8 > 0)
        (void)printf("  %s places in %s documents are not UTF-8\n", str_count(a, sizeof a, w->report.bad_utf8),
                     str_count(b, sizeof b, w->report.bad_utf8_documents));
}

static const struct tokens_written *with_longest(const struct data_built *b)
{
    return b->valid.report.longest_tokens > b->train.report.longest_tokens ? &b->valid : &b->train;
}

static void print_report(const struct data_build *how, const struct data_built *b, double seconds)
{
    char a[32], c[32], rate[32];
    const struct token_report *const r = &b->train.report;
    print_side(how->out, &b->train);
    if (how->valid_out != NULL) print_side(how->valid_out, &b->valid);
    (void)printf("%s files (%s), %s/s of text\n", str_count(a, sizeof a, b->n_files), str_bytes(c, sizeof c, (double)b->input_bytes),
                 str_bytes(rate, sizeof rate, (double)(b->train.text_bytes + b->valid.text_bytes - b->taken_up) / seconds));
    if (b->n_passed > 0) (void)printf("  %s other files in the folders were passed over\n", str_count(a, sizeof a, b->n_passed));
    (void)printf("  the longest document: %s tokens, %s bytes (", str_count(a, sizeof a, with_longest(b)->report.longest_tokens),
                 str_count(c, sizeof c, with_longest(b)->report.longest_bytes));
    struct text where = { 0 };
    text_add_printable(&where, b->longest, strlen(b->longest));
    (void)printf("%s)\n", where.data != NULL ? where.data : "");
    where.length = 0;
    text_add_printable(&where, b->skipped, strlen(b->skipped));
    if (r->empty_documents > 0) (void)printf("  %s documents were empty and are left out\n", str_count(a, sizeof a, r->empty_documents));
    if (r->skipped_records > 0)
        (void)printf("  %s records were skipped; the first: %s\n", str_count(a, sizeof a, r->skipped_records), where.data);
    text_free(&where);
}

static json_t *side_json(const char *path, const struct tokens_written *w)
{
    const struct token_report *const r = &w->report;
    json_t *const side = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "path", path, "tokens", (json_int_t)w->n_tokens,
                                   "documents", (json_int_t)w->n_documents, "text_bytes", (json_int_t)w->text_bytes, "longest_tokens",
                                   (json_int_t)r->longest_tokens, "longest_bytes", (json_int_t)r->longest_bytes, "duplicate_documents",
                                   (json_int_t)r->duplicate_documents, "duplicate_bytes", (json_int_t)r->duplicate_bytes, "bad_utf8",
                                   (json_int_t)r->bad_utf8, "bad_utf8_documents", (json_int_t)r->bad_utf8_documents);
    if (isfinite(w->entropy0)) (void)json_object_set_new(side, "entropy0", json_real(w->entropy0));
    if (isfinite(w->entropy1)) (void)json_object_set_new(side, "entropy1", json_real(w->entropy1));
    return side;
}

static void print_json(const struct data_build *how, const struct data_built *b, double seconds)
{
    json_t *const root = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "files", (json_int_t)b->n_files, "files_passed_over", (json_int_t)b->n_passed, "input_bytes",
        (json_int_t)b->input_bytes, "empty_documents", (json_int_t)b->train.report.empty_documents, "skipped_records",
        (json_int_t)b->train.report.skipped_records, "taken_up_bytes", (json_int_t)b->taken_up, "seconds", seconds);
    (void)json_object_set_new(root, "train", side_json(how->out, &b->train));
    (void)json_object_set_new(root, "valid", how->valid_out != NULL ? side_json(how->valid_out, &b->valid) : json_null());
    (void)json_object_set_new(root, "longest", json_string(b->longest)); /* absent where the path is not UTF-8 */
    if (b->skipped[0] != '\0') (void)json_object_set_new(root, "first_skipped", json_string(b->skipped));
    char *const text = json_dumps(root, JSON_INDENT(1));
    (void)printf("%s\n", text != NULL ? text : "null");
    free(text);
    json_decref(root);
}

/* --- the command -------------------------------------------------------------------------------------------------------- */

static enum status understand(const struct options *options, struct input_options *input, struct data_build *how)
{
    const char *const bad = option_text(options, "bad-records");
    TRY(input_options(options, input));
    how->document_start = input->document_start;
    how->field = input->field;
    how->more_text = input->more_text;
    how->max_unpacked = input->max_unpacked;
    if (how->out == NULL) FAIL(ST_USAGE, "--out OUT.h5 is missing");
    if (option_given(options, "valid-share") && how->valid_out == NULL) FAIL(ST_USAGE, "--valid-share needs --valid-out V.h5");
    if (strcmp(bad, "refuse") != 0 && strcmp(bad, "skip") != 0) FAIL(ST_USAGE, "--bad-records is refuse or skip, not \"%.40s\"", bad);
    how->skip_bad_records = strcmp(bad, "skip") == 0;
    TRY(data_bad_utf8(option_text(options, "bad-utf8"), &how->bad_utf8));
    return data_share(option_text(options, "valid-share"), &how->valid_share);
}

static enum status build_together(const struct comm *world, const struct options *options)
{
    const bool zero = comm_rank(world) == 0;
    const double begin = clock_seconds();
    struct input_options input;
    struct progress progress;
    struct data_built *const built = calloc(1, sizeof *built);
    CHECK(built != NULL);
    struct cores cores;
    struct data_build how = { .inputs = options->operand,
                              .n_inputs = options->n_operands,
                              .tokenizer = option_text(options, "tokenizer"),
                              .out = option_text(options, "out"),
                              .valid_out = option_text(options, "valid-out") };
    progress_begin(&progress, "reading", PROGRESS_BYTES, 0);
    enum status s = understand(options, &input, &how);
    if (!s) s = cores_all(world, &cores);
    if (!s && getenv("OMP_NUM_THREADS") == NULL) parallel_set_threads(cores.allowed / cores.sharing);
    if (!s) s = data_build(world, &how, show_progress, &progress, built);
    progress_end(&progress);
    const double seconds = clock_seconds() - begin;
    if (!s && zero && option_flag(options, "json"))
        print_json(&how, built, seconds);
    else if (!s && zero)
        print_report(&how, built, seconds);
    free(built);
    return s;
}

/* Without a launcher: no MPI, which takes half a second to start. */
static enum status build_alone(const struct options *options)
{
    struct comm *self;
    TRY(comm_self(&self));
    const enum status s = build_together(self, options);
    comm_finish(self);
    return s;
}

const struct command command_data_build = {
    .name = "data build",
    .group = "things",
    .summary = "Turn text (.txt, .jsonl; packed as .gz, .dz, .zst, .bz2, .xz) into token files",
    .rules = { .rows = build_options, .least = 1, .most = -1, .usage = "--out OUT.h5 [options] FILE|FOLDER|'PATTERN' ..." },
    .notes = "Folders are read with all that is in them, in byte order of the paths; patterns are those of the shell, in quotes. Ranks "
             "share the work, and\n"
             "the files are the same at any number of them. What is encoded waits in OUT.h5.building: the same command, started again "
             "after a kill,\n"
             "takes it up.",
    .example = "lamina data build --out train.h5 --valid-out valid.h5 --document-start '^\\S' gcide.dict.dz",
    .local = build_alone,
    .collective = build_together,
};
