#include "batch_script.h"
#include "common/base/check.h"
#include <stdio.h>
#include <string.h>

/* --- The request ---------------------------------------------------------------------------------------------------------------- */

enum { SIGNAL_LEAST = 120, SAVED_PER_S = 100000000 /* bytes, of a slow file system */ };

int batch_signal(int64_t checkpoint_bytes)
{
    const int64_t s = SIGNAL_LEAST + (checkpoint_bytes + SAVED_PER_S - 1) / SAVED_PER_S;
    return (int)min_i64(s, BATCH_SIGNAL_MOST);
}

/* The numbers before, between and after the colons of "h:m:s"; returns how many, 0 where it is something else. */
static int clock_fields(const char *text, int64_t out[3])
{
    int n = 0;
    for (const char *at = text;; at++) {
        const size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 9 || n == 3) return 0;
        out[n] = 0;
        for (size_t i = 0; i < digits; i++) out[n] = 10 * out[n] + (at[i] - '0');
        n++;
        at += digits;
        if (*at == '\0') return n;
        if (*at != ':') return 0;
    }
}

enum status batch_seconds(const char *time, int64_t *out)
{
    static const int64_t unit[2][4][3] = { /* without and with days; by the number of fields */
                                           { { 0 }, { 60 }, { 60, 1 }, { 3600, 60, 1 } },
                                           { { 0 }, { 3600 }, { 3600, 60 }, { 3600, 60, 1 } }
    };
    int64_t field[3] = { 0 }, days = 0, sum = 0;
    char before[16] = "";
    const char *dash = strchr(time, '-'), *rest = dash != NULL ? dash + 1 : time;
    bool good = dash == NULL || (size_t)(dash - time) < sizeof before;
    if (good && dash != NULL) {
        memcpy(before, time, (size_t)(dash - time));
        good = clock_fields(before, field) == 1;
        days = field[0];
    }
    const int n = good ? clock_fields(rest, field) : 0;
    for (int i = 0; i < n; i++) sum += unit[dash != NULL][n][i] * field[i];
    if (n == 0 || sum + days == 0)
        FAIL(ST_USAGE, "\"%s\" is no time as Slurm writes it: minutes, m:s, h:m:s, d-h, d-h:m or d-h:m:s, as in 8:00:00 or 1-12", time);
    *out = days * 86400 + sum;
    return ST_OK;
}

static void add_request(const struct batch_request *r, struct text *out)
{
    enum { MB = 1 << 20 };
    text_add(out, "#SBATCH --job-name=%s\n", r->name);
    if (r->array > 0) text_add(out, "#SBATCH --array=0-%d%%%d\n", r->array - 1, r->at_once);
    if (r->nodes > 0) text_add(out, "#SBATCH --nodes=%d\n", r->nodes);
    if (r->tasks > 0) text_add(out, "#SBATCH --ntasks=%d\n", r->tasks);
    if (r->nodes > 0 && r->tasks % r->nodes == 0) text_add(out, "#SBATCH --ntasks-per-node=%d\n", r->tasks / r->nodes);
    text_add(out, "#SBATCH --cpus-per-task=%d\n", r->threads);
    if (r->bytes_per_rank > 0) text_add(out, "#SBATCH --mem-per-cpu=%lldM\n", (long long)((r->bytes_per_rank / r->threads + MB - 1) / MB));
    if (r->time != NULL) text_add(out, "#SBATCH --time=%s\n", r->time);
    text_add(out,
             "#SBATCH --signal=B:USR1@%d\n"
             "#SBATCH --requeue\n"
             "#SBATCH --open-mode=append\n"
             "\n",
             r->signal_s);
}

/* --- The shell ------------------------------------------------------------------------------------------------------------------ */

void batch_word(struct text *out, const char *word)
{
    text_add(out, "'");
    for (const char *c = word; *c != '\0'; c++) text_add(out, *c == '\'' ? "'\\''" : "%c", *c);
    text_add(out, "'");
}

void batch_words(struct text *out, const char *const words[], int n)
{
    for (int i = 0; i < n; i++) {
        text_add(out, " ");
        batch_word(out, words[i]);
    }
}

static const char shell_job[] = "if [ -z \"${SLURM_JOB_ID:-}\" ]; then\n"
                                "    echo \"this is a job of Slurm: start it with sbatch\" >&2\n"
                                "    exit 10\n"
                                "fi\n"
                                "\n";

/* Signals count from the first line on. A shell takes one up only while it waits, so srun runs in the background. */
static const char shell_signals[] = "signals=0 cancelled= step= # USR1: the time is nearly over; TERM: somebody cancelled the job\n"
                                    "pass_on() {\n"
                                    "    signals=$((signals + 1))\n"
                                    "    [ -z \"$step\" ] || kill -USR1 \"$step\" 2>/dev/null || true\n"
                                    "}\n"
                                    "trap pass_on USR1\n"
                                    "trap 'cancelled=yes; pass_on' TERM\n"
                                    "\n";

/* Slurm runs a copy of the script; where it came from, scontrol tells with the script's arguments behind it. */
static const char shell_home[] = "# Beside this script: site.sh, and the program that was built here.\n"
                                 "script=$(scontrol show job \"$SLURM_JOB_ID\" | sed -n 's/^ *Command=//p' | head -n 1)\n"
                                 "home=$(dirname \"$(dirname \"${script%\" $*\"}\")\")\n";

static const char shell_program[] = "program=$home/build/release/lamina\n"
                                    "[ -x \"$program\" ] || program=lamina\n";

/* Files of module systems are not written for set -eu, so that comes after them. */
static const char shell_site[] =
    "\n"
    "# Modules and variables of this cluster.\n"
    "site=${LAMINA_SITE:-$home/slurm/site.sh}\n"
    "if [ -n \"${LAMINA_SITE:-}\" ] && [ ! -r \"$site\" ]; then\n"
    "    echo \"LAMINA_SITE: $site cannot be read on $(hostname)\" >&2\n"
    "    exit 10\n"
    "fi\n"
    "# shellcheck source=/dev/null\n"
    "if [ -r \"$site\" ]; then . \"$site\"; fi\n"
    "set -eu\n"
    "if ! command -v \"$program\" >/dev/null; then\n"
    "    echo \"$program is not there on $(hostname): build it (./run build), or let $home/slurm/site.sh put it into PATH\" >&2\n"
    "    exit 10\n"
    "fi\n"
    "export OMP_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-1}\"\n"
    "unset LAMINA_PROGRESS # a log is no terminal\n"
    "\n";

const char batch_train[] =
    "# The command. Under sbatch --array each task takes its own of the configurations. --until asks for an end that is none of the "
    "time's.\n"
    "command=(\"$program\" train)\n"
    "configs=0 until=\n"
    "for word; do\n"
    "    case $word in\n"
    "    --until | --until=*) until=yes ;;\n"
    "    -* | *=*) ;;\n"
    "    *.yaml | *.yml)\n"
    "        configs=$((configs + 1))\n"
    "        [ \"${SLURM_ARRAY_TASK_ID:-$((configs - 1))}\" -eq $((configs - 1)) ] || continue\n"
    "        ;;\n"
    "    esac\n"
    "    command+=(\"$word\")\n"
    "done\n"
    "if [ -n \"${SLURM_ARRAY_TASK_ID:-}\" ] && [ \"$SLURM_ARRAY_TASK_ID\" -ge \"$configs\" ]; then\n"
    "    echo \"task $SLURM_ARRAY_TASK_ID of the array has no configuration among the $configs given: number the tasks from 0\" >&2\n"
    "    exit 2\n"
    "fi\n"
    "\n";

static const char shell_requeue[] =
    "# Back into the queue, to go on from the checkpoint. A cancelled job stays away.\n"
    "requeue() {\n"
    "    job=$SLURM_JOB_ID\n"
    "    [ -z \"${SLURM_ARRAY_TASK_ID:-}\" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID # by its own number the last task is all\n"
    "    [ -n \"$cancelled\" ] || scontrol requeue \"$job\" || echo \"this cluster did not requeue $job: submit it again\" >&2\n"
    "    exit 75\n"
    "}\n"
    "\n";

static const char shell_collect_before[] = "code=0\n"
                                           "\"${command[@]}\" --collect || code=$?\n"
                                           "[ \"$code\" -eq 75 ] || exit \"$code\" # it has its result already, or is not usable\n"
                                           "until=\n"
                                           "\n";

/* --wait: ranks that lost one would wait for it until their own deadline; --kill-on-bad-exit would cut those off that end with 75 a moment
 * after the first. A signal ends the shell's wait early, so it is taken up again. */
static const char shell_run[] = "[ \"$signals\" -eq 0 ] || requeue\n"
                                "srun --mpi=\"${LAMINA_PMI:-pmix}\" --cpus-per-task=\"$OMP_NUM_THREADS\" --wait=60 \"${command[@]}\" &\n"
                                "step=$!\n"
                                "code=0\n"
                                "wait \"$step\" || code=$?\n"
                                "waited=0\n"
                                "while [ \"$waited\" -lt \"$signals\" ]; do\n"
                                "    waited=$signals again=0\n"
                                "    wait \"$step\" || again=$?\n"
                                "    [ \"$again\" -eq 127 ] || code=$again # 127: it had ended before\n"
                                "done\n"
                                "if [ \"$code\" -eq 75 ] && { [ -z \"$until\" ] || [ \"$signals\" -gt 0 ]; }; then requeue; fi\n";

static const char shell_collect_after[] = "result=0\n"
                                          "\"${command[@]}\" --collect || result=$?\n"
                                          "[ \"$code\" -ne 7 ] || code=$result # that it diverged is its result\n";

void batch_script(const struct batch_request *request, const struct batch_job *job, struct text *out)
{
    text_add(out, "#!/bin/bash\n%s", job->about);
    add_request(request, out);
    text_add(out, "%s%s", shell_job, shell_signals);
    if (job->folder != NULL) {
        text_add(out, "home=");
        batch_word(out, job->folder);
        text_add(out, "\ncd \"$home\" || exit 6\n");
    } else {
        text_add(out, "%s", shell_home);
    }
    if (job->program != NULL) {
        text_add(out, "program=");
        batch_word(out, job->program);
        text_add(out, "\n");
    } else {
        text_add(out, "%s", shell_program);
    }
    text_add(out, "%s%s%s%s", shell_site, job->command, shell_requeue, job->collects ? shell_collect_before : "");
    text_add(out, "%s%sexit \"$code\"\n", shell_run, job->collects ? shell_collect_after : "");
}
