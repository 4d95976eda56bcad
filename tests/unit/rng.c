/* Philox against its published answers; uniform and normal numbers against libm and against their distribution. */
#include "common/base/rng.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <string.h>

START_TEST(philox_gives_the_known_answers_of_random123)
{
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        rng_philox4x32(known[i].counter, known[i].key, out);
        ck_assert_mem_eq(out, known[i].answer, sizeof out);
    }
}
END_TEST

START_TEST(a_block_is_the_cipher_of_its_documented_counter)
{
    const struct rng_key key = { .seed = 0x1122334455667788u, .purpose = RNG_ROUND, .stream = 0x99 };
    const uint32_t counter[4] = { 0xddeeff00u, 0xaabbccu, 17, (uint32_t)RNG_ROUND << 24 ^ 0x99u }, words[2] = { 0x55667788u, 0x11223344u };
    uint32_t expected[4], out[4];
    rng_philox4x32(counter, words, expected);
    rng_block(key, 17, 0xaabbccddeeff00, out);
    ck_assert_mem_eq(out, expected, sizeof out);
    ck_assert_uint_eq(rng_u64(key, 17, 0xaabbccddeeff00), (uint64_t)expected[1] << 32 | expected[0]);
}
END_TEST

START_TEST(many_blocks_are_single_blocks_in_a_row)
{
    enum { N = 3 * 32 + 7 };
    const struct rng_key key = { .seed = 0x8877665544332211u, .purpose = RNG_ROUND, .stream = 0xabcdef };
    const int64_t first = ((int64_t)5 << 32) - 40; /* the counter's second word changes on the way */
    uint32_t out[4 * N], expected[4];
    rng_blocks(key, 1234567, first, N, out);
    for (int64_t i = 0; i < N; i++) {
        rng_block(key, 1234567, first + i, expected);
        ck_assert_mem_eq(out + 4 * i, expected, sizeof expected);
    }
}
END_TEST

/* The numbers stand in checkpoints' lineages: the same key must give them for ever, on every machine. */
START_TEST(normal_numbers_are_box_muller_to_fourteen_digits)
{
    const struct rng_key key = { .seed = 1, .purpose = RNG_INIT };
    double worst = 0;
    for (int64_t i = 0; i < 200000; i++) {
        uint32_t w[4];
        rng_block(key, 0, i, w);
        const double u = (double)(((uint64_t)w[1] << 32 | w[0]) >> 11) + 1, v = (double)(((uint64_t)w[3] << 32 | w[2]) >> 11);
        const double expected = sqrt(-2 * log(u * 0x1p-53)) * cos(2 * M_PI * (v * 0x1p-53));
        worst = fmax(worst, fabs(rng_normal(key, 0, i) - expected));
    }
    ck_assert_double_le(worst, 1e-14);
}
END_TEST

START_TEST(uniform_and_normal_numbers_have_their_moments)
{
    enum { N = 1 << 20 };
    const struct rng_key key = { .seed = 2, .purpose = RNG_TEST };
    double uniform = 0, normal = 0, square = 0, neighbours = 0, last = 0, least = 1, largest = 0;
    for (int64_t i = 0; i < N; i++) {
        const double x = rng_uniform(key, 3, i), z = rng_normal(key, 4, i);
        least = fmin(least, x), largest = fmax(largest, x);
        uniform += x, normal += z, square += z * z, neighbours += z * last, last = z;
    }
    ck_assert(least >= 0 && largest < 1);
    const double sigmas = 5 / sqrt(N);
    ck_assert_double_eq_tol(uniform / N, 0.5, sigmas / sqrt(12));
    ck_assert_double_eq_tol(normal / N, 0, sigmas);
    ck_assert_double_eq_tol(square / N, 1, sigmas * sqrt(2));
    ck_assert_double_eq_tol(neighbours / N, 0, sigmas);
}
END_TEST

START_TEST(every_part_of_the_key_matters)
{
    const struct rng_key key = { .seed = 1, .purpose = RNG_INIT, .stream = 1 };
    struct rng_key seed = key, purpose = key, stream = key;
    seed.seed += (uint64_t)1 << 40, purpose.purpose = RNG_ORDER, stream.stream++;
    const uint64_t values[] = { rng_u64(key, 5, 9),    rng_u64(seed, 5, 9), rng_u64(purpose, 5, 9),
                                rng_u64(stream, 5, 9), rng_u64(key, 6, 9),  rng_u64(key, 5, (int64_t)9 << 33) };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (size_t k = 0; k < i; k++) ck_assert_uint_ne(values[i], values[k]);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("rng");
    tcase_add_test(t, philox_gives_the_known_answers_of_random123);
    tcase_add_test(t, a_block_is_the_cipher_of_its_documented_counter);
    tcase_add_test(t, many_blocks_are_single_blocks_in_a_row);
    tcase_add_test(t, normal_numbers_are_box_muller_to_fourteen_digits);
    tcase_add_test(t, uniform_and_normal_numbers_have_their_moments);
    tcase_add_test(t, every_part_of_the_key_matters);
    Suite *suite = suite_create("rng");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
