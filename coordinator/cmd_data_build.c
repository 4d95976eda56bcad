/* lamina data build: text files to token files. */
#include "common/base/log.h"
#include "common/data/build.h"
#include "coordinator/environment.h"
#include "coordinator/private.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const struct option_row build_options[] = {
    { .name = "tokenizer", .type = OPTION_TEXT, .arg = "NAME", .value = "bytes", .help = "which tokenizer" },
    { .name = "out", .type = OPTION_TEXT, .arg = "OUT.h5", .help = "token file to write (must be given)" },
    { .name = "valid-out", .type = OPTION_TEXT, .arg = "V.h5", .help = "hold documents out for validation, in this file" },
    { .name = "valid-share",
      .type = OPTION_TEXT,
      .arg = "SHARE",
      .value = "1%",
      .help = "how many, by digest of the document: 1% or 0.01" },
    { .name = "document-start",
      .type = OPTION_TEXT,
      .arg = "REGEX",
      .help = "a line that begins like this begins a document; else a file is one" },
    { .name = "max-unpacked",
      .type = OPTION_TEXT,
      .arg = "SIZE",
      .help = "how much a packed file may unpack to, as 40GB; not given: 1 GiB and a hundred times its size" },
    { 0 },
};

/* One line that updates itself, on a real terminal only. */
static void show_progress(void *context, int64_t done, int64_t total)
{
    char a[32], b[32];
    (void)fprintf(stderr, "\r\033[Kreading %s of %s", str_bytes(a, sizeof a, (double)done), str_bytes(b, sizeof b, (double)total));
}

static void print_side(const char *path, const struct tokens_written *w)
{
    char tokens[32], documents[32], bytes[32];
    (void)printf("%s: %s tokens, %s documents, %s bytes of text", path, str_count(tokens, sizeof tokens, w->n_tokens),
                 str_count(documents, sizeof documents, w->n_documents), str_count(bytes, sizeof bytes, w->text_bytes));
    if (isfinite(w->entropy0)) (void)printf("; order-0 bytes %.2f, order-1 %.2f bits per byte", w->entropy0, w->entropy1);
    (void)printf("\n");
}

static enum status build_run(const struct options *options)
{
    struct data_built built;
    struct data_build how = { .inputs = options->operand,
                              .n_inputs = options->n_operands,
                              .tokenizer = option_text(options, "tokenizer"),
                              .out = option_text(options, "out"),
                              .valid_out = option_text(options, "valid-out"),
                              .document_start = option_text(options, "document-start") };
    const bool tty = isatty(STDERR_FILENO) && !environment_launched();
    if (how.out == NULL) FAIL(ST_USAGE, "--out OUT.h5 is missing");
    if (option_given(options, "valid-share") && how.valid_out == NULL) FAIL(ST_USAGE, "--valid-share needs --valid-out V.h5");
    if (option_given(options, "max-unpacked")) TRY(str_to_bytes(option_text(options, "max-unpacked"), &how.max_unpacked));
    TRY(data_share(option_text(options, "valid-share"), &how.valid_share));
    const enum status s = data_build(&how, tty ? show_progress : NULL, NULL, &built);
    if (tty) (void)fprintf(stderr, "\r\033[K");
    TRY(s);
    print_side(how.out, &built.train);
    if (how.valid_out != NULL) print_side(how.valid_out, &built.valid);
    return ST_OK;
}

const struct command command_data_build = {
    .name = "data build",
    .group = "things",
    .summary = "Turn text files (.txt; packed as .gz, .dz, .zst, .bz2, .xz) into token files",
    .rules = { .rows = build_options, .least = 1, .most = -1, .usage = "--out OUT.h5 [options] FILE ..." },
    .example = "lamina data build --out train.h5 --valid-out valid.h5 --document-start '^\\S' gcide.dict.dz",
    .local = build_run,
};
