/* Lines for a person. Plain ones under a launcher, where stdout claims to be a terminal and lines of ranks would mix; one line that
 * updates itself on a real terminal, or where LAMINA_PROGRESS=line asks for it. */
#include "common/base/clock.h"
#include "coordinator/environment.h"
#include "coordinator/sinks/private.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const double PLAIN_SECONDS = 2, LINE_SECONDS = 0.2; /* least time between two reports */

struct terminal {
    const struct sink_setup *setup;
    bool line, color, pending; /* pending: the updating line is on the screen */
    double reported, first;    /* clock */
    int64_t tokens;            /* since the last report */
    int64_t steps;             /* done by this process */
};

static enum status terminal_open(struct arena *arena, const struct sink_setup *setup, void **state)
{
    struct terminal *t = arena_place(arena, sizeof *t);
    *t = (struct terminal){ .setup = setup, .first = clock_seconds() };
    t->line = environment_line(STDOUT_FILENO);
    t->color = environment_color(STDOUT_FILENO);
    t->reported = t->first;
    *state = t;
    return ST_OK;
}

/* The rates of the rules, each different value once: "4.0e-03/4.0e-04". An optimizer that finds its own is passed over. */
static void add_rates(const struct terminal *t, const struct step_report *r, struct text *out)
{
    const int n = t->setup->config->n_rules;
    const char *before = "  lr ";
    for (int i = 0; i < n; i++) {
        bool told = isnan(r->lr[i]);
        for (int j = 0; j < i; j++) told |= r->lr[j] == r->lr[i];
        if (told) continue;
        text_add(out, "%s%.2e", before, r->lr[i]);
        before = "/";
    }
}

static void add_step(struct terminal *t, const struct step_metrics *m, double now, struct text *out)
{
    const struct step_report *r = m->report;
    const int64_t steps = t->setup->config->run.steps;
    char count[32], left[32];
    const double rate = (double)t->tokens / (now - t->reported), per_step = (now - t->first) / (double)t->steps;
    text_add(out, "step %*lld/%lld", (int)snprintf(NULL, 0, "%lld", (long long)steps), (long long)r->step, (long long)steps);
    text_add(out, "  loss %.4f", r->loss);
    if (isfinite(t->setup->bits_per_nat)) text_add(out, "  %.3f bits/byte", r->loss * t->setup->bits_per_nat);
    text_add(out, "  norm %.2f", r->norm);
    add_rates(t, r, out);
    text_add(out, "  %s tokens/s", str_count(count, sizeof count, (int64_t)rate));
    if (t->setup->peak > 0) text_add(out, "  MFU %.0f %%", 100 * rate * t->setup->flops_per_token / t->setup->peak);
    if (r->step < steps) text_add(out, "  %s left", str_seconds(left, sizeof left, per_step * (double)(steps - r->step)));
    if (r->outcome == STEP_SKIPPED)
        text_add(out, "  SKIPPED: a gradient was not finite");
    else if (r->redone > 0 && r->step > 1)
        text_add(out, "  (redone once)");
}

static void put(struct terminal *t, const struct text *line, bool stays)
{
    if (t->line)
        (void)printf("\r\033[K%s%s", line->data, stays ? "\n" : "");
    else
        (void)printf("%s\n", line->data);
    (void)fflush(stdout);
    t->pending = t->line && !stays;
}

static enum status terminal_step(void *state, const struct step_metrics *m)
{
    struct terminal *t = state;
    const double now = clock_seconds();
    const bool ends = m->report->step == t->setup->start + 1 || m->report->step == t->setup->config->run.steps;
    t->tokens += m->report->tokens;
    t->steps++;
    if (!ends && m->report->outcome == STEP_APPLIED && now - t->reported < (t->line ? LINE_SECONDS : PLAIN_SECONDS)) return ST_OK;
    struct text line = { 0 };
    add_step(t, m, now, &line);
    put(t, &line, m->report->outcome == STEP_SKIPPED);
    text_free(&line);
    t->reported = now;
    t->tokens = 0;
    return ST_OK;
}

static enum status terminal_evaluation(void *state, const struct evaluation_metrics *m)
{
    struct terminal *t = state;
    struct text line = { 0 };
    char took[32];
    text_add(&line, "%sevaluation at step %lld on %s: loss %.4f, %.4f bits/byte%s (%s)", t->color ? "\033[1m" : "", (long long)m->step,
             m->source, m->result.loss, m->result.bits_per_byte, t->color ? "\033[0m" : "", str_seconds(took, sizeof took, m->seconds));
    put(t, &line, true);
    line.length = 0;
    if (m->n_sources > 1 && m->number == m->n_sources - 1) {
        text_add(&line, "evaluation at step %lld, mean of %d sources: loss %.4f, %.4f bits/byte", (long long)m->step, m->n_sources,
                 m->mean_loss, m->mean_bits);
        put(t, &line, true);
    }
    text_free(&line);
    t->reported = clock_seconds(); /* its time is not the steps' */
    t->tokens = 0;
    return ST_OK;
}

static enum status terminal_close(void *state)
{
    struct terminal *t = state;
    if (t->pending) (void)printf("\n");
    return ST_OK;
}

const struct sink_desc sink_terminal = { .name = "terminal",
                                         .summary = "progress on the terminal",
                                         .open = terminal_open,
                                         .step = terminal_step,
                                         .evaluation = terminal_evaluation,
                                         .close = terminal_close };
