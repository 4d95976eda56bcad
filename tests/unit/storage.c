/* State in fewer bytes: the 8-bit maps and the nearest entry against brute force, bf16 against its random numbers and its mean. */
#include "worker/optim/storage.h"
#include "common/base/parallel.h"
#include "common/tensor/convert.h"
#include "tests/support/suite.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rng_key test_key = { .seed = 8, .purpose = RNG_TEST };

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* ---- 8 bits ---- */

enum { SIGNED = 127 }; /* the code of 0 with signs; without, it is 0 */

static void map_of(bool positive, float value[256])
{
    uint8_t codes[256];
    for (int i = 0; i < 256; i++) codes[i] = (uint8_t)i;
    storage_q8_decode(value, codes, &(float){ 1 }, 256, 256, positive);
}

/* The code of the entry nearest to x / scale; halfway the smaller magnitude. Differences of these numbers are exact in double. */
static int nearest(const float value[256], float x, float scale, bool positive)
{
    const double ratio = (double)(x / scale);
    int best = 0;
    for (int c = 1; c < 256; c++) {
        const double d = fabs((double)value[c] - ratio), least = fabs((double)value[best] - ratio);
        if (d < least || (d == least && fabsf(value[c]) < fabsf(value[best]))) best = c;
    }
    return positive && x > 0 && best == 0 ? 1 : best;
}

static void ck_codes(const uint8_t *codes, const float *x, int64_t n, float scale, const float value[256], bool positive)
{
    for (int64_t i = 0; i < n; i++) {
        const int expected = nearest(value, x[i], scale, positive);
        ck_assert_msg(codes[i] == expected, "%.9g / %.9g: code %d, nearest is %d", (double)x[i], (double)scale, codes[i], expected);
    }
}

START_TEST(the_maps_have_their_known_numbers)
{
    const bool positive = _i == 1;
    float value[256];
    map_of(positive, value);
    for (int c = 1; c < 256; c++) ck_assert(value[c - 1] < value[c]);
    ck_assert_double_eq((double)value[255], 1);
    ck_assert_double_eq((double)value[254], (double)(positive ? 0.996484375f : 0.99296875f));
    ck_assert_double_eq((double)value[0], positive ? 0 : (double)-0.99296875f);
    ck_assert_double_eq((double)value[positive ? 0 : SIGNED], 0);
    ck_assert_double_eq((double)value[positive ? 1 : SIGNED + 1], (double)(positive ? 3.25e-7f : 5.5e-7f));
}
END_TEST

/* Cell k of n in [0.1, 1], times 10^(i-6): (2n + 18k + 9) / (20 n 10^(6-i)), whole numbers, rounded to double and to fp32. */
START_TEST(the_maps_are_midpoints_of_cells_in_seven_decades)
{
    const bool positive = _i == 1;
    float value[256];
    map_of(positive, value);
    int code = positive ? 1 : SIGNED + 1;
    int64_t tens = 1000000;
    for (int i = 0; i < 7; i++, tens /= 10) {
        const int n = 1 << (positive ? i + 1 : i);
        for (int k = 0; k < n; k++, code++) {
            const float expected = (float)((double)(2 * n + 18 * k + 9) / (double)(20 * n * tens));
            ck_assert_double_eq((double)value[code], (double)expected);
            if (!positive) ck_assert_double_eq((double)value[2 * SIGNED - code], (double)-expected);
        }
    }
    ck_assert_int_eq(code, 255);
}
END_TEST

START_TEST(the_maps_are_those_of_the_golden_file)
{
    const char *root = getenv("LAMINA_ROOT"); /* the project; set by CTest */
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/q8_map.txt", root != NULL ? root : ".");
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    for (int positive = 0; positive < 2; positive++) {
        float value[256], expected;
        map_of(positive, value);
        for (int c = 0; c < 256; c++) {
            ck_assert_int_eq(fscanf(f, "%f", &expected), 1);
            ck_assert_double_eq((double)value[c], (double)expected);
        }
    }
    fclose(f);
}
END_TEST

/* A million numbers of every size down to 1e-12 of their block's largest, normal ones and their squares among them. */
START_TEST(each_code_is_the_nearest_entry)
{
    enum { N = 1000003 };
    const bool positive = _i == 1;
    float *x = malloc(N * sizeof *x), value[256], scales[N / 256 + 1];
    uint8_t *codes = malloc(N);
    map_of(positive, value);
    for (int64_t i = 0; i < N; i++) {
        const double z = rng_normal(test_key, 1, i);
        x[i] = (float)(i % 3 == 0 ? z : ldexp(z, -(int)(rng_u64(test_key, 2, i) % 40)));
        if (positive) x[i] *= i % 2 == 0 ? x[i] : copysignf(1, x[i]);
    }
    storage_q8_encode(codes, scales, x, N, 256, positive);
    for (int64_t at = 0; at < N; at += 256) {
        const int64_t n = N - at < 256 ? N - at : 256;
        float largest = 0;
        for (int64_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(x[at + i]));
        ck_assert_uint_eq(bits_of(scales[at / 256]), bits_of(largest));
        ck_codes(codes + at, x + at, n, largest, value, positive);
    }
    free(x), free(codes);
}
END_TEST

/* The ratios that decide: around every border between two codes, and wherever a table could have been cut. */
START_TEST(borders_between_codes_are_exact)
{
    enum { N = 600000 };
    const bool positive = _i == 1;
    float *x = malloc(N * sizeof *x), value[256], scale;
    uint8_t *codes = malloc(N);
    map_of(positive, value);
    int64_t n = 0;
    x[n++] = 1;
    for (int c = 1; c < 256; c++) {
        const float middle = (float)(((double)value[c - 1] + (double)value[c]) / 2);
        for (uint32_t k = 0; k < 5; k++) x[n++] = from_bits(bits_of(middle) + k - 2);
    }
    for (uint32_t bits = 0x30000000; bits <= 0x3f800000; bits += 509) x[n] = from_bits(bits), n++;
    if (!positive)
        for (int64_t i = 1, positives = n; i < positives; i += 2) x[i] = -x[i];
    ck_assert_int_le(n, N);
    for (int64_t i = 0; positive && i < n; i++) x[i] = fabsf(x[i]);
    storage_q8_encode(codes, &scale, x, n, n, positive);
    ck_assert_double_eq((double)scale, 1);
    ck_codes(codes, x, n, 1, value, positive);
    free(x), free(codes);
}
END_TEST

START_TEST(halfway_goes_to_the_smaller_magnitude)
{
    float value[256], scale;
    uint8_t codes[3];
    map_of(false, value);
    int ties = 0;
    for (int c = SIGNED + 1; c < 256; c++) {
        const double middle = ((double)value[c - 1] + (double)value[c]) / 2;
        if ((double)(float)middle != middle) continue; /* no fp32 stands there */
        ties++;
        storage_q8_encode(codes, &scale, (float[]){ 1, (float)middle, -(float)middle }, 3, 3, false);
        ck_assert_int_eq(codes[1], c - 1);
        ck_assert_int_eq(codes[2], 2 * SIGNED - (c - 1));
    }
    ck_assert_int_ge(ties, 50);
}
END_TEST

/* 8-bit state must not depend on ranks: spans are cut on edges of blocks. */
START_TEST(cuts_on_edges_of_blocks_change_nothing)
{
    enum { N = 5000 };
    static const int64_t blocks[] = { 1, 7, 64, 256, 300, 1000, 9999 };
    float x[N], whole_scales[N], scales[N], whole_out[N], out[N];
    uint8_t whole[N], codes[N];
    for (int64_t i = 0; i < N; i++) x[i] = (float)rng_normal(test_key, 3, i);
    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
        const int64_t block = blocks[b], cut = N / 3 / block * block;
        storage_q8_encode(whole, whole_scales, x, N, block, false);
        storage_q8_encode(codes, scales, x, cut, block, false);
        storage_q8_encode(codes + cut, scales + cut / block, x + cut, N - cut, block, false);
        ck_assert_mem_eq(codes, whole, N);
        ck_assert_mem_eq(scales, whole_scales, (size_t)((N + block - 1) / block) * sizeof(float));
        storage_q8_decode(whole_out, whole, whole_scales, N, block, false);
        storage_q8_decode(out, codes, scales, cut, block, false);
        storage_q8_decode(out + cut, codes + cut, scales + cut / block, N - cut, block, false);
        ck_assert_mem_eq(out, whole_out, sizeof out);
        for (int64_t i = 0; block == 1 && i < N; i++) /* the largest of its block is 1, exactly, unless it is negative */
            ck_assert_double_eq((double)whole_out[i], (double)(x[i] > 0 ? x[i] : x[i] * 0.99296875f));
    }
}
END_TEST

START_TEST(what_was_decoded_has_the_same_codes_again)
{
    for (int positive = 0; positive < 2; positive++) {
        float value[256], out[256], scale = 0.3f, again;
        uint8_t codes[256];
        map_of(positive, value);
        for (int c = 0; c < 256; c++) codes[c] = (uint8_t)c;
        storage_q8_decode(out, codes, &scale, 256, 256, positive);
        storage_q8_encode(codes, &again, out, 256, 256, positive);
        ck_assert_double_eq((double)again, (double)scale);
        for (int c = 0; c < 256; c++) ck_assert_int_eq(codes[c], c);
    }
}
END_TEST

START_TEST(a_positive_value_never_becomes_zero)
{
    uint8_t codes[5];
    float scale, out[5];
    const float x[] = { 1, 1.6e-7f, 1e-20f, FLT_MIN, 0 };
    storage_q8_encode(codes, &scale, x, 5, 5, true);
    for (int i = 1; i < 4; i++) ck_assert_int_eq(codes[i], 1);
    ck_assert_int_eq(codes[4], 0);
    storage_q8_decode(out, codes, &scale, 5, 5, true);
    ck_assert_double_eq((double)out[3], (double)3.25e-7f);
    ck_assert_double_eq((double)out[4], 0);
    storage_q8_encode(codes, &scale, x, 5, 5, false); /* a first moment may */
    ck_assert_int_eq(codes[1], SIGNED);
}
END_TEST

START_TEST(a_block_of_zeros_stays_zero)
{
    uint8_t codes[300];
    float x[300] = { 0 }, scales[2], out[300];
    x[0] = -0.0f, x[256] = 2;
    for (int positive = 0; positive < 2; positive++) {
        storage_q8_encode(codes, scales, x, 300, 256, positive);
        ck_assert_uint_eq(bits_of(scales[0]), 0);
        ck_assert_double_eq((double)scales[1], 2);
        for (int i = 0; i < 300; i++) ck_assert_int_eq(codes[i], i == 256 ? 255 : positive ? 0 : SIGNED);
        storage_q8_decode(out, codes, scales, 300, 256, positive);
        for (int i = 0; i < 300; i++) ck_assert_uint_eq(bits_of(out[i]), i == 256 ? bits_of(2) : 0);
    }
}
END_TEST

START_TEST(a_block_with_a_number_that_is_none_is_seen_and_no_other)
{
    static const float bad[] = { NAN, -NAN, INFINITY, -INFINITY };
    for (int positive = 0; positive < 2; positive++)
        for (int k = 0; k < 4; k++) {
            uint8_t codes[21];
            float x[21], scales[3], out[21];
            for (int i = 0; i < 21; i++) x[i] = (float)(i + 1);
            x[11] = bad[k];
            storage_q8_encode(codes, scales, x, 21, 7, positive);
            storage_q8_decode(out, codes, scales, 21, 7, positive);
            ck_assert(isnan(scales[1]));
            for (int i = 0; i < 21; i++) ck_assert(i / 7 == 1 ? isnan(out[i]) : isfinite(out[i]) && fabsf(out[i] - x[i]) < 0.1f * x[i]);
        }
}
END_TEST

/* A run flushes subnormal numbers, another program need not: the codes are the same, and those numbers are zeros. */
START_TEST(subnormal_numbers_are_zeros_in_either_mode)
{
    enum { N = 512 };
    float x[N], scales[2][2];
    uint8_t codes[2][N];
    for (int i = 0; i < N; i++) x[i] = from_bits((uint32_t)i * 0x7001); /* up to 0.43 FLT_MIN in the first block, then above it */
    for (int positive = 0; positive < 2; positive++) {
        storage_q8_encode(codes[0], scales[0], x, N, 256, positive);
        parallel_init(); /* flush to zero: for the rest of this test only, which has a process of its own */
        storage_q8_encode(codes[1], scales[1], x, N, 256, positive);
        ck_assert_mem_eq(codes[0], codes[1], N);
        ck_assert_mem_eq(scales[0], scales[1], sizeof scales[0]);
        ck_assert_uint_eq(bits_of(scales[0][0]), 0);
        for (int i = 0; i < N; i++) ck_assert_int_eq(codes[0][i] == (positive ? 0 : SIGNED), bits_of(x[i]) < 0x00800000u);
    }
}
END_TEST

START_TEST(the_largest_negative_loses_what_the_map_lacks)
{
    uint8_t codes[2];
    float scale, out[2];
    storage_q8_encode(codes, &scale, (float[]){ -2, 1.999f }, 2, 2, false);
    storage_q8_decode(out, codes, &scale, 2, 2, false);
    ck_assert_int_eq(codes[0], 0);
    ck_assert_double_eq((double)out[0], (double)(-2 * 0.99296875f));
    ck_assert_double_eq((double)out[1], 2);
}
END_TEST

/* ---- bf16 ---- */

static const struct rng_key round_key = { .seed = 99, .purpose = RNG_ROUND, .stream = 5 };

/* The definition, one element at a time: element e takes half e % 2 of word e % 8 / 2 of Philox block e / 8. */
static uint16_t rounded(float x, struct rng_key key, int64_t step, int64_t element)
{
    uint32_t word[4];
    rng_block(key, step, element / 8, word);
    const uint32_t random = word[element % 8 / 2] >> (element % 2 * 16) & 0xffffu;
    return (uint16_t)((bits_of(x) + random) >> 16);
}

START_TEST(each_bf16_is_rounded_by_its_own_sixteen_bits)
{
    enum { N = 4099 };
    float x[N];
    uint16_t whole[N], cut[N];
    const int64_t first = ((int64_t)1 << 36) + 12345; /* in a tensor of many elements; not where a Philox block begins */
    for (int64_t i = 0; i < N; i++) x[i] = (float)rng_normal(test_key, 4, i);
    storage_bf16_encode(whole, x, N, round_key, 77, first);
    for (int64_t i = 0; i < N; i++) ck_assert_uint_eq(whole[i], rounded(x[i], round_key, 77, first + i));
    for (int64_t at = 0, n; at < N; at += n) { /* any cut */
        n = 1 + (int64_t)(rng_u64(test_key, 5, at) % 300);
        if (n > N - at) n = N - at;
        storage_bf16_encode(cut + at, x + at, n, round_key, 77, first + at);
    }
    ck_assert_mem_eq(cut, whole, sizeof whole);
    storage_bf16_encode(cut, x, N, round_key, 78, first);
    ck_assert_mem_ne(cut, whole, sizeof whole);
}
END_TEST

/* Over many steps the mean is the value, within five standard deviations; each result is a neighbour. */
START_TEST(rounding_to_bf16_has_the_value_as_mean)
{
    enum { N = 40, STEPS = 20000 };
    float x[N], out[N];
    double sum[N] = { 0 };
    uint16_t h[N];
    for (int64_t i = 0; i < N; i++) x[i] = (float)ldexp(rng_normal(test_key, 6, i), (int)i - 20);
    for (int64_t step = 1; step <= STEPS; step++) {
        storage_bf16_encode(h, x, N, round_key, step, 3);
        convert_bf16_to_f32(out, h, N);
        for (int i = 0; i < N; i++) sum[i] += (double)out[i];
        for (int i = 0; i < N; i++) ck_assert_uint_le(h[i] - (bits_of(x[i]) >> 16), 1);
    }
    for (int i = 0; i < N; i++) {
        const double low = (double)from_bits(bits_of(x[i]) & 0xffff0000u),
                     high = (double)from_bits((bits_of(x[i]) & 0xffff0000u) + 0x10000u);
        const double deviation = sqrt(((double)x[i] - low) * (high - (double)x[i]) / STEPS);
        ck_assert_double_eq_tol(sum[i] / STEPS, (double)x[i], 5 * deviation);
    }
}
END_TEST

/* A moment that gains a thousandth of itself per step: to the nearest it would stand still. */
START_TEST(small_steps_are_not_lost)
{
    enum { N = 4096, STEPS = 500 };
    float m[N];
    double mean = 0;
    uint16_t h[N];
    for (int i = 0; i < N; i++) m[i] = 1;
    for (int64_t step = 1; step <= STEPS; step++) {
        for (int i = 0; i < N; i++) m[i] = 0.999f * m[i] + 0.001f * 2;
        storage_bf16_encode(h, m, N, round_key, step, 0);
        convert_bf16_to_f32(m, h, N);
    }
    for (int i = 0; i < N; i++) mean += (double)m[i] / N;
    ck_assert_double_eq_tol(mean, 2 - pow(0.999, STEPS), 4e-3); /* five deviations */
}
END_TEST

START_TEST(what_bf16_has_is_unchanged_and_finite_stays_finite)
{
    float x[256];
    uint16_t h[256];
    for (uint32_t high = 0; high < 0x10000; high += 256) {
        for (uint32_t i = 0; i < 256; i++) x[i] = from_bits((high + i) << 16);
        storage_bf16_encode(h, x, 256, round_key, 1, high);
        for (uint32_t i = 0; i < 256; i++) ck_assert(h[i] == high + i || (isnan(x[i]) && isnan(bf16_to_f32(h[i]))));
    }
    for (int i = 0; i < 256; i++) x[i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
    storage_bf16_encode(h, x, 256, round_key, 2, 0);
    for (int i = 0; i < 256; i++) ck_assert_uint_eq(h[i], i % 2 == 0 ? 0x7f7f : 0xff7f);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("8 bits");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, the_maps_have_their_known_numbers, 0, 2);
    tcase_add_loop_test(t, the_maps_are_midpoints_of_cells_in_seven_decades, 0, 2);
    tcase_add_test(t, the_maps_are_those_of_the_golden_file);
    tcase_add_loop_test(t, each_code_is_the_nearest_entry, 0, 2);
    tcase_add_loop_test(t, borders_between_codes_are_exact, 0, 2);
    tcase_add_test(t, halfway_goes_to_the_smaller_magnitude);
    tcase_add_test(t, cuts_on_edges_of_blocks_change_nothing);
    tcase_add_test(t, what_was_decoded_has_the_same_codes_again);
    tcase_add_test(t, a_positive_value_never_becomes_zero);
    tcase_add_test(t, a_block_of_zeros_stays_zero);
    tcase_add_test(t, a_block_with_a_number_that_is_none_is_seen_and_no_other);
    tcase_add_test(t, subnormal_numbers_are_zeros_in_either_mode);
    tcase_add_test(t, the_largest_negative_loses_what_the_map_lacks);
    TCase *b = tcase_create("bf16");
    tcase_add_test(b, each_bf16_is_rounded_by_its_own_sixteen_bits);
    tcase_add_test(b, rounding_to_bf16_has_the_value_as_mean);
    tcase_add_test(b, small_steps_are_not_lost);
    tcase_add_test(b, what_bf16_has_is_unchanged_and_finite_stays_finite);
    Suite *suite = suite_create("storage");
    suite_add_tcase(suite, t);
    suite_add_tcase(suite, b);
    return suite_main(suite, CK_FORK);
}
