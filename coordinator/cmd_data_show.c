/* lamina data show: what a token file holds. */
#include "common/data/stream.h"
#include "coordinator/private.h"
#include <stdio.h>
#include <stdlib.h>

static const struct option_row data_show_options[] = {
    { .name = "context",
      .type = OPTION_INTEGER,
      .arg = "T",
      .value = "0",
      .low = 0,
      .high = 1 << 24,
      .help = "also how its documents fill windows of T tokens when they are kept apart (data.documents: separate)" },
    { .name = "verify", .type = OPTION_FLAG, .help = "read all of it and compare the digest" },
    OPTION_JSON_ROW,
    { 0 },
};

static enum status show(const struct tokens *tokens, int64_t context, bool json)
{
    struct pack pack = { 0 };
    struct text out = { 0 };
    int64_t *starts = NULL;
    if (context > 0) TRY(tokens_starts(tokens, &starts));
    if (context > 0) pack_open(starts, tokens->n_documents, tokens->n_tokens, context, &pack);
    free(starts);
    tokens_print(tokens, context > 0 ? &pack : NULL, json, &out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    pack_close(&pack);
    return ST_OK;
}

static enum status data_show_run(const struct options *options)
{
    for (int i = 0; i < options->n_operands; i++) {
        struct tokens tokens;
        TRY(tokens_open(options->operand[i], option_flag(options, "verify"), &tokens));
        const enum status s = show(&tokens, option_integer(options, "context"), option_flag(options, "json"));
        tokens_close(&tokens);
        TRY(s);
    }
    return ST_OK;
}

const struct command command_data_show = {
    .name = "data show",
    .group = "things",
    .summary = "Show what a token file holds",
    .rules = { .rows = data_show_options, .least = 1, .most = -1, .usage = "FILE.h5 ... [options]" },
    .example = "lamina data show data/gcide.train.h5 --verify --context 256",
    .local = data_show_run,
};
