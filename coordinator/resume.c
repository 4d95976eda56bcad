#include "resume.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "common/store/publish.h"
#include "coordinator/checkpoints.h"
#include "coordinator/journal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_MOST = 1 << 20 };

/* --- The run's own configuration ------------------------------------------------------------------------------------------ */

static enum status read_stored(const struct run_folder *f, struct text *out)
{
    return file_exists(f->config) ? file_read(f->config, CONFIG_MOST, out) : ST_OK;
}

/* What rank 0 reads of config.yaml, on every rank; empty where there is none. */
static enum status share_stored(const struct comm *world, const struct run_folder *f, struct text *out)
{
    TRY_ALL(world, comm_rank(world) == 0 ? read_stored(f, out) : ST_OK);
    int64_t n = (int64_t)out->length;
    TRY(comm_broadcast(world, COMM_CONTROL, &n, sizeof n, 0));
    if (n == 0) return ST_OK;
    char *bytes = malloc((size_t)n);
    CHECK(bytes != NULL);
    if (comm_rank(world) == 0) memcpy(bytes, out->data, (size_t)n);
    enum status s = comm_broadcast(world, COMM_CONTROL, bytes, (size_t)n, 0);
    if (s == ST_OK && comm_rank(world) != 0) text_add_bytes(out, bytes, (size_t)n);
    free(bytes);
    return s;
}

/* NULL where the run has none yet. */
static enum status stored_config(const struct comm *world, struct session *s, const struct run_folder *f, struct config **out)
{
    struct text yaml = { 0 };
    *out = NULL;
    enum status result = share_stored(world, f, &yaml);
    if (result == ST_OK && yaml.length > 0) result = session_config_stored(&s->arena, f->config, &yaml, out);
    text_free(&yaml);
    return result;
}

enum status resume_precision(const struct comm *world, struct session *s, const struct run_folder *f)
{
    struct config *stored = NULL;
    if (s->config->precision.compute != COMPUTE_AUTO) return ST_OK;
    TRY(stored_config(world, s, f, &stored));
    s->precision_kept = stored != NULL;
    if (stored != NULL) s->config->precision.compute = stored->precision.compute;
    return ST_OK;
}

/* --- Where the run stands --------------------------------------------------------------------------------------------------- */

static enum status compare(struct session *s, const struct config *before, const struct options *options)
{
    const char *allowed[OPTIONS_MAX];
    struct text changes = { 0 };
    const int n_allowed = option_list(options, "allow", allowed);
    const int n = config_compare(before, s->config, worker_tables(), allowed, n_allowed, &changes);
    enum status result = ST_OK;
    if (n > 0)
        result = status_fail(ST_CONFIG, __FILE__, __LINE__,
                             "this run began with other settings, and they alter its numbers:\n%s"
                             "take them back, accept each with --allow KEY, begin anew with --fresh, or give the run another run.name",
                             changes.data);
    text_free(&changes);
    return result;
}

enum status resume_find(const struct comm *world, struct session *s, const struct run_folder *f, const struct options *options,
                        struct resume *out)
{
    struct config *before = NULL;
    *out = (struct resume){ 0 };
    int64_t newest = -1;
    TRY(publish_newest(world, f->checkpoints, &newest));
    if (newest < 0) return ST_OK; /* nothing to keep: a run that died before its first checkpoint may change its settings */
    TRY(stored_config(world, s, f, &before));
    if (before != NULL) TRY(compare(s, before, options)); /* pure: the same on every rank */
    out->step = newest;
    out->complete = newest >= s->config->run.steps;
    return ST_OK;
}

/* --- The state ---------------------------------------------------------------------------------------------------------------- */

static void say_resumed(const struct session *s, const struct run_folder *f, const struct worker_facts *facts, bool other_machine)
{
    journal_say(f, "resumed", facts->step, "going on from step %lld of %lld", (long long)facts->step, (long long)s->config->run.steps);
    if (facts->anew > 0)
        journal_say(f, "state", facts->step, "the rules changed: the optimizer state of %lld tensors begins anew, their weights stay",
                    (long long)facts->anew);
    if (other_machine)
        journal_say(
            f, "lineage", facts->step,
            "this machine computes other bits than the one that wrote step %lld: lineage %lld begins, digests may differ from here on",
            (long long)facts->step, (long long)facts->lineage);
}

enum status resume_load(const struct comm *world, struct session *s, const struct run_folder *f, struct worker *w,
                        const struct resume *found, struct worker_facts *facts)
{
    char path[H5_PATH];
    bool other_machine = false;
    *facts = (struct worker_facts){ 0 };
    if (found->step > 0) {
        struct config *before = NULL;
        (void)publish_path(f->checkpoints, found->step, PUBLISH_FINAL, path);
        TRY_ALL(world, checkpoint_read_config(path, &s->arena, &before)); /* config.yaml may be newer */
        TRY(worker_load(world, w, path, before, facts));
        other_machine = !digest_equal(facts->fingerprint, s->fingerprint);
        facts->lineage += other_machine;
    } else {
        worker_fresh(w);
    }
    facts->config = config_digest(s->config, worker_tables());
    facts->fingerprint = s->fingerprint;
    if (comm_rank(world) == 0 && found->step > 0) say_resumed(s, f, facts, other_machine);
    return ST_OK;
}
