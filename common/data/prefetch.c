#include "common/base/check.h"
#include "common/base/fault.h"
#include "tokens.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Windows of consecutive samples, [count, T + 1]. */
struct windows {
    int64_t first, count; /* count 0: nothing is known here */
    int32_t *ids;
};

/* The thread owns `ahead` while it is busy, the caller otherwise; `lock` guards the change. */
struct prefetch {
    const struct tokens *tokens;
    const struct order *order;
    int64_t batch;
    struct windows now, ahead;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, ending;
};

static enum status read_windows(const struct prefetch *p, int64_t first, int64_t count, struct windows *out)
{
    const int64_t width = p->order->context + 1;
    out->count = 0;
    for (int64_t i = 0; i < count; i++) TRY(tokens_read(p->tokens, order_position(p->order, first + i), width, out->ids + i * width));
    out->first = first;
    out->count = count;
    return ST_OK;
}

static void *read_ahead(void *context)
{
    struct prefetch *const p = context;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        if (!p->busy) {
            (void)pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        const int64_t first = p->ahead.first, count = p->ahead.count;
        (void)pthread_mutex_unlock(&p->lock);
        if (read_windows(p, first, count, &p->ahead)) status_clear(); /* the caller will read it again, and tell */
        (void)pthread_mutex_lock(&p->lock);
        p->busy = false;
        (void)pthread_cond_broadcast(&p->changed);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum status prefetch_open(const struct tokens *t, const struct order *o, int64_t sequences_per_batch, struct prefetch **out)
{
    *out = NULL;
    CHECK(sequences_per_batch > 0);
    if (o->windows == 0)
        FAIL(ST_DATA, "%s: holds %lld tokens, and one window of context %lld needs %lld; give more text or a shorter context", t->path,
             (long long)t->n_tokens, (long long)o->context, (long long)o->context + 1);
    struct prefetch *const p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    const size_t ids = (size_t)sequences_per_batch * (size_t)(o->context + 1);
    *p = (struct prefetch){ .tokens = t, .order = o, .batch = sequences_per_batch };
    p->now.ids = calloc(ids, sizeof *p->now.ids);
    p->ahead.ids = calloc(ids, sizeof *p->ahead.ids);
    CHECK(p->now.ids != NULL && p->ahead.ids != NULL);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    const int error = pthread_create(&p->thread, NULL, read_ahead, p);
    if (error) {
        free(p->now.ids);
        free(p->ahead.ids);
        free(p);
        FAIL(ST_IO, "the thread that reads ahead cannot be started: %s", strerror(error));
    }
    *out = p;
    return ST_OK;
}

/* What the thread read, if it is what is wanted; else read it here. */
static enum status take(struct prefetch *p, int64_t first, int64_t count)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->busy) (void)pthread_cond_wait(&p->changed, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->ahead.first != first || p->ahead.count < count) return read_windows(p, first, count, &p->now);
    const struct windows read = p->ahead;
    p->ahead = p->now;
    p->now = read;
    return ST_OK;
}

static void ask(struct prefetch *p, int64_t first, int64_t count)
{
    (void)pthread_mutex_lock(&p->lock);
    p->ahead.first = first;
    p->ahead.count = count;
    p->busy = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static void spread(const struct prefetch *p, int64_t real, int64_t count, int32_t *inputs, int32_t *targets)
{
    const int64_t T = p->order->context;
    for (int64_t i = 0; i < real; i++) {
        const int32_t *const window = p->now.ids + i * (T + 1);
        memcpy(inputs + i * T, window, (size_t)T * sizeof *inputs);
        memcpy(targets + i * T, window + 1, (size_t)T * sizeof *targets);
    }
    for (int64_t i = real * T; i < count * T; i++) inputs[i] = 0, targets[i] = -1;
}

enum status prefetch_batch(struct prefetch *p, int64_t first, int64_t count, int64_t limit, int64_t next, int32_t *inputs, int32_t *targets)
{
    CHECK(first >= 0 && count >= 0 && count <= p->batch);
    TRY(fault_here(FAULT_data_read));
    const int64_t real = max_i64(0, min_i64(count, limit - first));
    TRY(take(p, first, real));
    spread(p, real, count, inputs, targets);
    const int64_t ahead = next < 0 ? 0 : max_i64(0, min_i64(count, limit - next));
    if (ahead > 0) ask(p, next, ahead);
    return ST_OK;
}

void prefetch_close(struct prefetch *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_lock(&p->lock);
    p->ending = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free(p->now.ids);
    free(p->ahead.ids);
    free(p);
}
