/* The promise: one digest for any rank count, thread count, shard mode, window, recomputation, and after resuming elsewhere. Each rank
 * first computes the reference alone, as a world of one; then all together do the same run in another layout. */
#include "common/base/parallel.h"
#include "common/data/tokens.h"
#include "common/math/product.h"
#include "tests/support/mpi_check.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 20, HALF = 11, N_TOKENS = 6000, VOCAB = 61 };

static struct arena arena;
static struct comm *self;
static char folder[256], tokens_path[300];

/* Seven microbatches: uneven over 2, 3, 4 and 5 ranks. Clip, hybrid rules with sums in both rounds, a frozen tensor that is freed on the
 * way. */
static const char yaml[] =
    "run: {name: t, seed: 3, steps: 20}\n"
    "model: {family: %s, width: 24, layers: 3, heads: 4, context: 32%s}\n"
    "tokenizer: bytes\n"
    "data: {train: [{name: a, path: %s}], valid: [{name: a, path: %s}]}\n"
    "batch: {sequences: 14, micro: 2}\n"
    "precision: {compute: %s}\n"
    "optimizer:\n"
    "  clip: 0.5\n"
    "  schedules: {main: {type: wsd, warmup: 20%%, decay: 30%%}, other: {type: cosine, warmup: 2}}\n"
    "  defaults: {optimizer: adamw, lr: 3e-3, weight_decay: 0.1, schedule: main}\n"
    "  rules:\n"
    "    - {name: gains, match: {role: [norm, bias]}, optimizer: adalayer, lr: 3e-3, weight_decay: 0, schedule: other}\n"
    "    - {name: head, match: {role: head}, optimizer: adalayer, granularity: row, lr: 3e-3}\n"
    "    - {name: attention, match: {role: \"attn.*\"}, optimizer: lion, lr: 4e-4, cautious: true}\n"
    "    - {name: mlp, match: {role: \"mlp.*\"}, optimizer: adafactor, lr: 1e-2, clip: none}\n"
    "%s"
    "  freeze: [{match: {glob: \"blocks.0.*\"}, until_step: 8}]\n";

struct family {
    const char *family, *keys, *rest;
};
static const struct family families[] = {
    { "llama", ", kv_heads: 2, mlp: 40, tie: false, qk_norm: true, qkv_bias: true", "    - {name: rest, match: all}\n" },
    { "llama", ", kv_heads: 2, mlp: 40, tie: true", "" },
    { "gpt2", ", mlp: 64", "    - {name: rest, match: all}\n" },
};
static const char *const precisions[] = { "fp32", "bf16" };

struct layout {
    const char *settings[4];
    int threads;
};
/* Every pair of (shard, window, recompute, accumulate or group, threads) values that go together occurs. */
static const struct layout layouts[] = {
    { { "parallel.shard=none", "parallel.window=1" }, 2 },
    { { "parallel.shard=none", "parallel.window=all", "parallel.recompute=true" }, 16 },
    { { "parallel.shard=optimizer", "parallel.window=all" }, 1 },
    { { "parallel.shard=optimizer", "parallel.window=1", "parallel.recompute=true", "parallel.accumulate=owner" }, 16 },
    { { "parallel.shard=gradients", "parallel.window=1", "parallel.recompute=true" }, 2 },
    { { "parallel.shard=gradients", "parallel.window=all", "parallel.accumulate=local" }, 16 },
    { { "parallel.shard=full", "parallel.window=1" }, 1 },
    { { "parallel.shard=full", "parallel.window=all", "parallel.recompute=true" }, 2 },
    { { "parallel.shard=full", "parallel.window=2", "parallel.group=1" }, 16 },
};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts, N_FAMILIES = sizeof families / sizeof *families };

static struct plan *plan_of(int family, int precision, const struct layout *layout, int ranks)
{
    char *text = arena_printf(&arena, yaml, families[family].family, families[family].keys, tokens_path, tokens_path, precisions[precision],
                              families[family].rest);
    int n = 0;
    while (layout && n < 4 && layout->settings[n]) n++;
    struct config *config;
    struct text problems = { 0 };
    struct plan *plan = arena_place(&arena, sizeof *plan);
    enum status s =
        config_parse("test", text, strlen(text), layout ? layout->settings : NULL, n, worker_tables(), &arena, &config, &problems);
    if (!s) {
        config->model.vocab = VOCAB;
        s = worker_plan(&arena, config, worker_compute(config), ranks, plan, &problems);
    }
    if (s) ck_abort_msg("%s: %s", status_text(), problems.data ? problems.data : "");
    text_free(&problems);
    return plan;
}

static void steps(const struct comm *world, struct worker *w, int64_t from, int64_t to)
{
    for (int64_t step = from; step <= to; step++) {
        const struct step_header header = { .step = step };
        struct step_report report;
        const enum status s = worker_step(world, w, &header, &report);
        mpi_ck_assert(world, s == ST_OK);
        mpi_ck_assert(world, report.tokens == 14 * 32 && report.redone <= 1);
    }
}

static struct digest128 digest_of(const struct comm *world, struct worker *w)
{
    struct digest128 d;
    ck_assert(worker_digest(world, w, false, &d) == ST_OK);
    return d;
}

static struct worker *open_worker(const struct comm *world, const struct plan *plan)
{
    struct worker *w;
    const enum status s = worker_open(world, plan, WORKER_TRAIN, &w);
    if (s) ck_abort_msg("%s", status_text());
    return w;
}

/* Alone, one thread, everything resident. */
static struct digest128 reference(int family, int precision)
{
    static struct {
        bool known;
        struct digest128 digest;
    } kept[N_FAMILIES][2];
    if (!kept[family][precision].known) {
        parallel_set_threads(1);
        struct worker *w = open_worker(self, plan_of(family, precision, NULL, 1));
        worker_fresh(w);
        steps(self, w, 1, STEPS);
        kept[family][precision].digest = digest_of(self, w);
        kept[family][precision].known = true;
        worker_close(w);
    }
    return kept[family][precision].digest;
}

START_TEST(every_layout_ends_in_the_bits_of_one_rank)
{
    const struct comm *world = mpi_world();
    const struct layout *layout = &layouts[_i % N_LAYOUTS];
    const int family = _i % N_FAMILIES, precision = _i / N_LAYOUTS;
    const struct digest128 expected = reference(family, precision);
    parallel_set_threads(layout->threads);
    struct worker *w = open_worker(world, plan_of(family, precision, layout, comm_size(world)));
    worker_fresh(w);
    steps(world, w, 1, STEPS);
    mpi_ck_assert(world, digest_equal(digest_of(world, w), expected));
    struct worker_counters c;
    worker_counters(w, &c);
    mpi_ck_assert(world, c.gathered_most <= 2);
    worker_close(w);
}
END_TEST

START_TEST(what_is_planned_is_allocated_and_sent)
{
    const struct comm *world = mpi_world();
    parallel_set_threads(1);
    const struct plan *plan = plan_of(_i % N_FAMILIES, 0, &layouts[_i], comm_size(world));
    struct worker_memory memory;
    ck_assert(worker_measure(plan, WORKER_TRAIN, comm_rank(world), 1, &memory) == ST_OK);
    struct worker *w = open_worker(world, plan);
    worker_fresh(w);
    steps(world, w, 1, 3);
    struct worker_counters c;
    worker_counters(w, &c);
    mpi_ck_assert(world, c.run == memory.run && c.step == memory.step && c.pass == memory.pass && c.scratch == memory.scratch &&
                             c.data == memory.data);
    struct traffic t;
    worker_traffic(plan, comm_rank(world), 3, &t);
    mpi_ck_assert(world, t.bytes[COMM_GATHER] == c.bytes[COMM_GATHER]);
    mpi_ck_assert(world, t.bytes[COMM_REDUCE] == c.bytes[COMM_REDUCE]);
    mpi_ck_assert(world, t.bytes[COMM_ACROSS] == c.bytes[COMM_ACROSS]);
    mpi_ck_assert(world, t.bytes[COMM_OPTIMIZER] == c.bytes[COMM_OPTIMIZER]);
    worker_close(w);
}
END_TEST

/* Saved by all, loaded by each alone; and the other way round. */
START_TEST(a_run_goes_on_at_another_rank_count_and_shard_mode)
{
    const struct comm *world = mpi_world();
    const int family = _i % N_FAMILIES;
    const struct digest128 expected = reference(family, 0);
    parallel_set_threads(1);
    char path[400];
    snprintf(path, sizeof path, "%s/state-%d.h5", folder, _i);
    const struct worker_facts facts = { .step = HALF, .tokens = HALF * 14 * 32 };
    struct worker *all = open_worker(world, plan_of(family, 0, &layouts[_i], comm_size(world)));
    worker_fresh(all);
    steps(world, all, 1, HALF);
    const struct digest128 half = digest_of(world, all);
    mpi_ck_assert(world, worker_save(world, all, path, "text of the configuration", &facts) == ST_OK);
    worker_close(all);

    struct worker *one = open_worker(self, plan_of(family, 0, NULL, 1));
    struct worker_facts read;
    ck_assert(worker_load(self, one, path, &read) == ST_OK);
    const bool same_half = read.step == HALF && digest_equal(digest_of(self, one), half);
    steps(self, one, HALF + 1, STEPS);
    const bool same_end = digest_equal(digest_of(self, one), expected);
    worker_close(one);
    mpi_ck_assert(world, same_half);
    mpi_ck_assert(world, same_end);

    all = open_worker(world, plan_of(family, 0, &layouts[N_LAYOUTS - 1 - _i], comm_size(world)));
    mpi_ck_assert(world, worker_load(world, all, path, &read) == ST_OK);
    steps(world, all, HALF + 1, STEPS);
    mpi_ck_assert(world, digest_equal(digest_of(world, all), expected));
    worker_close(all);
}
END_TEST

struct said {
    int32_t token[40];
    int n;
};
static bool note(void *context, int32_t token)
{
    struct said *s = context;
    s->token[s->n++] = token;
    return s->n < 40;
}

START_TEST(evaluation_and_text_are_the_same_at_any_rank_count_cached_or_not)
{
    const struct comm *world = mpi_world();
    parallel_set_threads(1);
    const int32_t prompt[] = { 5, 17, 3, 44, 60, 1, 2 };
    struct generate_options options = { .max_tokens = 40, .top_p = 1, .stop_token = -1, .cached = true };
    struct eval_result alone, together;
    struct said said[3] = { 0 };
    struct worker *one = open_worker(self, plan_of(_i, 0, NULL, 1));
    worker_fresh(one);
    steps(self, one, 1, 5);
    ck_assert(worker_evaluate(self, one, 0, 0, &alone) == ST_OK);
    ck_assert(worker_generate(self, one, &options, prompt, 7, note, &said[0]) == ST_OK);
    options.cached = false;
    ck_assert(worker_generate(self, one, &options, prompt, 7, note, &said[1]) == ST_OK);
    worker_close(one);

    struct worker *all = open_worker(world, plan_of(_i, 0, &layouts[6], comm_size(world)));
    worker_fresh(all);
    steps(world, all, 1, 5);
    mpi_ck_assert(world, worker_evaluate(world, all, 0, 0, &together) == ST_OK);
    options.cached = true;
    mpi_ck_assert(world, worker_generate(world, all, &options, prompt, 7, note, &said[2]) == ST_OK);
    worker_close(all);
    mpi_ck_assert(world, alone.tokens == (N_TOKENS - 1) / 32 * 32 && alone.tokens == together.tokens &&
                             memcmp(&alone.nats, &together.nats, sizeof alone.nats) == 0);
    mpi_ck_assert(world, said[0].n == 40 && memcmp(&said[0], &said[1], sizeof said[0]) == 0);
    mpi_ck_assert(world, memcmp(&said[0], &said[2], sizeof said[0]) == 0);
}
END_TEST

/* Tokens with some structure, so that losses fall and gradients differ in size. */
static enum status write_tokens(void)
{
    struct tokens_writer *w;
    int32_t *ids = arena_place_n(&arena, N_TOKENS, sizeof *ids);
    for (int64_t i = 0; i < N_TOKENS; i++) ids[i] = (int32_t)((i * i / 7 + i % 13 * 5) % VOCAB);
    TRY(tokens_create(tokens_path, "test", digest_bytes("test", 4), VOCAB, &w));
    TRY(tokens_append(w, ids, N_TOKENS, NULL, N_TOKENS));
    return tokens_publish(w);
}

static void start(void)
{
    const struct comm *world = mpi_world();
    if (self) return;
    parallel_init();
    arena_open_growing(&arena, "test");
    mpi_ck_assert(world, math_start(getenv("LAMINA_ISA")) == ST_OK);
    mpi_ck_assert(world, comm_split(world, comm_rank(world), &self) == ST_OK);
    if (comm_rank(world) == 0) {
        snprintf(folder, sizeof folder, "%s/lamina-train-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        if (mkdtemp(folder) == NULL) folder[0] = '\0';
    }
    mpi_ck_assert(world, comm_broadcast(world, COMM_CONTROL, folder, sizeof folder, 0) == ST_OK && folder[0]);
    snprintf(tokens_path, sizeof tokens_path, "%s/tokens.h5", folder);
    mpi_ck_assert(world, comm_rank(world) != 0 || write_tokens() == ST_OK);
}

static void add(TCase *t)
{
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, every_layout_ends_in_the_bits_of_one_rank, 0, 2 * N_LAYOUTS);
    tcase_add_loop_test(t, what_is_planned_is_allocated_and_sent, 0, N_LAYOUTS);
    tcase_add_loop_test(t, a_run_goes_on_at_another_rank_count_and_shard_mode, 0, N_LAYOUTS);
    tcase_add_loop_test(t, evaluation_and_text_are_the_same_at_any_rank_count_cached_or_not, 0, N_FAMILIES);
}

int main(void)
{
    const int code = mpi_check_main("train", add);
    if (folder[0]) {
        char command[300];
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        if (system(command)) return EXIT_FAILURE;
    }
    return code;
}
