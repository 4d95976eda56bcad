/* lamina optim list: the optimizers that a rule may name. */
#include "common/base/check.h"
#include "coordinator/private.h"
#include "worker/worker.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row optim_options[] = { OPTION_JSON_ROW, { 0 } };

static enum status optim_list_json(const struct variant *const *table)
{
    json_t *all = json_array();
    for (int i = 0; table[i] != NULL; i++) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "name", table[i]->name, "summary", table[i]->summary, "source", table[i]->source);
        CHECK(row != NULL && json_array_append_new(all, row) == 0);
    }
    char *text = json_dumps(all, JSON_INDENT(2));
    CHECK(text != NULL);
    (void)printf("%s\n", text);
    free(text);
    json_decref(all);
    return ST_OK;
}

static enum status optim_list_run(const struct options *options)
{
    const struct variant *const *table = worker_tables()->optimizers;
    if (option_flag(options, "json")) return optim_list_json(table);
    for (int i = 0; table[i] != NULL; i++) (void)printf("%-14s %s (%s)\n", table[i]->name, table[i]->summary, table[i]->source);
    return ST_OK;
}

const struct command command_optim_list = {
    .name = "optim list",
    .group = "things",
    .summary = "List the optimizers that a rule may name",
    .rules = { .rows = optim_options, .least = 0, .most = 0, .usage = "[options]" },
    .notes = "Their keys and defaults stand in configs/REFERENCE.md.",
    .example = "lamina optim list",
    .local = optim_list_run,
};
