/* The loss over windows in file order. The last microbatch is padded to shape with targets of -1; the sum is exact, so it is the same at
 * any number of ranks. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

struct windows {
    int64_t n, micro_first, micro_local, micro_most;
};

static struct windows share_windows(const struct worker *w, const struct tokens *t, int64_t batches)
{
    const struct plan *plan = w->plan;
    struct windows s = { .n = (t->n_tokens - 1) / plan->context };
    if (batches > 0) s.n = min_i64(s.n, batches * plan->sequences);
    const int64_t n_micro = ceil_div(s.n, plan->micro);
    s.micro_first = n_micro * w->rank / plan->ranks;
    s.micro_local = n_micro * (w->rank + 1) / plan->ranks - s.micro_first;
    s.micro_most = ceil_div(n_micro, plan->ranks);
    return s;
}

/* Windows [first, first + n) into the token buffers; those past the last are padding. */
static enum status read_windows(struct worker *w, const struct tokens *t, const struct windows *s, int64_t first, int64_t n)
{
    const int64_t context = w->plan->context, real = max_i64(0, min_i64(n, s->n - first));
    for (int64_t i = 0; i < real; i++) TRY(samples_window(t, (first + i) * context, context, samples_from(w->batch, i, context)));
    samples_pad(samples_from(w->batch, real, context), n - real, context);
    return ST_OK;
}

static enum status evaluate(const struct comm *world, struct worker *w, int source, int64_t batches, struct eval_result *out)
{
    const struct tokens *t = &w->valid[source];
    const struct windows s = share_windows(w, t, batches);
    const int64_t window = w->plan->window, micro = w->plan->micro;
    struct super loss;
    super_clear(&loss);
    int64_t n_tokens = 0;
    if (w->stale) TRY(exchange_refresh(w->shard, w, NULL));
    for (int64_t done = 0; done < s.micro_most; done += window) {
        const int64_t n_now = max_i64(0, min_i64(window, s.micro_local - done));
        TRY_ALL(world, read_windows(w, t, &s, (s.micro_first + done) * micro, n_now * micro));
        const struct pass pass = { &w->evaluate[n_now], NULL, n_now, &loss, &n_tokens };
        TRY(executor_run(w->world, w, &pass));
    }
    super_normalize(&loss);
    int64_t sums[SUPER_LIMBS + 1];
    memcpy(sums, loss.limb, sizeof loss.limb);
    sums[SUPER_LIMBS] = n_tokens;
    TRY(comm_sum_i64(world, COMM_CONTROL, sums, SUPER_LIMBS + 1));
    memcpy(loss.limb, sums, sizeof loss.limb);
    *out = (struct eval_result){ .tokens = sums[SUPER_LIMBS], .nats = super_value(&loss) };
    out->loss = out->tokens > 0 ? out->nats / (double)out->tokens : (double)NAN;
    const double tokens_per_byte = t->text_bytes > 0 ? (double)t->n_tokens / (double)t->text_bytes : (double)NAN;
    out->bits_per_byte = out->loss / 0.69314718055994530942 * tokens_per_byte;
    return ST_OK;
}

/* The weights to evaluate take the place of the trained ones and give it back, also after a failure. */
enum status worker_evaluate(const struct comm *world, struct worker *w, int source, int64_t batches, struct eval_result *out)
{
    CHECK(source < w->n_valid);
    const bool averages = w->mode == WORKER_TRAIN && w->plan->config->eval.weights == EVAL_AVERAGE;
    if (averages && driver_evaluate(w->driver, true)) w->stale = true;
    const enum status s = evaluate(world, w, source, batches, out);
    if (averages && driver_evaluate(w->driver, false)) w->stale = true;
    return s;
}
