/* The order of samples: a permutation per epoch, without gaps, the same whoever asks and whenever. */
#include "common/data/order.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct order of_windows(int64_t windows)
{
    return (struct order){ .seed = 7, .n_tokens = windows * 4 + 1, .context = 4, .windows = windows };
}

START_TEST(every_epoch_visits_every_window_once)
{
    static const int64_t sizes[] = { 1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 100, 255, 1023, 1024, 1025, 4099 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            const struct order o = of_windows(sizes[k]);
            char *seen = calloc((size_t)sizes[k], 1);
            for (int64_t i = 0; i < o.windows; i++) {
                const int64_t p = order_permute(&o, epoch, i);
                ck_assert_int_ge(p, 0);
                ck_assert_int_lt(p, o.windows);
                ck_assert_int_eq(seen[p]++, 0);
            }
            free(seen);
        }
}
END_TEST

START_TEST(huge_files_are_permuted_without_a_table)
{
    const int64_t n = (INT64_C(1) << 40) + 12345;
    const struct order o = { .seed = 3, .n_tokens = n + 1, .context = 1, .windows = n };
    int64_t upper = 0;
    for (int64_t i = 0; i < 1000; i++) {
        const int64_t p = order_permute(&o, 0, i);
        ck_assert_int_ge(p, 0);
        ck_assert_int_lt(p, n);
        upper += p >= n / 2;
    }
    ck_assert_int_gt(upper, 400); /* a fair coin leaves [400, 600] once in 10^9 */
    ck_assert_int_lt(upper, 600);
}
END_TEST

static int64_t agreements(const struct order *a, int64_t epoch_a, const struct order *b, int64_t epoch_b)
{
    int64_t same = 0;
    for (int64_t i = 0; i < a->windows; i++) same += order_permute(a, epoch_a, i) == order_permute(b, epoch_b, i);
    return same;
}

START_TEST(epochs_seeds_and_streams_differ)
{
    const struct order o = of_windows(1000);
    struct order seed = o, stream = o;
    seed.seed = 8;
    stream.stream = 1;
    ck_assert_int_lt(agreements(&o, 0, &o, 1), 10); /* one in expectation */
    ck_assert_int_lt(agreements(&o, 0, &seed, 0), 10);
    ck_assert_int_lt(agreements(&o, 0, &stream, 0), 10);
    ck_assert_int_eq(agreements(&o, 5, &o, 5), 1000);
}
END_TEST

START_TEST(neighbours_do_not_stay_neighbours)
{
    const struct order o = of_windows(4096);
    int64_t near = 0;
    for (int64_t i = 0; i + 1 < o.windows; i++) near += llabs(order_permute(&o, 0, i) - order_permute(&o, 0, i + 1)) <= 2;
    ck_assert_int_lt(near, 20); /* four in expectation */
}
END_TEST

/* How often each token is an input in one epoch, and that no window leaves the file. */
static void count_inputs(const struct order *o, int64_t epoch, int *count)
{
    memset(count, 0, (size_t)o->n_tokens * sizeof *count);
    for (int64_t i = 0; i < o->windows; i++) {
        const int64_t first = order_position(o, epoch * o->windows + i);
        ck_assert_int_ge(first, 0);
        ck_assert_int_le(first + o->context + 1, o->n_tokens);
        for (int64_t t = 0; t < o->context; t++) count[first + t]++;
    }
}

START_TEST(windows_of_an_epoch_tile_the_file_without_gap_or_overlap)
{
    static const struct {
        int64_t n, context;
    } shape[] = { { 9, 8 }, { 17, 8 }, { 100, 7 }, { 513, 8 }, { 1000, 8 }, { 4000, 33 } };
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
        const struct order o = order_make(1, 0, shape[k].n, shape[k].context);
        int *count = malloc((size_t)o.n_tokens * sizeof *count);
        for (int64_t epoch = 0; epoch < 5; epoch++) {
            count_inputs(&o, epoch, count);
            const int64_t begin = order_shift(&o, epoch), end = begin + o.windows * o.context;
            for (int64_t t = 0; t < o.n_tokens; t++) ck_assert_int_eq(count[t], t >= begin && t < end);
            ck_assert_int_lt(o.n_tokens - 1 - (end - begin), 2 * o.context); /* at most one window is given up */
        }
        free(count);
    }
}
END_TEST

START_TEST(every_token_is_predicted_in_some_epoch)
{
    const struct order o = order_make(1, 0, 1000, 8);
    int *count = malloc((size_t)o.n_tokens * sizeof *count), total[1000] = { 0 };
    for (int64_t epoch = 0; epoch < 200; epoch++) {
        count_inputs(&o, epoch, count);
        for (int t = 0; t < 999; t++) total[t + 1] += count[t];
    }
    for (int t = 1; t < 1000; t++) ck_assert_int_gt(total[t], 0);
    free(count);
}
END_TEST

START_TEST(a_short_file_keeps_its_windows_in_place)
{
    const struct order o = order_make(1, 0, 2 * 16 + 1, 16); /* two sequences to learn by heart */
    ck_assert_int_eq(o.windows, 2);
    for (int64_t s = 0; s < 40; s += 2) ck_assert_int_eq(order_position(&o, s) + order_position(&o, s + 1), 16);
    ck_assert_int_eq(order_make(1, 0, 17, 16).windows, 1);
    ck_assert_int_eq(order_make(1, 0, 16, 16).windows, 0);
    ck_assert_int_eq(order_make(1, 0, 0, 16).windows, 0);
}
END_TEST

START_TEST(a_resumed_run_asks_for_the_same_windows)
{
    int64_t whole[100];
    const struct order before = order_make(42, 0, 5000, 64);
    for (int64_t s = 0; s < 100; s++) whole[s] = order_position(&before, 777 + s);
    const struct order after = order_make(42, 0, 5000, 64);
    for (int64_t s = 99; s >= 0; s--) ck_assert_int_eq(order_position(&after, 777 + s), whole[s]); /* nothing but s matters */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *tc = tcase_create("order");
    tcase_add_test(tc, every_epoch_visits_every_window_once);
    tcase_add_test(tc, huge_files_are_permuted_without_a_table);
    tcase_add_test(tc, epochs_seeds_and_streams_differ);
    tcase_add_test(tc, neighbours_do_not_stay_neighbours);
    tcase_add_test(tc, windows_of_an_epoch_tile_the_file_without_gap_or_overlap);
    tcase_add_test(tc, every_token_is_predicted_in_some_epoch);
    tcase_add_test(tc, a_short_file_keeps_its_windows_in_place);
    tcase_add_test(tc, a_resumed_run_asks_for_the_same_windows);
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
