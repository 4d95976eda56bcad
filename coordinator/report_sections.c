#include "common/base/check.h"
#include "coordinator/html.h"
#include "report.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void head_cell(struct text *out, const char *text)
{
    text_add(out, "<th>");
    html_add(out, text);
    text_add(out, "</th>");
}

static void text_cell(struct text *out, const char *text)
{
    text_add(out, "<td class=\"t\">");
    html_add(out, text);
    text_add(out, "</td>");
}

/* --- Rules ------------------------------------------------------------------------------------------------------------------------- */

/* null stands for a rate that the optimizer finds from the step or the weights. */
static void rate_cell(struct text *out, const json_t *rule, const char *key)
{
    if (json_is_null(json_object_get(rule, key)))
        text_add(out, "<td class=\"n soft\">own</td>");
    else
        html_cell(out, HTML_RATE, number_of(rule, key));
}

static void add_rules(const struct report_run *r, struct text *out)
{
    const json_t *rules = json_object_get(r->about, "rules");
    if (json_array_size(rules) == 0) return;
    text_add(out,
             "<section><h3>Rules</h3><div class=\"scroll\"><table><thead><tr><th>rule</th><th>optimizer</th><th>schedule</th>"
             "<th class=\"n\">lr first</th><th class=\"n\">peak</th><th class=\"n\">last</th><th class=\"n\">decay</th>"
             "<th class=\"n\">tensors</th><th class=\"n\">parameters</th><th class=\"n\">state bytes<br/>per parameter</th></tr></thead>"
             "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        text_add(out, "<tr>");
        head_cell(out, text_of(rule, "name"));
        text_cell(out, text_of(rule, "optimizer"));
        text_cell(out, text_of(rule, "schedule"));
        rate_cell(out, rule, "lr_first");
        rate_cell(out, rule, "lr");
        rate_cell(out, rule, "lr_last");
        html_cell(out, HTML_PLAIN, number_of(rule, "weight_decay"));
        html_cell(out, HTML_COUNT, number_of(rule, "tensors"));
        html_cell(out, HTML_COUNT, number_of(rule, "parameters"));
        html_cell(out, HTML_FIXED2, number_of(rule, "state_bytes_per_parameter"));
        text_add(out, "</tr>\n");
    }
    text_add(out, "</tbody></table></div></section>\n");
}

/* --- Phases of a step --------------------------------------------------------------------------------------------------------------- */

/* The mean of one number over the steps that measured it. */
static double mean_phase(const struct report_run *r, int phase, size_t offset)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < r->n_steps; i++) {
        const float x = *(const float *)(const void *)((const char *)&r->step[i].phase[phase] + offset);
        if (!isfinite((double)x) || !(r->step[i].phase[REPORT_TOTAL].mean > 0)) continue;
        sum += (double)x, n++;
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}

static int by_rank(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The rank that computed longest in most of the steps. */
static void add_slowest(const struct report_run *r, struct text *out)
{
    const double ranks = number_of(r->about, "ranks");
    if (!(ranks > 1) || r->n_steps == 0) return;
    int *rank = calloc((size_t)r->n_steps, sizeof *rank);
    CHECK(rank != NULL);
    for (int64_t i = 0; i < r->n_steps; i++) rank[i] = r->step[i].slowest;
    qsort(rank, (size_t)r->n_steps, sizeof *rank, by_rank);
    int64_t most = 0, run = 0;
    int slowest = 0;
    for (int64_t i = 0; i < r->n_steps; i++) {
        run = i > 0 && rank[i] == rank[i - 1] ? run + 1 : 1;
        if (run > most) most = run, slowest = rank[i];
    }
    free(rank);
    text_add(out, "<p class=\"soft\">Most often the slowest: rank %d, in %.0f %% of the steps.</p>\n", slowest,
             100 * (double)most / (double)r->n_steps);
}

static void milliseconds(struct text *out, double seconds)
{
    text_add(out, "<td class=\"n\">");
    if (isfinite(seconds))
        text_add(out, "%.3g", 1e3 * seconds);
    else
        html_number(out, HTML_PLAIN, seconds);
    text_add(out, "</td>");
}

static void add_phases(const struct report_run *r, struct text *out)
{
    const double total = mean_phase(r, REPORT_TOTAL, offsetof(struct report_phase, mean));
    if (!(total > 0)) return;
    text_add(out, "<section><h3>Phases of a step</h3><div class=\"scroll\"><table><thead><tr><th>milliseconds, mean of the steps</th>"
                  "<th class=\"n\">fastest rank</th><th class=\"n\">mean</th><th class=\"n\">slowest rank</th><th class=\"n\">share</th>"
                  "<th class=\"bars\"></th></tr></thead><tbody>\n");
    for (int k = 0; k < REPORT_PHASES; k++) {
        const double mean = mean_phase(r, k, offsetof(struct report_phase, mean));
        text_add(out, "<tr>");
        head_cell(out, report_phases[k]);
        milliseconds(out, mean_phase(r, k, offsetof(struct report_phase, least)));
        milliseconds(out, mean);
        milliseconds(out, mean_phase(r, k, offsetof(struct report_phase, most)));
        html_cell(out, HTML_PERCENT, mean / total);
        text_add(out, "<td class=\"bars\"><span class=\"bar\" style=\"width:%.1f%%;background:%s\"></span></td></tr>\n",
                 100 * fmin(fmax(0, mean / total), 1), k == REPORT_TOTAL ? "var(--line)" : report_color(k));
    }
    text_add(out, "</tbody></table></div>\n");
    add_slowest(r, out);
    text_add(out, "</section>\n");
}

/* --- Memory and traffic ----------------------------------------------------------------------------------------------------------------
 */

static double most_planned(const json_t *rows)
{
    double most = 1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        most = fmax(most, fmax(number_of(row, "planned"), number_of(row, "measured")));
    }
    return most;
}

static void add_account(const json_t *rows, struct text *out)
{
    const double most = most_planned(rows);
    text_add(out, "<section><h3>Memory and traffic</h3><div class=\"scroll\"><table><thead><tr><th>bytes, the most over the ranks</th>"
                  "<th class=\"n\" style=\"color:var(--c0)\">planned</th><th class=\"n\" "
                  "style=\"color:var(--c2)\">measured</th><th></th><th class=\"bars\"></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const double apart = number_of(row, "apart"), planned = number_of(row, "planned"), measured = number_of(row, "measured");
        text_add(out, "<tr>");
        head_cell(out, text_of(row, "name"));
        html_cell(out, HTML_COUNT, planned);
        html_cell(out, HTML_COUNT, measured);
        text_add(out, "<td class=\"soft w\">");
        if (apart < 0)
            text_add(out, "resident above the start's");
        else if (apart > 0)
            text_add(out, "<b>different</b>");
        else
            text_add(out, "equal");
        text_add(out,
                 "</td><td class=\"bars\"><span class=\"bar\" style=\"width:%.1f%%\"></span>"
                 "<span class=\"bar\" style=\"width:%.1f%%;background:var(--c2);margin-top:2px\"></span></td></tr>\n",
                 100 * fmin(fmax(0, planned / most), 1), 100 * fmin(fmax(0, measured / most), 1));
    }
    text_add(out, "</tbody></table></div></section>\n");
}

/* Of a run that never came to an end only rank 0 is known. */
static void add_memory(const struct report_run *r, struct text *out)
{
    if (r->account != NULL) {
        add_account(r->account, out);
        return;
    }
    if (r->n_steps == 0) return;
    const struct report_step *last = &r->step[r->n_steps - 1];
    text_add(out, "<section><h3>Memory</h3><p>Rank 0: arenas of ");
    html_number(out, HTML_BYTES, last->planned_bytes);
    text_add(out, " planned; ");
    html_number(out, HTML_BYTES, last->peak_bytes);
    text_add(out, " resident at most by step %lld. The run came to no end, which would have compared all ranks.</p></section>\n",
             (long long)last->step);
}

/* --- Events and evaluations --------------------------------------------------------------------------------------------------------------
 */

enum { STEPS_NAMED = 30, EVALUATIONS_SHOWN = 200 };

static void add_odd_steps(const struct report_run *r, bool skipped, struct text *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->n_steps; i++) {
        const struct report_step *s = &r->step[i];
        if (skipped ? !s->skipped : (s->redone == 0 || s->step <= 1)) continue;
        if (n == 0)
            text_add(out, "<p>Steps %s: ", skipped ? "skipped, because a gradient was not finite" : "done twice, with coarser exponents");
        if (n < STEPS_NAMED) text_add(out, "%s%lld", n > 0 ? ", " : "", (long long)s->step);
        n++;
    }
    if (n > STEPS_NAMED) text_add(out, " and %lld more", (long long)(n - STEPS_NAMED));
    if (n > 0) text_add(out, ".</p>\n");
}

static void add_events(const struct report_run *r, struct text *out)
{
    const json_t *event;
    text_add(out, "<section><h3>Events</h3>\n");
    add_odd_steps(r, true, out);
    add_odd_steps(r, false, out);
    if (r->n_saved > 0) {
        text_add(out, "<p>%lld checkpoint%s saved", (long long)r->n_saved, r->n_saved > 1 ? "s were" : " was");
        if (r->saved_last >= 0) text_add(out, ", the last of them at step %lld", (long long)r->saved_last);
        text_add(out, ".</p>\n");
    }
    if (r->n_events > REPORT_EVENTS) text_add(out, "<p>The last %d of %lld events:</p>\n", REPORT_EVENTS, (long long)r->n_events);
    if (r->n_events > 0)
        text_add(
            out,
            "<div class=\"scroll\"><table><thead><tr><th>time</th><th>event</th><th class=\"n\">step</th><th></th></tr></thead><tbody>\n");
    for (int64_t i = 0; (event = report_event(r, i)) != NULL; i++) {
        text_add(out, "<tr>");
        text_cell(out, text_of(event, "time"));
        head_cell(out, text_of(event, "event"));
        html_cell(out, HTML_COUNT, number_of(event, "step"));
        text_cell(out, text_of(event, "text"));
        text_add(out, "</tr>\n");
    }
    text_add(out, r->n_events > 0 ? "</tbody></table></div></section>\n" : "</section>\n");
}

static void add_evaluations(const struct report_run *r, struct text *out)
{
    const int64_t n = r->n_evaluations, first = n > EVALUATIONS_SHOWN ? n - EVALUATIONS_SHOWN : 0;
    if (n == 0) return;
    text_add(out,
             "<details><summary>%lld evaluation%s</summary><table><thead><tr><th>source</th><th class=\"n\">step</th>"
             "<th class=\"n\">loss</th><th class=\"n\">bits per byte</th><th class=\"n\">took</th></tr></thead><tbody>\n",
             (long long)n, n > 1 ? "s" : "");
    if (first > 0) text_add(out, "<tr><td colspan=\"5\" class=\"soft\">%lld before these are left out here</td></tr>\n", (long long)first);
    for (int64_t i = first; i < n; i++) {
        const struct report_evaluation *e = &r->evaluation[i];
        text_add(out, "<tr>");
        head_cell(out, r->source[e->source]);
        html_cell(out, HTML_COUNT, (double)e->step);
        html_cell(out, HTML_FIXED4, e->loss);
        html_cell(out, HTML_FIXED4, e->bits);
        html_cell(out, HTML_SECONDS, e->seconds);
        text_add(out, "</tr>\n");
    }
    text_add(out, "</tbody></table></details>\n");
}

/* --- Configuration and machine
 * ------------------------------------------------------------------------------------------------------------ */

static void add_config(const struct report_run *r, struct text *out)
{
    if (r->config.length == 0) return;
    text_add(out, "<details><summary>Configuration, with every default</summary><pre>");
    html_add_bytes(out, r->config.data, r->config.length);
    text_add(out, "</pre></details>\n");
}

enum { JSON_DEPTH = 3 };

static void add_json(const json_t *value, int depth, struct text *out);

/* Equal neighbours once, with their number: a host stands there for each of its ranks. */
static void add_list(const json_t *list, int depth, struct text *out)
{
    for (size_t i = 0, same; i < json_array_size(list); i += same) {
        for (same = 1; json_equal(json_array_get(list, i), json_array_get(list, i + same)); same++) continue;
        text_add(out, "%s", i > 0 ? ", " : "");
        add_json(json_array_get(list, i), depth - 1, out);
        if (same > 1) text_add(out, " × %zu", same);
    }
}

static void add_json(const json_t *value, int depth, struct text *out)
{
    const char *key;
    json_t *member;
    if (json_is_string(value)) {
        html_add(out, json_string_value(value));
    } else if (json_is_integer(value)) {
        html_number(out, HTML_COUNT, json_number_value(value));
    } else if (json_is_number(value)) {
        html_number(out, HTML_PLAIN, json_number_value(value));
    } else if (json_is_array(value) && depth > 0) {
        add_list(value, depth, out);
    } else if (json_is_object(value) && depth > 0) {
        for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL;
             at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
            key = json_object_iter_key(at);
            member = json_object_iter_value(at);
            html_add(out, key);
            text_add(out, " = ");
            add_json(member, depth - 1, out);
            text_add(out, "<br/>");
        }
    } else {
        text_add(out, "%s", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "–");
    }
}

static void add_machine(const struct report_run *r, struct text *out)
{
    if (json_object_size(r->about) == 0) return;
    text_add(out, "<details><summary>Versions, hosts and ranks</summary><table><tbody>\n");
    for (void *at = json_object_iter(r->about); at != NULL; at = json_object_iter_next(r->about, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        if (strcmp(key, "rules") == 0 || (json_is_object(value) && json_object_size(value) == 0)) continue;
        text_add(out, "<tr>");
        head_cell(out, key);
        text_add(out, "<td class=\"t\">");
        add_json(value, JSON_DEPTH, out);
        text_add(out, "</td></tr>\n");
    }
    text_add(out, "</tbody></table></details>\n");
}

void report_sections(const struct report_run *run, struct text *out)
{
    add_rules(run, out);
    add_phases(run, out);
    add_memory(run, out);
    add_events(run, out);
    add_evaluations(run, out);
    add_config(run, out);
    add_machine(run, out);
}
