/* lamina tokenizer show: what a tokenizer is. */
#include "common/data/tokenizer.h"
#include "coordinator/private.h"
#include <stdio.h>

static const struct option_row show_options[] = { OPTION_JSON_ROW, { 0 } };

static enum status show_one(struct arena *arena, const char *name, bool json)
{
    struct tokenizer tokenizer;
    struct text out = { 0 };
    TRY(tokenizer_open(arena, name, &tokenizer));
    tokenizer_print(&tokenizer, json, &out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    tokenizer_close(&tokenizer);
    return ST_OK;
}

static enum status show_run(const struct options *options)
{
    for (int i = 0; i < options->n_operands; i++) {
        struct arena arena;
        arena_open_growing(&arena, "tokenizer show");
        const enum status s = show_one(&arena, options->operand[i], option_flag(options, "json"));
        arena_close(&arena);
        TRY(s);
    }
    return ST_OK;
}

const struct command command_tokenizer_show = {
    .name = "tokenizer show",
    .group = "things",
    .summary = "Show what a tokenizer is",
    .rules = { .rows = show_options, .least = 1, .most = -1, .usage = "TOKENIZER ... [options]" },
    .notes = "TOKENIZER is bytes, or the path of a tokenizer.json.",
    .example = "lamina tokenizer show tokenizer.json",
    .local = show_run,
};
