/* lamina data show: what a token file holds. */
#include "common/data/tokens.h"
#include "coordinator/private.h"
#include <stdio.h>

static const struct option_row data_show_options[] = {
    { .name = "verify", .type = OPTION_FLAG, .help = "read all of it and compare the digest" },
    OPTION_JSON_ROW,
    { 0 },
};

static enum status data_show_run(const struct options *options)
{
    for (int i = 0; i < options->n_operands; i++) {
        struct tokens tokens;
        struct text out = { 0 };
        TRY(tokens_open(options->operand[i], option_flag(options, "verify"), &tokens));
        tokens_print(&tokens, option_flag(options, "json"), &out);
        (void)fputs(out.data, stdout);
        text_free(&out);
        tokens_close(&tokens);
    }
    return ST_OK;
}

const struct command command_data_show = {
    .name = "data show",
    .group = "things",
    .summary = "Show what a token file holds",
    .rules = { .rows = data_show_options, .least = 1, .most = -1, .usage = "FILE.h5 ... [options]" },
    .example = "lamina data show data/gcide.train.h5 --verify",
    .local = data_show_run,
};
