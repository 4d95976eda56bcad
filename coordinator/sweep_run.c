#include "sweep_run.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/parallel.h"
#include "common/comm/launcher.h"
#include "coordinator/child.h"
#include "coordinator/signals.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- The command line of a run ------------------------------------------------------------------------------------------------ */

enum { WORDS = OPTIONS_MAX + 24 };
struct words {
    struct arena *arena;
    int n;
    char *word[WORDS];
};

static void add(struct words *w, const char *word)
{
    CHECK(w->n < WORDS - 1);
    w->word[w->n++] = arena_strdup(w->arena, word);
    w->word[w->n] = NULL;
}

enum status sweep_program(char out[PATH_BYTES])
{
    const ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    if (n <= 0) FAIL(ST_LAUNCH, "/proc/self/exe does not tell where this program stands: %s", strerror(errno));
    out[n] = '\0';
    return ST_OK;
}

static void add_launcher(struct words *w, int ranks)
{
    char number[16];
    const char *words[LAUNCHER_WORDS];
    if (ranks == 1) return; /* train is a world of its own */
    (void)snprintf(number, sizeof number, "%d", ranks);
    const int n = comm_launcher(words);
    for (int i = 0; i < n; i++) add(w, words[i]);
    add(w, number);
}

static void add_train(struct words *w, const struct sweep_order *order, const struct sweep_point *p, const char *program, bool fresh)
{
    const char *overrides[OPTIONS_MAX];
    const int n = sweep_overrides(w->arena, order->all->grid, p->index, p->name, order->options, overrides);
    add(w, program);
    add(w, "train");
    add(w, order->all->config);
    if (fresh) add(w, "--fresh");
    for (int i = 0; i < n; i++) add(w, overrides[i]);
}

enum status sweep_become(struct arena *arena, const struct sweep_order *order, const struct sweep_point *p)
{
    char program[PATH_BYTES];
    struct words words = { .arena = arena };
    TRY(sweep_program(program));
    add_train(&words, order, p, program, false);
    (void)execv(program, words.word);
    FAIL(ST_LAUNCH, "%s cannot be started: %s", program, strerror(errno));
}

/* What `./run launch` sets. Where threads outnumber cores, who waits must not hold one. This process computes nothing itself. */
static enum status prepare_environment(int ranks)
{
    char threads[16];
    const int cores = parallel_cores_allowed();
    int64_t each = max_i64(1, cores / ranks);
    bool done = true;
    if (ranks == 1) return ST_OK; /* train sees by itself what there is */
    (void)snprintf(threads, sizeof threads, "%lld", (long long)each);
    done &= setenv("OMP_NUM_THREADS", threads, 0) == 0;
    if (str_to_i64(getenv("OMP_NUM_THREADS"), &each) != ST_OK) status_clear(); /* "2,1" is legal too */
    if (each * ranks > cores) done &= setenv("OMP_WAIT_POLICY", "passive", 0) == 0 && setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0) == 0;
    if (geteuid() == 0) done &= setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0) == 0 && setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0) == 0;
    if (!done) FAIL(ST_LAUNCH, "the environment cannot be changed: %s", strerror(errno));
    return ST_OK;
}

/* --- One child ------------------------------------------------------------------------------------------------------------------ */

static void nap(double seconds)
{
    const struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    (void)nanosleep(&t, NULL);
}

/* A signal ends the nap early, whatever SA_RESTART says. */
static int wait_for(const struct child *child)
{
    unsigned passed = 0;
    int code = 0;
    while (!child_ended(child, &code)) {
        const unsigned asked = signals_count();
        if (asked > passed) {
            if (passed == 0) log_note("asking the run to save and stop (a second signal ends it, a third kills it)");
            child_signal(child, asked == 1 ? SIGUSR1 : asked == 2 ? SIGTERM : SIGKILL, asked > 2);
            passed = asked;
        }
        nap(0.05);
    }
    return code;
}

enum { BUSY_SECONDS = 60 };

/* A sweep that was killed leaves a child that is still saving: its lock is waited for. */
static enum status run_child(struct words *words, const char *log, int *code)
{
    const double begin = clock_seconds();
    for (bool told = false;; told = true) {
        struct child child;
        TRY(child_start(words->word, log, &child));
        *code = wait_for(&child);
        if (*code != status_exit_code(ST_BUSY) || signals_seen() != 0 || clock_seconds() - begin > BUSY_SECONDS) return ST_OK;
        if (!told) log_note("another process holds this run: waiting up to %d s for it", BUSY_SECONDS);
        nap(1);
    }
}

/* --- One point ------------------------------------------------------------------------------------------------------------------- */

struct progress {
    int left;       /* points to run, the one at hand included */
    int run;        /* by this process */
    double seconds; /* that they took */
};

static void say(const struct sweep_points *all, int i, const struct sweep_result *r, const char *took)
{
    struct text words = { 0 };
    const struct sweep_point *p = &all->point[i];
    sweep_result_words(p, r, &words);
    log_note("point %d of %d, %s: %s (%s)", p->index + 1, all->grid->n_points, p->name, words.data, took);
    text_free(&words);
}

static bool must_run(const struct sweep_order *order, int i, const struct sweep_result *r)
{
    if (!sweep_result_stands(r)) return true;
    return order->again && (r->state == POINT_DIVERGED || order->all->point[i].changed);
}

static void say_done(const struct sweep_order *order, int i, const struct sweep_result *r, const struct progress *now)
{
    char took[32], left[32];
    struct text words = { 0 };
    text_add(&words, "%s", str_seconds(took, sizeof took, now->seconds / now->run));
    if (now->run > 1) text_add(&words, " each");
    if (now->left > 0)
        text_add(&words, "; %d to go, %s left", now->left, str_seconds(left, sizeof left, now->left * now->seconds / now->run));
    say(order->all, i, r, words.data);
    text_free(&words);
}

/* Codes that the next point would get as well; 205 (Open MPI) and 255 (MPICH) are the launcher's, where it cannot start the ranks. */
static bool ends_the_sweep(int code)
{
    static const enum status all[] = { ST_USAGE, ST_CONFIG, ST_DATA, ST_IO, ST_LAUNCH };
    if (code == 205 || code == 255) return true;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (code == status_exit_code(all[i])) return true;
    return false;
}

static enum status status_of(int code)
{
    for (enum status s = ST_OK; s < STATUS_COUNT; s++)
        if (status_exit_code(s) == code && s != ST_OK && s != ST_DIFFER) return s; /* 1 is mpirun's, when it was ended */
    return ST_LAUNCH;
}

enum { LOG_LINES = 3, LOG_BYTES = 2000 };

/* What it said last, for those who do not open the log. */
static enum status fail_with_log(enum status s, const struct sweep_point *p, int code, const char *log)
{
    struct text all = { 0 }, end = { 0 };
    enum { MOST = 1 << 30 };
    if (file_read(log, MOST, &all) != ST_OK) status_clear();
    size_t begin = all.length;
    for (int lines = 0; begin > 0 && all.length - begin < LOG_BYTES; begin--) {
        lines += all.data[begin - 1] == '\n'; /* the last line's own end is the first */
        if (lines > LOG_LINES) break;
    }
    text_add_printable(&end, all.data != NULL ? all.data + begin : "", all.length - begin);
    while (end.length > 0 && end.data[end.length - 1] == '\n') end.data[--end.length] = '\0';
    const enum status result = status_fail(s, __FILE__, __LINE__, "%s ended with exit code %d; %s ends with:\n%s", p->name, code, log,
                                           end.data != NULL ? end.data : "");
    text_free(&all);
    text_free(&end);
    return result;
}

/* The run folder tells what came out. Where a run should begin anew and has not, it tells of the older one: the exit codes differ then. */
static enum status judge(struct arena *arena, const struct sweep_order *order, int i, bool fresh, int code, struct sweep_result *result)
{
    struct sweep_result *r = &result[i];
    TRY(sweep_result_read(arena, &order->all->point[i], r));
    if (!sweep_result_stands(r) || (fresh && code != r->exit_code)) {
        r->state = code == status_exit_code(ST_STOPPED) || signals_seen() != 0 ? POINT_UNFINISHED : POINT_FAILED;
        r->exit_code = code;
    }
    return sweep_results_keep(order->results, order->all, result, i, 1);
}

static enum status run_point(struct arena *arena, const struct sweep_order *order, int i, struct sweep_result *result, struct progress *now)
{
    const struct sweep_point *p = &order->all->point[i];
    struct sweep_result *r = &result[i];
    char program[PATH_BYTES], log[PATH_BYTES];
    struct words words = { .arena = arena };
    const double begin = clock_seconds();
    int code = 0;
    TRY(sweep_program(program));
    if (snprintf(log, sizeof log, "%s/log/%s.log", order->folder, p->name) >= (int)sizeof log)
        FAIL(ST_IO, "%s: the path is too long", order->folder);
    add_launcher(&words, order->ranks);
    const bool fresh = order->again && (r->state == POINT_DIVERGED || p->changed);
    add_train(&words, order, p, program, fresh);
    TRY(run_child(&words, log, &code));
    TRY(judge(arena, order, i, fresh, code, result));
    if (r->state == POINT_UNFINISHED) return ST_OK;
    now->run++;
    now->left--;
    now->seconds += clock_seconds() - begin;
    say_done(order, i, r, now);
    if (r->state == POINT_FAILED && ends_the_sweep(code)) return fail_with_log(status_of(code), p, code, log);
    return ST_OK;
}

/* --- All points -------------------------------------------------------------------------------------------------------------------- */

static enum status stopped(const struct sweep_order *order, const struct progress *now)
{
    log_note("stopped, with %d of %d points to go; run the same command to go on", now->left, order->all->n);
    return ST_STOPPED;
}

enum status sweep_run(struct arena *arena, const struct sweep_order *order, struct sweep_result *result)
{
    struct progress now = { 0 };
    char logs[PATH_BYTES];
    if (snprintf(logs, sizeof logs, "%s/log", order->folder) >= (int)sizeof logs) FAIL(ST_IO, "%s: the path is too long", order->folder);
    TRY(folder_make(logs));
    TRY(prepare_environment(order->ranks));
    for (int i = 0; i < order->all->n; i++) now.left += must_run(order, i, &result[i]);
    for (int i = 0; i < order->all->n; i++) {
        if (!must_run(order, i, &result[i])) {
            say(order->all, i, &result[i], "from before");
            continue;
        }
        if (signals_seen() != 0) return stopped(order, &now);
        TRY(run_point(arena, order, i, result, &now));
        if (result[i].state == POINT_UNFINISHED) return stopped(order, &now);
    }
    return ST_OK;
}

enum status sweep_failed(const struct sweep_order *order, const struct sweep_result *result)
{
    int n = 0, first = 0;
    for (int i = order->all->n - 1; i >= 0; i--)
        if (result[i].state == POINT_FAILED) n++, first = i;
    if (n == 0) return ST_OK;
    FAIL(status_of(result[first].exit_code),
         "%d of %d points failed, the first is %s with exit code %d (%s/log/%s.log); the same command "
         "tries them again",
         n, order->all->n, order->all->point[first].name, result[first].exit_code, order->folder, order->all->point[first].name);
}
