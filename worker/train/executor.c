/* Runs a program: one function per kind of action. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/comm/recorder.h"

#include <string.h>

static unsigned char *boundary(const struct worker *w, int unit, int local)
{
    const int64_t row = w->mode == WORKER_TRAIN ? unit : unit % 2;
    return w->boundaries + (row * w->plan->window + local) * w->boundary_bytes;
}

/* Saved tensors of the head live for one action, and so do those of a block that is computed again for its backward. */
static bool saves_in_pass(const struct worker *w, enum unit_kind kind)
{
    return kind == UNIT_HEAD || (kind == UNIT_BLOCK && w->plan->config->parallel.recompute);
}

static unsigned char *saved_region(const struct worker *w, int unit, int local)
{
    if (saves_in_pass(w, w->plan->partition.units[unit].kind)) return w->pass_memory;
    const size_t before = unit == 0 ? 0 : w->tapes[UNIT_EMBEDDING].saved_bytes + (size_t)(unit - 1) * w->tapes[UNIT_BLOCK].saved_bytes;
    return w->saved + (size_t)local * w->saved_stride + before;
}

static struct tape_run bind(struct worker *w, int unit, int local)
{
    const struct samples batch = samples_from(w->batch, local * w->plan->micro, w->plan->context);
    const struct partition *p = &w->plan->partition;
    const struct unit *u = &p->units[unit];
    const bool head = u->kind == UNIT_HEAD;
    struct tape_run run = { .weights = exchange_weights(w, unit),
                            .saved = saved_region(w, unit, local),
                            .pass = w->pass_memory + (saves_in_pass(w, u->kind) ? w->tapes[u->kind].saved_bytes : 0),
                            .scratch = w->scratch_memory,
                            .shared = w->shared_memory,
                            .seconds = w->op_seconds[u->kind],
                            .tokens = batch.inputs,
                            .targets = batch.targets,
                            .starts = batch.starts };
    if (head && w->drawing) {
        w->draw.first = (w->micro_begin + local) * w->plan->micro_tokens;
        run.draw = &w->draw;
    }
    if (head && p->tied_param >= 0) run.tied_weights = exchange_weights(w, 0);
    run.input = unit > 0 ? boundary(w, unit - 1, local) : NULL;
    run.output = head ? (unsigned char *)w->nll : boundary(w, unit, local);
    return run;
}

static void aim_sinks(struct worker *w, int unit)
{
    const struct unit *u = &w->plan->partition.units[unit];
    int64_t *sum = exchange_contribution(w, unit);
    for (int i = u->first_param; i < u->first_param + u->n_params; i++)
        w->sinks[i].sum = plan_trained(w->plan, i, w->step_done + 1) ? sum + w->plan->partition.params[i].offset : NULL;
}

static const struct exact_sink *sinks_of(struct worker *w, const struct stretch *s, int unit)
{
    const int first = w->plan->partition.units[unit].first_param;
    if (s->trains[unit]) {
        aim_sinks(w, unit);
    } else {
        for (int i = 0; i < w->plan->partition.units[unit].n_params; i++) w->sinks[first + i].sum = NULL;
    }
    return &w->sinks[first];
}

static void forward(struct worker *w, const struct action *a)
{
    const struct tape_run run = bind(w, a->unit, a->local);
    tape_forward(&w->tapes[w->plan->partition.units[a->unit].kind], &run);
}

static void backward(struct worker *w, const struct pass *pass, const struct action *a)
{
    const struct partition *p = &w->plan->partition;
    const bool head = a->unit == p->n_units - 1;
    const struct tape *tape = &w->tapes[p->units[a->unit].kind];
    struct tape_run run = bind(w, a->unit, a->local);
    run.sinks = sinks_of(w, pass->stretch, a->unit);
    if (head && p->tied_param >= 0) run.tied_sinks = sinks_of(w, pass->stretch, 0);
    if (!head && saves_in_pass(w, tape->kind)) tape_forward(tape, &run);
    unsigned char **spare = &w->gradient_of[w->plan->window];
    run.d_output = head ? NULL : w->gradient_of[a->local];
    run.d_input = a->unit > pass->stretch->lowest ? *spare : NULL;
    tape_backward(tape, &run);
    if (run.d_input) { /* what came out is what the unit below reads */
        *spare = w->gradient_of[a->local];
        w->gradient_of[a->local] = run.d_input;
    }
}

static void take_loss(struct worker *w, const struct pass *pass, int local)
{
    const int32_t *targets = w->batch.targets + (int64_t)local * w->plan->micro_tokens;
    for (int64_t i = 0; i < w->plan->micro_tokens; i++) {
        if (targets[i] < 0) continue;
        super_add(pass->loss, (double)w->nll[i]);
        *pass->n_tokens += 1;
    }
}

static enum status act(struct worker *w, const struct pass *pass, const struct action *a)
{
    const bool head = a->unit == w->plan->partition.n_units - 1;
    switch (a->kind) {
    case ACTION_GATHER_BEGIN: return exchange_gather_begin(w->shard, w, a->unit);
    case ACTION_GATHER_WAIT: return exchange_gather_wait(w->shard, w, a->unit);
    case ACTION_RELEASE: exchange_release(w, a->unit); return ST_OK;
    case ACTION_REDUCE_BEGIN: return exchange_reduce_begin(w->shard, w, a->unit);
    case ACTION_REDUCE_WAIT: return exchange_reduce_wait(w->shard, w, a->unit);
    case ACTION_FORWARD: forward(w, a); break;
    case ACTION_BACKWARD: backward(w, pass, a); break;
    case ACTION_KINDS: break;
    }
    if (head) take_loss(w, pass, a->local);
    return ST_OK;
}

static double *time_of(struct worker *w, enum action_kind kind)
{
    switch (kind) {
    case ACTION_FORWARD: return &w->times.forward;
    case ACTION_BACKWARD: return &w->times.backward;
    case ACTION_REDUCE_BEGIN:
    case ACTION_REDUCE_WAIT: return &w->times.reduce;
    default: return &w->times.gather;
    }
}

static enum status run_actions(struct worker *w, const struct pass *pass)
{
    for (int i = 0; i < pass->program->n; i++) {
        const struct action *a = &pass->program->actions[i];
        const double start = clock_seconds();
        recorder_note(action_name(a->kind), w->step_done + 1, a->unit);
        TRY(act(w, pass, a));
        *time_of(w, a->kind) += clock_seconds() - start;
    }
    return ST_OK;
}

enum status executor_run(const struct comm *world, struct worker *w, const struct pass *pass)
{
    CHECK(world == w->world);
    parallel_set_poll(exchange_poll, w);
    const enum status s = run_actions(w, pass);
    parallel_set_poll(NULL, NULL);
    return s;
}
