/* run_ref.h: RUN on the command line: a name below the folder of runs, a run folder or a checkpoint folder, with an optional @STEP. */
#ifndef LAMINA_COORDINATOR_RUN_REF_H
#define LAMINA_COORDINATOR_RUN_REF_H

#include "common/comm/comm.h"
#include "coordinator/file.h"
#include "coordinator/session.h"

struct state;

/* Where a word may point before any checkpoint is read. */
struct run_ref {
    char checkpoint[PATH_BYTES];  /* folder with state.h5; empty: `checkpoints` and `step` tell */
    char checkpoints[PATH_BYTES]; /* CKPT */
    int64_t step;                 /* of @STEP, -1: the newest that verifies */
};
/* Local. Fails: ST_USAGE where there is no such run, with the nearest name. */
enum status run_ref_parse(const char *word, const char *runs, struct run_ref *out) MUST_USE;

/* The folder of a run, for uses that need no checkpoint: one with any of a run's files is enough. Local. Fails: ST_USAGE. */
enum status run_ref_folder(const char *word, const char *runs, char folder[PATH_BYTES]) MUST_USE;

/* The folder of the checkpoint that a word means, verified; a newer one that does not verify is warned of. Serves one process with
 * comm_self. Collective: yes, equal words. Fails: ST_USAGE, ST_DAMAGED. */
enum status run_ref_find(const struct comm *comm, const char *word, const char *runs, char checkpoint[PATH_BYTES]) MUST_USE;
/* The same, opened, by a process on its own. Owns: state until state_close. */
enum status run_ref_open(const char *word, const char *runs, char checkpoint[PATH_BYTES], struct state **state) MUST_USE;

/* A checkpoint made ready to compute with: its own configuration, the plan for this world, its weights (and in WORKER_TRAIN its whole
 * state) loaded. adjust may change the configuration before it is planned (data that this use does not need); NULL: nothing.
 * Owns: s until session_close, *w until worker_close. Collective: yes, equal arguments. */
struct run_opened {
    struct session session;
    struct worker *worker;
    struct worker_facts facts;
    char checkpoint[PATH_BYTES];
};
enum status run_ref_load(const struct comm *world, const char *word, const char *runs, enum worker_mode mode,
                         void (*adjust)(struct config *config, const struct options *options), const struct options *options,
                         struct run_opened *out) MUST_USE;
void run_opened_close(struct run_opened *o);
/* An adjustment for uses that read no token files, which may be gone. */
void run_ref_without_data(struct config *config, const struct options *options);

/* Which weights a command evaluates: the option's answer takes the place of the run's own. Fails: ST_USAGE on another word. */
enum status run_ref_weights(const struct options *options) MUST_USE;
void run_ref_choose_weights(struct config *config, const struct options *options);
#define RUN_REF_WEIGHTS_ROW                                                                                                                \
    {                                                                                                                                      \
        .name = "weights", .type = OPTION_TEXT, .arg = "NAME",                                                                             \
        .help = "average or trained, where a rule keeps both; otherwise as the run's eval.weights says"                                    \
    }
#define RUN_REF_FOLDER_ROW                                                                                                                 \
    {                                                                                                                                      \
        .name = "folder", .type = OPTION_TEXT, .arg = "DIR", .value = "runs", .help = "where runs are looked for by name"                  \
    }
#define RUN_REF_NOTES                                                                                                                      \
    "RUN is a name below --folder, a run folder or a checkpoint folder; @STEP takes that step, otherwise the newest that verifies."

#endif
