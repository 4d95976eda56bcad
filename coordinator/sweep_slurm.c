#include "sweep_slurm.h"
#include "common/base/log.h"
#include "coordinator/sweep_run.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A word of a shell, whatever is in it. */
static void add_word(struct text *out, const char *word)
{
    text_add(out, " '");
    for (const char *c = word; *c != '\0'; c++) text_add(out, *c == '\'' ? "'\\''" : "%c", *c);
    text_add(out, "'");
}

/* "sweep=(PROGRAM sweep RUN.yaml --over ... key=value)": an array, so that spaces stay inside their words. */
static void add_command(const struct sweep_points *all, const struct options *options, const char *const over[], int n_over, int ranks,
                        const char *program, struct text *out)
{
    text_add(out, "sweep=(");
    add_word(out, program);
    text_add(out, " sweep");
    add_word(out, all->config);
    for (int i = 0; i < n_over; i++) {
        text_add(out, " --over");
        add_word(out, over[i]);
    }
    text_add(out, " --ranks %d", ranks);
    if (option_given(options, "out")) {
        text_add(out, " --out");
        add_word(out, option_text(options, "out"));
    }
    for (int i = 0; i < options->n_overrides; i++) add_word(out, options->override[i]);
    text_add(out, " --point $((SLURM_ARRAY_TASK_ID + 1)))\n");
}

/* srun is started in the background because a shell takes up a signal only when it waits; the wait that the signal ended is taken up
 * again. --collect answers 75 where the point has no result yet. */
static const char body[] =
    "export OMP_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-1}\"\n"
    "\n"
    "code=0\n"
    "\"${sweep[@]}\" --collect || code=$?\n"
    "[ \"$code\" -eq 75 ] || exit \"$code\" # it has its result already, or is not usable\n"
    "\n"
    "signals=0 step=\n"
    "trap 'signals=$((signals + 1)); kill -USR1 \"$step\" 2>/dev/null || true' USR1 TERM\n"
    "srun --mpi=\"${LAMINA_PMI:-pmix}\" --cpus-per-task=\"${SLURM_CPUS_PER_TASK:-1}\" --open-mode=append \"${sweep[@]}\" &\n"
    "step=$!\n"
    "code=0\n"
    "wait \"$step\" || code=$?\n"
    "waited=0\n"
    "while [ \"$waited\" -lt \"$signals\" ]; do\n"
    "    waited=$signals again=0\n"
    "    wait \"$step\" || again=$?\n"
    "    [ \"$again\" -eq 127 ] || code=$again # 127: it had ended before\n"
    "done\n"
    "\n"
    "if [ \"$code\" -eq 75 ]; then # stopped with a good checkpoint: go on with it\n"
    "    scontrol requeue \"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\"\n"
    "    exit 75\n"
    "fi\n"
    "result=0\n"
    "\"${sweep[@]}\" --collect || result=$?\n"
    "[ \"$code\" -ne 7 ] || code=$result # that it diverged is its result\n"
    "exit \"$code\"\n";

enum { ARRAY_USUAL = 1000 }; /* MaxArraySize of Slurm, where nobody changed it, allows indices up to this */

enum status sweep_slurm(const struct sweep_points *all, const struct options *options, const char *const over[], int n_over, int ranks,
                        int at_once, struct text *out)
{
    char program[PATH_BYTES], here[PATH_BYTES];
    TRY(sweep_program(program));
    if (getcwd(here, sizeof here) == NULL) FAIL(ST_IO, "the working directory cannot be read: %s", strerror(errno));
    if (all->n - 1 > ARRAY_USUAL) log_warn("%d points: many clusters allow array indices up to %d only", all->n, ARRAY_USUAL);
    text_add(out,
             "#!/bin/bash\n"
             "# lamina sweep of %s: %d points, a task each. Time, partition and cores are the cluster's defaults unless sbatch is told\n"
             "# others: sbatch --time=8:00:00 --cpus-per-task=16 SCRIPT. Afterwards `lamina sweep` with the same arguments and --collect\n"
             "# writes the table and the figure.\n"
             "#SBATCH --job-name=%s-sweep\n"
             "#SBATCH --array=0-%d%%%d\n"
             "#SBATCH --ntasks=%d\n"
             "#SBATCH --cpus-per-task=1\n"
             "#SBATCH --signal=B:USR1@120\n"
             "#SBATCH --requeue\n"
             "#SBATCH --open-mode=append\n"
             "set -eu\n"
             "cd",
             all->name, all->n, all->name, all->n - 1, at_once, ranks);
    add_word(out, here);
    text_add(out, "\n");
    add_command(all, options, over, n_over, ranks, program, out);
    text_add(out, "%s", body);
    return ST_OK;
}
