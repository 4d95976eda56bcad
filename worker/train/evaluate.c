/* The loss over the windows of a source. The last microbatch is padded to shape with targets of -1; the sum is exact, so it is the same at
 * any number of ranks. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

struct windows {
    int64_t n, micro_first, micro_local, micro_most;
};

static struct windows share_windows(const struct worker *w, const struct stream *t, int64_t batches)
{
    const struct plan *plan = w->plan;
    struct windows s = { .n = stream_windows(t) };
    if (batches > 0) s.n = min_i64(s.n, batches * plan->sequences);
    const int64_t n_micro = ceil_div(s.n, plan->micro);
    s.micro_first = n_micro * w->rank / plan->ranks;
    s.micro_local = n_micro * (w->rank + 1) / plan->ranks - s.micro_first;
    s.micro_most = ceil_div(n_micro, plan->ranks);
    return s;
}

/* --- Bytes of text -------------------------------------------------------------------------------------------------------- */

static int64_t bytes_of(const struct worker *w, const int32_t *ids, int64_t n)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < n && w->token_bytes != NULL; i++) bytes += ids[i] >= 0 ? w->token_bytes[ids[i]] : 0;
    return bytes;
}

/* This rank's share of a file, token by token. */
static enum status share_bytes(const struct worker *w, const struct tokens *t, int64_t *out)
{
    enum { AT_ONCE = 4096 };
    int32_t ids[AT_ONCE];
    const int64_t end = t->n_tokens * (w->rank + 1) / w->plan->ranks;
    *out = 0;
    for (int64_t first = t->n_tokens * w->rank / w->plan->ranks; first < end; first += AT_ONCE) {
        const int64_t n = min_i64(AT_ONCE, end - first);
        TRY(tokens_read(t, first, n, ids));
        *out += bytes_of(w, ids, n);
    }
    return ST_OK;
}

/* Bytes of text for each byte that a source's tokens decode to: 1 where tokens are pieces of the text. Where the tokenizer alters it first
 * (lower case, a space before each document) what tokens decode to is another text, and its bytes are counted as so many of the text's.
 * 0: unknown. */
static enum status text_scale(const struct comm *world, struct worker *w, int source, double *out)
{
    const struct tokens *t = &w->valid[source].tokens;
    int64_t bytes = 0;
    if (w->token_bytes == NULL || w->text_scale[source] > 0) {
        *out = w->text_scale[source];
        return ST_OK;
    }
    TRY_ALL(world, share_bytes(w, t, &bytes));
    TRY(comm_sum_i64(world, COMM_CONTROL, &bytes, 1));
    *out = w->text_scale[source] = bytes > 0 ? (double)t->text_bytes / (double)bytes : 0;
    return ST_OK;
}

/* Without a tokenizer the tokens evaluated count as mean ones of their file. */
static double text_of(const struct tokens *t, int64_t n_tokens, int64_t bytes, double scale)
{
    return scale > 0 ? (double)bytes * scale : (double)n_tokens * (double)t->text_bytes / (double)t->n_tokens;
}

/* --- The loss ------------------------------------------------------------------------------------------------------------ */

/* Windows [first, first + n) into the token buffers; those past the last are padding. */
static enum status read_windows(struct worker *w, const struct stream *t, const struct windows *s, int64_t first, int64_t n, int64_t *bytes)
{
    const int64_t context = w->plan->context, real = max_i64(0, min_i64(n, s->n - first));
    for (int64_t i = 0; i < real; i++) TRY(stream_window(t, first + i, samples_from(w->batch, i, context)));
    samples_pad(samples_from(w->batch, real, context), n - real, context);
    *bytes += bytes_of(w, w->batch.targets, n * context);
    return ST_OK;
}

static enum status evaluate(const struct comm *world, struct worker *w, int source, int64_t batches, struct eval_result *out)
{
    const struct stream *t = &w->valid[source];
    const struct windows s = share_windows(w, t, batches);
    const int64_t window = w->plan->window, micro = w->plan->micro;
    struct super loss;
    super_clear(&loss);
    int64_t n_tokens = 0, bytes = 0;
    double scale = 0;
    TRY(text_scale(world, w, source, &scale));
    if (w->stale) TRY(exchange_refresh(w->shard, w, NULL));
    for (int64_t done = 0; done < s.micro_most; done += window) {
        const int64_t n_now = max_i64(0, min_i64(window, s.micro_local - done));
        TRY_ALL(world, read_windows(w, t, &s, (s.micro_first + done) * micro, n_now * micro, &bytes));
        const struct pass pass = { &w->evaluate[n_now], NULL, n_now, &loss, &n_tokens };
        TRY(executor_run(w->world, w, &pass));
    }
    super_normalize(&loss);
    int64_t sums[SUPER_LIMBS + 2];
    memcpy(sums, loss.limb, sizeof loss.limb);
    sums[SUPER_LIMBS] = n_tokens;
    sums[SUPER_LIMBS + 1] = bytes;
    TRY(comm_sum_i64(world, COMM_CONTROL, sums, SUPER_LIMBS + 2));
    memcpy(loss.limb, sums, sizeof loss.limb);
    *out = (struct eval_result){ .tokens = sums[SUPER_LIMBS], .nats = super_value(&loss) };
    out->loss = out->tokens > 0 ? out->nats / (double)out->tokens : (double)NAN;
    out->bytes = text_of(&t->tokens, out->tokens, sums[SUPER_LIMBS + 1], scale);
    out->bits_per_byte = out->bytes > 0 ? out->nats / 0.69314718055994530942 / out->bytes : (double)NAN;
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
