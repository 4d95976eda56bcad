#include "report.h"
#include "common/base/check.h"
#include "coordinator/metrics_file.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const report_phases[REPORT_PHASES] = { "forward", "backward", "gather", "reduce", "optimizer", "data", "total" };

enum { SMALL_FILE = 1 << 20 };
static const double NUMBER_MOST = 1e30, STEP_MOST = 1e15; /* beyond: damage, and arithmetic on it would overflow */

/* --- Pieces ---------------------------------------------------------------------------------------------------------------- */

/* Room for one thing more behind n of them. */
static void *room(void *things, int64_t n, int64_t *cap, size_t bytes)
{
    if (n < *cap) return things;
    *cap = *cap > 0 ? 2 * *cap : 256;
    void *more = realloc(things, (size_t)*cap * bytes);
    CHECK(more != NULL);
    return more;
}

static char *copy(const char *text)
{
    char *out = strdup(text);
    CHECK(out != NULL);
    return out;
}

static double sane(double x) { return fabs(x) < NUMBER_MOST ? x : (double)NAN; }

static double number(const json_t *object, const char *key) { return sane(metrics_value(object, key)); }

static int64_t integer(const json_t *object, const char *key)
{
    const double x = number(object, key);
    return fabs(x) < STEP_MOST ? (int64_t)x : 0;
}

/* The step of a line; -1 where it has none. */
static int64_t step_of(const json_t *object)
{
    const double x = metrics_value(object, "step");
    return x >= 0 && x < STEP_MOST ? (int64_t)x : -1;
}

/* The index of a name in a list that grows by it; -1 where the list is full. */
static int index_of(char **list, int *n, int most, const char *name)
{
    for (int i = 0; i < *n; i++)
        if (strcmp(list[i], name) == 0) return i;
    if (*n == most) return -1;
    list[*n] = copy(name);
    return (*n)++;
}

/* --- metrics.jsonl ---------------------------------------------------------------------------------------------------------- */

static void take_phases(const json_t *phases, struct report_step *s)
{
    for (int i = 0; i < REPORT_PHASES; i++) {
        const json_t *three = json_object_get(phases, report_phases[i]);
        double v[3];
        for (size_t k = 0; k < 3; k++) {
            const json_t *one = json_array_get(three, k);
            v[k] = json_is_number(one) ? sane(json_number_value(one)) : (double)NAN;
        }
        s->phase[i] = (struct report_phase){ (float)v[0], (float)v[1], (float)v[2] };
    }
    s->slowest = json_is_object(phases) ? (int)fmin(fmax(0, number(phases, "slowest_rank")), 1 << 20) : 0;
}

static void take_rates(struct report_run *r, json_t *rates, struct report_step *s)
{
    const char *name;
    json_t *rate;
    for (void *at = json_object_iter(rates); at != NULL; at = json_object_iter_next(rates, at))
        (void)index_of(r->rule, &r->n_rules, REPORT_RULES, json_object_iter_key(at));
    s->lr_at = r->n_lr;
    s->n_lr = r->n_rules;
    for (int i = 0; i < r->n_rules; i++) {
        r->lr = room(r->lr, r->n_lr, &r->cap_lr, sizeof *r->lr);
        name = r->rule[i];
        rate = json_object_get(rates, name);
        r->lr[r->n_lr++] = json_is_number(rate) ? (float)sane(json_number_value(rate)) : NAN;
    }
}

static void take_step(struct report_run *r, const json_t *o, int64_t step)
{
    r->step = room(r->step, r->n_steps, &r->cap_steps, sizeof *r->step);
    struct report_step *s = &r->step[r->n_steps++];
    *s = (struct report_step){ .step = step,
                               .line = r->lines,
                               .tokens = integer(o, "tokens"),
                               .loss = number(o, "loss"),
                               .bits = number(o, "bits_per_byte"),
                               .norm = number(o, "norm"),
                               .seconds = number(o, "seconds"),
                               .rate = number(o, "tokens_per_second"),
                               .mfu = number(o, "mfu"),
                               .planned_bytes = number(o, "memory_planned_bytes"),
                               .peak_bytes = number(o, "memory_peak_bytes"),
                               .redone = integer(o, "redone") > 0,
                               .skipped = json_is_true(json_object_get(o, "skipped")) };
    take_phases(json_object_get(o, "phase_seconds"), s);
    take_rates(r, json_object_get(o, "lr"), s);
}

static void take_evaluation(struct report_run *r, const json_t *o, int64_t step)
{
    const char *source = json_string_value(json_object_get(o, "source"));
    const int at = index_of(r->source, &r->n_sources, REPORT_SOURCES, source != NULL ? source : "");
    if (at < 0) return;
    r->evaluation = room(r->evaluation, r->n_evaluations, &r->cap_evaluations, sizeof *r->evaluation);
    r->evaluation[r->n_evaluations++] = (struct report_evaluation){ .step = step,
                                                                    .line = r->lines,
                                                                    .source = at,
                                                                    .loss = number(o, "loss"),
                                                                    .bits = number(o, "bits_per_byte"),
                                                                    .seconds = number(o, "seconds") };
}

static void take_metrics(void *context, const json_t *object)
{
    struct report_run *r = context;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const int64_t step = step_of(object);
    r->lines++;
    if (kind == NULL || step < 0) return;
    if (strcmp(kind, "step") == 0)
        take_step(r, object, step);
    else if (strcmp(kind, "evaluation") == 0)
        take_evaluation(r, object, step);
}

/* --- Each step once: a run that went on may have written some twice ---------------------------------------------------------- */

static int order(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int by_step(const void *a, const void *b)
{
    const struct report_step *x = a, *y = b;
    return x->step != y->step ? order(x->step, y->step) : order(x->line, y->line);
}

static int by_source(const void *a, const void *b)
{
    const struct report_evaluation *x = a, *y = b;
    if (x->source != y->source) return order(x->source, y->source);
    return x->step != y->step ? order(x->step, y->step) : order(x->line, y->line);
}

static void keep_newest(struct report_run *r)
{
    int64_t n = 0;
    if (r->n_steps > 0) qsort(r->step, (size_t)r->n_steps, sizeof *r->step, by_step);
    for (int64_t i = 0; i < r->n_steps; i++)
        if (i + 1 == r->n_steps || r->step[i + 1].step != r->step[i].step) r->step[n++] = r->step[i];
    r->n_steps = n;
    n = 0;
    struct report_evaluation *e = r->evaluation;
    if (r->n_evaluations > 0) qsort(e, (size_t)r->n_evaluations, sizeof *e, by_source);
    for (int64_t i = 0; i < r->n_evaluations; i++)
        if (i + 1 == r->n_evaluations || e[i + 1].step != e[i].step || e[i + 1].source != e[i].source) e[n++] = e[i];
    r->n_evaluations = n;
}

/* --- events.jsonl ------------------------------------------------------------------------------------------------------------ */

static void take_event(void *context, const json_t *object)
{
    struct report_run *r = context;
    const char *kind = json_string_value(json_object_get(object, "event"));
    if (kind == NULL) return;
    if (strcmp(kind, "saved") == 0) {
        r->n_saved++;
        r->saved_last = step_of(object);
        return;
    }
    if (strcmp(kind, "account") == 0 && json_is_array(json_object_get(object, "facts"))) {
        json_decref(r->account);
        r->account = json_incref(json_object_get(object, "facts"));
        return;
    }
    json_t **place = &r->event[r->n_events++ % REPORT_EVENTS];
    json_decref(*place);
    *place = json_deep_copy(object);
}

const json_t *report_event(const struct report_run *r, int64_t i)
{
    const int64_t held = min_i64(r->n_events, REPORT_EVENTS);
    return i < held ? r->event[(r->n_events - held + i) % REPORT_EVENTS] : NULL;
}

/* --- The folder --------------------------------------------------------------------------------------------------------------- */

static void note_failure(struct report_run *r)
{
    text_add(&r->missing, "%s\n", status_text());
    status_clear();
}

static void read_lines(struct report_run *r, const char *file, void (*take)(void *, const json_t *))
{
    char path[PATH_BYTES + 32];
    struct metrics_unread unread;
    (void)snprintf(path, sizeof path, "%s/%s", r->folder, file);
    if (!file_exists(path)) text_add(&r->missing, "There is no %s.\n", file);
    if (metrics_objects(path, take, r, &unread) != ST_OK) note_failure(r);
    if (unread.lines > 0)
        text_add(&r->missing, "%s: %lld %s.\n", file, (long long)unread.lines,
                 unread.lines > 1 ? "lines do not read and were passed over" : "line does not read and was passed over");
    if (unread.cut) text_add(&r->missing, "%s: the last line is cut: its process was killed, or is writing it.\n", file);
}

/* A small file as text; empty where it is not there. */
static void read_small(struct report_run *r, const char *file, struct text *out)
{
    char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/%s", r->folder, file);
    if (!file_exists(path)) {
        text_add(&r->missing, "There is no %s.\n", file);
    } else if (file_read(path, SMALL_FILE, out) != ST_OK) {
        note_failure(r);
        text_free(out);
    }
}

static void read_about(struct report_run *r)
{
    struct text json = { 0 };
    read_small(r, "run.json", &json);
    if (json.length > 0) {
        r->about = json_loadb(json.data, json.length, 0, NULL);
        if (!json_is_object(r->about)) {
            text_add(&r->missing, "run.json does not read.\n");
            json_decref(r->about);
            r->about = NULL;
        }
    }
    text_free(&json);
    const char *name = json_string_value(json_object_get(r->about, "name")), *last = strrchr(r->folder, '/');
    r->name = copy(name != NULL && name[0] != '\0' ? name : last != NULL ? last + 1 : r->folder);
}

void report_open(const char *folder, struct report_run *out)
{
    *out = (struct report_run){ .saved_last = -1 };
    (void)snprintf(out->folder, sizeof out->folder, "%s", folder);
    read_about(out);
    read_small(out, "config.yaml", &out->config);
    read_lines(out, "metrics.jsonl", take_metrics);
    read_lines(out, "events.jsonl", take_event);
    keep_newest(out);
}

void report_close(struct report_run *r)
{
    for (int i = 0; i < r->n_rules; i++) free(r->rule[i]);
    for (int i = 0; i < r->n_sources; i++) free(r->source[i]);
    for (int i = 0; i < REPORT_EVENTS; i++) json_decref(r->event[i]);
    json_decref(r->account);
    json_decref(r->about);
    text_free(&r->config);
    text_free(&r->missing);
    free(r->name);
    free(r->step);
    free(r->evaluation);
    free(r->lr);
    *r = (struct report_run){ 0 };
}

/* --- What follows from it ----------------------------------------------------------------------------------------------------- */

const char *report_state(const struct report_run *r)
{
    static const struct {
        const char *event, *state;
    } states[] = { { "complete", "complete" }, { "stopped", "stopped" }, { "diverged", "diverged" },
                   { "failed", "failed" },     { "resumed", NULL },      { "fresh", NULL } };
    const char *state = NULL;
    const json_t *event;
    for (int64_t i = 0; (event = report_event(r, i)) != NULL; i++) {
        const char *kind = json_string_value(json_object_get(event, "event"));
        for (size_t k = 0; k < sizeof states / sizeof states[0]; k++)
            if (strcmp(kind, states[k].event) == 0) state = states[k].state;
    }
    return state != NULL ? state : r->n_steps > 0 ? "no end recorded" : "no steps";
}

struct report_totals report_totals(const struct report_run *r)
{
    struct report_totals t = { 0 };
    int64_t known = 0;
    for (int64_t i = 0; i < r->n_steps; i++) {
        const struct report_step *s = &r->step[i];
        if (isfinite(s->seconds)) t.seconds += s->seconds;
        if (isfinite(s->mfu)) t.mfu += s->mfu, known++;
        t.redone += s->redone > 0 && s->step > 1;
        t.skipped += s->skipped;
    }
    t.mfu = known > 0 ? t.mfu / (double)known : (double)NAN;
    return t;
}

void report_evaluations(const struct report_run *r, int source, const struct report_evaluation **last,
                        const struct report_evaluation **best)
{
    *last = *best = NULL;
    for (int64_t i = 0; i < r->n_evaluations; i++) {
        const struct report_evaluation *e = &r->evaluation[i];
        if (e->source != source) continue;
        *last = e;
        if (isfinite(e->loss) && (*best == NULL || e->loss < (*best)->loss)) *best = e;
    }
}

double report_tokens(const struct report_run *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->n_steps; i++) sum += (double)r->step[i].tokens;
    return r->n_steps > 0 ? sum / (double)r->n_steps * (double)r->step[r->n_steps - 1].step : 0;
}
