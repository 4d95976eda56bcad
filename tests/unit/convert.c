/* bf16: exact one way, to nearest even the other, and rounding whose mean is the value. Tensor views. */
#include "common/tensor/convert.h"
#include "common/base/rng.h"
#include "common/tensor/tensor.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

START_TEST(every_bf16_survives_the_way_there_and_back)
{
    for (uint32_t h = 0; h <= 0xffff; h++) {
        const float f = bf16_to_f32((uint16_t)h);
        if (isnan(f))
            ck_assert(isnan(bf16_to_f32(f32_to_bf16(f))));
        else
            ck_assert_uint_eq(f32_to_bf16(f), h);
    }
}
END_TEST

START_TEST(rounding_is_to_nearest_ties_to_even)
{
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x3f807fff)), 0x3f80);
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x3f808000)), 0x3f80); /* tie: 80 is even */
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x3f808001)), 0x3f81);
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x3f818000)), 0x3f82); /* tie: 81 is odd */
    ck_assert_uint_eq(f32_to_bf16(from_bits(0xbf818000)), 0xbf82);
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x7f7fffff)), 0x7f80); /* above the largest: infinity */
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x7f800001)), 0x7fc0); /* not infinity */
}
END_TEST

START_TEST(arrays_convert_as_single_numbers_do)
{
    enum { N = 1037 };
    const struct rng_key key = { .seed = 3, .purpose = RNG_TEST };
    float in[N], back[N];
    uint16_t out[N];
    for (int i = 0; i < N; i++) in[i] = from_bits((uint32_t)rng_u64(key, 0, i));
    convert_f32_to_bf16(out, in, N);
    convert_bf16_to_f32(back, out, N);
    for (int i = 0; i < N; i++) {
        ck_assert_uint_eq(out[i], f32_to_bf16(in[i]));
        const float expected = bf16_to_f32(out[i]);
        ck_assert_mem_eq(&back[i], &expected, sizeof expected);
    }
}
END_TEST

START_TEST(stochastic_rounding_goes_to_a_neighbour_and_has_the_value_as_mean)
{
    enum { N = 1 << 16 };
    float *in = malloc(N * sizeof *in);
    uint16_t *out = malloc(N * sizeof *out);
    uint32_t *random = malloc(N * sizeof *random);
    const float values[] = { 1.0f, 1.001f, -1.001f, 3.14159f, -1e-20f };
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        double sum = 0;
        int far = 0;
        for (uint32_t i = 0; i < N; i++) in[i] = values[v], random[i] = i | 0xabcd0000u; /* every draw once: the mean is exact */
        convert_f32_to_bf16_stochastic(out, in, random, N);
        uint32_t bits;
        memcpy(&bits, &values[v], sizeof bits);
        for (int i = 0; i < N; i++) {
            far += out[i] - (bits >> 16) > 1;
            sum += (double)bf16_to_f32(out[i]);
        }
        ck_assert_int_eq(far, 0);
        const double place = fabs((double)bf16_to_f32((uint16_t)((bits >> 16) + 1)) - (double)bf16_to_f32((uint16_t)(bits >> 16)));
        ck_assert_double_eq_tol(sum / N, (double)values[v], place * 1e-6);
    }
    in[0] = INFINITY, in[1] = -INFINITY, in[2] = NAN, in[3] = -from_bits(0x7f7fffff);
    random[0] = random[1] = random[2] = random[3] = 0xffff;
    convert_f32_to_bf16_stochastic(out, in, random, 4);
    ck_assert_uint_eq(out[3], 0xff7f); /* finite stays finite */
    ck_assert_uint_eq(out[0], 0x7f80);
    ck_assert_uint_eq(out[1], 0xff80);
    ck_assert(isnan(bf16_to_f32(out[2])));
    free(in), free(out), free(random);
}
END_TEST

START_TEST(a_tensor_is_rows_of_its_last_dimension)
{
    const struct tensor block = tensor_make(DT_BF16, 3, (int64_t[]){ 2, 3, 5 }, NULL);
    ck_assert_int_eq(tensor_count(&block), 30);
    ck_assert_int_eq(tensor_rows(&block), 6);
    ck_assert_int_eq(tensor_cols(&block), 5);
    ck_assert_uint_eq(tensor_bytes(&block), 60);
    const struct tensor gain = tensor_make(DT_F32, 1, (int64_t[]){ 7 }, NULL);
    ck_assert_int_eq(tensor_rows(&gain), 1);
    ck_assert_int_eq(tensor_cols(&gain), 7);
    const struct tensor empty = tensor_make(DT_I32, 2, (int64_t[]){ 0, 4 }, NULL);
    ck_assert_uint_eq(tensor_bytes(&empty), 0);
    ck_assert_str_eq(dtype_name(DT_BF16), "bf16");
    ck_assert_uint_eq(dtype_bytes(DT_I64), 8);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("convert");
    tcase_add_test(t, every_bf16_survives_the_way_there_and_back);
    tcase_add_test(t, rounding_is_to_nearest_ties_to_even);
    tcase_add_test(t, arrays_convert_as_single_numbers_do);
    tcase_add_test(t, stochastic_rounding_goes_to_a_neighbour_and_has_the_value_as_mean);
    tcase_add_test(t, a_tensor_is_rows_of_its_last_dimension);
    Suite *suite = suite_create("convert");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
