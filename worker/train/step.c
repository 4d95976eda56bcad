/* One step: attempts until the verdict is to apply or to give up, then the optimizer, then the new weights. Nothing persistent changes
 * before the verdict: a redo reads the same samples with exponents that fit. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/parallel.h"
#include "worker/schedules/schedules.h"

#include <math.h>
#include <string.h>

const struct stretch *step_stretch(const struct worker *w, int64_t step)
{
    int i = 0;
    while (i + 1 < w->n_stretches && w->stretches[i + 1].from_step <= step) i++;
    return &w->stretches[i];
}

static void clear_sums(struct worker *w)
{
    const struct partition *p = &w->plan->partition;
    for (int u = 0; u < p->n_units; u++) {
        const struct unit_memory *m = &w->units[u];
        const int64_t own = p->units[u].cut[w->member + 1] - p->units[u].cut[w->member];
        memset(m->own_sum, 0, (size_t)own * sizeof *m->own_sum);
        if (m->contribution && w->plan->group > 1) memset(m->contribution, 0, (size_t)p->units[u].count * sizeof(int64_t));
    }
    for (int i = 0; i < p->n_params; i++) {
        w->max_bits[i] = 0;
        w->sinks[i] = (struct exact_sink){
            .cols = p->params[i].cols, .exponent = w->exponent[i], .bits = w->plan->contribution_bits, .max_bits = &w->max_bits[i]
        };
    }
}

/* The samples of one pass of a step on this rank; none past its last. */
static struct sample_range pass_samples(const struct worker *w, int64_t step, int64_t pass)
{
    const struct plan *plan = w->plan;
    int64_t first, n;
    plan_share(plan, w->rank, &first, &n);
    const int64_t done = min_i64(pass * plan->window, n);
    return (struct sample_range){ (step - 1) * plan->sequences + (first + done) * plan->micro,
                                  min_i64(plan->window, n - done) * plan->micro };
}

/* A failure is this rank's alone: it computes on, with padding, and reports. */
static enum status read_batch(struct worker *w, int64_t step, int64_t pass)
{
    const double start = clock_seconds();
    const struct sample_range wanted = pass_samples(w, step, pass);
    struct sample_range next = pass_samples(w, step, pass + 1);
    if (next.count == 0) next = pass_samples(w, step + 1, 0);
    enum status s = fault_here(FAULT_data_read);
    if (!s && wanted.count > 0) s = prefetch_batch(w->prefetch, wanted, next, w->batch);
    if (s) samples_pad(w->batch, wanted.count, w->plan->context);
    w->times.data += clock_seconds() - start;
    return s;
}

static enum status run_passes(struct worker *w, int64_t step, struct super *loss, int64_t *n_tokens, enum status *local)
{
    const struct plan *plan = w->plan;
    const struct stretch *stretch = step_stretch(w, step);
    int64_t first, n_local;
    plan_share(plan, w->rank, &first, &n_local);
    const int64_t n_passes = ceil_div(ceil_div(plan->n_micro, plan->ranks), plan->window);
    for (int64_t i = 0; i < n_passes; i++) {
        const int64_t done = min_i64(i * plan->window, n_local), n_now = min_i64(plan->window, n_local - done);
        w->micro_begin = first + done;
        const enum status s = read_batch(w, step, i);
        if (s && !*local) *local = s;
        const struct pass pass = { &stretch->pass[n_now], stretch, n_now, loss, n_tokens };
        TRY(executor_run(w->world, w, &pass));
    }
    const struct pass finish = { &stretch->finish, stretch, 0, loss, n_tokens };
    TRY(executor_run(w->world, w, &finish));
    return exchange_across(w->across, w, stretch);
}

static void put_times(struct worker *w, struct report_record *r)
{
    const struct phase_times *t = &w->last_times;
    const double seconds[TIME_COUNT] = { t->forward, t->backward, t->gather, t->reduce, t->optimizer, t->data, t->total };
    for (int i = 0; i < TIME_COUNT; i++) r->least_ns[i] = r->sum_ns[i] = r->most_ns[i] = (int64_t)(seconds[i] * 1e9);
    r->slowest = (int64_t)((t->forward + t->backward) * 1e6) << 20 | w->rank;
}

static struct phase_times times_from(const int64_t ns[TIME_COUNT], double divisor)
{
    const double s = 1e-9 / divisor;
    return (struct phase_times){ (double)ns[TIME_FORWARD] * s, (double)ns[TIME_BACKWARD] * s,  (double)ns[TIME_GATHER] * s,
                                 (double)ns[TIME_REDUCE] * s,  (double)ns[TIME_OPTIMIZER] * s, (double)ns[TIME_DATA] * s,
                                 (double)ns[TIME_TOTAL] * s };
}

/* Everything up to the verdict. */
static enum status attempt(struct worker *w, const struct step_header *header)
{
    struct super loss;
    super_clear(&loss);
    int64_t n_tokens = 0;
    enum status local = fault_here(FAULT_step_local);
    clear_sums(w);
    TRY(run_passes(w, header->step, &loss, &n_tokens, &local));

    struct report_record *r = w->record;
    memset(r, 0, w->record_bytes);
    if (!local && !parallel_denormals_off())
        local = status_fail(ST_BUG, __FILE__, __LINE__, "a library switched denormal numbers on again");
    r->code = local;
    r->code_rank = w->rank;
    r->signals = header->signals;
    r->tokens = n_tokens;
    r->n_rules = w->plan->config->n_rules;
    r->n_params = w->plan->partition.n_params;
    memcpy(report_max_bits(r), w->max_bits, (size_t)r->n_params * sizeof *w->max_bits);
    super_normalize(&loss);
    r->loss = loss;
    for (int i = 0; i < r->n_rules; i++) super_clear(&r->norm[i]);
    /* Replicas of a span hold the same sums: one of them speaks for all. The token count is not known yet: squares of undivided sums. */
    if (plan_group(w->plan, w->rank) == 0) driver_norm(w->driver, header->step, w->exponent, r->norm);
    put_times(w, r);
    TRY(comm_reduce_record(w->world, COMM_CONTROL, r, w->record_bytes, report_combine));
    if (r->code) return comm_agree(w->world, local);
    return ST_OK;
}

static enum verdict judge(const struct worker *w, const bool *trained, int attempt_number, int *nonfinite)
{
    const struct verdict_input in = { .n_params = w->plan->partition.n_params,
                                      .attempt = attempt_number,
                                      .trained = trained,
                                      .exponent = w->exponent,
                                      .before_max = w->before_max,
                                      .bits = w->plan->contribution_bits,
                                      .by_name = w->plan->partition.by_name };
    return report_judge(w->record, &in, nonfinite);
}

/* The maxima just measured set the exponents of the next attempt or step. Not finite: the old ones stay. */
static void learn_exponents(struct worker *w)
{
    for (int i = 0; i < w->plan->partition.n_params; i++) {
        const uint32_t most = report_max_bits(w->record)[i];
        if (most == 0 || most >= 0x7f800000u) continue;
        w->exponent[i] = exact_exponent(most, w->plan->contribution_bits, w->exponent[i]);
        w->before_max[i] = most;
    }
}

/* Rows of matrices to their owners and directions back. What waits for nobody is updated while they travel. */
static enum status apply_whole(const struct comm *shard, struct worker *w)
{
    struct comm_request request = { 0 };
    const struct driver_messages out = driver_whole_out(w->driver);
    TRY(comm_messages_begin(shard, COMM_OPTIMIZER, out.sends, out.n_sends, out.recvs, out.n_recvs, &request));
    w->travelling = out.n_sends + out.n_recvs > 0;
    parallel_set_poll(exchange_poll, w); /* or long messages would wait until the rest is done */
    driver_rest(w->driver);
    parallel_set_poll(NULL, NULL);
    w->travelling = false;
    TRY(comm_wait(shard, &request));
    driver_whole_direct(w->driver);
    const struct driver_messages back = driver_whole_back(w->driver);
    TRY(comm_messages_begin(shard, COMM_OPTIMIZER, back.sends, back.n_sends, back.recvs, back.n_recvs, &request));
    TRY(comm_wait(shard, &request));
    driver_whole_done(w->driver);
    return ST_OK;
}

static enum status apply_exchange(const struct comm *shard, struct worker *w, int exchange)
{
    int64_t *values, n;
    driver_exchange(w->driver, exchange, &values, &n);
    if (n > 0) TRY(comm_sum_i64(shard, COMM_OPTIMIZER, values, n));
    driver_absorb(w->driver, exchange);
    return ST_OK;
}

enum status step_update(const struct comm *shard, struct worker *w, const struct driver_step *now)
{
    driver_begin(w->driver, now);
    for (int round = 0; round < OPT_ROUNDS; round++) TRY(apply_exchange(shard, w, round));
    TRY(apply_whole(shard, w));
    return apply_exchange(shard, w, OPT_COUNT_SIGNS);
}

/* The factor that a rule's gradients are clipped by: of the global norm, of its own, or 1. */
static double clip_factor(const struct worker *w, int rule, double global_norm)
{
    const struct config *c = w->plan->config;
    const double limit = c->rules[rule].common.clip;
    if (limit == CLIP_GLOBAL) return driver_clip(c->clip, global_norm);
    return driver_clip(limit, sqrt(super_value(&w->record->norm[rule])) / (double)w->record->tokens);
}

static enum status apply(struct worker *w, const struct step_header *header, struct step_report *report)
{
    const double start = clock_seconds();
    const struct config *c = w->plan->config;
    double clip[CONFIG_MAX_RULES], factor[CONFIG_MAX_RULES];
    for (int i = 0; i < c->n_rules; i++) {
        clip[i] = clip_factor(w, i, report->norm);
        factor[i] = schedule_factor(&c->schedules[c->rules[i].schedule], header->step, c->run.steps);
    }
    const struct driver_step step = { .step = header->step,
                                      .divisor = (double)w->record->tokens,
                                      .clip = clip,
                                      .factor = factor,
                                      .exponent = w->exponent,
                                      .max_bits = report_max_bits(w->record) };
    TRY(step_update(w->shard, w, &step));
    learn_exponents(w);
    w->times.optimizer += clock_seconds() - start;
    const double sent = clock_seconds();
    TRY(exchange_refresh(w->shard, w, step_stretch(w, header->step)));
    w->times.gather += clock_seconds() - sent;
    return ST_OK;
}

/* The norm of what is clipped together: the rules that follow the global bound. */
static double global_norm(const struct worker *w)
{
    struct super sum;
    super_clear(&sum);
    for (int i = 0; i < w->plan->config->n_rules; i++)
        if (w->plan->config->rules[i].common.clip == CLIP_GLOBAL) super_merge(&sum, &w->record->norm[i]);
    super_normalize(&sum);
    return w->record->tokens > 0 ? sqrt(super_value(&sum)) / (double)w->record->tokens : 0;
}

static void fill_report(const struct worker *w, const struct step_header *header, struct step_report *report)
{
    const struct report_record *r = w->record;
    const struct config *c = w->plan->config;
    *report = (struct step_report){
        .step = header->step, .tokens = r->tokens, .nonfinite_param = -1, .signals = (unsigned)r->signals, .clip = 1
    };
    report->loss = r->tokens > 0 ? super_value(&r->loss) / (double)r->tokens : 0;
    report->norm = global_norm(w);
    report->clip = driver_clip(c->clip, report->norm);
    for (int i = 0; i < c->n_rules; i++) report->lr[i] = worker_lr(c, i, header->step);
    report->least = times_from(r->least_ns, 1);
    report->mean = times_from(r->sum_ns, w->plan->ranks);
    report->most = times_from(r->most_ns, 1);
    report->slowest = (int)(r->slowest & ((1 << 20) - 1));
}

static void count_step(struct worker *w, double seconds)
{
    int64_t now[COMM_PHASES];
    comm_bytes(now);
    for (int i = 0; i < COMM_PHASES; i++) {
        w->bytes_step[i] = now[i] - w->bytes_before[i];
        w->bytes_before[i] = now[i];
    }
    w->steps++;
    w->times.total = seconds;
    w->last_times = w->times;
}

/* Attempts until the sums are exact; nonfinite: the tensor (in order of name the first) whose gradient was not finite twice, else -1. */
static enum status attempt_until_exact(struct worker *w, const struct step_header *header, const bool *trained, int *redone, int *nonfinite)
{
    for (*redone = 0;; ++*redone) {
        TRY(attempt(w, header));
        const enum verdict v = judge(w, trained, *redone, nonfinite);
        if (v == VERDICT_FAIL) FAIL(ST_BUG, "step %lld: a repeated attempt gave other numbers", (long long)header->step);
        if (v != VERDICT_REDO) return ST_OK;
        learn_exponents(w);
    }
}

static void swap_exponents(struct worker *w)
{
    int *exponent = w->exponent;
    uint32_t *most = w->before_max;
    w->exponent = w->observed_exponent;
    w->before_max = w->observed_max;
    w->observed_exponent = exponent;
    w->observed_max = most;
}

/* The gradient of labels drawn from the model, for optimizers that watch it (Sophia-G); with exponents of its own, since it is another
 * size. One that is not finite is passed over: the step itself will tell. */
static enum status observe(struct worker *w, const struct step_header *header, const bool *trained)
{
    int redone, nonfinite;
    w->drawing = true;
    w->draw = (struct label_draw){ .key = { (uint64_t)w->plan->config->run.seed, RNG_LABEL, 0 }, .step = header->step };
    swap_exponents(w);
    const enum status s = attempt_until_exact(w, header, trained, &redone, &nonfinite);
    if (!s && nonfinite < 0) {
        const struct driver_step step = { .step = header->step, .divisor = (double)w->record->tokens, .exponent = w->exponent };
        driver_observe(w->driver, &step);
        learn_exponents(w);
    }
    swap_exponents(w);
    w->drawing = false;
    return s;
}

static enum status attempts(struct worker *w, const struct step_header *header, const bool *trained, struct step_report *report)
{
    int redone, nonfinite;
    TRY(attempt_until_exact(w, header, trained, &redone, &nonfinite));
    fill_report(w, header, report);
    report->redone = redone;
    report->nonfinite_param = nonfinite;
    if (nonfinite < 0) {
        report->outcome = STEP_APPLIED;
        return apply(w, header, report);
    }
    if (!header->skip_nonfinite)
        FAIL(ST_DIVERGED, "step %lld: the gradient of %s is not finite, also when computed again; the last checkpoint is good",
             (long long)header->step, w->plan->partition.params[nonfinite].name);
    report->outcome = STEP_SKIPPED;
    return ST_OK;
}

enum status worker_step(const struct comm *world, struct worker *w, const struct step_header *header, struct step_report *report)
{
    const double start = clock_seconds();
    CHECK(world == w->world && header->step == w->step_done + 1);
    w->times = (struct phase_times){ 0 };
    memset(w->op_seconds, 0, sizeof w->op_seconds);
    if (w->stale) TRY(exchange_refresh(w->shard, w, NULL));
    comm_bytes(w->bytes_before);
    bool trained[4096];
    CHECK(w->plan->partition.n_params <= 4096);
    for (int i = 0; i < w->plan->partition.n_params; i++) trained[i] = plan_trained(w->plan, i, header->step);
    if (driver_observes(w->driver, header->step)) TRY(observe(w, header, trained));
    TRY(attempts(w, header, trained, report));
    w->step_done = header->step;
    w->tokens_done += report->tokens;
    count_step(w, clock_seconds() - start);
    return ST_OK;
}
