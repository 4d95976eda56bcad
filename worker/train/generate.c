/* Text, one token at a time. With the cache every token is computed once, against the keys and values of those before it; without it the
 * whole window is computed again for each token, which is the reference. Rank 0 draws, so a run on many hosts cannot fork. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/rng.h"
#include "worker/train/sample.h"

#include <string.h>

enum { PREFILL = 32 }; /* tokens of the prompt computed at a time */

/* One way to run the model: tapes for a fixed number of tokens, and the memory they need. */
struct runner {
    struct tape tapes[UNIT_KINDS];
    unsigned char *pass, *scratch, *shared, *x[2];
};

struct generator {
    struct worker *w;
    struct arena arena;
    const unsigned char **weights; /* [n_units] resident for the time of the generation */
    unsigned char **cache;         /* [n_units] */
    struct runner one, many;
    float *logits;
    struct sampler sampler;
    int32_t *window;          /* ids that the model sees */
    int64_t n_window, cached; /* of which this many are in the cache */
};

static void place_runner(struct generator *g, struct arena *arena, struct runner *r, int64_t time, int64_t cache_tokens)
{
    const struct worker *w = g->w;
    const struct plan *plan = w->plan;
    size_t pass = 0, scratch = 0, shared = 0;
    for (int kind = 0; kind < UNIT_KINDS; kind++) {
        struct tape *t = &r->tapes[kind];
        tape_begin(t, arena, (enum unit_kind)kind, TAPE_LOGITS, plan->compute, &plan->config->model, 1, time, cache_tokens,
                   kind == UNIT_EMBEDDING ? NULL : &r->tapes[UNIT_EMBEDDING].unit);
        plan->model->write(t, (enum unit_kind)kind, &plan->config->model);
        tape_layout(t, false, false);
        if (t->saved_bytes + t->forward_bytes > pass) pass = t->saved_bytes + t->forward_bytes;
        if (t->scratch_bytes > scratch) scratch = t->scratch_bytes;
        if (t->shared_bytes > shared) shared = t->shared_bytes;
    }
    r->pass = arena_place(arena, pass);
    r->scratch = arena_place_n(arena, (size_t)w->threads, scratch);
    r->shared = arena_place(arena, shared);
    for (int i = 0; i < 2; i++) r->x[i] = arena_place_n(arena, (size_t)(time * plan->config->model.width), dtype_bytes(plan->compute));
}

/* Weights that are gathered unit by unit in training stay for as long as text is made. */
static enum status gather_weights(struct generator *g)
{
    struct worker *w = g->w;
    const struct plan *plan = w->plan;
    const size_t bytes = dtype_bytes(plan->compute);
    for (int u = 0; u < plan->partition.n_units; u++) {
        const struct unit *unit = &plan->partition.units[u];
        g->weights[u] = w->units[u].resident;
        if (g->weights[u]) continue;
        unsigned char *buffer = arena_place_n(&g->arena, (size_t)unit->count, bytes);
        memcpy(buffer + (size_t)unit->cut[w->member] * bytes, w->units[u].own_weights, w->units[u].span_bytes[w->member]);
        struct comm_request request = { 0 };
        TRY(comm_gather_begin(w->shard, COMM_GATHER, buffer, w->units[u].span_bytes, &request));
        TRY(comm_wait(w->shard, &request));
        g->weights[u] = buffer;
    }
    return ST_OK;
}

static enum status generator_open(struct generator *g, struct worker *w)
{
    *g = (struct generator){ .w = w };
    arena_open_growing(&g->arena, "generate");
    const struct plan *plan = w->plan;
    const size_t n_units = (size_t)plan->partition.n_units;
    g->weights = arena_place_n(&g->arena, n_units, sizeof *g->weights);
    g->cache = arena_place_n(&g->arena, n_units, sizeof *g->cache);
    place_runner(g, &g->arena, &g->one, 1, plan->context);
    place_runner(g, &g->arena, &g->many, min_i64(PREFILL, plan->context), plan->context);
    for (size_t u = 0; u < n_units; u++) g->cache[u] = arena_place(&g->arena, g->one.tapes[plan->partition.units[u].kind].cache_bytes);
    g->logits = arena_place_n(&g->arena, (size_t)plan->config->model.vocab, sizeof *g->logits);
    g->sampler = sampler_place(&g->arena, plan->config->model.vocab);
    g->window = arena_place_n(&g->arena, (size_t)plan->context, sizeof *g->window);
    return gather_weights(g);
}

/* All units over n = the runner's time of tokens that stand at `position`; logits of the last one. */
static void run_units(struct generator *g, struct runner *r, const int32_t *tokens, int64_t position)
{
    const struct partition *p = &g->w->plan->partition;
    for (int u = 0; u < p->n_units; u++) {
        const bool head = u == p->n_units - 1;
        const struct tape *t = &r->tapes[p->units[u].kind];
        const struct tape_run run = { .weights = g->weights[u],
                                      .tied_weights = head && p->tied_param >= 0 ? g->weights[0] : NULL,
                                      .input = u > 0 ? r->x[(u - 1) % 2] : NULL,
                                      .output = head ? (unsigned char *)g->logits : r->x[u % 2],
                                      .tokens = tokens,
                                      .saved = r->pass,
                                      .pass = r->pass + t->saved_bytes,
                                      .scratch = r->scratch,
                                      .shared = r->shared,
                                      .cache = t->cache_tokens > 0 ? g->cache[u] : NULL,
                                      .position = position };
        tape_forward(t, &run);
    }
}

static void logits_cached(struct generator *g)
{
    const int64_t many = g->many.tapes[0].time;
    while (g->cached < g->n_window) {
        struct runner *r = g->n_window - g->cached >= many ? &g->many : &g->one;
        run_units(g, r, g->window + g->cached, g->cached);
        g->cached += r->tapes[0].time;
    }
}

static void logits_again(struct generator *g)
{
    struct arena arena;
    arena_open_growing(&arena, "uncached");
    struct runner whole;
    place_runner(g, &arena, &whole, g->n_window, 0);
    run_units(g, &whole, g->window, 0);
    arena_close(&arena);
}

/* A full window drops its older half; the rest is computed again at its new positions. */
static void push(struct generator *g, int32_t token)
{
    const int64_t context = g->w->plan->context;
    if (g->n_window == context) {
        const int64_t kept = context / 2;
        memmove(g->window, g->window + context - kept, (size_t)kept * sizeof *g->window);
        g->n_window = kept;
        g->cached = 0;
    }
    g->window[g->n_window++] = token;
}

static enum status generate(const struct comm *world, struct generator *g, const struct generate_options *o, const int32_t *ids, int64_t n,
                            bool (*emit)(void *, int32_t), void *context)
{
    for (int64_t i = 0; i < n; i++) push(g, ids[i]);
    for (int64_t i = 0; i < o->max_tokens; i++) {
        if (o->cached)
            logits_cached(g);
        else
            logits_again(g);
        const double u = rng_uniform((struct rng_key){ o->seed, RNG_SAMPLE, 0 }, 0, i);
        int32_t token = comm_rank(world) == 0 ? sampler_draw(&g->sampler, g->logits, g->w->plan->config->model.vocab, o, u) : 0;
        TRY(comm_broadcast(world, COMM_CONTROL, &token, sizeof token, 0));
        if (token == o->stop_token || !emit(context, token)) break;
        push(g, token);
    }
    return ST_OK;
}

enum status worker_generate(const struct comm *world, struct worker *w, const struct generate_options *options, const int32_t *ids,
                            int64_t n, bool (*emit)(void *context, int32_t token), void *context)
{
    CHECK(n > 0);
    if (w->stale) TRY(exchange_refresh(w->shard, w, NULL));
    struct generator g;
    enum status s = generator_open(&g, w);
    if (!s) s = generate(world, &g, options, ids, n, emit, context);
    arena_close(&g.arena);
    return s;
}
