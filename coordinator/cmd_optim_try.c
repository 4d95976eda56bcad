/* lamina optim try: a rule on a small problem of the user's, by the driver that trains, to be held against another implementation. */
#include "common/base/log.h"
#include "coordinator/optim_facts.h"
#include "coordinator/private.h"
#include "coordinator/session.h"
#include "coordinator/try_file.h"
#include <math.h>
#include <stdio.h>

static const struct option_row try_options[] = {
    { .name = "problem", .type = OPTION_TEXT, .arg = "FILE", .help = "the problem, as JSON" },
    OPTION_JSON_ROW,
    { 0 },
};

/* JSON has neither NaN nor infinities. */
static void add_value(double x, bool json, struct text *out)
{
    if (json && !isfinite(x))
        text_add(out, "null");
    else
        text_add(out, "%.9g", x);
}

static void print_steps(const struct try_problem *p, const float *after, bool json, struct text *out)
{
    const int64_t n = p->rows * p->cols;
    if (json) text_add(out, "{\"after\": [");
    for (int64_t step = 0; step < p->n_steps; step++) {
        if (json)
            text_add(out, "%s[", step > 0 ? ", " : "");
        else
            text_add(out, "step %lld:", (long long)(step + 1));
        for (int64_t i = 0; i < n; i++) {
            text_add(out, "%s", !json ? " " : i > 0 ? ", " : "");
            add_value((double)after[step * n + i], json, out);
        }
        text_add(out, "%s", json ? "]" : "\n");
    }
    if (json) text_add(out, "]}\n");
}

/* Said, because a user who asks for a comparison may not look at every number. */
static void warn_of_nonfinite(const struct try_problem *p, const float *after)
{
    const int64_t n = p->rows * p->cols;
    for (int64_t i = 0; i < p->n_steps * n; i++)
        if (!isfinite(after[i])) {
            log_warn("%s: from step %lld on there are weights that fp32 cannot hold", p->name, (long long)(i / n + 1));
            return;
        }
}

static enum status try_session(struct session *s, const struct options *options)
{
    struct try_problem problem;
    struct text out = { 0 };
    const struct opt_desc *opt = NULL;
    const char *file = option_text(options, "problem");
    TRY(optim_find(options->operand[0], &opt));
    if (file == NULL) FAIL(ST_USAGE, "--problem FILE must be given: the tensor, its gradients and the settings, as JSON");
    TRY(try_file_read(file, &opt->variant, &s->arena, &problem));
    TRY(session_machine(s));
    float *after = arena_place_n(&s->arena, (size_t)(problem.n_steps * problem.rows * problem.cols), sizeof *after);
    TRY(worker_try(&problem, after));
    print_steps(&problem, after, option_flag(options, "json"), &out);
    (void)fputs(out.data, stdout);
    warn_of_nonfinite(&problem, after);
    text_free(&out);
    return ST_OK;
}

static enum status try_run(const struct options *options)
{
    struct session s;
    session_open(&s);
    const enum status result = try_session(&s, options);
    session_close(&s);
    return result;
}

const struct command command_optim_try = {
    .name = "optim try",
    .group = "things",
    .summary = "Step an optimizer on a problem of yours and print the weights after each step",
    .rules = { .rows = try_options, .least = 1, .most = 1, .usage = "NAME --problem FILE [options]" },
    .notes =
        "FILE is JSON: {\"hyper\": {...}, \"shape\": [rows, columns] or [n], \"theta\": [...], \"grads\": [[...], ...]}, row-major, one "
        "list\n"
        "per step, read as fp32; hyper holds the keys of a rule in YAML, null for none. It may also say \"rule\" (which must be NAME),\n"
        "\"schedule\" (a factor of lr per step), \"sampled\" (per step null, or the second gradient that the rule observes before it),\n"
        "\"projection\" (rows as long as the shorter side) and \"report\": \"eval\" (print the weights to evaluate). Nothing clips.\n"
        "At most 1,000,000 elements times steps. With --json the answer is {\"after\": [[...], ...]}.",
    .example = "lamina optim try adamw --problem problem.json --json",
    .local = try_run,
};
