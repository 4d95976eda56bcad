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
#include "worker/optim/storage.h"

#include <math.h>
#include <string.h>

/* ---- the global norm ---- */

struct norm_pass {
    struct driver *d;
    int64_t step;
    const int *exponent;
};

static bool in_norm(const struct norm_pass *pass, const struct task *k)
{
    const struct span *s = &pass->d->spans[k->span];
    return s->rule.common->clip != CLIP_NONE && plan_trained(pass->d->plan, s->piece.param, pass->step);
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

void driver_norm(struct driver *d, int64_t step, const int exponent[], struct super norm[])
{
    struct norm_pass pass = { d, step, exponent };
    parallel_for(d->n_tasks, norm_task, &pass);
    for (int k = 0; k < d->n_tasks; k++)
        if (in_norm(&pass, &d->tasks[k])) super_merge(&norm[d->spans[d->tasks[k].span].param->rule], d->tasks[k].scalar);
    for (int r = 0; r < d->plan->config->n_rules; r++) super_normalize(&norm[r]);
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

static struct opt_tile tile_at(const struct span *s, int64_t row, int64_t n_rows, float *u_scratch)
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

/* ---- state that is stored in fewer bytes: a tile sees fp32 in the one stage that reads and writes it ---- */

static bool coded_here(const struct span *s, int slot, int stage)
{
    if (s->slot[slot].data == NULL || s->slot[slot].whole.dtype == STORAGE_FP32) return false;
    return stage == STAGE_OBSERVE ? s->rule.opt->slots[slot].observed : s->rule.opt->slots[slot].stage == stage;
}

static struct rng_key rounding_key(const struct span *s, int slot)
{
    return (struct rng_key){ s->now.step.key.seed, RNG_ROUND, (uint32_t)(s->piece.param * OPT_MAX_SLOTS + slot) };
}

static void open_state(const struct span *s, int stage, struct opt_tile *v, const struct scratch *scratch)
{
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (!coded_here(s, k, stage)) continue;
        const struct stored *slot = &s->slot[k];
        const int64_t at = (v->row - s->piece.row_begin) * v->cols;
        v->slot[k] = scratch->state[k];
        if (slot->whole.dtype == STORAGE_BF16)
            convert_bf16_to_f32(v->slot[k], (const uint16_t *)slot->data + at, v->count);
        else
            storage_q8_decode(v->slot[k], (const uint8_t *)slot->data + at, slot->scale + at / slot->whole.block, v->count,
                              slot->whole.block, s->rule.opt->slots[k].positive);
    }
}

static void close_state(const struct span *s, int stage, const struct opt_tile *v)
{
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (!coded_here(s, k, stage) || (stage != STAGE_OBSERVE && s->rule.opt->slots[k].observed)) continue;
        const struct stored *slot = &s->slot[k];
        const int64_t at = (v->row - s->piece.row_begin) * v->cols;
        if (slot->whole.dtype == STORAGE_BF16)
            storage_bf16_encode((uint16_t *)slot->data + at, v->slot[k], v->count, rounding_key(s, k), s->now.step.t, v->row * v->cols);
        else
            storage_q8_encode((uint8_t *)slot->data + at, slot->scale + at / slot->whole.block, v->slot[k], v->count, slot->whole.block,
                              s->rule.opt->slots[k].positive);
    }
}

/* ---- the gradient ---- */

/* Brock et al. 2021, eq. 3: no row of the gradient is longer than clip_rows times its weights' norm (at least 1e-3). */
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
    if (s->rule.common->clip_rows > 0) clip_rows(v, s->rule.common->clip_rows, g);
    if (s->place != DECAY_L2 || s->now.step.weight_decay == 0) return;
    const float lambda = (float)s->now.step.weight_decay;
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
        r->partial(&s->now.step, &block, &terms);
        for (int i = 0; i < s->need.scalars[round]; i++) super_add(&k->scalar[i], terms.scalar[i]);
        if (s->need.column[round] > 0)
            for (int64_t j = 0; j < tile->cols; j++) wide_add(&k->column[j], wide_from(column[j], s->column_exponent[round]));
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
    struct opt_tile v = tile_at(s, row, min_i64(s->tile_rows, k->row_end - row), scratch->u);
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
    open_state(s, stage, &v, scratch);
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
    close_state(s, stage, &v);
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
static bool has_first_round(const struct span *s) { return s->rounds > 0; }
static bool has_second_round(const struct span *s) { return s->rounds > 1; }
static bool counts_signs(const struct span *s) { return s->rule.common->cautious; }

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
        for (int round = 0; round < s->rounds; round++)
            if (s->need.column[round] > 0) s->column_exponent[round] = column_exponent(d, step, s, round);
    }
    for (int i = 0; i < d->n_owned; i++) drive_update(d, step, d->owned[i].param, &d->owned[i].rule, &d->owned[i].now);
    drive_stage(d, 0, waits);
}

void driver_rest(struct driver *d) { drive_stage(d, 0, is_plain); }

/* ---- a second gradient ---- */

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
        struct opt_tile v = tile_at(s, row, min_i64(s->tile_rows, k->row_end - row), scratch->u);
        exact_decode(scratch->grad, s->piece.sum + (row - s->piece.row_begin) * v.cols, v.count, s->exponent, s->divisor);
        v.grad = scratch->grad;
        open_state(s, STAGE_OBSERVE, &v, scratch);
        s->rule.opt->observe(&s->now.step, &v);
        close_state(s, STAGE_OBSERVE, &v);
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
    if (!s->now.active) return;
    const struct task *tasks = &d->tasks[s->first_task];
    int64_t *out = d->values + s->value_at[pass->round];
    if (pass->round == OPT_COUNT_SIGNS) {
        for (int k = 0; k < s->n_tasks && s->rule.common->cautious; k++) *out += tasks[k].agreeing;
        return;
    }
    if (pass->round >= s->rounds) return;
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

void driver_exchange(struct driver *d, int exchange, int64_t **values, int64_t *n)
{
    struct round_pass pass = { d, exchange };
    memset(d->values, 0, (size_t)d->n_values[exchange] * sizeof *d->values);
    if (d->n_values[exchange] > 0) parallel_for(d->n_spans, collect_span, &pass);
    *values = d->values;
    *n = d->n_values[exchange];
}

/* The i-th scalar of a tensor, or of all tensors that share it with this one: frozen ones brought zeros. */
static double scalar_of(const struct driver *d, const struct span *s, int round, int i)
{
    struct super sum, other;
    super_clear(&sum);
    const struct partition *p = &d->plan->partition;
    const int first = s->need.shared ? 0 : s->piece.param, last = s->need.shared ? p->n_params - 1 : first;
    for (int k = first; k <= last; k++) {
        if (p->params[k].rule != s->param->rule) continue;
        memcpy(other.limb, d->values + d->value_at[round][k] + i * SUPER_LIMBS, sizeof other.limb);
        super_normalize(&other);
        super_merge(&sum, &other);
    }
    super_normalize(&sum);
    return super_value(&sum);
}

static void settle_span(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct round_pass *pass = context;
    const struct driver *d = pass->d;
    struct span *s = &pass->d->spans[index];
    if (!s->now.active) return;
    const int64_t *in = d->values + s->value_at[pass->round];
    if (pass->round == OPT_COUNT_SIGNS) { /* the masked direction keeps its mean size; at least 1 in 1,000 is assumed to agree */
        const double share = s->rule.common->cautious ? (double)*in / (double)(s->param->rows * s->param->cols) : 1;
        s->boost = (float)(1 / (share > 1e-3 ? share : 1e-3));
        return;
    }
    if (pass->round >= s->rounds) return;
    for (int i = 0; i < s->need.scalars[pass->round]; i++) s->sums.scalar[i] = scalar_of(d, s, pass->round, i);
    in += s->need.scalars[pass->round] * SUPER_LIMBS;
    if (s->need.column[pass->round] > 0)
        for (int64_t j = 0; j < s->param->cols; j++)
            s->sums.column[j] = wide_value((struct wide){ .high = in[2 * j], .low = in[2 * j + 1] }, s->column_exponent[pass->round]);
    s->rule.opt->rounds[pass->round].settle(&s->now.step, &s->now.tensor, &s->sums);
}

void driver_absorb(struct driver *d, int exchange)
{
    if (d->n_values[exchange] == 0) return;
    struct round_pass settle = { d, exchange };
    parallel_for(d->n_spans, settle_span, &settle);
    if (exchange == OPT_COUNT_SIGNS)
        drive_stage(d, STAGE_MOVE, counts_signs);
    else
        drive_stage(d, exchange + 1, exchange == 0 ? has_first_round : has_second_round);
}
