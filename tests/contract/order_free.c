/* Why the sums are integers: seven microbatches added in fp32 in two orders are two different gradients, and added in the order-free way
 * one. This is the negative control of tests/mpi/train.c: digests that agree there say something, because an ordinary sum of the same
 * contributions would not. With two microbatches it would: a + b = b + a. */
#include "common/base/parallel.h"
#include "tests/support/model_step.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MICROBATCHES = 7, B = 2, T = 16, VOCAB = 61 };

static struct arena arena;
static struct model_step model;
static int64_t n_elements;
static float *contribution[MICROBATCHES]; /* what each adds to all tensors, one after the other */
static int64_t *exact[MICROBATCHES];

static const int forth[MICROBATCHES] = { 0, 1, 2, 3, 4, 5, 6 };
static const int back[MICROBATCHES] = { 6, 5, 4, 3, 2, 1, 0 };
static const int ranks_of_three[MICROBATCHES] = { 2, 5, 1, 4, 0, 3, 6 };
static const int *const orders[] = { back, ranks_of_three };

static void run_microbatch(int m)
{
    int32_t tokens[B * T], targets[B * T];
    char name[32];
    (void)snprintf(name, sizeof name, "microbatch %d", m);
    model_step_batch(name, (int64_t)B * T, VOCAB, tokens, targets);
    (void)model_step_run(&model, tokens, targets);
    int64_t at = 0;
    for (int p = 0; p < model.partition.n_params; p++) {
        const struct param *q = &model.partition.params[p];
        const int64_t n = q->rows * q->cols;
        memcpy(contribution[m] + at, model_step_gradients(&model, p), (size_t)n * sizeof(float));
        memcpy(exact[m] + at, model.sinks[p].sum, (size_t)n * sizeof(int64_t));
        at += n;
    }
}

static void setup(void)
{
    arena_open_growing(&arena, "order");
    const struct model_config config = { .family = "llama",
                                         .width = 24,
                                         .layers = 2,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .mlp = 40,
                                         .context = T,
                                         .vocab = VOCAB,
                                         .norm_eps = 1e-5,
                                         .rope_base = 1e4 };
    model_step_init(&model, &arena, &config, DT_F32, B, T, NULL);
    n_elements = 0;
    for (int p = 0; p < model.partition.n_params; p++) n_elements += model.partition.params[p].rows * model.partition.params[p].cols;
    for (int m = 0; m < MICROBATCHES; m++) {
        contribution[m] = arena_place_n(&arena, (size_t)n_elements, sizeof(float));
        exact[m] = arena_place_n(&arena, (size_t)n_elements, sizeof(int64_t));
        run_microbatch(m);
    }
}
static void teardown(void) { arena_close(&arena); }

static float *sum_floats(const int order[], int n)
{
    float *sum = arena_place_n(&arena, (size_t)n_elements, sizeof *sum);
    memcpy(sum, contribution[order[0]], (size_t)n_elements * sizeof *sum);
    for (int k = 1; k < n; k++)
        for (int64_t i = 0; i < n_elements; i++) sum[i] += contribution[order[k]][i];
    return sum;
}

static int64_t *sum_exactly(const int order[], int n)
{
    int64_t *sum = arena_place_n(&arena, (size_t)n_elements, sizeof *sum);
    memcpy(sum, exact[order[0]], (size_t)n_elements * sizeof *sum);
    for (int k = 1; k < n; k++)
        for (int64_t i = 0; i < n_elements; i++) sum[i] += exact[order[k]][i];
    return sum;
}

static int64_t count_different(const float *a, const float *b)
{
    int64_t n = 0;
    for (int64_t i = 0; i < n_elements; i++) n += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return n;
}

START_TEST(an_fp32_sum_of_seven_microbatches_depends_on_their_order)
{
    const int64_t different = count_different(sum_floats(forth, MICROBATCHES), sum_floats(orders[_i], MICROBATCHES));
    ck_assert_int_gt(different, n_elements / 10); /* not one unlucky element: no digest could miss it */
}
END_TEST

START_TEST(an_exact_sum_does_not)
{
    const int64_t *a = sum_exactly(forth, MICROBATCHES), *b = sum_exactly(orders[_i], MICROBATCHES);
    ck_assert_int_eq(memcmp(a, b, (size_t)n_elements * sizeof *a), 0);
    int64_t nonzero = 0;
    for (int64_t i = 0; i < n_elements; i++) nonzero += a[i] != 0;
    ck_assert_int_gt(nonzero, n_elements / 2);
}
END_TEST

START_TEST(two_microbatches_would_show_nothing)
{
    static const int one_two[] = { 0, 1 }, two_one[] = { 1, 0 };
    ck_assert_int_eq(count_different(sum_floats(one_two, 2), sum_floats(two_one, 2)), 0);
}
END_TEST

int main(void)
{
    parallel_init();
    TCase *t = tcase_create("order");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, an_fp32_sum_of_seven_microbatches_depends_on_their_order, 0, 2);
    tcase_add_loop_test(t, an_exact_sum_does_not, 0, 2);
    tcase_add_test(t, two_microbatches_would_show_nothing);
    Suite *s = suite_create("order");
    suite_add_tcase(s, t);
    return suite_main(s, CK_NOFORK);
}
