/* lamina plan: what a run will compute, keep and send, without running it. */
#include "coordinator/plan_facts.h"
#include "coordinator/private.h"
#include "coordinator/sources.h"
#include <stdio.h>

static const struct option_row plan_options[] = {
    { .name = "ranks", .type = OPTION_INTEGER, .arg = "N", .value = "1", .low = 1, .high = 4096, .help = "ranks to plan for" },
    { .name = "threads", .type = OPTION_INTEGER, .arg = "N", .value = "0", .low = 0, .high = 4096, .help = "threads per rank; 0: as here" },
    { .name = "all", .type = OPTION_FLAG, .help = "memory and traffic of every rank instead of the fullest" },
    { .name = "tensors", .type = OPTION_FLAG, .help = "also every tensor: its rule, rates, state, and what its optimizer exchanges" },
    { .name = "tapes", .type = OPTION_FLAG, .help = "also the ops of each unit kind, with shapes and FLOPs" },
    OPTION_JSON_ROW,
    { 0 },
};

/* The training text, where its files can be read. A plan needs them for nothing else. */
struct data {
    bool open;
    struct corpus corpus;
    struct sources sources;
    char why[1024];
};

static void open_data(const struct session *s, struct data *d)
{
    *d = (struct data){ 0 };
    d->open = worker_corpus_open(s->config, &d->corpus) == ST_OK;
    if (d->open) {
        sources_plan(&d->corpus, s->config, s->plan.steps, &d->sources);
        return;
    }
    (void)snprintf(d->why, sizeof d->why, "%s", status_text());
    status_clear();
}

static void print_data(const struct data *d, struct text *out)
{
    struct text doubts = { 0 };
    text_add(out, "\n");
    if (d->open)
        sources_print(&d->sources, out);
    else
        text_add(out, "data       not to be read here, so what is read of each source is not shown: %s\n", d->why);
    if (d->open) sources_doubts(&d->sources, &doubts);
    if (doubts.length > 0) text_add(out, "%s", doubts.data);
    text_free(&doubts);
}

static enum status plan_session(struct session *s, const struct options *options)
{
    struct plan_facts facts;
    struct text out = { 0 };
    TRY(session_config(s, options->operand[0], options));
    TRY(session_machine(s));
    TRY(session_plan(s, (int)option_integer(options, "ranks")));
    if (option_integer(options, "threads") > 0) s->threads = (int)option_integer(options, "threads");
    plan_facts(s, &facts);
    struct data data;
    open_data(s, &data);
    if (option_flag(options, "json"))
        plan_print_json(s, &facts, data.open ? &data.sources : NULL, option_flag(options, "tensors"), &out);
    else
        plan_print(s, &facts, option_flag(options, "all"), &out);
    if (!option_flag(options, "json")) print_data(&data, &out);
    corpus_close(&data.corpus);
    if (option_flag(options, "tensors") && !option_flag(options, "json")) plan_print_tensors(&facts, &out);
    if (option_flag(options, "tapes") && !option_flag(options, "json")) worker_print_tapes(&s->plan, &out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    return ST_OK;
}

static enum status plan_run(const struct options *options)
{
    struct session s;
    session_open(&s);
    const enum status result = plan_session(&s, options);
    session_close(&s);
    return result;
}

const struct command command_plan = {
    .name = "plan",
    .group = "daily",
    .summary = "Show what a run will compute, keep in memory, send and write",
    .rules = { .rows = plan_options, .least = 1, .most = 1, .overrides = true, .usage = "RUN.yaml [options] [key.path=value ...]" },
    .notes = "Memory and bytes are those of the run, not an estimate: the same code places and counts them.",
    .example = "lamina plan configs/quickstart.yaml --ranks 4",
    .local = plan_run,
};
