#include "run_ref.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "common/store/publish.h"
#include "coordinator/checkpoints.h"
#include "coordinator/tokenizer_copy.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Which folder ------------------------------------------------------------------------------------------------------- */

static bool inside(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && file_exists(path);
}

enum { RUNS_SEEN = 256 };

static enum status no_such_run(const char *name, const char *runs)
{
    const char *names[RUNS_SEEN];
    size_t n = 0;
    DIR *dir = opendir(runs);
    for (struct dirent *e; dir != NULL && n < RUNS_SEEN && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') CHECK((names[n++] = strdup(e->d_name)) != NULL);
    const char *near = str_nearest(name, names, n);
    const enum status s =
        near != NULL
            ? status_fail(ST_USAGE, __FILE__, __LINE__, "no run \"%s\" in %s; did you mean \"%s\"?", name, runs, near)
            : status_fail(ST_USAGE, __FILE__, __LINE__, "no run \"%s\" in %s, and no run or checkpoint folder of this name", name, runs);
    for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)names[i]);
    if (dir != NULL) (void)closedir(dir);
    return s;
}

enum status run_ref_parse(const char *word, const char *runs, struct run_ref *out)
{
    char name[PATH_BYTES], below[PATH_BYTES];
    *out = (struct run_ref){ .step = -1 };
    if (snprintf(name, sizeof name, "%s", word) >= (int)sizeof name) FAIL(ST_USAGE, "the name of the run is too long");
    char *at = strrchr(name, '@');
    if (at != NULL && str_to_i64(at + 1, &out->step) == ST_OK && out->step >= 0) *at = '\0';
    status_clear(); /* a name may hold an '@' that is no step */
    if (snprintf(below, sizeof below, "%s/%s", runs, name) >= (int)sizeof below) FAIL(ST_USAGE, "the name of the run is too long");
    if (out->step < 0 && inside(name, "state.h5")) {
        (void)snprintf(out->checkpoint, sizeof out->checkpoint, "%s", name);
        return ST_OK;
    }
    const char *folder = inside(below, "ckpt") ? below : inside(name, "ckpt") ? name : NULL;
    if (folder == NULL) return no_such_run(name, runs);
    if (snprintf(out->checkpoints, sizeof out->checkpoints, "%s/ckpt", folder) >= (int)sizeof out->checkpoints)
        FAIL(ST_USAGE, "the name of the run is too long");
    return ST_OK;
}

enum status run_ref_folder(const char *word, const char *runs, char folder[PATH_BYTES])
{
    static const char *const files[] = { "run.json", "metrics.jsonl", "events.jsonl", "config.yaml", "ckpt" };
    for (int plain = 0; plain < 2; plain++) {
        if (snprintf(folder, PATH_BYTES, "%s%s%s", plain ? "" : runs, plain ? "" : "/", word) >= PATH_BYTES)
            FAIL(ST_USAGE, "the name of the run is too long");
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
            if (inside(folder, files[i])) return ST_OK;
    }
    return no_such_run(word, runs);
}

/* The folder of state.h5 of a published step. */
static enum status checkpoint_of(const char *checkpoints, int64_t step, char out[PATH_BYTES])
{
    char path[H5_PATH];
    (void)folder_of(publish_path(checkpoints, step, PUBLISH_FINAL, path), out, PATH_BYTES);
    if (!inside(out, "state.h5")) FAIL(ST_USAGE, "%s: no checkpoint of step %lld", checkpoints, (long long)step);
    return ST_OK;
}

enum status run_ref_find(const struct comm *comm, const char *word, const char *runs, char checkpoint[PATH_BYTES])
{
    struct run_ref ref;
    TRY_ALL(comm, run_ref_parse(word, runs, &ref));
    if (ref.checkpoint[0] != '\0') {
        (void)snprintf(checkpoint, PATH_BYTES, "%s", ref.checkpoint);
        return publish_verify(comm, checkpoint);
    }
    if (ref.step >= 0) {
        TRY_ALL(comm, checkpoint_of(ref.checkpoints, ref.step, checkpoint));
        return publish_verify(comm, checkpoint);
    }
    TRY(publish_newest(comm, ref.checkpoints, &ref.step));
    if (ref.step < 0) FAIL(ST_USAGE, "%s: this run has no checkpoint yet", word);
    TRY_ALL(comm, checkpoint_of(ref.checkpoints, ref.step, checkpoint));
    return ST_OK;
}

static enum status state_path(const char *checkpoint, char path[H5_PATH])
{
    if (snprintf(path, H5_PATH, "%s/state.h5", checkpoint) >= H5_PATH) FAIL(ST_USAGE, "%s: the path is too long", checkpoint);
    return ST_OK;
}

static enum status open_state(const char *checkpoint, struct state **state)
{
    char path[H5_PATH];
    TRY(state_path(checkpoint, path));
    return state_open(path, state);
}

enum status run_ref_open(const char *word, const char *runs, char checkpoint[PATH_BYTES], struct state **state)
{
    struct comm *self = NULL;
    TRY(comm_self(&self));
    enum status s = run_ref_find(self, word, runs, checkpoint);
    comm_free(self);
    TRY(s);
    return open_state(checkpoint, state);
}

enum status run_ref_weights(const struct options *options)
{
    const char *word = option_text(options, "weights");
    if (word == NULL || strcmp(word, "average") == 0 || strcmp(word, "trained") == 0) return ST_OK;
    FAIL(ST_USAGE, "--weights is average or trained, not \"%s\"", word);
}

void run_ref_choose_weights(struct config *config, const struct options *options)
{
    const char *word = option_text(options, "weights");
    if (word != NULL) config->eval.weights = strcmp(word, "trained") == 0 ? EVAL_TRAINED : EVAL_AVERAGE;
}

/* --- Ready to compute ---------------------------------------------------------------------------------------------------- */

static enum status read_config(const char *checkpoint, struct session *s)
{
    char path[H5_PATH];
    TRY(state_path(checkpoint, path));
    TRY(checkpoint_read_config(path, &s->arena, &s->config));
    return tokenizer_copy_open(checkpoint, s);
}

enum status run_ref_load(const struct comm *world, const char *word, const char *runs, enum worker_mode mode,
                         void (*adjust)(struct config *config, const struct options *options), const struct options *options,
                         struct run_opened *out)
{
    struct session *s = &out->session;
    char path[H5_PATH];
    session_open(s);
    TRY(run_ref_find(world, word, runs, out->checkpoint));
    TRY_ALL(world, read_config(out->checkpoint, s));
    if (adjust != NULL) adjust(s->config, options);
    TRY(session_machine_all(world, s));
    TRY_ALL(world, state_path(out->checkpoint, path));
    const enum status planned = session_plan_all(world, s);
    if (planned == ST_CONFIG) FAIL(ST_DAMAGED, "%s: its own configuration is none: %s", path, status_text());
    TRY(planned);
    TRY_ALL(world, worker_fits(&s->plan, path));
    if (comm_size(world) > 1) TRY(session_fingerprint_all(world, s));
    TRY(worker_open(world, &s->plan, mode, &out->worker));
    TRY_ALL(world, session_tell_tokenizer(s, out->worker));
    const enum status loaded = worker_load(world, out->worker, path, NULL, &out->facts);
    if (loaded == ST_CONFIG) FAIL(ST_DAMAGED, "%s: does not hold what its own configuration needs: %s", path, status_text());
    return loaded;
}

void run_ref_without_data(struct config *config, const struct options *options) { config->data.n_train = config->data.n_valid = 0; }

void run_opened_close(struct run_opened *o)
{
    worker_close(o->worker);
    session_close(&o->session);
}
