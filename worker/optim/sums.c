/* Sums that cross ranks: the terms of all tasks become int64 values in one layout, and what comes back is settled once per tensor. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/parallel.h"

#include <math.h>
#include <string.h>

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

void drive_column_exponents(const struct driver *d, const struct driver_step *now, struct span *s)
{
    for (int round = 0; round < s->rounds; round++)
        if (s->need.column[round] > 0) s->column_exponent[round] = column_exponent(d, now, s, round);
}

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

static bool has_first_round(const struct span *s) { return s->rounds > 0; }
static bool has_second_round(const struct span *s) { return s->rounds > 1; }
static bool counts_signs(const struct span *s) { return s->rule.common->cautious; }

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
