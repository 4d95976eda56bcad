/* Mixing by shares: the counts are right after every sample, from any place, however one got there. */
#include "common/data/mix.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double uniform(int64_t trial, int64_t i)
{
    return (double)(rng_u64((struct rng_key){ .seed = 3, .purpose = RNG_TEST }, trial, i) >> 11) * 0x1p-53;
}

/* k sources: alike, uniform, over nine powers of ten, or small whole numbers (where turns fall together). */
static struct mix random_mix(int64_t trial, int k)
{
    double w[MIX_MOST];
    for (int i = 0; i < k; i++) {
        const double u = uniform(trial, i), kinds[] = { 1, u + 1e-9, pow(10, 9 * u - 4.5), 1 + floor(3 * u) };
        w[i] = kinds[trial % 4];
    }
    return mix_make(w, k);
}

/* The largest |count - n w| of all sources: exact up to the division. */
static double deviation(const struct mix *m, const struct mix_place *p)
{
    double most = 0;
    for (int i = 0; i < m->n; i++) {
        __extension__ typedef __int128 int128;
        const int128 off = (int128)p->samples * m->share[i] - (int128)p->count[i] * mix_whole;
        most = fmax(most, fabs((double)off) / (double)mix_whole);
    }
    return most;
}

START_TEST(shares_add_up_and_are_the_weights)
{
    for (int64_t trial = 0; trial < 200; trial++) {
        const int k = 1 + (int)trial % MIX_MOST;
        const struct mix m = random_mix(trial, k);
        int64_t sum = 0;
        for (int i = 0; i < k; i++) sum += m.share[i];
        ck_assert_int_eq(sum, mix_whole);
    }
    const struct mix m = mix_make((double[]){ 1, 2, 5 }, 3);
    ck_assert_int_eq(m.share[0], mix_whole / 8);
    ck_assert_int_eq(m.share[1], mix_whole / 4);
    ck_assert_int_eq(mix_make((double[]){ 1e-30, 1 }, 2).share[0], 1); /* never nothing */
}
END_TEST

START_TEST(no_count_is_ever_off_by_a_whole_sample)
{
    for (int64_t trial = 0; trial < 320; trial++) {
        const int k = 1 + (int)(trial / 4) % MIX_MOST;
        const struct mix m = random_mix(trial, k);
        const double bound = k > 1 ? 1 - 1.0 / (2 * k - 2) : 0;
        struct mix_place p = mix_begin(&m);
        for (int64_t n = 1; n <= 4000; n++) {
            const int source = mix_next(&m, &p);
            ck_assert(source >= 0 && source < k);
            ck_assert_msg(deviation(&m, &p) <= bound + 1e-12, "%d sources, kind %d: %g after %lld", k, (int)(trial % 4), deviation(&m, &p),
                          (long long)n);
        }
    }
}
END_TEST

START_TEST(ten_thousand_steps_hold_the_weights)
{
    static const double w[] = { 0.7, 0.2, 0.0999, 0.0001 };
    const struct mix m = mix_make(w, 4);
    struct mix_place p = mix_begin(&m);
    for (int64_t step = 1; step <= 10000; step++) {
        for (int slot = 0; slot < 56; slot++) (void)mix_next(&m, &p);
        for (int i = 0; i < 4; i++) ck_assert_double_lt(fabs((double)p.count[i] - 56 * (double)step * w[i]), 1);
    }
    ck_assert_int_eq(p.samples, 560000);
}
END_TEST

START_TEST(one_source_takes_all)
{
    const struct mix m = mix_make((double[]){ 0.3 }, 1);
    struct mix_place p = mix_begin(&m);
    for (int n = 0; n < 1000; n++) ck_assert_int_eq(mix_next(&m, &p), 0);
    ck_assert_int_eq(p.count[0], 1000);
    struct mix_cursor c = mix_cursor(&p, 14); /* anywhere at once */
    static const int64_t far[] = { 1000, INT64_C(1) << 50, (INT64_C(1) << 50) + 1, 7, 0, 2000 };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) ck_assert_int_eq(mix_find(&m, &c, far[i]).index, far[i]);
}
END_TEST

START_TEST(counts_say_all_that_is_to_know)
{
    for (int64_t trial = 0; trial < 64; trial++) {
        const struct mix m = random_mix(trial, 1 + (int)trial / 2);
        struct mix_place walked = mix_begin(&m);
        for (int64_t n = 0; n < 997; n++) (void)mix_next(&m, &walked);
        struct mix_place told = mix_place_at(&m, walked.count);
        ck_assert_int_eq(told.samples, 997);
        for (int64_t n = 0; n < 2000; n++) ck_assert_int_eq(mix_next(&m, &told), mix_next(&m, &walked));
    }
}
END_TEST

START_TEST(far_on_it_goes_as_at_the_beginning)
{
    const int64_t far = INT64_C(1) << 50, count[] = { far, 3 * far, 4 * far }; /* a whole number of periods of 8 */
    const struct mix m = mix_make((double[]){ 1, 3, 4 }, 3);
    struct mix_place late = mix_place_at(&m, count), early = mix_begin(&m);
    for (int n = 0; n < 1000; n++) ck_assert_int_eq(mix_next(&m, &late), mix_next(&m, &early));
    ck_assert_double_le(deviation(&m, &late), 0.75);
}
END_TEST

/* --- Looking up ----------------------------------------------------------------------------------------------------------- */

enum { MANY = 3000, STRIDE = 14 };

static void write_down(const struct mix *m, struct mix_turn turn[MANY])
{
    struct mix_place p = mix_begin(m);
    for (int n = 0; n < MANY; n++) {
        const int source = mix_next(m, &p);
        turn[n] = (struct mix_turn){ source, p.count[source] - 1 };
    }
}

START_TEST(samples_are_found_in_any_order)
{
    static struct mix_turn turn[MANY];
    for (int64_t trial = 0; trial < 12; trial++) {
        const struct mix m = random_mix(trial, 2 + 2 * (int)trial);
        write_down(&m, turn);
        struct mix_place from = mix_begin(&m);
        for (int n = 0; n < 500 * (trial % 2); n++) (void)mix_next(&m, &from); /* as a run that was gone on with, too */
        struct mix_cursor c = mix_cursor(&from, STRIDE);
        for (int64_t k = 0; k < 4000; k++) {
            const double u = uniform(trial + 100, k);
            int64_t n = k % MANY;
            if (k % 7 == 0) n = (int64_t)(u * MANY); /* anywhere */
            if (k % 7 == 3) n = n > 2 * STRIDE ? n - (int64_t)(u * 2 * STRIDE) : n;
            const struct mix_turn found = mix_find(&m, &c, n);
            ck_assert_int_eq(found.source, turn[n].source);
            ck_assert_int_eq(found.index, turn[n].index);
        }
        const struct mix_place *after = mix_after(&m, &c, 700);
        int64_t count[MIX_MOST] = { 0 };
        for (int n = 0; n < 700; n++) count[turn[n].source]++;
        for (int i = 0; i < m.n; i++) ck_assert_int_eq(after->count[i], count[i]);
    }
}
END_TEST

/* Each source's own samples are taken one after the other, none twice and none left out. */
START_TEST(a_source_is_read_in_its_order)
{
    static struct mix_turn turn[MANY];
    const struct mix m = mix_make((double[]){ 3, 1, 0.01 }, 3);
    int64_t next[3] = { 0 };
    write_down(&m, turn);
    for (int n = 0; n < MANY; n++) ck_assert_int_eq(turn[n].index, next[turn[n].source]++);
    ck_assert(next[0] > 2200 && next[1] > 700 && next[2] > 5);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("mix");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, shares_add_up_and_are_the_weights);
    tcase_add_test(tc, no_count_is_ever_off_by_a_whole_sample);
    tcase_add_test(tc, ten_thousand_steps_hold_the_weights);
    tcase_add_test(tc, one_source_takes_all);
    tcase_add_test(tc, counts_say_all_that_is_to_know);
    tcase_add_test(tc, far_on_it_goes_as_at_the_beginning);
    tcase_add_test(tc, samples_are_found_in_any_order);
    tcase_add_test(tc, a_source_is_read_in_its_order);
    Suite *suite = suite_create("mix");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
