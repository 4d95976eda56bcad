/* lamina optim show: what one optimizer does, its keys, and what it keeps and sends. */
#include "coordinator/optim_facts.h"
#include "coordinator/private.h"
#include <stdio.h>

static const struct option_row show_options[] = { OPTION_JSON_ROW, { 0 } };

static enum status show(const struct options *options, struct arena *arena)
{
    const struct opt_desc *opt = NULL;
    struct optim_facts facts;
    struct text out = { 0 };
    TRY(optim_find(options->operand[0], &opt));
    TRY(optim_facts(opt, arena, &facts));
    if (option_flag(options, "json"))
        optim_print_json(&facts, &out);
    else
        optim_print(&facts, &out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    return ST_OK;
}

static enum status show_run(const struct options *options)
{
    struct arena arena;
    arena_open_growing(&arena, "optim show");
    const enum status s = show(options, &arena);
    arena_close(&arena);
    return s;
}

const struct command command_optim_show = {
    .name = "optim show",
    .group = "things",
    .summary = "Show an optimizer: its step, source, keys and defaults, state and traffic",
    .rules = { .rows = show_options, .least = 1, .most = 1, .usage = "NAME [options]" },
    .example = "lamina optim show adafactor",
    .local = show_run,
};
