#include "sweep_slurm.h"
#include "common/base/log.h"
#include "coordinator/batch_script.h"
#include "coordinator/sweep_run.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "command=(PROGRAM sweep RUN.yaml --over ... key=value)": an array, so that spaces stay inside their words. */
static void add_command(const struct sweep_points *all, const struct options *options, const char *const over[], int n_over, int ranks,
                        struct text *out)
{
    text_add(out, "command=(\"$program\" sweep ");
    batch_word(out, all->config);
    for (int i = 0; i < n_over; i++) {
        text_add(out, " --over ");
        batch_word(out, over[i]);
    }
    text_add(out, " --ranks %d", ranks);
    if (option_given(options, "out")) {
        text_add(out, " --out ");
        batch_word(out, option_text(options, "out"));
    }
    batch_words(out, options->override, options->n_overrides);
    text_add(out, " --point $((SLURM_ARRAY_TASK_ID + 1)))\n\n");
}

enum { ARRAY_USUAL = 1000 }; /* MaxArraySize of Slurm, where nobody changed it, allows indices up to this */

enum status sweep_slurm(const struct sweep_points *all, const struct options *options, const char *const over[], int n_over, int ranks,
                        int at_once, struct text *out)
{
    char program[PATH_BYTES], here[PATH_BYTES], name[PATH_BYTES];
    struct text about = { 0 }, command = { 0 };
    TRY(sweep_program(program));
    if (getcwd(here, sizeof here) == NULL) FAIL(ST_IO, "the working directory cannot be read: %s", strerror(errno));
    if (all->n - 1 > ARRAY_USUAL) log_warn("%d points: many clusters allow array indices up to %d only", all->n, ARRAY_USUAL);
    text_add(&about,
             "# lamina sweep of %s: %d points, a task each. Time, partition and cores are the cluster's defaults unless sbatch is told\n"
             "# others: sbatch --time=8:00:00 --cpus-per-task=16 SCRIPT. Afterwards `lamina sweep` with the same arguments and --collect\n"
             "# writes the table and the figure.\n",
             all->name, all->n);
    add_command(all, options, over, n_over, ranks, &command);
    (void)snprintf(name, sizeof name, "%s-sweep", all->name);
    const struct batch_request request = {
        .name = name, .array = all->n, .at_once = at_once, .tasks = ranks, .threads = 1, .signal_s = batch_signal(0)
    };
    const struct batch_job job = { .about = about.data, .folder = here, .program = program, .command = command.data, .collects = true };
    batch_script(&request, &job, out);
    text_free(&about);
    text_free(&command);
    return ST_OK;
}
