#include "resume.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "common/data/corpus.h"
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

/* Which sources go on and which begin, where the order of samples is another from here on. */
static void say_order(const struct run_folder *f, const struct corpus *c, int64_t step)
{
    struct text words = { 0 };
    for (int i = 0; i < c->n; i++) {
        char count[32];
        const struct ledger_row *r = &c->ledger.row[i];
        text_add(&words, "%s%s ", i > 0 ? ", " : "", r->name);
        if (r->before > 0)
            text_add(&words, "goes on after %s samples", str_count(count, sizeof count, r->before));
        else
            text_add(&words, "begins");
    }
    for (int i = c->n; i < c->ledger.n; i++) text_add(&words, ", %s is left out", c->ledger.row[i].name);
    journal_say(f, "order", step, "another order of samples begins (number %lld): %s", (long long)c->ledger.orders, words.data);
    text_free(&words);
}

static void say_resumed(const struct session *s, const struct run_folder *f, const struct worker *w, const struct worker_facts *facts,
                        bool other_machine)
{
    journal_say(f, "resumed", facts->step, "going on from step %lld of %lld", (long long)facts->step, (long long)s->config->run.steps);
    if (facts->anew > 0)
        journal_say(f, "state", facts->step, "the rules changed: the optimizer state of %lld tensors begins anew, their weights stay",
                    (long long)facts->anew);
    if (facts->data.begins) say_order(f, worker_corpus(w), facts->step);
    if (other_machine)
        journal_say(
            f, "lineage", facts->step,
            "this machine computes other bits than the one that wrote step %lld: lineage %lld begins, digests may differ from here on",
            (long long)facts->step, (long long)facts->lineage);
}

/* A token file that was built anew under its old name is a change that no key tells. */
static enum status check_content(const struct corpus *c, const struct ledger_change *change, const struct options *options)
{
    const char *allowed[OPTIONS_MAX];
    const int n = option_list(options, "allow", allowed);
    if (change->n_replaced == 0) return ST_OK;
    for (int i = 0; i < n; i++)
        if (strcmp(allowed[i], "data.train") == 0 || strcmp(allowed[i], "data") == 0) return ST_OK;
    const int at = change->replaced[0];
    FAIL(ST_CONFIG,
         "%s holds other text than when this run read it as the source %s: bring the old file back, read the new one from its beginning "
         "with "
         "--allow data.train, or begin anew with --fresh",
         c->stream[at].tokens.path, c->ledger.row[at].name);
}

static bool same_settings(const struct config *a, const struct config *b)
{
    return digest_equal(config_digest(a, worker_tables()), config_digest(b, worker_tables()));
}

enum status resume_load(const struct comm *world, struct session *s, const struct run_folder *f, struct worker *w,
                        const struct resume *found, const struct options *options, struct worker_facts *facts)
{
    char path[H5_PATH];
    bool other_machine = false;
    *facts = (struct worker_facts){ 0 };
    if (found->step > 0) {
        struct config *before = NULL;
        (void)publish_path(f->checkpoints, found->step, PUBLISH_FINAL, path);
        TRY_ALL(world, checkpoint_read_config(path, &s->arena, &before)); /* config.yaml may be newer */
        const enum status loaded = worker_load(world, w, path, before, facts);
        if (loaded == ST_CONFIG && same_settings(before, s->config))
            FAIL(ST_DAMAGED, "%s: does not hold what its own configuration needs: %s", path, status_text());
        TRY(loaded);
        if (facts->step != found->step) /* equal on all ranks */
            FAIL(ST_DAMAGED, "%s: says that it is of step %lld", path, (long long)facts->step);
        TRY(check_content(worker_corpus(w), &facts->data, options)); /* pure: the same on every rank */
        other_machine = !digest_equal(facts->fingerprint, s->fingerprint);
        facts->lineage += other_machine;
    } else {
        worker_fresh(w);
    }
    facts->config = config_digest(s->config, worker_tables());
    facts->fingerprint = s->fingerprint;
    if (comm_rank(world) == 0 && found->step > 0) say_resumed(s, f, w, facts, other_machine);
    return ST_OK;
}
