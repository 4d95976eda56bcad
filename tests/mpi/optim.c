/* Whole runs with every kind of optimizer: whole matrices at owners, state in few bytes, averages, a second gradient, sums over a rule. One
 * digest at any rank count and layout, plan = run, and the weights to evaluate are the same in the run and from its checkpoint. */
#include "common/base/parallel.h"
#include "common/math/linalg.h"
#include "tests/support/mpi_check.h"
#include "tests/support/small_run.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define LLAMA "llama", ", kv_heads: 2, mlp: 40, tie: false"

static const struct small_model models[] = {
    { LLAMA,
      "optimizer:\n" /* whole matrices */
      "  schedules: {main: {type: wsd, warmup: 20%, decay: 30%}}\n"
      "  rules:\n"
      "    - {name: gains, match: {role: norm}, optimizer: adam-mini, lr: 1e-3}\n"
      "    - {name: muon, match: {role: \"attn.*\"}, optimizer: muon, lr: 0.01, clip: none, weight_decay: 0.1}\n"
      "    - {name: soap, match: {role: [mlp.in, mlp.gate]}, optimizer: soap, lr: 3e-3, every: 4}\n"
      "    - {name: shampoo, match: {role: mlp.out}, optimizer: shampoo, lr: 1e-3, graft: adam, cautious: true}\n"
      "    - {name: galore, match: {role: embedding}, optimizer: galore, lr: 1e-2, rank: 8, every: 5}\n"
      "    - {name: apollo, match: {role: head}, optimizer: apollo, lr: 1e-2, rank: 8, every: 6}\n"
      "  freeze: [{match: {glob: \"blocks.0.*\"}, until_step: 8}]\n",
      false },
    { LLAMA,
      "optimizer:\n" /* coded state, averages, clips of their own */
      "  clip: 0.5\n"
      "  defaults: {optimizer: adamw, lr: 3e-3, weight_decay: 0.1, state: {dtype: q8, block: 64, min_size: 0}, layer_decay: 0.9}\n"
      "  rules:\n"
      "    - {name: gains, match: {role: norm}, optimizer: adamw, lr: 3e-3, state: fp32, clip: 0.1}\n"
      "    - {name: head, match: {role: head}, optimizer: lion, lr: 3e-4, state: bf16, average: 0.8}\n"
      "    - {name: embedding, match: {role: embedding}, optimizer: ademamix, lr: 1e-3, state: bf16, agc: 0.5}\n"
      "    - {name: rest, match: all}\n",
      false },
    { LLAMA,
      "optimizer:\n" /* a second gradient, other weights to evaluate */
      "  rules:\n"
      "    - {name: gains, match: {role: norm}, optimizer: signum, lr: 1e-3}\n"
      "    - {name: head, match: {role: head}, optimizer: schedule-free, lr: 3e-3, warmup: 4}\n"
      "    - {name: embedding, match: {role: embedding}, optimizer: mars, lr: 3e-3}\n"
      "    - {name: muon, match: {role: mlp.out}, optimizer: mars, variant: muon, lr: 1e-2}\n"
      "    - {name: rest, match: all, optimizer: sophia, lr: 1e-3, every: 3}\n"
      "  freeze: [{match: {glob: \"blocks.1.*\"}, until_step: 5}]\n",
      false },
    { LLAMA,
      "optimizer:\n" /* sums over tensors, over all tensors of a rule */
      "  rules:\n"
      "    - {name: gains, match: {role: norm}, optimizer: adalayer, granularity: model, lr: 1e-3}\n"
      "    - {name: head, match: {role: head}, optimizer: lamb, lr: 1e-2, weight_decay: 0.1}\n"
      "    - {name: embedding, match: {role: embedding}, optimizer: lars, lr: 0.1}\n"
      "    - {name: attention, match: {role: \"attn.*\"}, optimizer: adam-mini, granularity: head, lr: 3e-3}\n"
      "    - {name: rest, match: all, optimizer: adafactor, variant: hf, lr: none}\n"
      "  freeze: [{match: {glob: \"blocks.2.*\"}, until_step: 6}]\n",
      false },
};
enum { N_MODELS = sizeof models / sizeof models[0] };

static const struct small_layout layouts[] = {
    { { "parallel.shard=none", "parallel.window=all" }, 16 },
    { { "parallel.shard=optimizer", "parallel.window=1" }, 2 },
    { { "parallel.shard=full", "parallel.window=2" }, 1 },
};
enum { N_LAYOUTS = sizeof layouts / sizeof layouts[0] };

START_TEST(every_layout_ends_in_the_bits_of_one_rank)
{
    const struct comm *world = mpi_world();
    const struct small_layout *layout = &layouts[_i % N_LAYOUTS];
    const struct small_model *model = &models[_i / N_LAYOUTS];
    const struct digest128 expected = small_reference(model, "fp32");
    const struct plan *plan = small_plan(model, "fp32", layout, comm_size(world));
    parallel_set_threads(layout->threads);
    struct worker *w = small_open(world, plan);
    worker_fresh(w);
    small_steps(world, w, 1, SMALL_STEPS);
    mpi_ck_assert(world, digest_equal(small_digest(world, w), expected));
    worker_close(w);
}
END_TEST

START_TEST(what_is_planned_is_allocated_and_sent)
{
    const struct comm *world = mpi_world();
    small_check_plan(world, small_plan(&models[_i], "fp32", &layouts[1 + _i % 2], comm_size(world)));
}
END_TEST

/* In bf16 the rounded copies of what is evaluated take part. */
START_TEST(a_checkpoint_goes_on_alone_and_evaluates_as_the_run_did)
{
    const struct comm *world = mpi_world();
    const struct small_model *model = &models[_i];
    const char *precision = _i % 2 ? "bf16" : "fp32";
    char name[32];
    snprintf(name, sizeof name, "optim-%d.h5", _i);
    const char *path = small_path(name);
    const struct worker_facts facts = { .step = SMALL_HALF, .tokens = SMALL_HALF * SMALL_STEP_TOKENS };
    const struct digest128 expected = small_reference(model, precision);
    parallel_set_threads(1);
    struct worker *all = small_open(world, small_plan(model, precision, &layouts[2], comm_size(world)));
    worker_fresh(all);
    small_steps(world, all, 1, SMALL_HALF);
    struct eval_result in_run, again, from_file;
    const struct digest128 before = small_digest(world, all);
    mpi_ck_assert(world, worker_evaluate(world, all, 0, 2, &in_run) == ST_OK);
    mpi_ck_assert(world, digest_equal(small_digest(world, all), before)); /* evaluation leaves no trace */
    mpi_ck_assert(world, worker_save(world, all, path, "text of the configuration", &facts) == ST_OK);
    worker_close(all);

    struct worker *one;
    struct worker_facts read;
    ck_assert(worker_open(small_self(), small_plan(model, precision, NULL, 1), WORKER_EVALUATE, &one) == ST_OK);
    ck_assert(worker_load(small_self(), one, path, NULL, &read) == ST_OK);
    ck_assert(worker_evaluate(small_self(), one, 0, 2, &from_file) == ST_OK);
    worker_close(one);
    mpi_ck_assert(world, memcmp(&in_run.nats, &from_file.nats, sizeof in_run.nats) == 0);

    one = small_open(small_self(), small_plan(model, precision, NULL, 1));
    ck_assert(worker_load(small_self(), one, path, NULL, &read) == ST_OK);
    ck_assert(worker_evaluate(small_self(), one, 0, 2, &again) == ST_OK);
    small_steps(small_self(), one, SMALL_HALF + 1, SMALL_STEPS);
    const bool same = digest_equal(small_digest(small_self(), one), expected);
    worker_close(one);
    mpi_ck_assert(world, same && memcmp(&in_run.nats, &again.nats, sizeof in_run.nats) == 0);
}
END_TEST

static void start(void) { small_start(mpi_world()); }

static void add(TCase *t)
{
    const int first = linalg_has_lapack() ? 0 : 1; /* the first model's matrix rules need it */
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, every_layout_ends_in_the_bits_of_one_rank, first * N_LAYOUTS, N_MODELS * N_LAYOUTS);
    tcase_add_loop_test(t, what_is_planned_is_allocated_and_sent, first, N_MODELS);
    tcase_add_loop_test(t, a_checkpoint_goes_on_alone_and_evaluates_as_the_run_did, first, N_MODELS);
}

int main(void)
{
    int code = mpi_check_main("optim", add);
    if (code == 0) code = small_end();
    return code == 0 && !linalg_has_lapack() ? suite_skip("LAPACKE") : code; /* the others have run */
}
