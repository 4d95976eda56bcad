/* lamina slurm: a batch script for a run, from its plan; without a run the one that takes any configuration, slurm/train.sbatch. */
#include "coordinator/batch_script.h"
#include "coordinator/plan_facts.h"
#include "coordinator/private.h"
#include "coordinator/sweep_run.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RANK_BYTES = 512 << 20 }; /* a rank's own, besides the plan: MPI, HDF5, kernels made at run time */

static const struct option_row slurm_options[] = {
    { .name = "nodes", .type = OPTION_INTEGER, .arg = "N", .value = "0", .low = 0, .high = 4096, .help = "nodes; 0: Slurm decides" },
    { .name = "tasks", .type = OPTION_INTEGER, .arg = "N", .value = "1", .low = 1, .high = 4096, .help = "ranks in all" },
    { .name = "threads", .type = OPTION_INTEGER, .arg = "N", .value = "1", .low = 1, .high = 4096, .help = "cores per rank" },
    { .name = "time",
      .type = OPTION_TEXT,
      .arg = "TIME",
      .help = "time limit as Slurm writes it, 8:00:00 or 1-12; not given: the cluster's" },
    { .name = "signal",
      .type = OPTION_INTEGER,
      .arg = "SECONDS",
      .value = "0",
      .low = 0,
      .high = BATCH_SIGNAL_MOST,
      .help = "before the time's end the run is told to save; 0: two minutes, and what its checkpoint takes at 100 MB/s" },
    { 0 },
};

/* What is asked of the cluster follows from the plan: memory of the fullest rank, and time to save. */
static enum status fill_request(const struct session *s, const struct plan_facts *f, const struct options *options, struct batch_request *r)
{
    size_t most = 0;
    int64_t limit = 0;
    for (int i = 0; i < f->ranks; i++) most = f->rank[i].memory.total > most ? f->rank[i].memory.total : most;
    const int given = (int)option_integer(options, "signal");
    *r = (struct batch_request){ .name = s->config->run.name,
                                 .nodes = (int)option_integer(options, "nodes"),
                                 .tasks = f->ranks,
                                 .threads = f->threads,
                                 .time = option_text(options, "time"),
                                 .bytes_per_rank = (int64_t)most + RANK_BYTES,
                                 .signal_s = given > 0 ? given : batch_signal(f->checkpoint_bytes) };
    if (r->tasks < r->nodes) FAIL(ST_USAGE, "--nodes %d for %d ranks: give --tasks %d or more", r->nodes, r->tasks, r->nodes);
    if (r->time == NULL) return ST_OK;
    TRY(batch_seconds(r->time, &limit));
    if (limit > r->signal_s) return ST_OK;
    FAIL(ST_USAGE, "--time %s is over before the run is told to save, %d s before the end: give more time, or --signal", r->time,
         r->signal_s);
}

static void say_about(const struct session *s, const struct plan_facts *f, const struct batch_request *r, const char *config,
                      struct text *about)
{
    char planned[32], checkpoint[32];
    text_add(
        about,
        "# lamina train %s: %d rank%s of %d thread%s. Planned: %s of memory on the fullest rank with %d MiB of its own beside the plan,\n"
        "# a checkpoint of %s, %lld steps. The time's end stops the run with a checkpoint and puts the job back into the queue. What\n"
        "# is given to sbatch counts more than the lines below: sbatch --partition=NAME SCRIPT [key=value ...].\n",
        config, f->ranks, f->ranks > 1 ? "s" : "", f->threads, f->threads > 1 ? "s" : "",
        str_bytes(planned, sizeof planned, (double)r->bytes_per_rank), RANK_BYTES >> 20,
        str_bytes(checkpoint, sizeof checkpoint, (double)f->checkpoint_bytes), (long long)s->plan.steps);
}

/* The words of this command line stand before those that sbatch is given. */
static enum status script_of_run(struct session *s, const struct options *options, struct text *about, struct text *command,
                                 struct text *out)
{
    char program[PATH_BYTES], here[PATH_BYTES];
    struct plan_facts facts;
    struct batch_request request;
    TRY(session_config(s, options->operand[0], options));
    TRY(session_machine(s));
    TRY(session_plan(s, (int)option_integer(options, "tasks")));
    s->threads = (int)option_integer(options, "threads");
    plan_facts(s, &facts);
    TRY(fill_request(s, &facts, options, &request));
    TRY(sweep_program(program));
    if (getcwd(here, sizeof here) == NULL) FAIL(ST_IO, "the working directory cannot be read: %s", strerror(errno));
    say_about(s, &facts, &request, options->operand[0], about);
    text_add(command, "set -- ");
    batch_word(command, options->operand[0]);
    batch_words(command, options->override, options->n_overrides);
    text_add(command, " \"$@\"\n%s", batch_train);
    const struct batch_job job = { .about = about->data, .folder = here, .program = program, .command = command->data };
    batch_script(&request, &job, out);
    return ST_OK;
}

static enum status script_of_any(const struct options *options, struct text *out)
{
    static const char about[] =
        "# A training run as a job of Slurm:\n"
        "#\n"
        "#     sbatch --ntasks=8 --cpus-per-task=16 --time=8:00:00 slurm/train.sbatch configs/quickstart.yaml run.name=eight\n"
        "#\n"
        "# Nothing here needs to be edited: options of the job go before the script's name, those of `lamina train` behind it, modules "
        "into\n"
        "# slurm/site.sh (site.sh.example). Two minutes before its time is over the run saves, and the job returns to the queue. "
        "README.md\n"
        "# says more. This file is written by: lamina slurm > slurm/train.sbatch\n";
    if (options->n_given > 0 || options->n_overrides > 0)
        FAIL(ST_USAGE, "options and keys are for a configuration: lamina slurm RUN.yaml ...");
    const struct batch_request request = { .name = "lamina", .threads = 1, .signal_s = batch_signal(0) };
    const struct batch_job job = { .about = about, .command = batch_train };
    batch_script(&request, &job, out);
    return ST_OK;
}

static enum status slurm_run(const struct options *options)
{
    struct text about = { 0 }, command = { 0 }, out = { 0 };
    struct session s;
    session_open(&s);
    const enum status result = options->n_operands == 0 ? script_of_any(options, &out) : script_of_run(&s, options, &about, &command, &out);
    if (result == ST_OK) (void)fputs(out.data, stdout);
    session_close(&s);
    text_free(&about);
    text_free(&command);
    text_free(&out);
    return result;
}

const struct command command_slurm = {
    .name = "slurm",
    .group = "machine",
    .summary = "Print a batch script of Slurm for a run, from its plan",
    .rules = { .rows = slurm_options, .least = 0, .most = 1, .overrides = true, .usage = "[RUN.yaml [options] [key.path=value ...]]" },
    .notes =
        "The configuration is checked first. Options of sbatch count more than those in the script: sbatch --partition=NAME job.sbatch.\n"
        "Without RUN.yaml: the script that takes any configuration, slurm/train.sbatch.",
    .example = "lamina slurm configs/quickstart.yaml --nodes 2 --tasks 8 --threads 16 --time 8:00:00 > job.sbatch",
    .local = slurm_run,
};
