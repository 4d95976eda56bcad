#include "sweep_results.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "coordinator/metrics_file.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sweep_result_stands(const struct sweep_result *r) { return r->state == POINT_COMPLETE || r->state == POINT_DIVERGED; }

/* --- From the run folder ----------------------------------------------------------------------------------------------------- */

enum { LAST_STEPS = 100 };
struct reading {
    struct arena *arena;
    struct sweep_result *result;
    double last[LAST_STEPS]; /* losses, a ring by step */
    int64_t steps;           /* with a line */
    int64_t evaluated;       /* step of the evaluations in result->source */
};

static void take_evaluation(struct reading *r, const struct metrics_point *p)
{
    struct sweep_result *out = r->result;
    if (p->step != r->evaluated) out->n_sources = 0;
    r->evaluated = p->step;
    if (p->source == NULL || out->n_sources == CONFIG_MAX_SOURCES) return;
    if (out->source == NULL) out->source = arena_place_n(r->arena, CONFIG_MAX_SOURCES, sizeof *out->source);
    out->source[out->n_sources++] = (struct sweep_source){ arena_strdup(r->arena, p->source), p->loss, p->bits_per_byte, p->weight };
}

static void take_line(void *context, const struct metrics_point *p)
{
    struct reading *r = context;
    if (isfinite(p->seconds)) r->result->seconds += p->seconds;
    if (p->evaluation) {
        take_evaluation(r, p);
        return;
    }
    r->result->step = p->step;
    r->result->tokens += p->tokens;
    r->last[r->steps++ % LAST_STEPS] = p->loss;
}

/* Losses count where the run is complete: what a stopped or diverged one had at its end compares with nothing. */
static void settle_losses(struct reading *r)
{
    struct sweep_result *out = r->result;
    const int64_t n = max_i64(1, min_i64(LAST_STEPS, out->step / 10));
    double sum = 0, loss = 0, bits = 0, weight = 0;
    out->train_loss = out->valid_loss = out->valid_bits = (double)NAN;
    if (r->evaluated != out->step || out->state != POINT_COMPLETE) out->n_sources = 0;
    if (out->state != POINT_COMPLETE) return;
    for (int64_t i = 0; i < n && i < r->steps; i++) sum += r->last[(r->steps - 1 - i) % LAST_STEPS];
    if (r->steps > 0) out->train_loss = sum / (double)min_i64(n, r->steps);
    for (int i = 0; i < out->n_sources; i++) {
        const struct sweep_source *s = &out->source[i];
        weight += s->weight, loss += s->weight * s->loss, bits += s->weight * s->bits_per_byte;
    }
    if (out->n_sources > 0) out->valid_loss = loss / weight, out->valid_bits = bits / weight;
}

struct ending {
    char event[32];
    int64_t step;
};

/* The last event that tells where the run stands. */
static void take_event(void *context, const json_t *object)
{
    static const char *const telling[] = { "resumed", "saved", "stopped", "complete", "diverged", "failed" };
    struct ending *e = context;
    const char *event = json_string_value(json_object_get(object, "event"));
    for (size_t i = 0; event != NULL && i < sizeof telling / sizeof telling[0]; i++) {
        if (strcmp(event, telling[i]) != 0) continue;
        (void)snprintf(e->event, sizeof e->event, "%s", event);
        e->step = json_integer_value(json_object_get(object, "step"));
    }
}

/* A run that was killed between its last save and the word of it is complete too: train has nothing left to do there. */
static enum sweep_state state_of(const struct sweep_point *p, const struct ending *e)
{
    if (strcmp(e->event, "diverged") == 0) return POINT_DIVERGED;
    if ((strcmp(e->event, "complete") == 0 || strcmp(e->event, "saved") == 0) && e->step >= p->steps) return POINT_COMPLETE;
    return POINT_UNFINISHED;
}

enum status sweep_result_read(struct arena *arena, const struct sweep_point *p, struct sweep_result *out)
{
    struct run_folder f;
    struct reading reading = { .arena = arena, .result = out, .evaluated = -1 };
    struct ending end = { 0 };
    *out = (struct sweep_result){ .exit_code = -1 };
    struct metrics_unread unread;
    TRY(run_folder_at(p->folder, &f));
    if (file_exists(f.metrics) || file_exists(f.events)) {
        TRY(metrics_objects(f.events, take_event, &end, &unread));
        TRY(metrics_each(f.metrics, take_line, &reading));
        out->state = state_of(p, &end);
        if (sweep_result_stands(out)) out->exit_code = status_exit_code(out->state == POINT_DIVERGED ? ST_DIVERGED : ST_OK);
    }
    settle_losses(&reading);
    return ST_OK;
}

/* --- results.jsonl ------------------------------------------------------------------------------------------------------------- */

static const char *const state_words[] = { [POINT_MISSING] = "missing",
                                           [POINT_UNFINISHED] = "unfinished",
                                           [POINT_FAILED] = "failed",
                                           [POINT_DIVERGED] = "diverged",
                                           [POINT_COMPLETE] = "complete" };

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }

/* Values that are numbers become numbers, others stay text. Overrides may hold anything; JSON holds UTF-8. */
static json_t *value_json(const char *text)
{
    double number = 0;
    int64_t integer = 0;
    if (str_to_i64(text, &integer) == ST_OK) return json_integer(integer);
    if (str_to_f64(text, &number) == ST_OK) {
        status_clear();
        return json_real(number);
    }
    status_clear();
    struct text printable = { 0 };
    text_add_printable(&printable, text, strlen(text));
    json_t *string = json_string(printable.data);
    text_free(&printable);
    return string;
}

static json_t *result_json(const struct sweep_points *all, const struct sweep_point *p, const struct sweep_result *r)
{
    json_t *o = json_object(), *values = json_object(), *valid = json_object();
    for (int axis = 0; axis < all->grid->n_axes; axis++)
        set(values, all->grid->axis[axis].key, value_json(sweep_value(all->grid, p->index, axis)));
    for (int i = 0; i < r->n_sources; i++) {
        json_t *source = json_object();
        set(source, "loss", metrics_number(r->source[i].loss));
        set(source, "bits_per_byte", metrics_number(r->source[i].bits_per_byte));
        set(valid, r->source[i].name, source);
    }
    set(o, "point", json_integer(p->index + 1));
    set(o, "run", json_string(p->name));
    set(o, "values", values);
    set(o, "status", json_string(state_words[r->state]));
    set(o, "exit", r->exit_code >= 0 ? json_integer(r->exit_code) : json_null());
    set(o, "step", json_integer(r->step));
    set(o, "steps", json_integer(p->steps));
    set(o, "tokens", json_integer(r->tokens));
    set(o, "seconds", metrics_number(r->seconds));
    set(o, "train_loss", metrics_number(r->train_loss));
    set(o, "valid_loss", metrics_number(r->valid_loss));
    set(o, "valid_bits_per_byte", metrics_number(r->valid_bits));
    set(o, "valid", valid);
    return o;
}

enum { DIGITS = 15 }; /* a decimal of so many survives being a double */

static void dump(const json_t *o, size_t how, struct text *out)
{
    char *text = json_dumps(o, how | JSON_REAL_PRECISION(DIGITS));
    CHECK(text != NULL);
    text_add(out, "%s\n", text);
    free(text);
}

struct newest {
    const struct sweep_points *all;
    int first, n;
    json_t **line; /* per point from first: the newest with its run, NULL: none */
};

static void take_newest(void *context, const json_t *object)
{
    const struct newest *newest = context;
    const char *run = json_string_value(json_object_get(object, "run"));
    for (int i = 0; run != NULL && i < newest->n; i++) {
        if (strcmp(run, newest->all->point[newest->first + i].name) != 0) continue;
        json_decref(newest->line[i]);
        newest->line[i] = json_deep_copy(object);
    }
}

/* Adds the line of a point unless the newest one says the same; compared as they are written, so that lost digits do not count. */
static void add_line(const struct sweep_points *all, const struct sweep_point *p, const struct sweep_result *r, json_t *newest,
                     struct text *out)
{
    char when[24];
    struct text before = { 0 }, now = { 0 };
    json_t *o = result_json(all, p, r);
    if (newest != NULL) (void)json_object_del(newest, "time");
    if (newest != NULL) dump(newest, JSON_COMPACT, &before);
    dump(o, JSON_COMPACT, &now);
    if (newest == NULL || strcmp(before.data, now.data) != 0) {
        set(o, "time", json_string(clock_iso8601(clock_unix(), when)));
        dump(o, JSON_COMPACT, out);
    }
    text_free(&before);
    text_free(&now);
    json_decref(o);
}

/* A line that a kill cut short gets its end first, so that it spoils itself alone. */
static enum status append(const char *path, const struct text *lines)
{
    struct text old = { 0 }, all = { 0 };
    enum { MOST = 1 << 30 };
    enum status s = file_exists(path) ? file_read(path, MOST, &old) : ST_OK;
    if (old.length > 0 && old.data[old.length - 1] != '\n') text_add(&all, "\n");
    text_add_bytes(&all, lines->data, lines->length);
    if (s == ST_OK) s = file_append(path, all.data, all.length);
    text_free(&old);
    text_free(&all);
    return s;
}

enum status sweep_results_keep(const char *path, const struct sweep_points *all, const struct sweep_result *result, int first, int n)
{
    struct newest newest = { all, first, n, calloc((size_t)n + 1, sizeof *newest.line) };
    struct text lines = { 0 };
    struct metrics_unread unread;
    CHECK(newest.line != NULL);
    enum status s = metrics_objects(path, take_newest, &newest, &unread);
    for (int i = 0; i < n; i++) {
        const struct sweep_result *r = &result[first + i];
        if (sweep_result_stands(r) || r->state == POINT_FAILED) add_line(all, &all->point[first + i], r, newest.line[i], &lines);
        json_decref(newest.line[i]);
    }
    if (s == ST_OK && lines.length > 0) s = append(path, &lines);
    free(newest.line);
    text_free(&lines);
    return s;
}

struct recalling {
    const struct sweep_points *all;
    struct sweep_result *result;
    int *exit_code; /* per point: of a failed line, -1 when a newer line says otherwise */
};

static void take_failed(void *context, const json_t *object)
{
    const struct recalling *r = context;
    const char *run = json_string_value(json_object_get(object, "run")), *state = json_string_value(json_object_get(object, "status"));
    for (int i = 0; run != NULL && state != NULL && i < r->all->n; i++)
        if (strcmp(run, r->all->point[i].name) == 0)
            r->exit_code[i] = strcmp(state, state_words[POINT_FAILED]) == 0 ? (int)json_integer_value(json_object_get(object, "exit")) : -1;
}

enum status sweep_results_recall(const char *path, const struct sweep_points *all, struct sweep_result *result)
{
    struct recalling r = { all, result, malloc((size_t)all->n * sizeof *r.exit_code) };
    struct metrics_unread unread;
    CHECK(r.exit_code != NULL);
    for (int i = 0; i < all->n; i++) r.exit_code[i] = -1;
    const enum status s = metrics_objects(path, take_failed, &r, &unread);
    for (int i = 0; s == ST_OK && i < all->n; i++) {
        if (r.exit_code[i] < 0 || sweep_result_stands(&result[i])) continue;
        result[i].state = POINT_FAILED;
        result[i].exit_code = r.exit_code[i];
    }
    free(r.exit_code);
    return s;
}

/* --- For people and programs ----------------------------------------------------------------------------------------------------- */

/* Four decimals, or what is left of them in a loss that no model should have. */
static const char *loss_text(double loss, char out[32])
{
    (void)snprintf(out, 32, fabs(loss) < 1e4 ? "%.4f" : "%.3e", loss);
    return out;
}

void sweep_result_words(const struct sweep_point *p, const struct sweep_result *r, struct text *out)
{
    switch (r->state) {
    case POINT_MISSING: text_add(out, "not run yet"); return;
    case POINT_UNFINISHED: text_add(out, "stands at step %lld of %lld", (long long)r->step, (long long)p->steps); return;
    case POINT_FAILED:
        text_add(out, "failed with exit code %d at step %lld of %lld", r->exit_code, (long long)r->step, (long long)p->steps);
        return;
    case POINT_DIVERGED: text_add(out, "diverged after step %lld of %lld", (long long)r->step, (long long)p->steps); return;
    case POINT_COMPLETE: break;
    }
    char loss[32];
    if (r->n_sources > 0) text_add(out, "validation %s, ", loss_text(r->valid_loss, loss));
    text_add(out, "training %s", loss_text(r->train_loss, loss));
}

struct ranked {
    int at, group; /* 0: ranked by loss; then complete without one, diverged, failed, unfinished, missing */
    double valid, train;
};

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->group != b->group) return a->group - b->group;
    if (a->valid != b->valid) return a->valid < b->valid ? -1 : 1;
    if (a->train != b->train) return a->train < b->train ? -1 : 1;
    return a->at - b->at;
}

static struct ranked rank_of(const struct sweep_result *r, int at)
{
    const bool valid = r->n_sources > 0, good = valid ? isfinite(r->valid_loss) : isfinite(r->train_loss);
    struct ranked out = { at, POINT_COMPLETE + 1 - (int)r->state, INFINITY, INFINITY };
    if (r->state != POINT_COMPLETE || !good) return out;
    out.group = 0;
    if (valid) out.valid = r->valid_loss;
    if (isfinite(r->train_loss)) out.train = r->train_loss;
    return out;
}

bool sweep_results_order(const struct sweep_points *all, const struct sweep_result *result, int order[])
{
    struct ranked *row = malloc((size_t)all->n * sizeof *row);
    CHECK(row != NULL);
    for (int i = 0; i < all->n; i++) row[i] = rank_of(&result[i], i);
    qsort(row, (size_t)all->n, sizeof *row, by_rank);
    for (int i = 0; i < all->n; i++) order[i] = row[i].at;
    const bool best = all->n > 0 && row[0].group == 0;
    free(row);
    return best;
}

static int column_width(const struct sweep_axis *a)
{
    size_t width = strlen(a->label);
    for (int i = 0; i < a->n; i++) width = strlen(a->value[i]) > width ? strlen(a->value[i]) : width;
    return (int)width;
}

static void add_row(const struct sweep_points *all, const struct sweep_point *p, const struct sweep_result *r, bool best, struct text *out)
{
    char count[32], took[32], valid[32], bits[32], train[32];
    text_add(out, "%s", best ? "*" : " ");
    for (int axis = 0; axis < all->grid->n_axes; axis++)
        text_add(out, " %-*s ", column_width(&all->grid->axis[axis]), sweep_value(all->grid, p->index, axis));
    if (r->state == POINT_COMPLETE) {
        if (r->n_sources > 0)
            text_add(out, " %10s %10s", loss_text(r->valid_loss, valid), loss_text(r->valid_bits, bits));
        else
            text_add(out, " %10s %10s", "", "");
        text_add(out, " %10s %14s %13s", loss_text(r->train_loss, train), str_count(count, sizeof count, r->tokens),
                 str_seconds(took, sizeof took, r->seconds));
    } else {
        struct text words = { 0 };
        sweep_result_words(p, r, &words);
        text_add(out, " %-61s", words.data);
        text_free(&words);
    }
    text_add(out, "  %s\n", p->name);
}

void sweep_results_table(const struct sweep_points *all, const struct sweep_result *result, struct text *out)
{
    int *order = malloc((size_t)all->n * sizeof *order);
    CHECK(order != NULL);
    const bool best = sweep_results_order(all, result, order);
    text_add(out, " ");
    for (int axis = 0; axis < all->grid->n_axes; axis++)
        text_add(out, " %-*s ", column_width(&all->grid->axis[axis]), all->grid->axis[axis].label);
    text_add(out, " %10s %10s %10s %14s %13s  %s\n", "validation", "bits/byte", "training", "tokens", "time", "run");
    for (int i = 0; i < all->n; i++) add_row(all, &all->point[order[i]], &result[order[i]], best && i == 0, out);
    free(order);
}

void sweep_results_json(const struct sweep_points *all, const struct sweep_result *result, struct text *out)
{
    json_t *list = json_array();
    int *order = malloc((size_t)all->n * sizeof *order);
    CHECK(order != NULL);
    const bool best = sweep_results_order(all, result, order);
    for (int i = 0; i < all->n; i++) {
        json_t *o = result_json(all, &all->point[order[i]], &result[order[i]]);
        set(o, "best", json_boolean(best && i == 0));
        CHECK(json_array_append_new(list, o) == 0);
    }
    dump(list, JSON_INDENT(2), out);
    json_decref(list);
    free(order);
}
