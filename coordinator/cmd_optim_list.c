/* lamina optim list: the optimizers that a rule may name. */
#include "common/base/check.h"
#include "coordinator/optim_facts.h"
#include "coordinator/private.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row optim_options[] = { OPTION_JSON_ROW, { 0 } };

static void add_row(const struct optim_facts *f, json_t *all)
{
    const struct variant *v = &f->opt->variant;
    if (all == NULL) {
        (void)printf("%-14s %-16s %s (%s)\n", v->name, f->class, v->summary, v->source);
        return;
    }
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "name", v->name, "class", f->class, "summary", v->summary, "source", v->source);
    CHECK(row != NULL && json_array_append_new(all, row) == 0);
}

/* all: where rows go instead of stdout. */
static enum status list(struct arena *arena, json_t *all)
{
    for (const struct variant *const *v = worker_tables()->optimizers; *v != NULL; v++) {
        struct optim_facts facts;
        TRY(optim_facts(worker_optimizer((*v)->name), arena, &facts));
        add_row(&facts, all);
    }
    return ST_OK;
}

static enum status optim_list_run(const struct options *options)
{
    struct arena arena;
    json_t *all = option_flag(options, "json") ? json_array() : NULL;
    arena_open_growing(&arena, "optim list");
    const enum status s = list(&arena, all);
    arena_close(&arena);
    if (all == NULL) return s;
    char *text = json_dumps(all, JSON_INDENT(2));
    CHECK(text != NULL);
    if (s == ST_OK) (void)printf("%s\n", text);
    free(text);
    json_decref(all);
    return s;
}

const struct command command_optim_list = {
    .name = "optim list",
    .group = "things",
    .summary = "List the optimizers that a rule may name, with what each must see of a tensor",
    .rules = { .rows = optim_options, .least = 0, .most = 0, .usage = "[options]" },
    .notes = "lamina optim show NAME tells more; keys and defaults also stand in configs/REFERENCE.md.",
    .example = "lamina optim list",
    .local = optim_list_run,
};
