/* Opening, filling and closing one rank of a run. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"
#include "common/tensor/convert.h"

#include <stdlib.h>
#include <string.h>

static void measure_into(struct worker *w, struct worker_memory *out)
{
    *out = (struct worker_memory){ w->run.peak, w->step.peak, w->pass.peak, w->scratch.peak, w->data.peak, 0 };
    out->total = out->run + out->step + out->pass + out->scratch + out->data;
}

static void close_arenas(struct worker *w)
{
    struct arena *all[] = { &w->run, &w->step, &w->pass, &w->scratch, &w->data, &w->tables };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) arena_close(all[i]);
}

static void open_measuring(struct worker *w)
{
    arena_open_growing(&w->tables, "tables");
    arena_open_measuring(&w->run, "run");
    arena_open_measuring(&w->step, "step");
    arena_open_measuring(&w->pass, "pass");
    arena_open_measuring(&w->scratch, "scratch");
    arena_open_measuring(&w->data, "data");
}

static enum status open_fixed(struct worker *w, const struct worker_memory *m)
{
    arena_open_growing(&w->tables, "tables");
    TRY(fault_here(FAULT_memory_place));
    TRY(arena_open(&w->run, "run", m->run));
    TRY(arena_open(&w->step, "step", m->step));
    TRY(arena_open(&w->pass, "pass", m->pass));
    TRY(arena_open(&w->scratch, "scratch", m->scratch));
    return arena_open(&w->data, "data", m->data);
}

static void describe(struct worker *w, const struct plan *plan, enum worker_mode mode, int rank, int threads)
{
    *w = (struct worker){ .plan = plan, .mode = mode, .rank = rank, .member = plan_member(plan, rank), .threads = threads };
    w->gathering_unit = w->reducing_unit = -1;
}

void worker_measure(const struct plan *plan, enum worker_mode mode, int rank, int threads, struct worker_memory *out)
{
    struct worker w;
    describe(&w, plan, mode, rank, threads);
    open_measuring(&w);
    place_worker(&w);
    measure_into(&w, out);
    close_arenas(&w);
}

/* --- Weights --------------------------------------------------------------------------------------------------------- */

struct fill {
    struct worker *w;
    struct piece piece;
};
enum { FILL_ROWS = 64 };

static void fill_rows(void *context, int64_t task, int thread)
{
    (void)thread;
    const struct fill *f = context;
    const struct param *q = &f->w->plan->partition.params[f->piece.param];
    float *master = f->w->units[q->unit].master + place_in_span(f->w, &f->piece);
    const int64_t begin = f->piece.row_begin + task * FILL_ROWS, end = min_i64(begin + FILL_ROWS, f->piece.row_end);
    const struct rng_key key = { (uint64_t)f->w->plan->config->run.seed, RNG_INIT, (uint32_t)q->name_order };
    for (int64_t e = begin * q->cols; e < end * q->cols; e++) {
        const float value = q->init == INIT_NORMAL ? (float)(q->std * rng_normal(key, 0, e)) : q->init == INIT_ONE ? 1.0f : 0.0f;
        master[e - f->piece.row_begin * q->cols] = value;
    }
}

void worker_masters_changed(struct worker *w)
{
    w->stale = true;
    if (w->plan->compute == DT_F32) return;
    for (int u = 0; u < w->plan->partition.n_units; u++) {
        const int64_t *cut = w->plan->partition.units[u].cut;
        convert_f32_to_bf16((uint16_t *)(void *)w->units[u].own_weights, w->units[u].master, cut[w->member + 1] - cut[w->member]);
    }
}

void worker_fresh(struct worker *w)
{
    CHECK(w->mode == WORKER_TRAIN);
    for (int u = 0; u < w->plan->partition.n_units; u++) {
        struct piece own[UNIT_MAX_PARAMS];
        const int n = partition_pieces(&w->plan->partition, u, w->member, own);
        for (int i = 0; i < n; i++) {
            struct fill f = { w, own[i] };
            parallel_for(ceil_div(own[i].row_end - own[i].row_begin, FILL_ROWS), fill_rows, &f);
        }
    }
    driver_fresh(w->driver);
    for (int i = 0; i < w->plan->partition.n_params; i++) {
        w->exponent[i] = w->observed_exponent[i] = EXACT_EXPONENT_FIRST;
        w->before_max[i] = w->observed_max[i] = 0;
    }
    w->step_done = w->tokens_done = 0;
    worker_masters_changed(w);
}

/* --- Life ------------------------------------------------------------------------------------------------------------ */

static enum status place_all(struct worker *w)
{
    struct worker_memory memory;
    worker_measure(w->plan, w->mode, w->rank, w->threads, &memory);
    TRY(open_fixed(w, &memory));
    place_worker(w);
    for (int64_t i = 0; w->gradient_of && i <= w->plan->window; i++) w->gradient_of[i] = w->gradients + i * w->boundary_bytes;
    return w->mode == WORKER_UPDATE ? ST_OK : data_open(w);
}

enum status worker_open(const struct comm *world, const struct plan *plan, enum worker_mode mode, struct worker **out)
{
    struct worker *w = malloc(sizeof *w);
    CHECK(w != NULL);
    describe(w, plan, mode, comm_rank(world), parallel_threads());
    w->world = world;
    *out = w;
    TRY(comm_same(world, "plan", plan_digest(plan)));
    TRY(comm_split(world, plan_group(plan, w->rank), &w->shard));
    TRY(comm_split(world, w->member, &w->across));
    TRY_ALL(world, place_all(w));
    return data_same(world, w);
}

void worker_close(struct worker *w)
{
    if (w == NULL) return;
    data_close(w);
    comm_free(w->shard);
    comm_free(w->across);
    close_arenas(w);
    free(w);
}

int64_t worker_step_done(const struct worker *w) { return w->step_done; }
int64_t worker_tokens_done(const struct worker *w) { return w->tokens_done; }

void worker_counters(const struct worker *w, struct worker_counters *out)
{
    *out = (struct worker_counters){ .run = w->run.peak,
                                     .step = w->step.peak,
                                     .pass = w->pass.peak,
                                     .scratch = w->scratch.peak,
                                     .data = w->data.peak,
                                     .gathered_most = w->gathered.held_most,
                                     .steps = w->steps };
    memcpy(out->bytes, w->bytes_step, sizeof out->bytes);
}
