/* The update loop. A tensor goes through stages: stage 0 reads the gradient and proposes, stage k takes in the sums of round k-1. Then u is
 * the direction, unless the whole matrix has to be seen by its owner first (STAGE_DIRECTED goes on from there); where signs are counted
 * STAGE_MOVE waits for the count. Read driver.h and optimizer.h first. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/base/clones.h"
#include "common/base/parallel.h"
#include "common/math/vec.h"
#include "common/tensor/convert.h"

#include <math.h>
#include <string.h>

/* ---- moving the weights ---- */

/* u points where the gradient points (descent along u lowers the loss to first order). Signs alone: the gradient's is its sum's. */
static bool agrees(float u, int64_t sum) { return (u > 0 && sum > 0) || (u < 0 && sum < 0); }

VECTOR_CLONES static int64_t count_agreeing(const float *u, const int64_t *sum, int64_t n)
{
    int64_t agreeing = 0;
    for (int64_t i = 0; i < n; i++) agreeing += agrees(u[i], sum[i]);
    return agreeing;
}

VECTOR_CLONES static void mask_and_boost(float *u, const int64_t *sum, float boost, int64_t n)
{
    for (int64_t i = 0; i < n; i++) u[i] = agrees(u[i], sum[i]) ? u[i] * boost : 0;
}

VECTOR_CLONES static void move(const struct span *s, float *restrict theta, const float *restrict u, int64_t n)
{
    const float keep = s->now.keep, rate = s->now.rate;
    const bool after = s->place == DECAY_AFTER, cautious = s->rule.common->cautious_decay;
    if (cautious) /* decay only where it and the step pull the same way (arXiv 2510.12402) */
        for (int64_t i = 0; i < n; i++) {
            const float k = u[i] * theta[i] >= 0 ? keep : 1;
            theta[i] = after ? k * (theta[i] - rate * u[i]) : k * theta[i] - rate * u[i];
        }
    else if (after)
        for (int64_t i = 0; i < n; i++) theta[i] = keep * (theta[i] - rate * u[i]);
    else
        for (int64_t i = 0; i < n; i++) theta[i] = keep * theta[i] - rate * u[i];
}

/* The running mean of the weights begins as those before the first update. */
VECTOR_CLONES static void follow(float *restrict average, const float *restrict theta, double decay, int64_t n)
{
    const float b = (float)decay, a = (float)(1 - decay);
    for (int64_t i = 0; i < n; i++) average[i] = b * average[i] + a * theta[i];
}

static void move_tile(const struct span *s, const struct opt_tile *v)
{
    const int64_t at = (v->row - s->piece.row_begin) * v->cols;
    float *theta = s->piece.theta + at;
    if (s->average != NULL && s->now.step.t == 1) memcpy(s->average + at, theta, (size_t)v->count * sizeof *theta);
    if (!s->now.tensor.still) move(s, theta, v->u, v->count);
    if (s->average != NULL) follow(s->average + at, theta, s->rule.common->average, v->count);
    if (s->piece.rounded != NULL) convert_f32_to_bf16(s->piece.rounded + at, theta, v->count);
}

/* ---- one tile at one stage ---- */

struct opt_tile drive_tile(const struct span *s, int64_t row, int64_t n_rows, float *u_scratch)
{
    const int64_t local = row - s->piece.row_begin, at = local * s->param->cols;
    struct opt_tile v = {
        .tensor = &s->now.tensor, .row = row, .n_rows = n_rows, .cols = s->param->cols, .count = n_rows * s->param->cols
    };
    v.theta = s->piece.theta + at;
    v.u = s->u != NULL ? s->u + at : u_scratch;
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        const struct stored *slot = &s->slot[k];
        float *const data = slot->whole.dtype == STORAGE_FP32 ? slot->data : NULL;
        if (data == NULL) continue;
        if (slot->whole.extent == PER_ELEMENT) v.slot[k] = data + at;
        if (slot->whole.extent == PER_ROW) v.slot[k] = data + local;
        if (slot->whole.extent == PER_BLOCK) v.slot[k] = data + local / s->block_rows;
    }
    return v;
}

/* ---- the gradient ---- */

/* Brock et al. 2021, eq. 3: no row of the gradient is longer than `agc` times its weights' norm (at least 1e-3). */
static void clip_rows(const struct opt_tile *v, double limit, float *g)
{
    for (int64_t r = 0; r < v->n_rows; r++) {
        const double weights = sqrt(vec_sum_squares(v->theta + r * v->cols, v->cols));
        const double most = limit * (weights > 1e-3 ? weights : 1e-3), norm = sqrt(vec_sum_squares(g + r * v->cols, v->cols));
        if (norm > most) vec_scale(g + r * v->cols, (float)(most / norm), g + r * v->cols, v->cols);
    }
}

static void read_gradient(const struct span *s, const struct opt_tile *v, const int64_t *sum, float *g)
{
    exact_decode(g, sum, v->count, s->exponent, s->divisor);
    if (s->rule.common->agc > 0) clip_rows(v, s->rule.common->agc, g);
    if (s->place != DECAY_L2 || s->now.step.weight_decay == 0) return;
    const float lambda = (float)s->now.step.weight_decay;
    for (int64_t i = 0; i < v->count; i++) g[i] += lambda * v->theta[i];
}

/* The terms of a round, block after block. */
static void add_partials(const struct span *s, struct task *k, const struct opt_tile *tile, int round, double *column)
{
    const struct opt_round *r = &s->rule.opt->rounds[round];
    for (int64_t first = 0; first < tile->n_rows; first += s->block_rows) {
        struct opt_tile block = drive_tile(s, tile->row + first, min_i64(s->block_rows, tile->n_rows - first), tile->u);
        if (tile->grad != NULL) block.grad = tile->grad + first * tile->cols;
        struct opt_sums terms = { .column = column };
        r->partial(&s->now.step, &block, &terms);
        for (int i = 0; i < s->need.scalars[round]; i++) super_add(&k->scalar[i], terms.scalar[i]);
        if (s->need.column[round] > 0) wide_add_from(k->column, column, tile->cols, s->column_exponent[round]);
    }
}

/* u is the direction. */
static void finish_tile(const struct span *s, struct task *k, const struct opt_tile *v, const int64_t *sum)
{
    if (s->rule.common->cautious)
        k->agreeing += count_agreeing(v->u, sum, v->count);
    else
        move_tile(s, v);
}

static void run_tile(const struct span *s, struct task *k, int stage, int64_t row, const struct scratch *scratch)
{
    const struct opt_desc *opt = s->rule.opt;
    struct opt_tile v = drive_tile(s, row, min_i64(s->tile_rows, k->row_end - row), scratch->u);
    const int64_t *sum = s->piece.sum + (row - s->piece.row_begin) * v.cols;
    if (stage == STAGE_MOVE) {
        mask_and_boost(v.u, sum, s->boost, v.count);
        move_tile(s, &v);
        return;
    }
    if (stage == STAGE_DIRECTED) {
        finish_tile(s, k, &v, sum);
        return;
    }
    struct ahead next;
    coded_look_ahead(s, stage, row + v.n_rows, k->row_end, &next);
    coded_open(s, stage, &v, scratch, &next);
    if (stage == 0) {
        read_gradient(s, &v, sum, scratch->grad);
        v.grad = scratch->grad;
        opt->propose(&s->now.step, &v);
    } else if (opt->rounds[stage - 1].absorb != NULL) {
        opt->rounds[stage - 1].absorb(&s->now.step, &v);
    }
    if (stage < s->rounds)
        add_partials(s, k, &v, stage, scratch->column);
    else if (!s->need.whole)
        finish_tile(s, k, &v, sum);
    coded_close(s, stage, &v, &next);
}

/* ---- one stage of all tensors ---- */

struct stage_pass {
    struct driver *d;
    int stage;
    bool (*takes)(const struct span *);
};

static void stage_task(void *context, int64_t index, int thread)
{
    const struct stage_pass *pass = context;
    struct driver *d = pass->d;
    struct task *k = &d->tasks[index];
    struct span *s = &d->spans[k->span];
    if (!s->now.active || !pass->takes(s)) return;
    if (pass->stage != STAGE_MOVE) k->agreeing = 0;
    if (pass->stage < s->rounds) {
        for (int i = 0; i < s->need.scalars[pass->stage]; i++) super_clear(&k->scalar[i]);
        if (s->need.column[pass->stage] > 0) memset(k->column, 0, (size_t)s->param->cols * sizeof *k->column);
    }
    for (int64_t row = k->row_begin; row < k->row_end; row += s->tile_rows) run_tile(s, k, pass->stage, row, &d->scratch[thread]);
}

void drive_stage(struct driver *d, int stage, bool (*takes)(const struct span *))
{
    struct stage_pass pass = { d, stage, takes };
    parallel_for(d->n_tasks, stage_task, &pass);
}

static bool is_plain(const struct span *s) { return s->plain; }
static bool waits(const struct span *s) { return !s->plain; }

static double decay_of_step(const struct rule_common *common, const struct opt_base *base, double factor)
{
    switch ((enum decay_mode)common->decay_mode) {
    case DECAY_MODE_LR: return base->lr * factor * base->weight_decay;
    case DECAY_MODE_SCHEDULE: return factor * base->weight_decay;
    case DECAY_MODE_INDEPENDENT: return base->weight_decay;
    }
    CHECK(!"a decay mode of the list");
}

void drive_update(const struct driver *d, const struct driver_step *now, int param, const struct opt_rule *rule, struct update *out)
{
    const struct param *p = &d->plan->partition.params[param];
    out->active = plan_trained(d->plan, param, now->step);
    if (!out->active) return;
    const struct opt_base base = opt_base(rule, p, d->plan->partition.n_units);
    const double factor = now->factor[p->rule], lr = base.lr < 0 ? RATE_NONE : base.lr * factor;
    const enum decay_place place = opt_decay(rule->opt, rule->hyper);
    out->step = (struct opt_step){ .t = d->updates[param],
                                   .lr = lr,
                                   .factor = factor,
                                   .weight_decay = base.weight_decay,
                                   .batch_tokens = now->divisor,
                                   .key = { (uint64_t)d->plan->config->run.seed, RNG_PROJECT, (uint32_t)param },
                                   .projection = now->projection,
                                   .hyper = rule->hyper };
    out->keep = place == DECAY_BEFORE || place == DECAY_AFTER ? (float)(1 - decay_of_step(rule->common, &base, factor)) : 1;
    out->rate = rule->opt->flags & OPT_STEP_OWN ? 1 : (float)lr;
    out->tensor.scope = d->scope[param];
    out->tensor.still = false;
    if (rule->opt->prepare != NULL) rule->opt->prepare(&out->step, &out->tensor);
}

static void set_gradient(struct span *s, const struct driver_step *now)
{
    s->exponent = now->exponent[s->piece.param];
    s->divisor = now->divisor / now->clip[s->param->rule];
}

/* Tensors of one rule that are trained now share its sums where the rule says so. */
static void count_scopes(struct driver *d, int64_t step)
{
    const struct partition *p = &d->plan->partition;
    for (int i = 0; i < p->n_params; i++) {
        const struct opt_rule rule = plan_rule(d->plan, i);
        d->scope[i] = p->params[i].rows * p->params[i].cols;
        if (!opt_needs(rule.opt, &p->params[i], rule.hyper).shared) continue;
        for (int k = 0; k < p->n_params; k++)
            if (k != i && p->params[k].rule == p->params[i].rule && plan_trained(d->plan, k, step))
                d->scope[i] += p->params[k].rows * p->params[k].cols;
    }
}

void driver_begin(struct driver *d, const struct driver_step *step)
{
    CHECK(!d->evaluating);
    d->step = step->step;
    for (int p = 0; p < d->plan->partition.n_params; p++)
        if (plan_trained(d->plan, p, step->step)) d->updates[p]++;
    count_scopes(d, step->step);
    for (int i = 0; i < d->n_spans; i++) {
        struct span *s = &d->spans[i];
        drive_update(d, step, s->piece.param, &s->rule, &s->now);
        if (!s->now.active) continue;
        set_gradient(s, step);
        drive_column_exponents(d, step, s);
    }
    for (int i = 0; i < d->n_owned; i++) drive_update(d, step, d->owned[i].param, &d->owned[i].rule, &d->owned[i].now);
    drive_stage(d, 0, waits);
}

void driver_rest(struct driver *d) { drive_stage(d, 0, is_plain); }
