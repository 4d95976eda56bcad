/* A second gradient, of labels drawn from the model, for the rules that watch one. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/base/parallel.h"

static bool is_due(const struct driver *d, int param, int64_t step)
{
    const struct opt_rule rule = plan_rule(d->plan, param);
    if (rule.opt->observe_every == NULL || !plan_trained(d->plan, param, step)) return false;
    return d->updates[param] % rule.opt->observe_every(rule.hyper) == 0;
}

bool driver_observes(const struct driver *d, int64_t step)
{
    for (int p = 0; p < d->plan->partition.n_params; p++)
        if (is_due(d, p, step)) return true;
    return false;
}

static void observe_task(void *context, int64_t index, int thread)
{
    struct driver *d = context;
    const struct task *k = &d->tasks[index];
    const struct span *s = &d->spans[k->span];
    const struct scratch *scratch = &d->scratch[thread];
    if (!s->now.active) return;
    for (int64_t row = k->row_begin; row < k->row_end; row += s->tile_rows) {
        struct opt_tile v = drive_tile(s, row, min_i64(s->tile_rows, k->row_end - row), scratch->u);
        exact_decode(scratch->grad, s->piece.sum + (row - s->piece.row_begin) * v.cols, v.count, s->exponent, s->divisor);
        v.grad = scratch->grad;
        struct ahead next;
        coded_look_ahead(s, STAGE_OBSERVE, row + v.n_rows, k->row_end, &next);
        coded_open(s, STAGE_OBSERVE, &v, scratch, &next);
        s->rule.opt->observe(&s->now.step, &v);
        coded_close(s, STAGE_OBSERVE, &v, &next);
    }
}

void driver_observe(struct driver *d, const struct driver_step *now)
{
    for (int i = 0; i < d->n_spans; i++) {
        struct span *s = &d->spans[i];
        s->now.active = is_due(d, s->piece.param, now->step);
        if (!s->now.active) continue;
        s->now.step = (struct opt_step){ .t = d->updates[s->piece.param], .batch_tokens = now->divisor, .hyper = s->rule.hyper };
        s->now.step.key.seed = (uint64_t)d->plan->config->run.seed;
        s->exponent = now->exponent[s->piece.param];
        s->divisor = now->divisor;
    }
    parallel_for(d->n_tasks, observe_task, d);
}
