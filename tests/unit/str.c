/* Text helpers: nearest names, globs, numbers in and out, and bytes that must not drive a terminal. */
#include "common/base/str.h"
#include "common/base/clock.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

START_TEST(a_text_grows)
{
    struct text t = { 0 };
    for (int i = 0; i < 1000; i++) text_add(&t, "%d,", i % 10);
    text_add_bytes(&t, "a\0b", 3);
    ck_assert_uint_eq(t.length, 2003);
    ck_assert_mem_eq(t.data + 1998, "9,a\0b", 6);
    text_free(&t);
    ck_assert_ptr_null(t.data);
}
END_TEST

START_TEST(the_nearest_name_is_found_or_none)
{
    static const char *const keys[] = { "lr", "betas", "weight_decay", "schedule", "warmup", "clip" };
    const size_t n = sizeof keys / sizeof keys[0];
    ck_assert_str_eq(str_nearest("beta", keys, n), "betas");
    ck_assert_str_eq(str_nearest("weigth_decay", keys, n), "weight_decay"); /* a transposition counts one */
    ck_assert_str_eq(str_nearest("wd_schedule", keys, n), "schedule");      /* 3 of 11 */
    ck_assert_str_eq(str_nearest("rl", keys, n), "lr");
    ck_assert_str_eq(str_nearest("clip", keys, n), "clip");
    ck_assert_ptr_null(str_nearest("x", keys, n)); /* or every short key would be near every other */
    ck_assert_ptr_null(str_nearest("", keys, n));
    ck_assert_ptr_null(str_nearest("dropout", keys, n));
}
END_TEST

START_TEST(a_glob_matches_the_whole_name)
{
    ck_assert(str_glob("attn.*", "attn.q"));
    ck_assert(!str_glob("attn.*", "mlp.attn.q"));
    ck_assert(str_glob("*", ""));
    ck_assert(!str_glob("?", ""));
    ck_assert(str_glob("*.attn.?", "block.11.attn.q"));
    ck_assert(str_glob("a*b*c", "aXbbYc"));
    ck_assert(!str_glob("a*b*c", "aXbbYcd"));
    ck_assert(!str_glob("head", "heads"));
    ck_assert(str_glob("**", "x"));
}
END_TEST

START_TEST(whole_strings_become_numbers)
{
    int64_t i = 5;
    double d = 5;
    ck_assert_int_eq(str_to_i64("-9223372036854775808", &i), ST_OK);
    ck_assert_int_eq(i, INT64_MIN);
    ck_assert_int_eq(str_to_f64("3e-4", &d), ST_OK);
    ck_assert_double_eq(d, 3e-4);
    static const char *const not_whole[] = { "", " 1", "1 ", "1.5", "0x10", "1e3", "9223372036854775808", "-", "+-1", "1-" };
    static const char *const not_real[] = { "", " 1", "1 ", "nan", "inf", "0x1p3", "1e999", ".", "1e", "1,5", "1e5e5" };
    i = 5, d = 5;
    for (size_t k = 0; k < sizeof not_whole / sizeof not_whole[0]; k++) ck_assert_int_eq(str_to_i64(not_whole[k], &i), ST_USAGE);
    for (size_t k = 0; k < sizeof not_real / sizeof not_real[0]; k++) ck_assert_int_eq(str_to_f64(not_real[k], &d), ST_USAGE);
    ck_assert_int_eq(i, 5);
    ck_assert_double_eq(d, 5);
    ck_assert_int_eq(str_to_f64("1e-320", &d), ST_OK); /* small is not wrong */
}
END_TEST

START_TEST(sizes_are_numbers_with_a_unit)
{
    int64_t n = 0;
    ck_assert_int_eq(str_to_bytes("4096", &n), ST_OK);
    ck_assert_int_eq(n, 4096);
    ck_assert_int_eq(str_to_bytes("10 GB", &n), ST_OK);
    ck_assert_int_eq(n, 10000000000);
    ck_assert_int_eq(str_to_bytes("1.5GiB", &n), ST_OK);
    ck_assert_int_eq(n, 3 << 29);
    static const char *const wrong[] = { "", "GB", "0", "0.1", "-1", "1e3", "1 G", "1 gb", "5 XB", "1..2 GB", "99999999999 TB", " 1" };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) ck_assert_int_eq(str_to_bytes(wrong[k], &n), ST_USAGE);
}
END_TEST

START_TEST(sizes_times_and_counts_read_well)
{
    char b[40];
    ck_assert_str_eq(str_bytes(b, sizeof b, 0), "0 B");
    ck_assert_str_eq(str_bytes(b, sizeof b, 1000), "1000 B");
    ck_assert_str_eq(str_bytes(b, sizeof b, 1536), "1.5 KiB");
    ck_assert_str_eq(str_bytes(b, sizeof b, 1.5 * (1 << 30)), "1.5 GiB");
    ck_assert_str_eq(str_bytes(b, sizeof b, 150.2 * (1 << 20)), "150 MiB");
    ck_assert_str_eq(str_bytes(b, sizeof b, 1023.9 * 1024), "1.0 MiB");
    ck_assert_str_eq(str_bytes(b, sizeof b, -2048), "-2.0 KiB");
    ck_assert_str_eq(str_seconds(b, sizeof b, 0.25e-3), "250 us");
    ck_assert_str_eq(str_seconds(b, sizeof b, 0.0123), "12 ms");
    ck_assert_str_eq(str_seconds(b, sizeof b, 0.9999), "1.0 s");
    ck_assert_str_eq(str_seconds(b, sizeof b, 9.96), "10 s");
    ck_assert_str_eq(str_seconds(b, sizeof b, 59.6), "1 min 0 s");
    ck_assert_str_eq(str_seconds(b, sizeof b, 200), "3 min 20 s");
    ck_assert_str_eq(str_seconds(b, sizeof b, 2 * 3600 + 5 * 60), "2 h 5 min");
    ck_assert_str_eq(str_seconds(b, sizeof b, 76 * 3600), "3 d 4 h");
    ck_assert_str_eq(str_seconds(b, sizeof b, 1e300 * 1e300), "unknown");
    ck_assert_str_eq(str_count(b, sizeof b, 0), "0");
    ck_assert_str_eq(str_count(b, sizeof b, 999), "999");
    ck_assert_str_eq(str_count(b, sizeof b, 1234567), "1,234,567");
    ck_assert_str_eq(str_count(b, sizeof b, INT64_MIN), "-9,223,372,036,854,775,808");
    ck_assert_str_eq(str_count(b, 4, 1234567), "1,2");
}
END_TEST

static void ck_printable(const char *bytes, const char *expected)
{
    struct text t = { 0 };
    text_add_printable(&t, bytes, strlen(bytes));
    ck_assert_str_eq(t.length > 0 ? t.data : "", expected);
    text_free(&t);
}

START_TEST(bytes_of_others_cannot_drive_a_terminal)
{
    ck_printable("plain\ttext\n", "plain\ttext\n");
    ck_printable("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f");
    ck_printable("\x1b[2J\r\x7f", "\\x1b[2J\\x0d\\x7f");
    ck_printable("\xc2\x9b"
                 "31m",
                 "\\xc2\\x9b31m");                                     /* C1: an escape in two bytes */
    ck_printable("\xe2\x80\xae", "\\xe2\\x80\\xae");                   /* right-to-left override */
    ck_printable("\xff\xc3", "\\xff\\xc3");                            /* never, and cut off */
    ck_printable("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80"); /* overlong, surrogate */
    ck_printable("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");          /* beyond U+10FFFF */
}
END_TEST

START_TEST(times_are_iso_8601)
{
    char b[24];
    ck_assert_str_eq(clock_iso8601(0, b), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(clock_iso8601(1769860800, b), "2026-01-31T12:00:00Z");
    const double before = clock_seconds();
    ck_assert(clock_seconds() >= before && clock_unix() > 1700000000);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("str");
    tcase_add_test(t, a_text_grows);
    tcase_add_test(t, the_nearest_name_is_found_or_none);
    tcase_add_test(t, a_glob_matches_the_whole_name);
    tcase_add_test(t, whole_strings_become_numbers);
    tcase_add_test(t, sizes_are_numbers_with_a_unit);
    tcase_add_test(t, sizes_times_and_counts_read_well);
    tcase_add_test(t, bytes_of_others_cannot_drive_a_terminal);
    tcase_add_test(t, times_are_iso_8601);
    Suite *suite = suite_create("str");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
