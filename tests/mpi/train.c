/* The promise: one digest for any rank count, thread count, shard mode, window, recomputation, and after resuming elsewhere. Each rank
 * first computes the reference alone, as a world of one; then all together do the same run in another layout. */
#include "common/base/parallel.h"
#include "common/data/tokens.h"
#include "tests/support/mpi_check.h"
#include "tests/support/small_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Clip, hybrid rules with sums in both rounds, a frozen tensor that is freed on the way. */
#define OPTIMIZER(rest)                                                                                                                    \
    "optimizer:\n"                                                                                                                         \
    "  clip: 0.5\n"                                                                                                                        \
    "  schedules: {main: {type: wsd, warmup: 20%, decay: 30%}, other: {type: cosine, warmup: 2}}\n"                                        \
    "  defaults: {optimizer: adamw, lr: 3e-3, weight_decay: 0.1, schedule: main}\n"                                                        \
    "  rules:\n"                                                                                                                           \
    "    - {name: gains, match: {role: [norm, bias]}, optimizer: adalayer, lr: 3e-3, weight_decay: 0, schedule: other}\n"                  \
    "    - {name: head, match: {role: head}, optimizer: adalayer, granularity: row, lr: 3e-3}\n"                                           \
    "    - {name: attention, match: {role: \"attn.*\"}, optimizer: lion, lr: 4e-4, cautious: true}\n"                                      \
    "    - {name: mlp, match: {role: \"mlp.*\"}, optimizer: adafactor, lr: 1e-2, clip: none}\n" rest                                       \
    "  freeze: [{match: {glob: \"blocks.0.*\"}, until_step: 8}]\n"
#define REST "    - {name: rest, match: all}\n"
static const struct small_model families[] = {
    { "llama", ", kv_heads: 2, mlp: 40, tie: false, qk_norm: true, qkv_bias: true", OPTIMIZER(REST), false },
    { "llama", ", kv_heads: 2, mlp: 40, tie: true", OPTIMIZER(""), false },
    { "gpt2", ", mlp: 64", OPTIMIZER(REST), false },
};
static const char *const precisions[] = { "fp32", "bf16" };

/* Every pair of (shard, window, recompute, accumulate or group, threads) values that go together occurs. */
static const struct small_layout layouts[] = {
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

START_TEST(every_layout_ends_in_the_bits_of_one_rank)
{
    const struct comm *world = mpi_world();
    const struct small_layout *layout = &layouts[_i % N_LAYOUTS];
    const int family = _i % N_FAMILIES, precision = _i / N_LAYOUTS;
    const struct digest128 expected = small_reference(&families[family], precisions[precision]);
    parallel_set_threads(layout->threads);
    struct worker *w = small_open(world, small_plan(&families[family], precisions[precision], layout, comm_size(world)));
    worker_fresh(w);
    small_steps(world, w, 1, SMALL_STEPS);
    mpi_ck_assert(world, digest_equal(small_digest(world, w), expected));
    struct worker_counters c;
    worker_counters(w, &c);
    mpi_ck_assert(world, c.gathered_most <= 2);
    worker_close(w);
}
END_TEST

START_TEST(what_is_planned_is_allocated_and_sent)
{
    const struct comm *world = mpi_world();
    small_check_plan(world, small_plan(&families[_i % N_FAMILIES], "fp32", &layouts[_i], comm_size(world)));
}
END_TEST

/* Saved by all, loaded by each alone; and the other way round. */
START_TEST(a_run_goes_on_at_another_rank_count_and_shard_mode)
{
    const struct comm *world = mpi_world();
    const int family = _i % N_FAMILIES;
    const struct digest128 expected = small_reference(&families[family], "fp32");
    parallel_set_threads(1);
    char name[32];
    snprintf(name, sizeof name, "state-%d.h5", _i);
    const char *path = small_path(name);
    const struct worker_facts facts = { .step = SMALL_HALF, .tokens = SMALL_HALF * SMALL_STEP_TOKENS };
    struct worker *all = small_open(world, small_plan(&families[family], "fp32", &layouts[_i], comm_size(world)));
    worker_fresh(all);
    small_steps(world, all, 1, SMALL_HALF);
    const struct digest128 half = small_digest(world, all);
    mpi_ck_assert(world, worker_save(world, all, path, "text of the configuration", &facts) == ST_OK);
    worker_close(all);

    struct worker *one = small_open(small_self(), small_plan(&families[family], "fp32", NULL, 1));
    struct worker_facts read;
    ck_assert(worker_load(small_self(), one, path, NULL, &read) == ST_OK);
    const bool same_half = read.step == SMALL_HALF && digest_equal(small_digest(small_self(), one), half);
    small_steps(small_self(), one, SMALL_HALF + 1, SMALL_STEPS);
    const bool same_end = digest_equal(small_digest(small_self(), one), expected);
    worker_close(one);
    mpi_ck_assert(world, same_half);
    mpi_ck_assert(world, same_end);

    all = small_open(world, small_plan(&families[family], "fp32", &layouts[N_LAYOUTS - 1 - _i], comm_size(world)));
    mpi_ck_assert(world, worker_load(world, all, path, NULL, &read) == ST_OK);
    small_steps(world, all, SMALL_HALF + 1, SMALL_STEPS);
    mpi_ck_assert(world, digest_equal(small_digest(world, all), expected));
    worker_close(all);
}
END_TEST

/* Dealt to any number of ranks, and gone on with at another: the same samples of each source. */
START_TEST(a_mixture_ends_in_the_bits_of_one_rank)
{
    static const struct small_model mixed = { "llama", ", kv_heads: 2, mlp: 40, tie: true", OPTIMIZER(""), .mixed = true };
    static const double weights[] = { 5, 3, 1 };
    const struct comm *world = mpi_world();
    const struct digest128 expected = small_reference(&mixed, "fp32");
    parallel_set_threads(1);
    char name[32];
    snprintf(name, sizeof name, "mixed-%d.h5", _i);
    const char *path = small_path(name);
    const struct worker_facts facts = { .step = SMALL_HALF, .tokens = SMALL_HALF * SMALL_STEP_TOKENS };
    struct worker *w = small_open(world, small_plan(&mixed, "fp32", &layouts[_i], comm_size(world)));
    worker_fresh(w);
    small_steps(world, w, 1, SMALL_HALF);
    mpi_ck_assert(world, worker_save(world, w, path, "text", &facts) == ST_OK);
    worker_close(w);

    struct worker_facts read;
    struct ledger l;
    w = small_open(world, small_plan(&mixed, "fp32", &layouts[N_LAYOUTS - 1 - _i], comm_size(world)));
    mpi_ck_assert(world, worker_load(world, w, path, NULL, &read) == ST_OK && !read.data.begins);
    small_steps(world, w, SMALL_HALF + 1, SMALL_STEPS);
    mpi_ck_assert(world, digest_equal(small_digest(world, w), expected));
    worker_ledger(w, &l);
    for (int i = 0; i < 3; i++) mpi_ck_assert(world, fabs((double)l.row[i].taken - SMALL_STEPS * 14 * weights[i] / 9) < 1);
    worker_close(w);

    struct worker *one = small_open(small_self(), small_plan(&mixed, "fp32", NULL, 1));
    ck_assert(worker_load(small_self(), one, path, NULL, &read) == ST_OK);
    small_steps(small_self(), one, SMALL_HALF + 1, SMALL_STEPS);
    const bool same = digest_equal(small_digest(small_self(), one), expected);
    worker_close(one);
    mpi_ck_assert(world, same);
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
    struct worker *one = small_open(small_self(), small_plan(&families[_i], "fp32", NULL, 1));
    worker_fresh(one);
    small_steps(small_self(), one, 1, 5);
    ck_assert(worker_evaluate(small_self(), one, 0, 0, &alone) == ST_OK);
    ck_assert(worker_generate(small_self(), one, &options, prompt, 7, note, &said[0]) == ST_OK);
    options.cached = false;
    ck_assert(worker_generate(small_self(), one, &options, prompt, 7, note, &said[1]) == ST_OK);
    worker_close(one);

    struct worker *all = small_open(world, small_plan(&families[_i], "fp32", &layouts[6], comm_size(world)));
    worker_fresh(all);
    small_steps(world, all, 1, 5);
    mpi_ck_assert(world, worker_evaluate(world, all, 0, 0, &together) == ST_OK);
    options.cached = true;
    mpi_ck_assert(world, worker_generate(world, all, &options, prompt, 7, note, &said[2]) == ST_OK);
    worker_close(all);
    mpi_ck_assert(world, alone.tokens == (SMALL_TOKENS - 1) / 32 * 32 && alone.tokens == together.tokens &&
                             memcmp(&alone.nats, &together.nats, sizeof alone.nats) == 0);
    mpi_ck_assert(world, said[0].n == 40 && memcmp(&said[0], &said[1], sizeof said[0]) == 0);
    mpi_ck_assert(world, memcmp(&said[0], &said[2], sizeof said[0]) == 0);
}
END_TEST

/* Bytes of the tokens that n windows of a valid source predict. */
static double predicted_bytes(const struct tokens *t, int64_t n, const int32_t *bytes)
{
    static int32_t ids[SMALL_TOKENS];
    ck_assert(t->n_tokens == SMALL_TOKENS && tokens_read(t, 0, SMALL_TOKENS, ids) == ST_OK);
    int64_t sum = 0;
    for (int64_t i = 1; i <= n * 32; i++) sum += bytes[ids[i]];
    return (double)sum;
}

START_TEST(bits_per_byte_of_a_part_are_those_of_its_tokens)
{
    static int32_t bytes[61];
    static const double ln2 = 0.69314718055994530942;
    const struct comm *world = mpi_world();
    struct eval_result mean, part, all;
    parallel_set_threads(1);
    for (int id = 0; id < 61; id++) bytes[id] = id % 5;
    struct worker *w = small_open(world, small_plan(&families[1], "fp32", &layouts[6], comm_size(world)));
    worker_fresh(w);
    const struct tokens *t = worker_valid(w, 0);
    mpi_ck_assert(world, worker_evaluate(world, w, 0, 2, &mean) == ST_OK);
    mpi_ck_assert(world, mean.tokens == 28 * 32 && fabs(mean.bytes - 28 * 32) < 1e-9); /* made with a byte of text per token */
    mpi_ck_assert(world, worker_tokenizer(w, digest_bytes("another", 7), bytes) == ST_DATA);
    status_clear();
    mpi_ck_assert(world, worker_tokenizer(w, digest_bytes("test", 4), bytes) == ST_OK);
    mpi_ck_assert(world, worker_evaluate(world, w, 0, 2, &part) == ST_OK && worker_evaluate(world, w, 0, 0, &all) == ST_OK);
    const double whole = predicted_bytes(t, (SMALL_TOKENS - 1) / 32, bytes), first = predicted_bytes(t, 28, bytes);
    int32_t edge[16]; /* what no window predicts: the first token, and those past the last window */
    double unread = 0;
    mpi_ck_assert(world,
                  tokens_read(t, 0, 1, edge) == ST_OK && tokens_read(t, 187 * 32 + 1, SMALL_TOKENS - 187 * 32 - 1, edge + 1) == ST_OK);
    for (int i = 0; i < SMALL_TOKENS - 187 * 32; i++) unread += bytes[edge[i]];
    const double scale = SMALL_TOKENS / (whole + unread);
    mpi_ck_assert(world, fabs(part.bytes - first * scale) < 1e-6 && fabs(all.bytes - whole * scale) < 1e-6);
    mpi_ck_assert(world, fabs(part.bits_per_byte - part.nats / ln2 / part.bytes) < 1e-12 && part.loss == mean.loss);
    mpi_ck_assert(world, fabs(part.bits_per_byte / mean.bits_per_byte - 1) > 0.001); /* and the mean of the file is another number */
    worker_close(w);
}
END_TEST

static void start(void) { small_start(mpi_world()); }

static void add(TCase *t)
{
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, every_layout_ends_in_the_bits_of_one_rank, 0, 2 * N_LAYOUTS);
    tcase_add_loop_test(t, what_is_planned_is_allocated_and_sent, 0, N_LAYOUTS);
    tcase_add_loop_test(t, a_run_goes_on_at_another_rank_count_and_shard_mode, 0, N_LAYOUTS);
    tcase_add_loop_test(t, a_mixture_ends_in_the_bits_of_one_rank, 0, 2);
    tcase_add_test(t, bits_per_byte_of_a_part_are_those_of_its_tokens);
    tcase_add_loop_test(t, evaluation_and_text_are_the_same_at_any_rank_count_cached_or_not, 0, N_FAMILIES);
}

int main(void)
{
    const int code = mpi_check_main("train", add);
    return code ? code : small_end();
}
