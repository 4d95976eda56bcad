/* What went wrong in other trainers, each as a test with the wrong way beside it: a clip that shrinks a step without a scale, momentum that
 * advances once per microbatch, schedules of one rule that reach another's tensors, state whose type follows the shard, bytes per
 * parameter. Layer-wise statistics over shards are in contract/optim (any_cut_over_one_to_four_ranks_gives_the_same_bits). */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/linalg.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"
#include "worker/optim/optim.h"
#include "worker/worker.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_HYPER = 32, ROWS = 8, COLS = 12, SIZE = ROWS * COLS, FIXED_POINT = 40 };

/* ---- two rules with a tensor each, at one rank ---- */

struct world {
    struct arena memory;
    struct config *config;
    const struct opt_desc *optimizers[2];
    double hyper[2][MOST_HYPER];
    struct param params[2];
    struct plan plan;
    struct driver *driver;
    float theta[2][SIZE];
    int64_t sum[2][SIZE], step;
    int exponent[2];
    uint32_t max_bits[2];
};

static void open_world(struct world *w, const char *first, const char *settings, double clip_of_first, double clip)
{
    *w = (struct world){ .optimizers = { worker_optimizer(first), worker_optimizer("sgd") }, .exponent = { FIXED_POINT, FIXED_POINT } };
    arena_open_growing(&w->memory, "traps");
    w->config = arena_place(&w->memory, sizeof *w->config);
    *w->config = (struct config){ .n_rules = 2, .clip = clip };
    for (int i = 0; i < 2; i++) {
        ck_assert(w->optimizers[i] != NULL && w->optimizers[i]->variant.bytes <= sizeof w->hyper[i]);
        fields_fill(&w->optimizers[i]->variant, i == 0 ? settings : "", w->hyper[i]);
        w->config->rules[i] =
            (struct rule_config){ .fields = w->hyper[i], .common = { .lr = 0.1, .clip = i == 0 ? clip_of_first : CLIP_GLOBAL } };
        w->params[i] = (struct param){ .n_dims = 2, .rows = ROWS, .cols = COLS, .rule = i, .owner = -1 };
    }
    w->plan = (struct plan){
        .config = w->config, .optimizers = w->optimizers, .contributions = 1, .partition = { .n_params = 2, .params = w->params }
    };
    struct driver_piece piece[2];
    for (int i = 0; i < 2; i++) {
        const struct opt_rule rule = plan_rule(&w->plan, i);
        w->params[i].row_align = opt_row_align(&rule, &w->params[i]);
        if (opt_whole_flops(&rule, &w->params[i]) > 0) w->params[i].owner = 0;
        for (int k = 0; k < SIZE; k++) w->theta[i][k] = (float)(k * 7 % 23 - 11) / 32;
        piece[i] = (struct driver_piece){ .param = i, .row_end = ROWS, .theta = w->theta[i], .sum = w->sum[i] };
    }
    const struct driver_group alone = { 0, 1, NULL };
    w->driver = driver_place(&w->memory, &w->memory, &w->plan, 1, &alone, piece, 2);
    driver_fresh(w->driver);
}
static void close_world(struct world *w) { arena_close(&w->memory); }

/* Adds a microbatch to the gradient of a tensor, as ranks and microbatches are added: in fixed point. */
static void add_gradient(struct world *w, int tensor, int64_t seed, double scale)
{
    const struct rng_key key = { .seed = 5, .purpose = RNG_TEST, .stream = (uint32_t)tensor };
    for (int i = 0; i < SIZE; i++) {
        const double g = scale * (double)(float)rng_normal(key, seed, i);
        const float size = (float)fabs(g);
        uint32_t bits;
        memcpy(&bits, &size, sizeof bits);
        w->sum[tensor][i] += llrint(ldexp(g, FIXED_POINT));
        if (bits > w->max_bits[tensor]) w->max_bits[tensor] = bits;
    }
}

/* One update as worker/train/step.c makes it; factor: of the schedule of each rule. */
static void take_step(struct world *w, double factor_of_first, double factor_of_second)
{
    struct super norm[2], all;
    double clip[2];
    const double factor[2] = { factor_of_first, factor_of_second };
    super_clear(&all);
    w->step++;
    for (int i = 0; i < 2; i++) super_clear(&norm[i]);
    driver_norm(w->driver, w->step, w->exponent, norm);
    for (int i = 0; i < 2; i++)
        if (w->config->rules[i].common.clip == CLIP_GLOBAL) super_merge(&all, &norm[i]);
    for (int i = 0; i < 2; i++) {
        const double limit = w->config->rules[i].common.clip;
        clip[i] =
            limit == CLIP_GLOBAL ? driver_clip(w->config->clip, sqrt(super_value(&all))) : driver_clip(limit, sqrt(super_value(&norm[i])));
    }
    const struct driver_step now = {
        .step = w->step, .divisor = 1, .clip = clip, .factor = factor, .exponent = w->exponent, .max_bits = w->max_bits
    };
    int64_t *values, n;
    driver_begin(w->driver, &now);
    for (int exchange = 0; exchange < OPT_EXCHANGES; exchange++) {
        if (exchange == OPT_COUNT_SIGNS) { /* matrices stand between the sums and the signs */
            (void)driver_whole_out(w->driver);
            driver_rest(w->driver);
            driver_whole_direct(w->driver);
            (void)driver_whole_back(w->driver);
            driver_whole_done(w->driver);
        }
        driver_exchange(w->driver, exchange, &values, &n);
        driver_absorb(w->driver, exchange);
    }
    memset(w->sum, 0, sizeof w->sum);
    memset(w->max_bits, 0, sizeof w->max_bits);
}

static double distance(const float *a, const float *b)
{
    double squares = 0;
    for (int i = 0; i < SIZE; i++) squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}
static const char *tensor_difference(struct world *a, struct world *b, int tensor)
{
    if (memcmp(a->theta[tensor], b->theta[tensor], sizeof a->theta[tensor]) != 0) return "weights";
    if (driver_updates(a->driver)[tensor] != driver_updates(b->driver)[tensor]) return "count of updates";
    for (int k = 0; k < DRIVER_SLOTS; k++) {
        struct driver_slot x, y;
        const bool in_a = driver_slot(a->driver, tensor, k, &x), in_b = driver_slot(b->driver, tensor, k, &y);
        if (in_a != in_b) return "slots";
        if (!in_a) continue;
        if (memcmp(x.data, y.data, (size_t)((x.row_end - x.row_begin) * x.cols) * dtype_bytes(x.dtype)) != 0)
            return a->optimizers[tensor]->slots[k % OPT_MAX_SLOTS].name;
    }
    return NULL;
}

/* ---- clip (DeepSpeed #8439, #7776; Megatron #5394) ---- */

/* How far the first tensor moves in one step on gradients of this size, with the second tensor's beside it. */
static double moved(const char *rule, double clip_of_rule, double clip, double other, float theta[SIZE])
{
    struct world w;
    float before[SIZE];
    open_world(&w, rule, "", clip_of_rule, clip);
    memcpy(before, w.theta[0], sizeof before);
    add_gradient(&w, 0, 0, 10);
    add_gradient(&w, 1, 0, other);
    take_step(&w, 1, 1);
    memcpy(theta, w.theta[0], sizeof w.theta[0]);
    const double way = distance(before, theta);
    close_world(&w);
    return way;
}

START_TEST(a_clip_does_not_shrink_the_step_of_muon)
{
    float free[SIZE], clipped[SIZE];
    const double whole = moved("muon", CLIP_NONE, 1, 10, free); /* norm near 100: 1 would divide by it */
    ck_assert_double_gt(whole, 0.1);
    ck_assert_double_eq_tol(moved("muon", CLIP_GLOBAL, 1, 10, clipped), whole, 1e-5 * whole);
    ck_assert_double_lt(distance(free, clipped), 1e-5 * whole);
    ck_assert_double_eq_tol(moved("muon", 0.25, 1, 10, clipped), whole, 1e-5 * whole);
    /* a rule that feels sizes is divided */
    ck_assert_double_lt(moved("sgd", CLIP_GLOBAL, 1, 10, clipped), 0.02 * moved("sgd", CLIP_NONE, 1, 10, free));
}
END_TEST

START_TEST(a_rule_without_clip_does_not_feel_the_norms_of_others)
{
    float calm[SIZE], beside_a_spike[SIZE];
    const double whole = moved("muon", CLIP_NONE, 1, 1, calm);
    ck_assert_double_eq(moved("muon", CLIP_NONE, 1, 1e5, beside_a_spike), whole);
    ck_assert_mem_eq(calm, beside_a_spike, sizeof calm);
    /* what it is spared: the shared norm takes its momentum below the eps of its own norm */
    ck_assert_double_lt(moved("muon", CLIP_GLOBAL, 1e-6, 1e5, beside_a_spike), 0.5 * whole);
}
END_TEST

/* ---- microbatches (DeepSpeed #8443) ---- */

static const char *const with_memory[][2] = { { "muon", "" },          { "sgd", "momentum=0.9" }, { "adamw", "" }, { "adalayer", "" },
                                              { "lion", "" },          { "adafactor", "" },       { "soap", "" },  { "shampoo", "every=2" },
                                              { "schedule-free", "" }, { "ademamix", "" },        { "mars", "" },  { "lamb", "" } };
enum { N_WITH_MEMORY = sizeof with_memory / sizeof with_memory[0], PARTS = 7 };

static bool is_left_out(const char *rule, const char *settings)
{
    double hyper[MOST_HYPER];
    const struct opt_desc *opt = worker_optimizer(rule);
    fields_fill(&opt->variant, settings, hyper);
    const char *problem = opt_problem(&(struct opt_rule){ opt, hyper, &(struct rule_common){ .lr = 0.01 } });
    return problem != NULL && strstr(problem, "LAPACK") != NULL && suite_without(linalg_has_lapack(), "LAPACKE");
}

START_TEST(a_step_of_many_microbatches_is_one_step)
{
    const char *rule = with_memory[_i][0], *settings = with_memory[_i][1];
    if (is_left_out(rule, settings)) return;
    struct world one, many, each;
    open_world(&one, rule, settings, CLIP_NONE, 0);
    open_world(&many, rule, settings, CLIP_NONE, 0);
    open_world(&each, rule, settings, CLIP_NONE, 0);
    for (int step = 0; step < 3; step++) {
        for (int k = 0; k < PARTS; k++) {
            add_gradient(&many, 0, step * PARTS + k, 0.25);
            add_gradient(&each, 0, step * PARTS + k, 0.25);
            take_step(&each, 1.0 / PARTS, 1); /* the wrong way: state follows each microbatch, the rate is shared out */
        }
        memcpy(one.sum, many.sum, sizeof one.sum); /* the sum as one gradient */
        memcpy(one.max_bits, many.max_bits, sizeof one.max_bits);
        take_step(&many, 1, 1);
        take_step(&one, 1, 1);
    }
    const char *difference = tensor_difference(&one, &many, 0);
    ck_assert_msg(difference == NULL, "%s: %s", rule, difference);
    ck_assert_int_eq(driver_updates(many.driver)[0], 3);
    ck_assert_msg(distance(one.theta[0], each.theta[0]) > 1e-3, "%s: %g", rule, distance(one.theta[0], each.theta[0]));
    close_world(&one);
    close_world(&many);
    close_world(&each);
}
END_TEST

/* ---- schedules (DeepSpeed #7713, tt-metal #56027) ---- */

START_TEST(the_schedule_of_one_rule_reaches_no_other)
{
    const char *rule = with_memory[_i][0], *settings = with_memory[_i][1];
    if (is_left_out(rule, settings)) return;
    struct world as_it_was, edited;
    open_world(&as_it_was, rule, settings, CLIP_GLOBAL, 1);
    open_world(&edited, rule, settings, CLIP_GLOBAL, 1);
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 2; i++) {
            add_gradient(&as_it_was, i, step, 1);
            add_gradient(&edited, i, step, 1);
        }
        take_step(&as_it_was, 1, 1);
        take_step(&edited, 1, 0.25 * step);
    }
    const char *difference = tensor_difference(&as_it_was, &edited, 0);
    ck_assert_msg(difference == NULL, "%s: %s", rule, difference);
    ck_assert_ptr_nonnull(tensor_difference(&as_it_was, &edited, 1)); /* the edit was one */
    close_world(&as_it_was);
    close_world(&edited);
}
END_TEST

/* ---- the type of state (bitsandbytes #2080, ao #4912) ---- */

static struct virtual_setup coded(double hyper[MOST_HYPER], int64_t rows, int64_t cols)
{
    fields_fill(&opt_adamw.variant, "", hyper);
    return (struct virtual_setup){ .n_tensors = 1,
                                   .tensor = { { rows, cols, 2, 0 } },
                                   .opt = &opt_adamw,
                                   .hyper = hyper,
                                   .common = { .lr = 0.01, .clip = CLIP_NONE, .state = { STORAGE_Q8, 256, 4096 } } };
}
static int64_t largest_shard(const struct virtual_world *w)
{
    int64_t most = 0;
    for (int r = 0; r < w->ranks; r++) most = max_i64(most, (w->cut[0][r + 1] - w->cut[0][r]) * w->setup.tensor[0].cols);
    return most;
}

START_TEST(state_is_coded_by_the_size_of_the_tensor_not_of_the_shard)
{
    double hyper[MOST_HYPER];
    struct virtual_world whole, sharded;
    struct virtual_setup setup = coded(hyper, 64, 96); /* 6144 elements */
    uint64_t cut = 1;
    virtual_open(&whole, &setup, 1, 0);
    virtual_open(&sharded, &setup, VIRTUAL_RANKS, cut);
    while (largest_shard(&sharded) >= 4096) { /* any four shards below min_size will do */
        virtual_close(&sharded);
        virtual_open(&sharded, &setup, VIRTUAL_RANKS, ++cut);
    }
    for (int r = 0; r < VIRTUAL_RANKS; r++)
        for (int slot = 0; slot < 2; slot++) {
            struct driver_slot s;
            ck_assert(driver_slot(sharded.driver[r], 0, slot, &s) && s.dtype == DT_U8);
        }
    for (int step = 0; step < 3; step++) {
        virtual_random_gradients(&whole, 0.5f);
        virtual_random_gradients(&sharded, 0.5f);
        virtual_step(&whole, 0.01);
        virtual_step(&sharded, 0.01);
    }
    ck_assert_ptr_null(virtual_difference(&whole, &sharded));
    virtual_close(&whole);
    virtual_close(&sharded);

    struct driver_slot s;
    setup = coded(hyper, 63, 65); /* 4095: too small wherever it lies */
    virtual_open(&whole, &setup, 1, 0);
    ck_assert(driver_slot(whole.driver[0], 0, 0, &s) && s.dtype == DT_F32);
    virtual_close(&whole);
}
END_TEST

/* ---- bytes of state per parameter ---- */

static const struct {
    const char *rule, *settings;
    struct storage state;
    double expected;
} on_a_matrix[] = { { "adamw", "", { 0 }, 8 },
                    { "lion", "", { 0 }, 4 },
                    { "adalayer", "", { 0 }, 4 + 4.0 / (768 * 3072) },
                    { "adalayer", "granularity=row", { 0 }, 4 + 4.0 / 3072 },
                    { "adafactor", "", { 0 }, 4.0 * (768 + 3072) / (768 * 3072) }, /* 0.0065 */
                    { "adamw", "", { STORAGE_Q8, 256, 4096 }, 2 + 8.0 / 256 },
                    { "lion", "", { STORAGE_Q8, 256, 4096 }, 1 + 4.0 / 256 },
                    { "muon", "", { 0 }, 4 },
                    { "soap", "", { 0 }, 8 + 8 * (768.0 * 768 + 3072.0 * 3072) / (768 * 3072) }, /* 42 */
                    { "sgd", "", { 0 }, 0 },
                    { "mars", "", { 0 }, 12 },
                    { "ademamix", "", { 0 }, 12 },
                    { "sophia", "", { 0 }, 8 },
                    { "galore", "", { 0 }, 4.0 * (768 + 2 * 3072) * 128 / (768 * 3072) } };

START_TEST(a_matrix_of_768_by_3072_takes_the_bytes_of_the_table)
{
    double hyper[MOST_HYPER];
    const struct opt_desc *opt = worker_optimizer(on_a_matrix[_i].rule);
    if (is_left_out(on_a_matrix[_i].rule, on_a_matrix[_i].settings)) return;
    const struct rule_common common = { .state = on_a_matrix[_i].state };
    const struct param p = { .n_dims = 2, .rows = 768, .cols = 3072 };
    fields_fill(&opt->variant, on_a_matrix[_i].settings, hyper);
    const struct opt_rule rule = { opt, hyper, &common };
    ck_assert_double_eq_tol((double)opt_slot_bytes(&rule, &p) / (768 * 3072), on_a_matrix[_i].expected, 1e-9);
}
END_TEST

#define GPT2_124M                                                                                                                          \
    "run: {name: t, steps: 10}\n"                                                                                                          \
    "model: {family: gpt2, width: 768, layers: 12, heads: 12, context: 1024}\n"                                                            \
    "tokenizer: bytes\n"                                                                                                                   \
    "data: {train: [{name: a, path: a.h5}], valid: [{name: a, path: a.h5}]}\n"                                                             \
    "batch: {sequences: 8, micro: 1}\n"                                                                                                    \
    "optimizer:\n"
#define HIDDEN "match: {role: [\"attn.*\", \"mlp.*\"]}"

static const struct {
    const char *optimizer;
    double expected; /* of OPTIMIZERS' presets and of sums over the tensors, to two digits after the point */
} on_gpt2[] = {
    { "  defaults: {optimizer: adamw, lr: 1e-3}\n", 8.00 },
    { "  defaults: {optimizer: lion, lr: 1e-4}\n", 4.00 },
    { "  defaults: {optimizer: adalayer, lr: 3e-3}\n", 4.00 },
    { "  defaults: {optimizer: adafactor, lr: 1e-2}\n", 0.01 },
    { "  defaults: {optimizer: adamw, lr: 1e-3, state: q8}\n", 2.04 }, /* gains and biases are below min_size: 121,344 parameters of 8 */
    { "  defaults: {optimizer: adamw, lr: 1e-3}\n  rules:\n    - {name: h, " HIDDEN
      ", optimizer: muon, lr: 0.02}\n    - {name: r, match: all}\n",
      5.27 },
    { "  defaults: {optimizer: adamw, lr: 1e-3, state: q8}\n  rules:\n    - {name: e, match: {role: [head, position]}, state: fp32}\n"
      "    - {name: g, match: {role: [norm, bias]}, state: fp32}\n    - {name: r, match: all}\n",
      3.93 },
};

START_TEST(gpt2_124m_takes_the_bytes_of_the_table)
{
    struct arena arena;
    struct config *config;
    struct plan plan;
    struct text problems = { 0 };
    char yaml[2048];
    arena_open_growing(&arena, "traps");
    (void)snprintf(yaml, sizeof yaml, "%s%s", GPT2_124M, on_gpt2[_i].optimizer);
    enum status s = config_parse("t", yaml, strlen(yaml), NULL, 0, worker_tables(), &arena, &config, &problems);
    if (s == ST_OK) {
        config->model.vocab = 50257;
        s = worker_plan(&arena, config, DT_F32, 1, &plan, &problems);
    }
    ck_assert_msg(s == ST_OK, "%s: %s", status_text(), problems.data != NULL ? problems.data : "");
    double bytes = 0, parameters = 0;
    for (int i = 0; i < plan.partition.n_params; i++) {
        const struct param *p = &plan.partition.params[i];
        const struct opt_rule rule = plan_rule(&plan, i);
        bytes += (double)opt_slot_bytes(&rule, p);
        parameters += (double)(p->rows * p->cols);
    }
    ck_assert_double_eq(parameters, 124439808);
    ck_assert_double_eq_tol(bytes / parameters, on_gpt2[_i].expected, 0.005);
    text_free(&problems);
    arena_close(&arena);
}
END_TEST

int main(void)
{
    parallel_set_threads(1);
    TCase *t = tcase_create("traps");
    tcase_add_test(t, a_clip_does_not_shrink_the_step_of_muon);
    tcase_add_test(t, a_rule_without_clip_does_not_feel_the_norms_of_others);
    tcase_add_loop_test(t, a_step_of_many_microbatches_is_one_step, 0, N_WITH_MEMORY);
    tcase_add_loop_test(t, the_schedule_of_one_rule_reaches_no_other, 0, N_WITH_MEMORY);
    tcase_add_test(t, state_is_coded_by_the_size_of_the_tensor_not_of_the_shard);
    tcase_add_loop_test(t, a_matrix_of_768_by_3072_takes_the_bytes_of_the_table, 0, (int)(sizeof on_a_matrix / sizeof on_a_matrix[0]));
    tcase_add_loop_test(t, gpt2_124m_takes_the_bytes_of_the_table, 0, (int)(sizeof on_gpt2 / sizeof on_gpt2[0]));
    Suite *suite = suite_create("contract optim traps");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
