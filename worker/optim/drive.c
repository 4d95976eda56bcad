/* The update loop. A tensor goes through stages: stage 0 reads the gradient and proposes, stage k follows exchange k-1; the last
 * stage moves the weights. Read driver.h and optimizer.h first. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/base/clones.h"
#include "common/base/parallel.h"
#include "common/math/vec.h"
#include "common/tensor/convert.h"

#include <math.h>
#include <string.h>

static bool trained(const struct param *p, int64_t step) { return p->frozen_until >= 0 && step >= p->frozen_until; }

/* ---- the global norm ---- */

struct norm_pass {
    struct driver *d;
    int64_t step;
    const int *exponent;
};

static bool in_norm(const struct norm_pass *pass, const struct task *k)
{
    const struct span *s = &pass->d->spans[k->span];
    return s->rule.common->clip && trained(s->param, pass->step);
}

static void norm_task(void *context, int64_t index, int thread)
{
    const struct norm_pass *pass = context;
    struct task *k = &pass->d->tasks[index];
    const struct span *s = &pass->d->spans[k->span];
    float *row_of_g = pass->d->scratch[thread].grad;
    super_clear(k->scalar);
    if (!in_norm(pass, k)) return;
    for (int64_t row = k->row_begin; row < k->row_end; row++) {
        const int64_t *sum = s->piece.sum + (row - s->piece.row_begin) * s->param->cols;
        exact_decode(row_of_g, sum, s->param->cols, pass->exponent[s->piece.param], 1);
        super_add(k->scalar, vec_sum_squares(row_of_g, s->param->cols));
    }
    super_normalize(k->scalar);
}

void driver_norm(struct driver *d, int64_t step, const int exponent[], struct super *norm)
{
    struct norm_pass pass = { d, step, exponent };
    parallel_for(d->n_tasks, norm_task, &pass);
    for (int k = 0; k < d->n_tasks; k++)
        if (in_norm(&pass, &d->tasks[k])) super_merge(norm, d->tasks[k].scalar);
    super_normalize(norm);
}

double driver_clip(double limit, double norm)
{
    const double factor = limit / (norm + 1e-6);
    return limit > 0 && factor < 1 ? factor : 1;
}

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
    const float keep = s->keep, rate = s->rate;
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

/* ---- one tile at one stage ---- */

static struct opt_tile tile_at(const struct span *s, int64_t row, int64_t n_rows, float *u_scratch)
{
    const int64_t local = row - s->piece.row_begin, at = local * s->param->cols;
    struct opt_tile v = { .tensor = &s->tensor, .row = row, .n_rows = n_rows, .cols = s->param->cols, .count = n_rows * s->param->cols };
    v.theta = s->piece.theta + at;
    v.u = s->u != NULL ? s->u + at : u_scratch;
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (s->extent[k] == PER_ELEMENT) v.slot[k] = s->slot[k] + at;
        if (s->extent[k] == PER_ROW) v.slot[k] = s->slot[k] + local;
    }
    return v;
}

static void read_gradient(const struct span *s, const struct opt_tile *v, const int64_t *sum, float *g)
{
    exact_decode(g, sum, v->count, s->exponent, s->divisor);
    if (s->place != DECAY_L2 || s->step.weight_decay == 0) return;
    const float lambda = (float)s->step.weight_decay;
    for (int64_t i = 0; i < v->count; i++) g[i] += lambda * v->theta[i];
}

/* The terms of a round, block after block. */
static void add_partials(const struct span *s, struct task *k, const struct opt_tile *tile, int round, double *column)
{
    const struct opt_round *r = &s->rule.opt->rounds[round];
    for (int64_t first = 0; first < tile->n_rows; first += s->block_rows) {
        struct opt_tile block = tile_at(s, tile->row + first, min_i64(s->block_rows, tile->n_rows - first), tile->u);
        if (tile->grad != NULL) block.grad = tile->grad + first * tile->cols;
        struct opt_sums terms = { .column = column };
        r->partial(&s->step, &block, &terms);
        for (int i = 0; i < s->need.scalars[round]; i++) super_add(&k->scalar[i], terms.scalar[i]);
        if (s->need.column[round] > 0)
            for (int64_t j = 0; j < tile->cols; j++) wide_add(&k->column[j], wide_from(column[j], s->column_exponent[round]));
    }
}

static void run_tile(const struct span *s, struct task *k, int stage, int64_t row, const struct scratch *scratch)
{
    const struct opt_desc *opt = s->rule.opt;
    struct opt_tile v = tile_at(s, row, min_i64(s->tile_rows, k->row_end - row), scratch->u);
    const int64_t at = (row - s->piece.row_begin) * v.cols;
    const int64_t *sum = s->piece.sum + at;
    if (stage == 0) {
        read_gradient(s, &v, sum, scratch->grad);
        v.grad = scratch->grad;
        opt->propose(&s->step, &v);
    } else if (stage <= s->rounds && opt->rounds[stage - 1].absorb != NULL) {
        opt->rounds[stage - 1].absorb(&s->step, &v);
    }
    if (stage < s->rounds) {
        add_partials(s, k, &v, stage, scratch->column);
    } else if (stage < s->exchanges) {
        k->agreeing += count_agreeing(v.u, sum, v.count);
    } else {
        if (s->rule.common->cautious) mask_and_boost(v.u, sum, s->boost, v.count);
        move(s, s->piece.theta + at, v.u, v.count);
        if (s->piece.rounded != NULL) convert_f32_to_bf16(s->piece.rounded + at, s->piece.theta + at, v.count);
    }
}

/* ---- one stage of all tensors ---- */

struct stage_pass {
    struct driver *d;
    int stage;
};

static void stage_task(void *context, int64_t index, int thread)
{
    const struct stage_pass *pass = context;
    struct driver *d = pass->d;
    struct task *k = &d->tasks[index];
    struct span *s = &d->spans[k->span];
    if (!s->active || pass->stage > s->exchanges) return;
    k->agreeing = 0;
    if (pass->stage < s->rounds) {
        for (int i = 0; i < s->need.scalars[pass->stage]; i++) super_clear(&k->scalar[i]);
        if (s->need.column[pass->stage] > 0) memset(k->column, 0, (size_t)s->param->cols * sizeof *k->column);
    }
    for (int64_t row = k->row_begin; row < k->row_end; row += s->tile_rows) run_tile(s, k, pass->stage, row, &d->scratch[thread]);
}

static double float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

/* Fixed point for the column sums of this step: the exponent follows from what every rank knows. The K contributions are bounded by
 * the reduced maximum, rounding to fixed point and to fp32 by the factor 2; all rows together stay below 2^92. */
static int column_exponent(const struct driver *d, const struct driver_step *now, const struct span *s, int round)
{
    const double most = float_of_bits(now->max_bits[s->piece.param]);
    const double bound = 2 * (double)d->plan->contributions * most / now->divisor;
    if (bound == 0) return 0;
    const double total = (double)s->param->rows * (s->need.column[round] == 2 ? bound * bound : bound);
    int above;
    (void)frexp(total, &above);
    return 92 - above;
}

static double decay_of_step(const struct rule_common *common, double lr)
{
    switch ((enum decay_mode)common->decay_mode) {
    case DECAY_MODE_LR: return lr * common->weight_decay;
    case DECAY_MODE_SCHEDULE: return common->lr > 0 ? lr / common->lr * common->weight_decay : 0;
    case DECAY_MODE_INDEPENDENT: return common->weight_decay;
    }
    CHECK(!"a decay mode of the list");
}

static void begin_span(const struct driver *d, const struct driver_step *now, struct span *s)
{
    const struct rule_common *common = s->rule.common;
    s->active = trained(s->param, now->step);
    if (!s->active) return;
    const double lr = now->lr[s->param->rule];
    s->exponent = now->exponent[s->piece.param];
    s->divisor = now->divisor / (common->clip ? driver_clip(d->plan->config->clip, now->norm) : 1);
    s->step = (struct opt_step){ .t = d->updates[s->piece.param], .lr = lr, .weight_decay = common->weight_decay, .hyper = s->rule.hyper };
    s->keep = s->place == DECAY_BEFORE || s->place == DECAY_AFTER ? (float)(1 - decay_of_step(common, lr)) : 1;
    s->rate = s->rule.opt->flags & OPT_STEP_OWN ? 1 : (float)lr;
    for (int round = 0; round < s->rounds; round++)
        if (s->need.column[round] > 0) s->column_exponent[round] = column_exponent(d, now, s, round);
    if (s->rule.opt->prepare != NULL) s->rule.opt->prepare(&s->step, &s->tensor);
}

void driver_begin(struct driver *d, const struct driver_step *step)
{
    for (int p = 0; p < d->plan->partition.n_params; p++)
        if (trained(&d->plan->partition.params[p], step->step)) d->updates[p]++;
    for (int i = 0; i < d->n_spans; i++) begin_span(d, step, &d->spans[i]);
    struct stage_pass pass = { d, 0 };
    parallel_for(d->n_tasks, stage_task, &pass);
}

/* ---- between stages ---- */

struct round_pass {
    struct driver *d;
    int round;
};

static void collect_span(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct round_pass *pass = context;
    struct driver *d = pass->d;
    const struct span *s = &d->spans[index];
    if (!s->active || pass->round >= s->exchanges) return;
    const struct task *tasks = &d->tasks[s->first_task];
    int64_t *out = d->values + s->value_at[pass->round];
    if (pass->round == s->rounds) {
        for (int k = 0; k < s->n_tasks; k++) *out += tasks[k].agreeing;
        return;
    }
    for (int i = 0; i < s->need.scalars[pass->round]; i++, out += SUPER_LIMBS) {
        struct super sum;
        super_clear(&sum);
        for (int k = 0; k < s->n_tasks; k++) {
            super_normalize(&tasks[k].scalar[i]);
            super_merge(&sum, &tasks[k].scalar[i]);
        }
        super_normalize(&sum);
        memcpy(out, sum.limb, sizeof sum.limb);
    }
    if (s->need.column[pass->round] == 0) return;
    for (int64_t j = 0; j < s->param->cols; j++) {
        struct wide sum = { 0 };
        for (int k = 0; k < s->n_tasks; k++) wide_add(&sum, tasks[k].column[j]);
        out[2 * j] = sum.high;
        out[2 * j + 1] = sum.low;
    }
}

void driver_exchange(struct driver *d, int round, int64_t **values, int64_t *n)
{
    struct round_pass pass = { d, round };
    memset(d->values, 0, (size_t)d->n_values[round] * sizeof *d->values);
    if (d->n_values[round] > 0) parallel_for(d->n_spans, collect_span, &pass);
    *values = d->values;
    *n = d->n_values[round];
}

static void settle_span(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct round_pass *pass = context;
    struct span *s = &pass->d->spans[index];
    if (!s->active || pass->round >= s->exchanges) return;
    const int64_t *in = pass->d->values + s->value_at[pass->round];
    if (pass->round == s->rounds) { /* the masked direction keeps its mean size; at least 1 in 1,000 is assumed to agree */
        const double share = (double)*in / (double)(s->param->rows * s->param->cols);
        s->boost = (float)(1 / (share > 1e-3 ? share : 1e-3));
        return;
    }
    for (int i = 0; i < s->need.scalars[pass->round]; i++, in += SUPER_LIMBS) {
        struct super sum;
        memcpy(sum.limb, in, sizeof sum.limb);
        super_normalize(&sum);
        s->sums.scalar[i] = super_value(&sum);
    }
    if (s->need.column[pass->round] > 0)
        for (int64_t j = 0; j < s->param->cols; j++)
            s->sums.column[j] = wide_value((struct wide){ .high = in[2 * j], .low = in[2 * j + 1] }, s->column_exponent[pass->round]);
    s->rule.opt->rounds[pass->round].settle(&s->step, &s->tensor, &s->sums);
}

void driver_absorb(struct driver *d, int round)
{
    if (d->n_values[round] == 0) return;
    struct round_pass settle = { d, round };
    parallel_for(d->n_spans, settle_span, &settle);
    struct stage_pass pass = { d, round + 1 };
    parallel_for(d->n_tasks, stage_task, &pass);
}
