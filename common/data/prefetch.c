#include "prefetch.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Consecutive samples. */
struct piece {
    int64_t first, count; /* count 0: nothing is known here */
    struct samples samples;
};

/* The thread owns `ahead` while it is busy, the caller otherwise; `lock` guards the change. */
struct prefetch {
    const struct corpus *corpus;
    int64_t batch;
    struct piece now, ahead;
    struct mix_cursor cursor; /* of whoever reads: one at a time */
    bool reading;             /* the cursor stands in the corpus */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, ending;
};

static enum status read_samples(struct prefetch *p, int64_t first, int64_t count, struct piece *out)
{
    out->count = 0;
    if (!p->reading) p->cursor = corpus_cursor(p->corpus);
    p->reading = true;
    for (int64_t i = 0; i < count; i++)
        TRY(corpus_sample(p->corpus, &p->cursor, first + i, samples_from(out->samples, i, p->corpus->context)));
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
        if (read_samples(p, first, count, &p->ahead)) status_clear(); /* the caller will read it again, and tell */
        (void)pthread_mutex_lock(&p->lock);
        p->busy = false;
        (void)pthread_cond_broadcast(&p->changed);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void place(struct piece *piece, int64_t samples, const struct corpus *c)
{
    const size_t n = (size_t)samples * (size_t)c->context;
    struct samples *const s = &piece->samples;
    *s = (struct samples){ calloc(n, sizeof(int32_t)), calloc(n, sizeof(int32_t)), c->separate ? calloc(n, sizeof(int32_t)) : NULL };
    CHECK(s->inputs != NULL && s->targets != NULL && (s->starts != NULL) == c->separate);
}

static void let_go(struct prefetch *p)
{
    struct piece *all[] = { &p->now, &p->ahead };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]->samples.inputs);
        free(all[i]->samples.targets);
        free(all[i]->samples.starts);
    }
    free(p);
}

enum status prefetch_open(const struct corpus *c, int64_t sequences_per_batch, struct prefetch **out)
{
    *out = NULL;
    CHECK(sequences_per_batch > 0);
    struct prefetch *const p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    *p = (struct prefetch){ .corpus = c, .batch = sequences_per_batch };
    place(&p->now, sequences_per_batch, c);
    place(&p->ahead, sequences_per_batch, c);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    const int error = pthread_create(&p->thread, NULL, read_ahead, p);
    if (error) {
        let_go(p);
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
    if (p->ahead.first != first || p->ahead.count < count) return read_samples(p, first, count, &p->now);
    const struct piece read = p->ahead;
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

enum status prefetch_batch(struct prefetch *p, struct sample_range wanted, struct sample_range next, struct samples out)
{
    CHECK(wanted.first >= 0 && wanted.count >= 0 && wanted.count <= p->batch && next.count <= p->batch);
    TRY(fault_here(FAULT_data_read));
    TRY(take(p, wanted.first, wanted.count));
    samples_copy(out, p->now.samples, wanted.count, p->corpus->context);
    if (next.count > 0) ask(p, next.first, next.count);
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
    let_go(p);
}
