/* batch_script.h: what Slurm's sbatch takes: slurm/train.sbatch, the scripts of `lamina slurm` and those of `sweep --slurm`, from one body
 * of shell. slurm/README.md says what the body does. */
#ifndef LAMINA_COORDINATOR_BATCH_SCRIPT_H
#define LAMINA_COORDINATOR_BATCH_SCRIPT_H

#include "common/base/str.h"

/* The lines "#SBATCH --..."; what is 0 or NULL is left to the cluster or to sbatch's command line. */
struct batch_request {
    const char *name;       /* of the job */
    int array, at_once;     /* tasks of a job array, and how many of them run at one time */
    int nodes, tasks;       /* tasks: ranks in all */
    int threads;            /* cores per rank */
    const char *time;       /* as Slurm writes it */
    int64_t bytes_per_rank; /* memory */
    int signal_s;           /* this many seconds before the time's end the run is told to save */
};
/* What the ranks are to run, as lines of bash that set the array `command`, and more that is asked around it. */
struct batch_job {
    const char *about;   /* lines of comment, each with its # and newline */
    const char *folder;  /* absolute: where the job works; NULL: where sbatch was called */
    const char *program; /* absolute; NULL: the one beside the script, else the one in PATH */
    const char *command;
    bool collects; /* "${command[@]}" --collect says before whether there is anything to do (75), and takes the result in after */
};

enum { BATCH_SIGNAL_MOST = 65535 }; /* seconds, of sbatch */
/* Seconds before the end that suffice for a checkpoint of so many bytes. */
int batch_signal(int64_t checkpoint_bytes);
/* Seconds of a time as Slurm writes it: minutes, m:s, h:m:s, d-h, d-h:m or d-h:m:s. Fails: ST_USAGE. */
enum status batch_seconds(const char *time, int64_t *out) MUST_USE;

/* A word of a shell, whatever is in it. */
void batch_word(struct text *out, const char *word);
/* Several of them, with a space before each. */
void batch_words(struct text *out, const char *const words[], int n);
/* `command` for `lamina train` with the words given to the script; a task of an array takes its own of the configurations. */
extern const char batch_train[];
void batch_script(const struct batch_request *request, const struct batch_job *job, struct text *out);

#endif
