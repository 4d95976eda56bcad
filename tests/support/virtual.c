#include "virtual.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_POINT = 40 };

static int64_t count(const struct virtual_world *w, int t) { return w->setup.tensor[t].rows * w->setup.tensor[t].cols; }

static struct rng_key key(uint32_t stream) { return (struct rng_key){ .seed = 3, .purpose = RNG_TEST, .stream = stream }; }

static void describe(struct virtual_world *w, uint64_t cut_seed)
{
    w->config = calloc(1, sizeof *w->config);
    CHECK(w->config != NULL);
    w->config->clip = w->setup.clip;
    w->config->n_rules = 1;
    w->config->rules[0] = (struct rule_config){ .name = "all", .fields = w->setup.hyper, .common = w->setup.common };
    const struct opt_desc **rule = arena_place(&w->tables, sizeof(struct opt_desc *));
    *rule = w->setup.opt;
    struct param *params = arena_place_n(&w->tables, (size_t)w->setup.n_tensors, sizeof *params);
    for (int t = 0; t < w->setup.n_tensors; t++) {
        const struct virtual_tensor *v = &w->setup.tensor[t];
        params[t] = (struct param){ .rows = v->rows, .cols = v->cols, .n_dims = v->n_dims, .frozen_until = v->frozen_until };
    }
    w->plan = (struct plan){
        .config = w->config, .optimizers = rule, .contributions = 1, .partition = { .n_params = w->setup.n_tensors, .params = params }
    };
    for (int t = 0; t < w->setup.n_tensors; t++) {
        const struct opt_rule all = plan_rule(&w->plan, t);
        params[t].row_align = opt_row_align(&all, &params[t]);
        params[t].owner = opt_whole_flops(&all, &params[t]) > 0 ? (int)(rng_u64(key(200), (int64_t)cut_seed, t) % (uint64_t)w->ranks) : -1;
    }
}

static void place_tensors(struct virtual_world *w)
{
    for (int t = 0; t < w->setup.n_tensors; t++) {
        const size_t n = (size_t)count(w, t);
        w->theta[t] = arena_place_n(&w->tables, n, sizeof *w->theta[t]);
        w->sum[t] = arena_place_n(&w->tables, n, sizeof *w->sum[t]);
        w->rounded[t] = arena_place_n(&w->tables, n, sizeof *w->rounded[t]);
        memset(w->rounded[t], 0, n * sizeof *w->rounded[t]);
        w->exponent[t] = FIXED_POINT;
        for (int64_t i = 0; i < count(w, t); i++) w->theta[t][i] = (float)(0.5 * rng_normal(key((uint32_t)t), 0, i));
    }
}

/* cut[r] of one tensor: sorted random multiples of its row_align. */
static void random_cuts(const struct virtual_world *w, int t, uint64_t cut_seed, int64_t cut[VIRTUAL_RANKS + 1])
{
    const struct param *p = &w->plan.partition.params[t];
    const int64_t blocks = ceil_div(p->rows, p->row_align);
    const struct rng_key k = { .seed = cut_seed, .purpose = RNG_TEST, .stream = (uint32_t)t };
    cut[0] = 0;
    cut[w->ranks] = p->rows;
    for (int r = 1; r < w->ranks; r++) {
        cut[r] = min_i64((int64_t)(rng_u64(k, r, 0) % (uint64_t)(blocks + 1)) * p->row_align, p->rows);
        for (int i = r; i > 1 && cut[i] < cut[i - 1]; i--) {
            const int64_t swap = cut[i];
            cut[i] = cut[i - 1];
            cut[i - 1] = swap;
        }
    }
}

static void place_drivers(struct virtual_world *w, struct arena *memory)
{
    for (int r = 0; r < w->ranks; r++) {
        const struct driver_group group = { r, w->ranks, w->cuts };
        struct driver_piece piece[VIRTUAL_TENSORS];
        int n = 0;
        for (int t = 0; t < w->setup.n_tensors; t++) {
            const int64_t *cut = w->cut[t], at = cut[r] * w->setup.tensor[t].cols;
            if (cut[r] == cut[r + 1]) continue;
            piece[n++] = (struct driver_piece){ t, cut[r], cut[r + 1], w->theta[t] + at, w->sum[t] + at, w->rounded[t] + at };
        }
        w->driver[r] = driver_place(memory, &w->tables, &w->plan, parallel_threads(), &group, piece, n);
    }
}

void virtual_open(struct virtual_world *w, const struct virtual_setup *setup, int ranks, uint64_t cut_seed)
{
    *w = (struct virtual_world){ .setup = *setup, .ranks = ranks, .divisor = 1 };
    arena_open_growing(&w->tables, "virtual tables");
    describe(w, cut_seed);
    place_tensors(w);
    int64_t(*cut)[VIRTUAL_RANKS + 1] = w->cut;
    for (int t = 0; t < setup->n_tensors; t++) {
        random_cuts(w, t, cut_seed, cut[t]);
        w->cuts[t] = cut[t];
    }
    struct arena measuring;
    arena_open_measuring(&measuring, "virtual");
    place_drivers(w, &measuring);
    CHECK(arena_open(&w->memory, "virtual", measuring.peak + 1) == ST_OK);
    memset(arena_place(&w->memory, measuring.peak + 1), 0xff, measuring.peak);
    arena_reset(&w->memory);
    arena_close(&measuring);
    place_drivers(w, &w->memory);
    for (int r = 0; r < ranks; r++) driver_fresh(w->driver[r]);
}

void virtual_close(struct virtual_world *w)
{
    arena_close(&w->memory);
    arena_close(&w->tables);
    free(w->config);
}

void virtual_gradient(struct virtual_world *w, int tensor, const float *g)
{
    float most = 0;
    for (int64_t i = 0; i < count(w, tensor); i++) {
        w->sum[tensor][i] = llrint(ldexp((double)g[i], FIXED_POINT));
        most = fmaxf(most, fabsf(g[i]));
    }
    memcpy(&w->max_bits[tensor], &most, sizeof most);
}

void virtual_random_gradients(struct virtual_world *w, float scale)
{
    for (int t = 0; t < w->setup.n_tensors; t++) {
        float *g = malloc((size_t)count(w, t) * sizeof *g);
        CHECK(g != NULL);
        for (int64_t i = 0; i < count(w, t); i++) {
            const bool zero = rng_u64(key(100), w->step, i) % 8 == 0;
            g[i] = zero ? 0 : scale * (float)rng_normal(key(50 + (uint32_t)t), w->step, i);
        }
        virtual_gradient(w, t, g);
        free(g);
    }
}

/* What comm_sum_i64 does between ranks. */
static void add_over_ranks(struct virtual_world *w, int exchange)
{
    int64_t *values[VIRTUAL_RANKS], n[VIRTUAL_RANKS] = { 0 };
    for (int r = 0; r < w->ranks; r++) {
        driver_exchange(w->driver[r], exchange, &values[r], &n[r]);
        CHECK(n[r] == driver_exchange_values(&w->plan, exchange));
    }
    for (int64_t i = 0; i < n[0]; i++) {
        int64_t sum = 0;
        for (int r = 0; r < w->ranks; r++) sum += values[r][i];
        for (int r = 0; r < w->ranks; r++) values[r][i] = sum;
    }
    for (int r = 0; r < w->ranks; r++) driver_absorb(w->driver[r], exchange);
}

/* What comm_messages_begin does: the i-th message from a to b is the i-th that b receives from a. */
static void deliver(const struct virtual_world *w, const struct driver_messages m[])
{
    int received = 0, sent = 0;
    for (int from = 0; from < w->ranks; from++)
        for (int to = 0; to < w->ranks; to++) {
            int at = 0;
            for (int i = 0; i < m[from].n_sends; i++) {
                const struct comm_message *send = &m[from].sends[i];
                if (send->peer != to) continue;
                while (at < m[to].n_recvs && m[to].recvs[at].peer != from) at++;
                CHECK(from != to && at < m[to].n_recvs && m[to].recvs[at].n == send->n);
                memcpy(m[to].recvs[at++].bytes, send->bytes, send->n);
                sent++;
            }
        }
    for (int r = 0; r < w->ranks; r++) received += m[r].n_recvs;
    CHECK(received == sent);
}

static void direct_wholes(struct virtual_world *w)
{
    struct driver_messages m[VIRTUAL_RANKS];
    for (int r = 0; r < w->ranks; r++) m[r] = driver_whole_out(w->driver[r]);
    for (int r = 0; r < w->ranks; r++) driver_rest(w->driver[r]);
    deliver(w, m);
    for (int r = 0; r < w->ranks; r++) driver_whole_direct(w->driver[r]);
    for (int r = 0; r < w->ranks; r++) m[r] = driver_whole_back(w->driver[r]);
    deliver(w, m);
    for (int r = 0; r < w->ranks; r++) driver_whole_done(w->driver[r]);
}

void virtual_observe(struct virtual_world *w)
{
    const struct driver_step step = { .step = w->step + 1, .divisor = w->divisor, .exponent = w->exponent };
    for (int r = 0; r < w->ranks; r++) driver_observe(w->driver[r], &step);
}

void virtual_step(struct virtual_world *w, double lr)
{
    struct super norm;
    super_clear(&norm);
    w->step++;
    for (int r = 0; r < w->ranks; r++) driver_norm(w->driver[r], w->step, w->exponent, &norm);
    w->norm = sqrt(super_value(&norm)) / w->divisor;
    const struct rule_common *common = &w->setup.common;
    const double clip = driver_clip(common->clip == CLIP_GLOBAL ? w->setup.clip : common->clip, w->norm);
    const double factor = common->lr > 0 ? lr / common->lr : lr;
    const struct driver_step step = { .step = w->step,
                                      .divisor = w->divisor,
                                      .clip = &clip,
                                      .factor = &factor,
                                      .exponent = w->exponent,
                                      .max_bits = w->max_bits,
                                      .projection = w->projection };
    for (int r = 0; r < w->ranks; r++) driver_begin(w->driver[r], &step);
    for (int round = 0; round < OPT_ROUNDS; round++) add_over_ranks(w, round);
    direct_wholes(w);
    add_over_ranks(w, OPT_COUNT_SIGNS);
}

const void *virtual_slot(struct virtual_world *w, int tensor, int slot, int64_t *bytes)
{
    char *out = NULL;
    int64_t written = 0;
    for (int r = 0; r < w->ranks; r++) {
        struct driver_slot s;
        if (!driver_slot(w->driver[r], tensor, slot, &s)) return NULL;
        const int64_t row = s.cols * (int64_t)dtype_bytes(s.dtype);
        *bytes = s.rows * row;
        if (out == NULL) out = arena_place(&w->tables, (size_t)*bytes);
        if (!s.writes) continue;
        memcpy(out + s.row_begin * row, s.data, (size_t)((s.row_end - s.row_begin) * row));
        written += (s.row_end - s.row_begin) * row;
    }
    CHECK(written == *bytes); /* every value has exactly one writer */
    return out;
}

void virtual_carry(struct virtual_world *from, struct virtual_world *to)
{
    to->step = from->step;
    for (int t = 0; t < from->setup.n_tensors; t++) {
        memcpy(to->theta[t], from->theta[t], (size_t)count(from, t) * sizeof(float));
        memcpy(to->rounded[t], from->rounded[t], (size_t)count(from, t) * sizeof(uint16_t));
        for (int k = 0; k < DRIVER_SLOTS; k++) {
            int64_t bytes;
            const char *whole = virtual_slot(from, t, k, &bytes);
            for (int r = 0; r < to->ranks && whole != NULL; r++) {
                struct driver_slot s;
                CHECK(driver_slot(to->driver[r], t, k, &s));
                const int64_t row = s.cols * (int64_t)dtype_bytes(s.dtype);
                if (s.data != NULL) memcpy(s.data, whole + s.row_begin * row, (size_t)((s.row_end - s.row_begin) * row));
            }
        }
        for (int r = 0; r < to->ranks; r++) driver_updates(to->driver[r])[t] = driver_updates(from->driver[0])[t];
    }
}

static const char *slot_difference(struct virtual_world *a, struct virtual_world *b, int t, int k)
{
    static char text[96];
    int64_t n_a = 0, n_b = 0;
    const void *in_a = virtual_slot(a, t, k, &n_a), *in_b = virtual_slot(b, t, k, &n_b);
    if (in_a == NULL && in_b == NULL) return NULL;
    snprintf(text, sizeof text, "slot %d of tensor %d differs", k, t);
    return in_a != NULL && in_b != NULL && n_a == n_b && memcmp(in_a, in_b, (size_t)n_a) == 0 ? NULL : text;
}

const char *virtual_difference(struct virtual_world *a, struct virtual_world *b)
{
    static char text[96];
    for (int t = 0; t < a->setup.n_tensors; t++) {
        const size_t n = (size_t)count(a, t);
        snprintf(text, sizeof text, "weights of tensor %d differ", t);
        if (memcmp(a->theta[t], b->theta[t], n * sizeof(float)) != 0) return text;
        snprintf(text, sizeof text, "rounded weights of tensor %d differ", t);
        if (memcmp(a->rounded[t], b->rounded[t], n * sizeof(uint16_t)) != 0) return text;
        snprintf(text, sizeof text, "update counts of tensor %d differ", t);
        for (int r = 0; r < b->ranks; r++)
            if (driver_updates(a->driver[0])[t] != driver_updates(b->driver[r])[t]) return text;
        for (int k = 0; k < DRIVER_SLOTS; k++) {
            const char *difference = slot_difference(a, b, t, k);
            if (difference != NULL) return difference;
        }
    }
    return NULL;
}
