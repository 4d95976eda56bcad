#include "sweep_points.h"
#include "common/base/check.h"
#include "coordinator/environment.h"
#include "coordinator/session.h"
#include "coordinator/signals.h"
#include <stdio.h>
#include <string.h>

int sweep_overrides(struct arena *arena, const struct sweep *grid, int index, const char *name, const struct options *options,
                    const char *out[OPTIONS_MAX])
{
    int n = options->n_overrides;
    CHECK(n + grid->n_axes + 1 <= OPTIONS_MAX); /* checked before */
    for (int i = 0; i < n; i++) out[i] = options->override[i];
    for (int axis = 0; axis < grid->n_axes; axis++)
        out[n++] = arena_printf(arena, "%s=%s", grid->axis[axis].key, sweep_value(grid, index, axis));
    if (name != NULL) out[n++] = arena_printf(arena, "run.name=%s", name);
    return n;
}

void sweep_describe(const struct sweep *grid, int index, struct text *out)
{
    for (int axis = 0; axis < grid->n_axes; axis++)
        text_add(out, "%s%s=%s", axis > 0 ? " " : "", grid->axis[axis].label, sweep_value(grid, index, axis));
}

/* --- Problems, each told once ----------------------------------------------------------------------------------------------- */

/* A problem is a line that begins at the margin and the indented lines below it, which show the place. Points that differ in what is
 * shown have the same problem if its sentence is the same. */
enum { PROBLEMS = 50 };
struct told {
    struct arena *arena;
    int n, more, points; /* more: beyond PROBLEMS; points: that had any */
    struct {
        const char *sentence, *place;
        int first, count; /* the first point with it, and how many have it */
    } row[PROBLEMS];
};

static void tell_one(struct told *told, int point, const char *text, size_t sentence, size_t whole)
{
    for (int i = 0; i < told->n; i++) {
        if (strlen(told->row[i].sentence) != sentence || strncmp(told->row[i].sentence, text, sentence) != 0) continue;
        told->row[i].count++;
        return;
    }
    if (told->n == PROBLEMS) {
        told->more++;
        return;
    }
    told->row[told->n].sentence = arena_printf(told->arena, "%.*s", (int)sentence, text);
    told->row[told->n].place = arena_printf(told->arena, "%.*s", (int)(whole - sentence), text + sentence);
    told->row[told->n].first = point;
    told->row[told->n++].count = 1;
}

static void tell(struct told *told, int point, const char *text)
{
    told->points++;
    while (*text != '\0') {
        const size_t sentence = strcspn(text, "\n");
        size_t whole = sentence;
        while (text[whole] == '\n' && text[whole + 1] == ' ') whole += 1 + strcspn(text + whole + 1, "\n");
        tell_one(told, point, text, sentence, whole);
        text += whole + (text[whole] == '\n');
    }
}

static void print_told(const struct told *told, const struct sweep *grid, int n_points)
{
    for (int i = 0; i < told->n; i++) {
        struct text point = { 0 };
        const int first = told->row[i].first, count = told->row[i].count;
        sweep_describe(grid, first, &point);
        (void)fprintf(stderr, "%s%s\n", told->row[i].sentence, told->row[i].place);
        if (count < n_points && count == 1)
            (void)fprintf(stderr, "  at point %d: %s\n", first + 1, point.data);
        else if (count < n_points)
            (void)fprintf(stderr, "  at %d of %d points, the first is %d: %s\n", count, n_points, first + 1, point.data);
        text_free(&point);
    }
    if (told->more > 0) (void)fprintf(stderr, "... and %d more\n", told->more);
}

/* --- One point -------------------------------------------------------------------------------------------------------------- */

enum { CONFIG_MOST = 1 << 20 };

static enum status refuse_changes(const char *name, const struct text *changes)
{
    struct text lines = { 0 };
    for (const char *at = changes->data; *at != '\0'; at += strcspn(at, "\n") + 1) text_add(&lines, "\n  %.*s", (int)strcspn(at, "\n"), at);
    const enum status s =
        status_fail(ST_CONFIG, __FILE__, __LINE__,
                    "%s: this run began with other settings: take them back, or give --again and it begins anew%s", name, lines.data);
    text_free(&lines);
    return s;
}

/* As train does it: `precision: auto` is what the run began with, and keys that alter numbers may not differ. */
static enum status compare_stored(struct session *s, const struct run_folder *f, const char *name, bool again, struct sweep_point *out)
{
    struct config *stored = NULL;
    struct text yaml = { 0 }, changes = { 0 };
    if (!file_exists(f->config)) return ST_OK;
    enum status result = file_read(f->config, CONFIG_MOST, &yaml);
    if (result == ST_OK) result = session_config_stored(&s->arena, f->config, &yaml, &stored);
    text_free(&yaml);
    TRY(result);
    const int chosen = s->config->precision.compute;
    if (chosen == COMPUTE_AUTO) s->config->precision.compute = stored->precision.compute;
    out->changed = config_compare(stored, s->config, worker_tables(), NULL, 0, &changes) > 0;
    if (out->changed && again) s->config->precision.compute = chosen; /* it begins anew */
    if (out->changed && !again) result = refuse_changes(name, &changes);
    text_free(&changes);
    return result;
}

static enum status check_point(struct arena *arena, struct session *s, const struct sweep *grid, const struct options *options, int index,
                               int ranks, bool again, struct sweep_points *all, struct sweep_point *out)
{
    struct options point = *options;
    struct run_folder folder;
    char name[CONFIG_NAME_MAX];
    point.n_overrides = sweep_overrides(&s->arena, grid, index, NULL, options, point.override);
    TRY(session_read(s, options->operand[0], &point));
    struct run_config *run = &s->config->run;
    TRY(run_folder_absolute(s->config));
    if (all->name == NULL) {
        all->name = arena_strdup(arena, run->name);
        all->folder = arena_printf(arena, "%s/%s-sweep", run->folder, run->name);
    }
    sweep_name(grid, run->name, index, name);
    (void)snprintf(run->name, sizeof run->name, "%s", name);
    TRY(run_folder_of(s->config, &folder));
    *out = (struct sweep_point){
        .index = index, .name = arena_strdup(arena, name), .folder = arena_strdup(arena, folder.path), .steps = run->steps
    };
    TRY(session_machine(s));
    TRY(compare_stored(s, &folder, name, again, out));
    return session_lay_out(s, ranks);
}

/* --- All points ------------------------------------------------------------------------------------------------------------- */

static enum status refuse_equal_names(const struct sweep_points *all)
{
    for (int i = 0; i < all->n; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(all->point[i].name, all->point[j].name) == 0)
                FAIL(ST_USAGE, "points %d and %d would both be the run %s: write their values in another way", j + 1, i + 1,
                     all->point[i].name);
    return ST_OK;
}

static enum status check_all(struct arena *arena, const struct sweep *grid, const struct options *options, int only, int ranks, bool again,
                             struct told *told, struct sweep_points *out)
{
    for (int index = 0; index < grid->n_points; index++) {
        struct session s;
        if (only > 0 && index != only - 1) continue;
        if (signals_seen() != 0) return ST_STOPPED;
        session_open(&s);
        const enum status result = check_point(arena, &s, grid, options, index, ranks, again, out, &out->point[out->n++]);
        session_close(&s);
        if (result != ST_OK && result != ST_CONFIG) return result;
        if (result == ST_CONFIG) tell(told, index, status_text());
    }
    status_clear();
    return ST_OK;
}

static enum status refuse_overridden_axes(const struct sweep *grid, const struct options *options)
{
    if (options->n_overrides + grid->n_axes + 1 > OPTIONS_MAX) FAIL(ST_USAGE, "more than %d arguments", OPTIONS_MAX - grid->n_axes - 1);
    for (int axis = 0; axis < grid->n_axes; axis++) {
        const size_t n = strlen(grid->axis[axis].key);
        for (int i = 0; i < options->n_overrides; i++)
            if (strncmp(options->override[i], grid->axis[axis].key, n) == 0 && options->override[i][n] == '=')
                FAIL(ST_USAGE, "%s is gone over and is set as well: take one of them away", grid->axis[axis].key);
    }
    return ST_OK;
}

enum status sweep_points_check(struct arena *arena, const struct sweep *grid, const struct options *options, int only, int ranks,
                               bool again, struct sweep_points *out)
{
    struct told told = { .arena = arena };
    const int n_points = only > 0 ? 1 : grid->n_points;
    *out = (struct sweep_points){ .grid = grid, .config = options->operand[0] };
    if (only > grid->n_points) FAIL(ST_USAGE, "--point %d: the grid has %d points", only, grid->n_points);
    TRY(refuse_overridden_axes(grid, options));
    out->point = arena_place_n(arena, (size_t)n_points, sizeof *out->point);
    TRY(check_all(arena, grid, options, only, ranks, again, &told, out));
    if (told.points == 0) return refuse_equal_names(out);
    if (environment_rank() == 0) print_told(&told, grid, n_points);
    FAIL(ST_CONFIG, "%s: nothing was started; the lines above say what to correct", options->operand[0]);
}
