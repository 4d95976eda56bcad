#include "bench_optimizers.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "coordinator/bench.h"
#include "coordinator/optim_facts.h"
#include <stdio.h>
#include <string.h>

/* --- Which ------------------------------------------------------------------------------------------------------------- */

static const char *const states[] = { "fp32", "bf16", "q8" };
enum { STATES = 3 };

/* Storage of fewer bytes costs the same work whatever the rule: these stand for all. */
static const struct {
    const char *name, *state;
} variants[] = { { "adamw", "bf16" }, { "adamw", "q8" }, { "lion", "bf16" }, { "lion", "q8" } };
enum { VARIANTS = sizeof variants / sizeof *variants };

static enum status add(struct bench_optimizers *out, const struct opt_desc *opt, const char *state)
{
    if (out->n == BENCH_MAX_OPTIMIZERS) FAIL(ST_USAGE, "--optimizers: more than %d", BENCH_MAX_OPTIMIZERS);
    out->row[out->n++] = (struct bench_optimizer){ .opt = opt, .state = state };
    return ST_OK;
}

static enum status add_named(struct bench_optimizers *out, const char *word, size_t length)
{
    char name[64];
    const struct opt_desc *opt;
    (void)snprintf(name, sizeof name, "%.*s", (int)length, word);
    char *state = strchr(name, '/');
    if (state != NULL) *state++ = '\0';
    TRY(optim_find(name, &opt));
    if (state == NULL) return add(out, opt, states[0]);
    for (int i = 0; i < STATES; i++)
        if (strcmp(states[i], state) == 0) return add(out, opt, states[i]);
    FAIL(ST_USAGE, "--optimizers: state is stored as fp32, bf16 or q8, not \"%s\"", state);
}

enum status bench_optimizers_choose(const char *wanted, struct bench_optimizers *out)
{
    const bool all = strcmp(wanted, "all") == 0;
    out->n = 0;
    if (strcmp(wanted, "none") == 0) return ST_OK;
    if (!all && strcmp(wanted, "some") != 0) {
        for (const char *word = wanted; word != NULL; word = strchr(word, ',')) {
            word += *word == ',';
            TRY(add_named(out, word, strcspn(word, ",")));
        }
        return ST_OK;
    }
    for (const struct variant *const *v = worker_tables()->optimizers; *v != NULL; v++) {
        const struct opt_desc *opt = worker_optimizer((*v)->name);
        if (!all && opt->whole_every != NULL) continue;
        TRY(add(out, opt, states[0]));
        for (int i = 0; i < VARIANTS; i++)
            if (strcmp(variants[i].name, (*v)->name) == 0) TRY(add(out, opt, variants[i].state));
    }
    return ST_OK;
}

/* --- How fast ---------------------------------------------------------------------------------------------------------- */

static enum status is_whole(const struct opt_desc *opt, struct arena *arena, bool *whole)
{
    struct optim_facts facts;
    TRY(optim_facts(opt, arena, &facts));
    *whole = opt_needs(opt, &facts.matrix.shape, facts.defaults.fields).whole;
    return ST_OK;
}

static enum status configure(const struct options *options, const struct session *bench, const struct bench_optimizer *o, struct session *s)
{
    char section[512];
    (void)snprintf(section, sizeof section, "clip: 1.0, defaults: {optimizer: %s, state: %s}%s", o->opt->variant.name, o->state,
                   o->whole ? ", rules: [{name: matrices, match: {role: [\"attn.*\", \"mlp.*\"]}}, {name: rest, match: all, optimizer: "
                              "adamw, lr: 1e-3}]"
                            : "");
    TRY(bench_config(options, bench->ranks, section, s));
    s->config->precision.compute = bench->config->precision.compute;
    return ST_OK;
}

static enum status time_in(const struct comm *world, const struct options *options, const struct session *bench, struct session *s,
                           struct bench_optimizer *o)
{
    TRY_ALL(world, is_whole(o->opt, &s->arena, &o->whole));
    TRY_ALL(world, configure(options, bench, o, s));
    TRY(session_plan_all(world, s));
    log_note("%s, state in %s", o->opt->variant.name, o->state);
    return worker_time_optimizer(world, &s->plan, &o->cost);
}

enum status bench_optimizer_time(const struct comm *world, const struct options *options, const struct session *bench,
                                 struct bench_optimizer *o)
{
    struct session s;
    session_open(&s);
    const enum status result = time_in(world, options, bench, &s, o);
    session_close(&s);
    return result;
}
