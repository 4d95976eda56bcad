/* lamina train: start a run or go on with it. The order below is: what can be wrong without touching anything comes first. */
#include "common/base/log.h"
#include "common/base/parallel.h"
#include "common/comm/agree.h"
#include "coordinator/account.h"
#include "coordinator/journal.h"
#include "coordinator/lock.h"
#include "coordinator/memory.h"
#include "coordinator/plan_facts.h"
#include "coordinator/private.h"
#include "coordinator/resume.h"
#include "coordinator/signals.h"
#include "coordinator/sources.h"
#include "coordinator/tokenizer_copy.h"
#include "coordinator/trainer.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct option_row train_options[] = {
    { .name = "until",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "0",
      .low = 0,
      .high = 1e12,
      .help = "save after step N and exit 75; schedules stay as they are (0: to the end)" },
    { .name = "fresh", .type = OPTION_FLAG, .help = "move an existing run folder aside and begin anew" },
    { .name = "allow", .type = OPTION_LIST, .arg = "KEY", .help = "accept a changed key that alters the run's numbers; may be repeated" },
    { .name = "peak", .type = OPTION_FLAG, .help = "measure the matrix peak for MFU at length (some seconds) instead of 0.1 s" },
    { 0 },
};

struct train {
    struct session session;
    struct run_folder folder;
    struct text config_text; /* resolved, as config.yaml and checkpoints hold it */
    struct worker *worker;
    struct sinks *sinks;
    bool locked;
    int64_t baseline; /* resident bytes before the worker is opened */
    struct plan_facts facts;
    struct sources sources; /* planned */
};

/* --- Header ------------------------------------------------------------------------------------------------------------- */

static void print_cores(const struct session *s)
{
    const int used = s->ranks * s->threads;
    (void)printf("%d rank%s × %d thread%s on %d core%s\n", s->ranks, s->ranks > 1 ? "s" : "", s->threads, s->threads > 1 ? "s" : "",
                 s->cores.world, s->cores.world > 1 ? "s" : "");
    if (used < s->cores.world)
        log_warn("%d of %d cores are idle: launch more ranks, set OMP_NUM_THREADS, or let the launcher bind less", s->cores.world - used,
                 s->cores.world);
    if (used > s->cores.world) log_warn("%d threads share %d cores: set OMP_NUM_THREADS to cores / ranks", used, s->cores.world);
}

static void print_sources(const struct train *t)
{
    struct text table = { 0 }, doubts = { 0 };
    sources_print(&t->sources, &table);
    sources_doubts(&t->sources, &doubts);
    (void)fputs(table.data, stdout);
    for (char *line = doubts.data, *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        log_warn("%s", line);
    }
    text_free(&table);
    text_free(&doubts);
}

static void print_header(const struct train *t)
{
    struct text plan = { 0 };
    char count[32];
    (void)printf("run        %s in %s\n", t->session.config->run.name, t->folder.path);
    print_cores(&t->session);
    plan_print_brief(&t->session, &t->facts, &plan);
    (void)fputs(plan.data, stdout);
    text_free(&plan);
    const double left = t->facts.flops * (double)(t->session.plan.steps - worker_step_done(t->worker)), share = 0.45;
    (void)printf("peak       %.0f GFLOP/s measured, all ranks together; at %.0f %% of it the steps that are left take %s\n",
                 t->session.peak * 1e-9, 100 * share, str_seconds(count, sizeof count, left / (share * t->session.peak)));
    print_sources(t);
    (void)printf("\n");
    (void)fflush(stdout);
}

/* --- Preparing ---------------------------------------------------------------------------------------------------------- */

/* An old run is moved under its lock, so that a working one is not. */
static enum status move_aside(const struct train *t, struct text *said, char aside[PATH_BYTES])
{
    TRY(lock_take(t->folder.path, said));
    const enum status s = run_folder_aside(&t->folder, aside);
    lock_release(s == ST_OK ? aside : t->folder.path);
    return s;
}

static enum status take_lock(struct train *t, bool fresh, struct text *said)
{
    char aside[PATH_BYTES] = "";
    if (fresh && file_exists(t->folder.path)) TRY(move_aside(t, said, aside));
    TRY(run_folder_make(&t->folder));
    TRY(lock_take(t->folder.path, said));
    t->locked = true;
    if (aside[0] != '\0') journal_say(&t->folder, "fresh", 0, "the old run was moved to %s", aside);
    if (said->length > 0) journal_say(&t->folder, "lock", 0, "%s", said->data);
    return ST_OK;
}

/* Rank 0's part: the folder is ours from here on. */
static enum status take_folder(struct train *t, bool fresh)
{
    struct text said = { 0 };
    const enum status s = take_lock(t, fresh, &said);
    text_free(&said);
    return s;
}

static enum status open_log(const struct train *t, int rank)
{
    char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/rank-%04d.log", t->folder.log, rank);
    return log_to(path);
}

/* Everything before the first step; `found` says where the run stands. */
static enum status prepare(const struct comm *world, struct train *t, const struct options *options, struct resume *found)
{
    struct session *s = &t->session;
    const bool fresh = option_flag(options, "fresh");
    TRY(session_config_all(world, s, options->operand[0], options));
    TRY_ALL(world, run_folder_absolute(s->config));
    TRY_ALL(world, run_folder_of(s->config, &t->folder));
    TRY(session_machine_all(world, s));
    if (!fresh) TRY(resume_precision(world, s, &t->folder));
    TRY(session_plan_all(world, s));
    TRY(session_fingerprint_all(world, s)); /* before a folder is made or moved aside */
    TRY_ALL(world, comm_rank(world) == 0 ? take_folder(t, fresh) : ST_OK);
    TRY_ALL(world, open_log(t, comm_rank(world)));
    TRY(resume_find(world, s, &t->folder, options, found));
    TRY_ALL(world, comm_rank(world) == 0 ? tokenizer_copy_keep(t->folder.path, &s->tokenizer) : ST_OK);
    return ST_OK;
}

static enum status open_worker(const struct comm *world, struct train *t, const struct options *options)
{
    struct session *s = &t->session;
    TRY(session_peak_all(world, s, option_flag(options, "peak")));
    plan_facts(s, &t->facts);
    memory_reset_peak();
    t->baseline = memory_use().now;
    TRY(worker_open(world, &s->plan, WORKER_TRAIN, &t->worker));
    TRY_ALL(world, session_tell_tokenizer(s, t->worker));
    return ST_OK;
}

/* config.yaml and run.json describe what runs from here on. */
static enum status write_files(const struct train *t, const struct comm *world)
{
    TRY(file_replace(t->folder.config, t->config_text.data, t->config_text.length));
    return journal_run(&t->folder, &t->session, &t->facts, &t->sources, world);
}

/* --- Running ------------------------------------------------------------------------------------------------------------ */

static void open_sinks(struct train *t, struct sink_setup *setup, const struct trainer *clock, int64_t start)
{
    *setup = (struct sink_setup){ .folder = t->folder.path,
                                  .config = t->session.config,
                                  .start = start,
                                  .bits_per_nat = corpus_tokens_per_byte(worker_corpus(t->worker)) / log(2),
                                  .planned_bytes = (int64_t)t->facts.rank[0].memory.total,
                                  .flops_per_token = clock->flops_per_token,
                                  .peak = t->session.peak };
    t->sinks = sinks_open(&t->session.arena, setup);
}

/* How often each source was read, counted: in the journal always, printed where there are several. */
static void tell_sources(struct train *t, int64_t step)
{
    struct ledger l;
    struct sources read;
    struct text words = { 0 }, table = { 0 };
    worker_ledger(t->worker, &l);
    sources_read(worker_corpus(t->worker), &l, step, &read);
    sources_words(&read, &words);
    journal_facts(&t->folder, "sources", step, words.data, sources_json(&read));
    if (read.n > 1) {
        sources_print(&read, &table);
        (void)printf("\n%s", table.data);
    }
    text_free(&words);
    text_free(&table);
}

static enum status print_end(const struct comm *world, struct train *t, const struct trainer *clock, enum director_end end)
{
    struct digest128 digest;
    char hex[DIGEST_HEX], names[32];
    const long long step = (long long)clock->state.step;
    struct worker_counters counters;
    worker_counters(t->worker, &counters);
    sinks_close(t->sinks);
    t->sinks = NULL;
    TRY(account_print(world, &t->session, t->worker, &t->folder, t->baseline, counters.steps > 0 && !clock->redone));
    TRY(worker_digest(world, t->worker, false, &digest));
    if (comm_rank(world) != 0) return ST_OK;
    tell_sources(t, step);
    (void)printf("\nstate digest %s at step %lld\n", digest_hex(digest, hex), step);
    if (end == END_SIGNAL) {
        journal_event(&t->folder, "stopped", step, "asked to stop by %s", signals_names(clock->state.signals, names));
        (void)printf("stopped as asked at step %lld; run the same command to go on\n", step);
    } else if (end == END_UNTIL) {
        journal_event(&t->folder, "stopped", step, "--until %lld is reached", (long long)clock->policy.until);
        (void)printf("stopped at step %lld by --until; run without it to go on\n", step);
    } else {
        journal_event(&t->folder, "complete", step, "complete");
        (void)printf("complete: %lld steps in %s\n", step, t->folder.path);
    }
    return ST_OK;
}

static enum status run_steps(const struct comm *world, struct train *t, const struct options *options, const struct resume *found)
{
    const struct config *config = t->session.config;
    struct sink_setup setup;
    struct trainer clock = { .session = &t->session, .folder = &t->folder, .worker = t->worker };
    config_write(config, worker_tables(), &t->config_text);
    clock.config_text = t->config_text.data;
    clock.flops_per_token = plan_flops_per_token(&t->session.plan, corpus_seen(worker_corpus(t->worker)));
    TRY(resume_load(world, &t->session, &t->folder, t->worker, found, options, &clock.facts));
    const int64_t start = worker_step_done(t->worker);
    sources_plan(worker_corpus(t->worker), config, config->run.steps, &t->sources);
    TRY_ALL(world, comm_rank(world) == 0 ? write_files(t, world) : ST_OK);
    if (comm_rank(world) == 0) {
        print_header(t);
        open_sinks(t, &setup, &clock, start);
    }
    clock.sinks = t->sinks;
    clock.policy = (struct director_policy){ .steps = config->run.steps,
                                             .save_every = config->checkpoint.every,
                                             .evaluate_every = config->data.n_valid > 0 ? config->eval.every : 0,
                                             .until = option_integer(options, "until") };
    clock.state = (struct director_state){ .step = start, .saved = found->step > 0 ? start : -1, .evaluated = true };
    enum director_end end = END_NOT;
    TRY(trainer_run(world, &clock, &end));
    TRY(print_end(world, t, &clock, end));
    return end == END_COMPLETE ? ST_OK : ST_STOPPED;
}

static enum status train_session(const struct comm *world, struct train *t, const struct options *options)
{
    struct resume found = { 0 };
    TRY(prepare(world, t, options, &found));
    if (found.complete) {
        if (comm_rank(world) == 0)
            (void)printf("%s is complete: %lld steps; --fresh begins anew, a larger run.steps goes on\n", t->folder.path,
                         (long long)found.step);
        return ST_OK;
    }
    TRY(open_worker(world, t, options));
    return run_steps(world, t, options, &found);
}

/* Why a run ended stands in its folder, for those who did not see its terminal. */
static void journal_failure(const struct train *t, enum status s)
{
    char why[1024];
    (void)snprintf(why, sizeof why, "%s", status_text());
    journal_event(&t->folder, s == ST_DIVERGED ? "diverged" : "failed", t->worker != NULL ? worker_step_done(t->worker) : 0, "%s", why);
    if (status_text()[0] == '\0') (void)status_fail(s, __FILE__, __LINE__, "%s", why); /* the event could not be written: tell the first */
}

static enum status train_run(const struct comm *world, const struct options *options)
{
    struct train t = { 0 };
    session_open(&t.session);
    const enum status s = train_session(world, &t, options);
    if (s != ST_OK && s != ST_STOPPED && t.locked) journal_failure(&t, s);
    sinks_close(t.sinks);
    worker_close(t.worker);
    if (t.locked) lock_release(t.folder.path);
    text_free(&t.config_text);
    session_close(&t.session);
    return s;
}

const struct command command_train = {
    .name = "train",
    .group = "daily",
    .summary = "Start a run, or go on with it from its newest good checkpoint",
    .rules = { .rows = train_options, .least = 1, .most = 1, .overrides = true, .usage = "RUN.yaml [options] [key.path=value ...]" },
    .notes = "USR1, TERM and INT end the run after the step at hand with a checkpoint and exit code 75; the same command goes on, at any "
             "number of\n"
             "ranks. Under mpirun send USR1: mpirun itself kills its ranks two seconds after TERM or INT.",
    .example = "mpirun -n 2 lamina train configs/quickstart.yaml run.steps=100",
    .stops_politely = true,
    .collective = train_run,
};
