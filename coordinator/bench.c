#include "bench.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"
#include "common/comm/agree.h"
#include "common/data/tokens.h"
#include "common/math/product.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Machine ------------------------------------------------------------------------------------------------------------ */

enum { COPY_BYTES = 256 << 20, COPY_TASK = 1 << 20, COPY_TIMES = 5 }; /* far more than any cache */

struct copy {
    unsigned char *to;
    const unsigned char *from;
};

static void copy_task(void *context, int64_t task, int thread)
{
    const struct copy *c = context;
    (void)thread;
    memcpy(c->to + task * COPY_TASK, c->from + task * COPY_TASK, COPY_TASK);
}

static double copy_rate(struct arena *arena)
{
    unsigned char *from = arena_place(arena, COPY_BYTES), *to = arena_place(arena, COPY_BYTES);
    struct copy c = { to, from };
    double best = 0;
    memset(from, 1, COPY_BYTES);
    parallel_for(COPY_BYTES / COPY_TASK, copy_task, &c); /* the first touch */
    for (int i = 0; i < COPY_TIMES; i++) {
        const double start = clock_seconds();
        parallel_for(COPY_BYTES / COPY_TASK, copy_task, &c);
        const double rate = 2.0 * COPY_BYTES / (clock_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}

enum status bench_copy(const struct comm *world, double *out)
{
    struct arena arena;
    arena_open_growing(&arena, "copy");
    TRY(comm_barrier(world));
    int64_t rate = (int64_t)copy_rate(&arena);
    arena_close(&arena);
    TRY(comm_sum_i64(world, COMM_CONTROL, &rate, 1));
    *out = (double)rate;
    return ST_OK;
}

enum status bench_machine(const struct comm *world, double fp32_peak, struct bench_machine *out)
{
    int64_t rate[2] = { 0 };
    TRY(comm_barrier(world));
    if (fp32_peak <= 0) rate[0] = (int64_t)(1e9 * product_peak(DT_F32));
    TRY(comm_barrier(world));
    if (product_bf16_native()) rate[1] = (int64_t)(1e9 * product_peak(DT_BF16));
    TRY(comm_sum_i64(world, COMM_CONTROL, rate, 2));
    *out = (struct bench_machine){ .fp32 = fp32_peak > 0 ? fp32_peak : (double)rate[0], .bf16 = (double)rate[1] };
    return bench_copy(world, &out->copy);
}

/* --- Configuration ------------------------------------------------------------------------------------------------------ */

enum status bench_config(const struct options *options, int ranks, const char *optimizer, struct session *s)
{
    const long long layers = option_integer(options, "layers"), micro = option_integer(options, "micro");
    char yaml[2048];
    struct text problems = { 0 };
    const int n = snprintf(yaml, sizeof yaml,
                           "run: {name: bench, seed: 1, steps: 1000}\n"
                           "model: {family: gpt2, width: 768, layers: %lld, heads: 12, mlp: 3072, context: %lld, tie: true}\n"
                           "tokenizer: bytes\n"
                           "data: {train: [{name: random, path: random, weight: 1}]}\n"
                           "batch: {sequences: %lld, micro: %lld}\n"
                           "optimizer: {%s}\n",
                           layers, (long long)option_integer(options, "context"), micro * ranks, micro, optimizer);
    enum status result =
        config_parse("bench", yaml, (size_t)n, options->override, options->n_overrides, worker_tables(), &s->arena, &s->config, &problems);
    if (result != ST_OK) result = status_fail(result, __FILE__, __LINE__, "%s", problems.data);
    text_free(&problems);
    if (result == ST_OK) s->config->model.vocab = option_integer(options, "vocab");
    return result;
}

/* --- Random tokens ------------------------------------------------------------------------------------------------------ */

enum { WINDOWS = 64, TOKENS_AT_ONCE = 4096, PATH_MAX_BYTES = 1024 };

/* A folder of this rank alone: ranks may be on several hosts. */
struct data_file {
    char folder[PATH_MAX_BYTES - 16], path[PATH_MAX_BYTES];
};

static void remove_file(const struct data_file *f)
{
    (void)unlink(f->path);
    (void)rmdir(f->folder);
}

static enum status append_random(struct tokens_writer *w, const struct config *config)
{
    const struct rng_key key = { (uint64_t)config->run.seed, RNG_TEST, 0 };
    int32_t tokens[TOKENS_AT_ONCE];
    const int64_t n = WINDOWS * config->model.context + 1;
    for (int64_t first = 0; first < n; first += TOKENS_AT_ONCE) {
        for (int64_t i = 0; i < TOKENS_AT_ONCE; i++) tokens[i] = (int32_t)(rng_u64(key, 0, first + i) % (uint64_t)config->model.vocab);
        TRY(tokens_append(w, tokens, TOKENS_AT_ONCE, NULL, TOKENS_AT_ONCE));
    }
    return ST_OK;
}

static enum status write_file(const struct config *config, struct data_file *f)
{
    const char *base = getenv("TMPDIR");
    struct tokens_writer *writer = NULL;
    (void)snprintf(f->folder, sizeof f->folder, "%s/lamina-bench-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(f->folder) == NULL) FAIL(ST_IO, "%s: %s (TMPDIR chooses another place)", f->folder, strerror(errno));
    (void)snprintf(f->path, sizeof f->path, "%s/tokens.h5", f->folder);
    enum status s = tokens_create(f->path, "random", (struct digest128){ 0 }, config->model.vocab, &writer);
    if (s == ST_OK) s = append_random(writer, config);
    if (s == ST_OK) return tokens_publish(writer);
    tokens_abandon(writer);
    return s;
}

/* --- Steps -------------------------------------------------------------------------------------------------------------- */

static double optimizer_bytes(const struct plan *plan)
{
    double bytes = 0;
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct opt_rule rule = plan_rule(plan, i);
        bytes += opt_step_bytes(&rule, &plan->partition.params[i], plan->compute == DT_F32 ? 0 : dtype_bytes(plan->compute));
    }
    return bytes * plan->n_groups;
}

static enum status timed_step(const struct comm *world, struct worker *w, int64_t step, struct bench_step *best)
{
    const struct step_header header = { .step = step };
    struct step_report report;
    TRY(comm_barrier(world));
    const double start = clock_seconds();
    TRY(worker_step(world, w, &header, &report));
    double seconds = clock_seconds() - start;
    TRY(comm_max_f64(world, COMM_CONTROL, &seconds, 1));
    if (step == 1 || (step > 2 && seconds >= best->seconds)) return ST_OK;
    best->seconds = seconds;
    best->tokens = report.tokens;
    best->phases = worker_phases(w);
    for (int kind = 0; kind < UNIT_KINDS; kind++) best->n_ops[kind] = worker_op_times(w, (enum unit_kind)kind, best->ops[kind]);
    return ST_OK;
}

static enum status open_worker(const struct comm *world, struct session *s, struct worker **w)
{
    struct data_file file = { 0 };
    enum status result = comm_agree(world, write_file(s->config, &file));
    (void)snprintf(s->config->data.train[0].path, sizeof s->config->data.train[0].path, "%s", file.path);
    if (result == ST_OK) result = worker_open(world, &s->plan, WORKER_TRAIN, w);
    remove_file(&file);
    return result;
}

enum status bench_steps(const struct comm *world, struct session *s, int64_t steps, struct bench_step *out)
{
    struct worker *w = NULL;
    *out = (struct bench_step){ 0 };
    enum status result = open_worker(world, s, &w);
    if (result == ST_OK) worker_fresh(w);
    for (int64_t step = 1; result == ST_OK && step <= 1 + steps; step++) result = timed_step(world, w, step, out);
    worker_close(w);
    out->flops = s->plan.flops_per_token * (double)out->tokens;
    out->optimizer_bytes = optimizer_bytes(&s->plan);
    return result;
}
