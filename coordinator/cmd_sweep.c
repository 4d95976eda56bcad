/* lamina sweep: train a configuration once per point of a grid, and tell which point is best. */
#include "common/base/log.h"
#include "coordinator/environment.h"
#include "coordinator/lock.h"
#include "coordinator/private.h"
#include "coordinator/signals.h"
#include "coordinator/sweep_figure.h"
#include "coordinator/sweep_run.h"
#include "coordinator/sweep_slurm.h"
#include <stdio.h>

static const struct option_row sweep_options[] = {
    { .name = "over",
      .type = OPTION_LIST,
      .arg = "KEY=VALUES",
      .help = "an axis: LOW..HIGH@N (equal ratios; @Nlin: equal steps) or a,b,c; several make a grid" },
    { .name = "ranks", .type = OPTION_INTEGER, .arg = "N", .value = "1", .low = 1, .high = 1000000, .help = "ranks of every run" },
    { .name = "out",
      .type = OPTION_TEXT,
      .arg = "FOLDER",
      .help = "results.jsonl, sweep.svg and log/; not given: NAME-sweep beside the runs" },
    { .name = "again",
      .type = OPTION_FLAG,
      .help = "points that diverged or whose settings changed begin anew; old folders are moved aside" },
    { .name = "collect", .type = OPTION_FLAG, .help = "run nothing: gather what the run folders hold; exit 75 while results are missing" },
    { .name = "point", .type = OPTION_INTEGER, .arg = "K", .value = "0", .low = 0, .high = SWEEP_POINTS, .help = "point K alone (0: all)" },
    { .name = "slurm", .type = OPTION_FLAG, .help = "run nothing: print the script of a job array, a task per point" },
    { .name = "at-once",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "8",
      .low = 1,
      .high = SWEEP_POINTS,
      .help = "with --slurm: tasks that run at one time" },
    OPTION_JSON_ROW,
    { 0 },
};

struct sweep_job {
    struct arena arena;
    const struct options *options;
    struct sweep grid;
    struct sweep_points all;
    const char *over[OPTIONS_MAX];
    int n_over, ranks, only;
    bool again, collect, slurm, json, is_rank;
    char folder[PATH_BYTES], results[PATH_BYTES + 32], figure[PATH_BYTES + 32];
    struct sweep_result *result;
};

/* --- Understanding ------------------------------------------------------------------------------------------------------------ */

static enum status refuse_contradictions(const struct sweep_job *j)
{
    if (j->slurm && (j->collect || j->json || j->only > 0)) FAIL(ST_USAGE, "--slurm prints a script for all points and nothing else");
    if (j->again && (j->slurm || j->collect))
        FAIL(ST_USAGE, "--again is for runs that this command starts; elsewhere remove the run folders that shall begin anew");
    if (!j->is_rank || j->collect) return ST_OK;
    if (j->only == 0) FAIL(ST_USAGE, "sweep starts the ranks of its runs itself: give --ranks N instead of a launcher");
    if (j->again) FAIL(ST_USAGE, "--again is for runs that this command starts, not for ranks that a launcher did");
    return ST_OK;
}

static enum status understand(struct sweep_job *j, const struct options *options)
{
    j->options = options;
    j->n_over = option_list(options, "over", j->over);
    j->ranks = (int)option_integer(options, "ranks");
    j->only = (int)option_integer(options, "point");
    j->again = option_flag(options, "again");
    j->collect = option_flag(options, "collect");
    j->slurm = option_flag(options, "slurm");
    j->json = option_flag(options, "json");
    j->is_rank = environment_is_rank();
    TRY(refuse_contradictions(j));
    TRY(sweep_read(&j->arena, j->over, j->n_over, &j->grid));
    TRY(sweep_points_check(&j->arena, &j->grid, options, j->only, j->ranks, j->again, &j->all));
    const char *out = option_text(options, "out");
    TRY(file_absolute(out != NULL ? out : j->all.folder, j->folder, sizeof j->folder));
    (void)snprintf(j->results, sizeof j->results, "%s/results.jsonl", j->folder);
    (void)snprintf(j->figure, sizeof j->figure, "%s/sweep.svg", j->folder);
    return ST_OK;
}

/* --- Results ------------------------------------------------------------------------------------------------------------------ */

static enum status look(struct sweep_job *j)
{
    j->result = arena_place_n(&j->arena, (size_t)j->all.n, sizeof *j->result);
    for (int i = 0; i < j->all.n; i++) TRY(sweep_result_read(&j->arena, &j->all.point[i], &j->result[i]));
    TRY(sweep_results_recall(j->results, &j->all, j->result));
    TRY(folder_make(j->folder));
    return sweep_results_keep(j->results, &j->all, j->result, 0, j->all.n);
}

/* The figure is of the whole grid, so a task that knows one point leaves it alone. */
static enum status draw(const struct sweep_job *j)
{
    struct text svg = { 0 };
    if (j->only > 0) return ST_OK;
    sweep_figure(&j->all, j->result, &svg);
    const enum status s = svg.length > 0 ? file_replace(j->figure, svg.data, svg.length) : ST_OK;
    text_free(&svg);
    return s;
}

static enum status show(const struct sweep_job *j)
{
    struct text out = { 0 };
    if (j->json)
        sweep_results_json(&j->all, j->result, &out);
    else
        sweep_results_table(&j->all, j->result, &out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    TRY(draw(j));
    log_note("results in %s", j->folder);
    return ST_OK;
}

static enum status collect(struct sweep_job *j)
{
    int n = 0;
    TRY(look(j));
    TRY(show(j));
    for (int i = 0; i < j->all.n; i++) n += sweep_result_stands(&j->result[i]);
    if (n == j->all.n) return ST_OK;
    log_note("%d of %d points have a result", n, j->all.n);
    return ST_STOPPED;
}

/* --- Running ------------------------------------------------------------------------------------------------------------------ */

static enum status run_points(struct sweep_job *j, const struct sweep_order *order)
{
    TRY(look(j));
    TRY(sweep_run(&j->arena, order, j->result));
    TRY(show(j));
    return sweep_failed(order, j->result);
}

/* One sweep at a time works in the folder. Tasks of an array are many, each with one point, whose run has a lock of its own. */
static enum status run_locked(struct sweep_job *j, const struct sweep_order *order)
{
    struct text said = { 0 };
    TRY(folder_make(j->folder));
    if (j->only > 0) return run_points(j, order);
    enum status s = lock_take(j->folder, &said);
    if (s == ST_OK && said.length > 0) log_note("%s", said.data);
    text_free(&said);
    TRY(s);
    s = run_points(j, order);
    lock_release(j->folder);
    return s;
}

static enum status print_script(const struct sweep_job *j)
{
    struct text script = { 0 };
    const int at_once = (int)option_integer(j->options, "at-once");
    const enum status s = sweep_slurm(&j->all, j->options, j->over, j->n_over, j->ranks, at_once, &script);
    if (s == ST_OK) (void)fputs(script.data, stdout);
    text_free(&script);
    return s;
}

static enum status sweep_job(struct sweep_job *j, const struct options *options)
{
    TRY(understand(j, options));
    const struct sweep_order order = {
        .all = &j->all, .options = options, .ranks = j->ranks, .again = j->again, .folder = j->folder, .results = j->results
    };
    if (j->slurm) return print_script(j);
    if (j->collect) return collect(j);
    if (j->is_rank) return sweep_become(&j->arena, &order, &j->all.point[0]);
    return run_locked(j, &order);
}

static enum status sweep_command(const struct options *options)
{
    struct sweep_job j = { 0 };
    arena_open_growing(&j.arena, "sweep");
    const enum status s = sweep_job(&j, options);
    arena_close(&j.arena);
    return s;
}

const struct command command_sweep = {
    .name = "sweep",
    .group = "daily",
    .summary = "Train a configuration once per point of a grid of values, and tell which is best",
    .rules = { .rows = sweep_options,
               .least = 1,
               .most = 1,
               .overrides = true,
               .usage = "RUN.yaml --over KEY=VALUES [--over ...] [options] [key.path=value ...]" },
    .notes = "LOW..HIGH@5 gives five values: equal ratios where both ends are positive, else equal steps; @5lin and @5log choose. The "
             "whole grid is\n"
             "checked before anything starts. Every point is a run named after its values (quickstart-lr1e-3), and they run one after the "
             "other;\n"
             "what each says goes to FOLDER/log. The same command goes on: complete points stay, stopped ones resume, diverged ones are\n"
             "results. USR1, TERM and INT let the run at hand save, and end with 75. results.jsonl gets a line per point, the table is "
             "sorted by\n"
             "validation loss (the mean over the valid sources, by their weights), then by training loss (the mean over the last tenth of "
             "the steps, at most "
             "100).",
    .example = "lamina sweep configs/quickstart.yaml --over optimizer.defaults.lr=1e-3..1e-1@5 --ranks 2",
    .stops_politely = true,
    .every_rank = true,
    .local = sweep_command,
};
