#include "trainer.h"
#include "common/base/clock.h"
#include "coordinator/journal.h"
#include "coordinator/memory.h"
#include "coordinator/signals.h"
#include <math.h>

static enum status do_step(const struct comm *world, struct trainer *t, int64_t step)
{
    const struct config *config = t->session->config;
    const struct step_header header = { .step = step,
                                        .skip_nonfinite = config->run.on_nonfinite == NONFINITE_SKIP,
                                        .signals = signals_seen() };
    struct step_report report;
    const double begin = clock_seconds();
    TRY(worker_step(world, t->worker, &header, &report));
    t->state.step = step;
    t->state.evaluated = false;
    t->state.signals = report.signals;
    t->redone = report.redone > 0;
    if (t->sinks == NULL) return ST_OK;
    if (report.outcome == STEP_SKIPPED)
        journal_say(t->folder, "skipped", step, "step %lld was skipped: the gradient of %s is not finite", (long long)step,
                    report.nonfinite_param >= 0 ? t->session->plan.partition.params[report.nonfinite_param].name : "some tensor");
    const double seconds = clock_seconds() - begin, rate = (double)report.tokens / seconds;
    const struct step_metrics m = { .report = &report,
                                    .seconds = seconds,
                                    .tokens_per_second = rate,
                                    .mfu = t->session->peak > 0 ? rate * t->flops_per_token / t->session->peak : (double)NAN,
                                    .peak_bytes = memory_use().peak };
    sinks_step(t->sinks, &m);
    return ST_OK;
}

static enum status do_evaluate(const struct comm *world, struct trainer *t)
{
    const struct config *config = t->session->config;
    struct evaluation_sum sum = { 0 };
    for (int i = 0; i < config->data.n_valid; i++) {
        const struct source_config *source = &config->data.valid[i];
        struct evaluation_metrics m = {
            .step = t->state.step, .source = source->name, .weight = source->weight, .number = i, .n_sources = config->data.n_valid
        };
        const double begin = clock_seconds();
        TRY(worker_evaluate(world, t->worker, i, config->eval.batches, &m.result));
        m.seconds = clock_seconds() - begin;
        evaluation_add(&sum, &m);
        if (t->sinks != NULL) sinks_evaluation(t->sinks, &m);
    }
    t->state.evaluated = true;
    return ST_OK;
}

static enum status do_save(const struct comm *world, struct trainer *t)
{
    const double begin = clock_seconds();
    t->facts.step = worker_step_done(t->worker);
    t->facts.tokens = worker_tokens_done(t->worker);
    TRY(checkpoints_save(world, t->folder, t->worker, t->config_text, &t->facts, t->session->config->checkpoint.keep));
    t->state.saved = t->state.step;
    if (comm_rank(world) == 0)
        journal_say(t->folder, "saved", t->state.step, "saved step %lld in %.2f s", (long long)t->state.step, clock_seconds() - begin);
    return ST_OK;
}

enum status trainer_run(const struct comm *world, struct trainer *t, enum director_end *end)
{
    for (;;) {
        struct director_order order = director_next(&t->policy, &t->state);
        TRY(comm_broadcast(world, COMM_CONTROL, &order, sizeof order, 0)); /* rank 0 decides */
        if (order.evaluate) TRY(do_evaluate(world, t));
        if (order.save) TRY(do_save(world, t));
        *end = order.end;
        if (order.end != END_NOT) return ST_OK;
        TRY(do_step(world, t, order.step));
    }
}
