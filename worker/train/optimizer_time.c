/* What the optimizer of a plan costs: the run's driver and its exchanges on the memory of a run, with gradients that are made up and no
 * model around them. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"

#include <string.h>

enum { AT_MOST = 7, AT_LEAST = 2, ENOUGH_SECONDS = 1 }; /* steps that are alike */

/* ---- numbers to work on ---- */

/* Sums of four words that are uniform: nearly bell-shaped, of either sign, |x| < 2^33, with a deviation of 2^31.2. */
enum { CHUNK = 1 << 14, AT_ONCE = 256, GRADIENT_EXPONENT = 40, WEIGHT_EXPONENT = 37 };

struct filling {
    struct worker *w;
    int unit;
    int64_t begin, n; /* this rank's span in the unit */
};

static void fill_chunk(void *context, int64_t task, int thread)
{
    (void)thread;
    const struct filling *f = context;
    const struct unit_memory *m = &f->w->units[f->unit];
    const struct rng_key key = { (uint64_t)f->w->plan->config->run.seed, RNG_TEST, (uint32_t)f->unit };
    uint32_t word[AT_ONCE][4];
    for (int64_t at = task * CHUNK; at < min_i64((task + 1) * CHUNK, f->n); at += AT_ONCE) {
        const int64_t n = min_i64(AT_ONCE, f->n - at);
        rng_blocks(key, 0, f->begin + at, n, word[0]);
        for (int64_t i = 0; i < n; i++) {
            const int64_t x = (int64_t)(int32_t)word[i][0] + (int32_t)word[i][1] + (int32_t)word[i][2] + (int32_t)word[i][3];
            m->own_sum[at + i] = x;
            m->master[at + i] = (float)((double)x * (1.0 / (double)((int64_t)1 << WEIGHT_EXPONENT)));
        }
    }
}

static void fill(struct worker *w)
{
    const struct partition *p = &w->plan->partition;
    for (int u = 0; u < p->n_units; u++) {
        struct filling f = { w, u, p->units[u].cut[w->member], 0 };
        f.n = p->units[u].cut[w->member + 1] - f.begin;
        parallel_for(ceil_div(f.n, CHUNK), fill_chunk, &f);
    }
    for (int i = 0; i < p->n_params; i++) {
        const float most = 1.0f / (float)(1 << (GRADIENT_EXPONENT - 33));
        w->exponent[i] = GRADIENT_EXPONENT;
        memcpy(&w->max_bits[i], &most, sizeof most);
    }
    driver_fresh(w->driver);
}

/* ---- steps ---- */

/* The t-th update of all tensors. */
static enum status timed_step(const struct comm *world, struct worker *w, int64_t t, double *seconds)
{
    double one[CONFIG_MAX_RULES];
    for (int i = 0; i < CONFIG_MAX_RULES; i++) one[i] = 1;
    const struct driver_step now = {
        .step = t, .divisor = 1, .clip = one, .factor = one, .exponent = w->exponent, .max_bits = w->max_bits
    };
    for (int i = 0; i < w->plan->partition.n_params; i++) driver_updates(w->driver)[i] = t - 1;
    TRY(comm_barrier(world));
    const double start = clock_seconds();
    if (driver_observes(w->driver, t)) driver_observe(w->driver, &now);
    TRY(step_update(w->shard, w, &now));
    *seconds = clock_seconds() - start;
    return comm_max_f64(world, COMM_CONTROL, seconds, 1);
}

/* Steps after which what they do repeats: of the rule whose period is longest. */
static int64_t period_of(const struct plan *plan)
{
    int64_t period = 1;
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct opt_rule rule = plan_rule(plan, i);
        const bool whole = opt_whole_flops(&rule, &plan->partition.params[i]) > 0;
        if (whole && rule.opt->whole_every != NULL) period = max_i64(period, rule.opt->whole_every(rule.hyper));
        if (rule.opt->observe_every != NULL) period = max_i64(period, rule.opt->observe_every(rule.hyper));
    }
    return period;
}

/* Steps 2 .. period + 1 are a whole period. What comes once in it comes at step `period` or, for rules that begin with it, one later: the
 * two are timed once each, and the best of step 2 stands for the others. Step 1 touches the memory and is not counted. */
static enum status mean_step(const struct comm *world, struct worker *w, double *mean)
{
    const int64_t period = period_of(w->plan);
    double seconds, spent = 0, best = 0;
    TRY(timed_step(world, w, 1, &seconds));
    for (int n = 0; n < AT_LEAST || (n < AT_MOST && spent < ENOUGH_SECONDS); n++) {
        TRY(timed_step(world, w, 2, &seconds));
        spent += seconds;
        if (n == 0 || seconds < best) best = seconds;
    }
    *mean = best;
    for (int64_t t = max_i64(period, 3); period > 1 && t <= period + 1; t++) {
        TRY(timed_step(world, w, t, &seconds));
        *mean += (seconds - best) / (double)period;
    }
    return ST_OK;
}

static void count(const struct plan *plan, struct optimizer_cost *out)
{
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct param *p = &plan->partition.params[i];
        const struct opt_rule rule = plan_rule(plan, i);
        out->bytes += plan->n_groups * opt_step_bytes(&rule, p, plan->compute == DT_F32 ? 0 : dtype_bytes(plan->compute));
        out->flops += plan->n_groups * opt_whole_flops(&rule, p);
        out->state_bytes += (double)opt_slot_bytes(&rule, p);
        out->elements += (double)(p->rows * p->cols);
    }
}

enum status worker_time_optimizer(const struct comm *world, const struct plan *plan, struct optimizer_cost *out)
{
    struct worker *w = NULL;
    *out = (struct optimizer_cost){ 0 };
    count(plan, out);
    enum status s = worker_open(world, plan, WORKER_UPDATE, &w);
    if (s == ST_OK) {
        fill(w);
        s = mean_step(world, w, &out->seconds);
    }
    worker_close(w);
    return s;
}
