/* lamina reference: configs/REFERENCE.md, from the same tables that parse. */
#include "coordinator/optim_facts.h"
#include "coordinator/private.h"
#include "worker/worker.h"
#include <stdio.h>

static const struct option_row reference_options[] = {
    { .name = "optimizers", .type = OPTION_FLAG, .help = "print the table of worker/optim/README.md instead" },
    { 0 },
};

static enum status reference_run(const struct options *options)
{
    struct text out = { 0 };
    if (option_flag(options, "optimizers")) {
        TRY(optim_print_table(&out));
        (void)fputs(out.data, stdout);
        text_free(&out);
        return ST_OK;
    }
    config_write_reference(worker_tables(), &out);
    help_reference(&out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    return ST_OK;
}

const struct command command_reference = {
    .name = "reference",
    .group = "machine",
    .summary = "Print configs/REFERENCE.md: every key, command, exit code and variable",
    .rules = { .rows = reference_options, .least = 0, .most = 0, .usage = "[options]" },
    .example = "lamina reference > configs/REFERENCE.md",
    .local = reference_run,
};
