/* Sums whose bits do not depend on the order of their terms. */
#include "common/comm/exact.h"
#include "common/base/parallel.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffff;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t random_u64(int64_t i) { return rng_u64((struct rng_key){ .seed = 7, .purpose = RNG_TEST }, 0, i); }

/* Any finite double, denormals included. */
static double any_double(int64_t i)
{
    const uint64_t bits = random_u64(i);
    return (bits >> 52 & 0x7ff) == 0x7ff ? 1 : double_of(bits);
}

static void shuffle(double *x, int64_t n, int64_t salt)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)(random_u64(1000000 * salt + i) % (uint64_t)(i + 1));
        const double kept = x[i];
        x[i] = x[j];
        x[j] = kept;
    }
}

/* --- fixed point --- */

START_TEST(bits_leave_room_for_all_contributions)
{
    ck_assert_int_eq(exact_bits(1), 51);
    ck_assert_int_eq(exact_bits(2048), 51);
    ck_assert_int_eq(exact_bits(2049), 50); /* 62 - 12 */
    ck_assert_int_eq(exact_bits((int64_t)1 << 32), 30);
}
END_TEST

START_TEST(the_largest_value_gets_eight_spare_bits)
{
    const float largest[] = { 1.0F, 0.999F, 3.0e38F, 1.2e-38F };
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
        const int exponent = exact_exponent(bits_of(largest[i]), 51, 40);
        const double scaled = ldexp((double)largest[i], exponent);
        ck_assert(scaled >= 0x1p42 && scaled < 0x1p43); /* b - 8 bits */
        ck_assert_int_eq(exact_judge(bits_of(largest[i]), bits_of(largest[i]), exponent, 51), EXACT_GOOD);
    }
    ck_assert_int_eq(exact_exponent(0, 51, 17), 17);
}
END_TEST

START_TEST(a_block_adds_its_rounded_values_where_it_belongs)
{
    int64_t sum[4 * 5] = { 0 };
    uint32_t most = 0;
    const struct exact_sink sink = { .sum = sum, .cols = 5, .exponent = 2, .bits = 51, .max_bits = &most };
    const float g[2 * 4] = { 0.125F, 0.375F, -0.375F, 99, -7, 1e6F, -0.1F, 99 }; /* ld 4: the 99s are not part of it */
    exact_add(&sink, 1, 2, g, 4, 2, 3);
    exact_add(&sink, 1, 2, g, 4, 1, 1);
    const int64_t expected[4 * 5] = { [7] = 0, [8] = 2, [9] = -2, [12] = -28, [13] = 4000000 }; /* 0.5 -> 0, 1.5 -> 2: ties to even */
    for (int i = 0; i < 20; i++) ck_assert_int_eq(sum[i], expected[i]);
    ck_assert_uint_eq(most, bits_of(1e6F));
}
END_TEST

START_TEST(conversion_equals_rounding_of_the_c_library)
{
    enum { N = 4099 };
    static float g[N];
    static int64_t sum[N];
    uint32_t most = 0;
    for (int i = 0; i < N; i++) g[i] = (float)(rng_uniform((struct rng_key){ .seed = 1, .purpose = RNG_TEST }, 0, i) - 0.5);
    for (int exponent = 20; exponent <= 51; exponent++) {
        memset(sum, 0, sizeof sum);
        const struct exact_sink sink = { .sum = sum, .cols = N, .exponent = exponent, .bits = 51, .max_bits = &most };
        exact_add(&sink, 0, 0, g, N, 1, N);
        for (int i = 0; i < N; i++) ck_assert_int_eq(sum[i], llrint(ldexp((double)g[i], exponent)));
    }
}
END_TEST

START_TEST(what_does_not_fit_adds_nothing_and_is_reported)
{
    const float bad[] = { 0x1p31F, -0x1p31F, 3e38F, INFINITY, -INFINITY, NAN };
    const enum exact_verdict verdict[] = {
        EXACT_OVERFLOW, EXACT_OVERFLOW, EXACT_OVERFLOW, EXACT_NONFINITE, EXACT_NONFINITE, EXACT_NONFINITE
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t sum = 5;
        uint32_t most = 0;
        const struct exact_sink sink = { .sum = &sum, .cols = 1, .exponent = 20, .bits = 51, .max_bits = &most };
        exact_add(&sink, 0, 0, &bad[i], 1, 1, 1);
        ck_assert_int_eq(sum, 5);
        ck_assert_int_eq(exact_judge(most, bits_of(1), 20, 51), verdict[i]);
    }
    int64_t sum = 0;
    uint32_t most = 0;
    const float last = nextafterf(0x1p31F, 0);
    const struct exact_sink sink = { .sum = &sum, .cols = 1, .exponent = 20, .bits = 51, .max_bits = &most };
    exact_add(&sink, 0, 0, &last, 1, 1, 1);
    ck_assert_int_eq(sum, (int64_t)ldexp((double)last, 20));
    ck_assert_int_eq(exact_judge(most, bits_of(1), 20, 51), EXACT_GOOD);
}
END_TEST

START_TEST(the_verdict_asks_for_a_redo_when_the_exponent_was_a_guess)
{
    const uint32_t one = bits_of(1);
    ck_assert_int_eq(exact_judge(one, 0, 40, 51), EXACT_FIRST);
    ck_assert_int_eq(exact_judge(0, 0, 40, 51), EXACT_GOOD);
    ck_assert_int_eq(exact_judge(0, one, 40, 51), EXACT_GOOD);
    ck_assert_int_eq(exact_judge(bits_of(0x1p-16F), one, 40, 51), EXACT_GOOD);
    ck_assert_int_eq(exact_judge(bits_of(nextafterf(0x1p-16F, 0)), one, 40, 51), EXACT_SHRUNK);
    ck_assert_int_eq(exact_judge(bits_of(0x1p11F), one, 40, 51), EXACT_OVERFLOW);
    ck_assert_int_eq(exact_judge(bits_of(0x1p11F), 0, 40, 51), EXACT_OVERFLOW); /* more urgent than FIRST */
}
END_TEST

START_TEST(sums_decode_to_the_mean)
{
    const int64_t sum[3] = { (int64_t)3 << 40, -((int64_t)1 << 61), 0 };
    float out[3];
    exact_decode(out, sum, 3, 40, 6);
    ck_assert(out[0] == 0.5F);
    ck_assert(out[1] == (float)(-0x1p21 / 6));
    ck_assert(out[2] == 0);
}
END_TEST

/* --- superaccumulator --- */

static double sum_over_ranks(const double *x, int64_t n, int ranks)
{
    struct super total, part;
    super_clear(&total);
    for (int r = 0; r < ranks; r++) {
        super_clear(&part);
        for (int64_t i = r; i < n; i += ranks) super_add(&part, x[i]);
        super_normalize(&part);
        for (int i = 0; i < SUPER_LIMBS; i++) total.limb[i] += part.limb[i]; /* as MPI_SUM does */
    }
    return super_value(&total);
}

START_TEST(scalars_of_the_whole_range_sum_to_the_same_bits_in_any_order_on_any_ranks)
{
    enum { N = 2000 };
    double x[N];
    for (int64_t i = 0; i < N; i++) x[i] = any_double(i) / 4096; /* no infinite sum */
    const double first = sum_over_ranks(x, N, 1);
    ck_assert(isfinite(first));
    for (int salt = 1; salt <= 20; salt++) {
        shuffle(x, N, salt);
        const double again = sum_over_ranks(x, N, 1 + salt % 8);
        ck_assert(memcmp(&again, &first, sizeof first) == 0);
    }
}
END_TEST

START_TEST(what_cancels_leaves_exactly_the_rest)
{
    enum { N = 500 };
    for (int salt = 0; salt < 20; salt++) {
        double x[2 * N + 1];
        for (int i = 0; i < N; i++) {
            x[2 * i] = any_double(salt * N + i);
            x[2 * i + 1] = -x[2 * i];
        }
        const double rest = any_double(50000 + salt);
        x[2 * N] = rest;
        shuffle(x, 2 * N + 1, salt + 1);
        const double sum = sum_over_ranks(x, 2 * N + 1, 3);
        ck_assert(memcmp(&sum, &rest, sizeof rest) == 0);
    }
}
END_TEST

/* Terms within 2^-20 .. 2^20: 53 + 40 + 10 bits, so quadruple precision (113 bits) sums them without error and rounds once. */
START_TEST(the_sum_is_the_true_sum_rounded_once)
{
    __extension__ typedef _Float128 quad;
    for (int64_t trial = 0; trial < 2000; trial++) {
        quad truth = 0;
        struct super s;
        super_clear(&s);
        for (int64_t i = 0; i < 1 + trial % 1000; i++) {
            const uint64_t bits = random_u64(trial * 1000 + i);
            const double x = double_of((bits & 0x800fffffffffffff) | (1003 + (bits >> 52) % 40) << 52);
            truth += (quad)x;
            super_add(&s, x);
        }
        const double sum = super_value(&s), expected = (double)truth;
        ck_assert(memcmp(&sum, &expected, sizeof sum) == 0);
    }
}
END_TEST

START_TEST(ties_round_to_even_and_a_bit_below_decides)
{
    struct super s;
    super_clear(&s);
    super_add(&s, 1);
    super_add(&s, 0x1p-53);
    ck_assert(super_value(&s) == 1);
    super_add(&s, 0x1p-1074);
    ck_assert(super_value(&s) == 1 + 0x1p-52);
    super_add(&s, -0x1p-1073);
    ck_assert(super_value(&s) == 1);
    super_clear(&s);
    super_add(&s, 1 + 0x1p-52);
    super_add(&s, 0x1p-53);
    ck_assert(super_value(&s) == 1 + 0x1p-51);
}
END_TEST

START_TEST(denormals_count_where_the_processor_drops_them)
{
    ck_assert(parallel_denormals_off());
    struct super s;
    super_clear(&s);
    const double smallest = double_of(1), largest_denormal = double_of(0xfffffffffffff);
    super_add(&s, smallest);
    super_add(&s, smallest);
    double sum = super_value(&s);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    ck_assert_uint_eq(bits, 2);
    super_add(&s, largest_denormal);
    sum = super_value(&s);
    memcpy(&bits, &sum, sizeof bits);
    ck_assert_uint_eq(bits, 0x10000000000001); /* 2^-1022 + 2^-1074 */
    ck_assert_int_eq(exact_exponent(1, 51, 0), 43 + 148);
    ck_assert_int_eq(exact_judge(1, 1 << 16, 0, 51), EXACT_GOOD);
    ck_assert_int_eq(exact_judge(1, (1 << 16) + 1, 0, 51), EXACT_SHRUNK);
}
END_TEST

START_TEST(infinities_and_nan_make_the_sum_nan_and_zero_is_zero)
{
    const double bad[] = { (double)INFINITY, -(double)INFINITY, (double)NAN };
    struct super s, t;
    for (int i = 0; i < 3; i++) {
        super_clear(&s);
        super_clear(&t);
        super_add(&s, 1);
        super_add(&t, bad[i]);
        super_merge(&s, &t);
        ck_assert(isnan(super_value(&s)));
    }
    super_clear(&s);
    ck_assert(super_value(&s) == 0 && !signbit(super_value(&s)));
    super_add(&s, 1.7e308);
    super_add(&s, 1.7e308);
    ck_assert(super_value(&s) == (double)INFINITY); /* beyond double's range */
    super_add(&s, -1.7e308);
    ck_assert(super_value(&s) == 1.7e308); /* and back: nothing was lost */
}
END_TEST

START_TEST(merged_parts_do_not_overflow_a_limb)
{
    struct super s;
    super_clear(&s);
    super_add(&s, 3);
    for (int i = 0; i < 200; i++) { /* 2^200 copies */
        const struct super copy = s;
        super_merge(&s, &copy);
    }
    ck_assert(super_value(&s) == 3 * 0x1p200);
}
END_TEST

/* --- vectors --- */

START_TEST(wide_sums_are_the_same_in_any_order)
{
    enum { N = 3000, EXPONENT = 60 };
    double x[N];
    for (int64_t i = 0; i < N; i++) x[i] = ldexp((double)(int64_t)random_u64(i), (int)(random_u64(i + N) % 60) - 95);
    double first = 0;
    for (int salt = 0; salt < 10; salt++) {
        struct wide sum = { 0 };
        int64_t high = 0, low = 0; /* limbs added apart, as MPI_SUM does */
        for (int i = 0; i < N; i++) {
            const struct wide term = wide_from(x[i], EXPONENT);
            wide_add(&sum, term);
            high += term.high;
            low += term.low;
        }
        if (salt == 0) first = wide_value(sum, EXPONENT);
        ck_assert(wide_value(sum, EXPONENT) == first);
        ck_assert(wide_value((struct wide){ high, low }, EXPONENT) == first);
        shuffle(x, N, salt + 1);
    }
    struct super truth;
    super_clear(&truth);
    for (int i = 0; i < N; i++) super_add(&truth, x[i]);
    ck_assert(fabs(first - super_value(&truth)) <= N * 0x1p-61); /* half a unit of 2^-60 per term */
}
END_TEST

START_TEST(many_wide_terms_are_single_ones)
{
    enum { N = 37, EXPONENT = 50 };
    const struct rng_key key = { .seed = 3, .purpose = RNG_TEST };
    struct wide many[N] = { { 0 } }, one[N] = { { 0 } };
    double x[N];
    for (int64_t round = 0; round < 3; round++) {
        for (int64_t i = 0; i < N; i++) x[i] = ldexp(rng_normal(key, round, i), (int)i - 18);
        wide_add_from(many, x, N, EXPONENT);
        for (int64_t i = 0; i < N; i++) wide_add(&one[i], wide_from(x[i], EXPONENT));
    }
    ck_assert_mem_eq(many, one, sizeof one);
}
END_TEST

START_TEST(wide_keeps_what_double_would_drop)
{
    struct wide sum = wide_from(0x1p32, 60);
    wide_add(&sum, wide_from(0x1p-60, 60));
    wide_add(&sum, wide_from(-0x1p32, 60));
    ck_assert(wide_value(sum, 60) == 0x1p-60);
    sum = wide_from(-0x1p-60, 60);
    ck_assert(wide_value(sum, 60) == -0x1p-60);
    ck_assert(wide_value(wide_from(-0x1.8p0, 0), 0) == -2); /* ties to even */
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("exact");
    tcase_add_checked_fixture(t, parallel_init, NULL); /* denormals are off, as in a run; in the child, for threads do not survive a fork */
    tcase_add_test(t, bits_leave_room_for_all_contributions);
    tcase_add_test(t, the_largest_value_gets_eight_spare_bits);
    tcase_add_test(t, a_block_adds_its_rounded_values_where_it_belongs);
    tcase_add_test(t, conversion_equals_rounding_of_the_c_library);
    tcase_add_test(t, what_does_not_fit_adds_nothing_and_is_reported);
    tcase_add_test(t, the_verdict_asks_for_a_redo_when_the_exponent_was_a_guess);
    tcase_add_test(t, sums_decode_to_the_mean);
    tcase_add_test(t, scalars_of_the_whole_range_sum_to_the_same_bits_in_any_order_on_any_ranks);
    tcase_add_test(t, what_cancels_leaves_exactly_the_rest);
    tcase_add_test(t, the_sum_is_the_true_sum_rounded_once);
    tcase_add_test(t, ties_round_to_even_and_a_bit_below_decides);
    tcase_add_test(t, denormals_count_where_the_processor_drops_them);
    tcase_add_test(t, infinities_and_nan_make_the_sum_nan_and_zero_is_zero);
    tcase_add_test(t, merged_parts_do_not_overflow_a_limb);
    tcase_add_test(t, wide_sums_are_the_same_in_any_order);
    tcase_add_test(t, many_wide_terms_are_single_ones);
    tcase_add_test(t, wide_keeps_what_double_would_drop);
    Suite *suite = suite_create("exact");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
