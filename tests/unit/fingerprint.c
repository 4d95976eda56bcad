/* fingerprint.c: a machine's digest repeats, does not depend on threads, and names what differs. */
#include "common/math/fingerprint.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/math/product.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <string.h>

static void take(struct fingerprint *f)
{
    fingerprint_start(f);
    fingerprint_weights(f, 1024, 192, 512, DT_F32);
    fingerprint_weights(f, 1024, 192, 512, DT_BF16);
    fingerprint_weights(f, 512, 192, 1024, DT_F32);
    fingerprint_linalg(f);
}

START_TEST(the_same_machine_has_the_same_fingerprint_at_any_thread_count)
{
    static struct fingerprint one, many;
    parallel_set_threads(1);
    take(&one);
    parallel_set_threads(16);
    take(&many);
    ck_assert_int_eq(one.n, many.n);
    ck_assert(digest_equal(fingerprint_digest(&one), fingerprint_digest(&many)));
    for (int i = 0; i < one.n; i++)
        for (int j = 0; j < i; j++) ck_assert_str_ne(one.kernel[i], one.kernel[j]);
}
END_TEST

START_TEST(a_known_tile_adds_nothing_and_a_new_one_a_row)
{
    static struct fingerprint f;
    take(&f);
    const int n = f.n;
    const struct digest128 before = fingerprint_digest(&f);
    fingerprint_weights(&f, 1024, 192, 512, DT_F32);
    ck_assert_int_eq(f.n, n);
    ck_assert(digest_equal(fingerprint_digest(&f), before));
    fingerprint_weights(&f, 96, 32, 32, DT_F32);
    ck_assert_int_eq(f.n, n + 3); /* y, dx, dw */
    ck_assert_ptr_nonnull(strstr(f.kernel[n], "fp32"));
    ck_assert(!digest_equal(fingerprint_digest(&f), before));
}
END_TEST

/* Libraries differ by how they cut long sums: the gradient of a small weight is a sum over all tokens. */
START_TEST(each_product_of_training_is_run_at_its_own_length)
{
    static struct fingerprint f;
    fingerprint_weights(&f, 4096, 16, 24, DT_F32);
    ck_assert_int_eq(f.n, 3);
    ck_assert_ptr_nonnull(strstr(f.kernel[0], "product y "));
    ck_assert_ptr_nonnull(strstr(f.kernel[0], "x16x24 fp32"));
    ck_assert_ptr_nonnull(strstr(f.kernel[1], "x24x16 fp32"));
    ck_assert_str_eq(f.kernel[2], "product dw 16x24x1024 fp32");
}
END_TEST

START_TEST(more_tiles_than_rows_still_count)
{
    static struct fingerprint f;
    fingerprint_start(&f);
    for (int64_t m = 1; m <= FINGERPRINT_MAX; m++) fingerprint_weights(&f, m, 8, 8, DT_F32);
    ck_assert_int_eq(f.n, FINGERPRINT_MAX);
    const struct digest128 before = fingerprint_digest(&f);
    fingerprint_weights(&f, 60, 9, 8, DT_F32);
    ck_assert_int_eq(f.n, FINGERPRINT_MAX);
    ck_assert(!digest_equal(fingerprint_digest(&f), before));
}
END_TEST

/* Another instruction set computes other bits: the row of a kernel that uses fused operations says so. */
START_TEST(another_instruction_set_has_another_fingerprint)
{
    static struct fingerprint best, generic;
    fingerprint_start(&best);
    if (strcmp(math_isa(), "generic") == 0) return;
    ck_assert_int_eq(math_start("generic"), ST_OK);
    fingerprint_start(&generic);
    int differ = 0, same = 0;
    for (int i = 0; i < best.n; i++) digest_equal(best.digest[i], generic.digest[i]) ? same++ : differ++;
    ck_assert_int_gt(differ, 0); /* exp */
    ck_assert_int_gt(same, 0);   /* sums, conversions */
}
END_TEST

START_TEST(the_tiles_of_twenty_weights_take_less_than_a_second_on_an_idle_core)
{
    static struct fingerprint f;
    double best = 1e9;
    for (int trial = 0; trial < 2; trial++) {
        const double start = clock_seconds();
        fingerprint_start(&f);
        for (int64_t i = 0; i < 20; i++) fingerprint_weights(&f, 512 - 16 * i, 768, 768, i % 2 ? DT_F32 : DT_BF16);
        const double seconds = clock_seconds() - start;
        if (seconds < best) best = seconds;
    }
    printf("fingerprint of %d rows: %.2f s\n", f.n, best);
    ck_assert_double_lt(best, suite_seconds(6)); /* on loaded machines */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fingerprint");
    TCase *c = tcase_create("fingerprint");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_same_machine_has_the_same_fingerprint_at_any_thread_count);
    tcase_add_test(c, a_known_tile_adds_nothing_and_a_new_one_a_row);
    tcase_add_test(c, each_product_of_training_is_run_at_its_own_length);
    tcase_add_test(c, more_tiles_than_rows_still_count);
    tcase_add_test(c, another_instruction_set_has_another_fingerprint);
    tcase_add_test(c, the_tiles_of_twenty_weights_take_less_than_a_second_on_an_idle_core);
    tcase_add_checked_fixture(c, parallel_init, NULL); /* denormals are zero, as in a run; in the child, which has no threads yet */
    suite_add_tcase(s, c);
    return suite_run(s, CK_FORK);
}
