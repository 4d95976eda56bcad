/* Digests: the published value of XXH3-128, and that streams and files give what one call gives. */
#include "common/base/digest.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(the_digest_of_nothing_is_the_published_one)
{
    char hex[DIGEST_HEX];
    ck_assert_str_eq(digest_hex(digest_bytes("", 0), hex), "99aa06d3014798d86001c324468d497f");
}
END_TEST

START_TEST(hex_is_read_back_and_anything_else_refused)
{
    char hex[DIGEST_HEX];
    const struct digest128 d = digest_bytes("lamina", 6);
    struct digest128 back = { 0 };
    ck_assert_int_eq(digest_parse(digest_hex(d, hex), &back), ST_OK);
    ck_assert(digest_equal(d, back));
    back.low ^= 1;
    ck_assert(!digest_equal(d, back));
    hex[31] = 'g';
    ck_assert_int_eq(digest_parse(hex, &back), ST_DATA);
    hex[31] = '\0';
    ck_assert_int_eq(digest_parse(hex, &back), ST_DATA);
    ck_assert_int_eq(digest_parse("", &back), ST_DATA);
}
END_TEST

START_TEST(pieces_a_file_and_one_call_agree)
{
    enum { N = (1 << 20) * 2 + 12345 };
    unsigned char *bytes = malloc(N);
    for (size_t i = 0; i < N; i++) bytes[i] = (unsigned char)(i * i >> 3);
    const struct digest128 whole = digest_bytes(bytes, N);

    struct digest_stream *stream = digest_begin();
    for (size_t at = 0, n = 1; at < N; at += n, n = n * 2 + 1) digest_add(stream, bytes + at, n < N - at ? n : N - at);
    ck_assert(digest_equal(digest_end(stream), whole));

    char path[] = "digest-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, N, f), N);
    ck_assert_int_eq(fclose(f), 0);
    struct digest128 of_file = { 0 };
    ck_assert_int_eq(digest_file(path, &of_file), ST_OK);
    ck_assert(digest_equal(of_file, whole));
    (void)unlink(path);
    ck_assert_int_eq(digest_file(path, &of_file), ST_IO);
    ck_assert_ptr_nonnull(strstr(status_text(), path));
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("digest");
    tcase_add_test(t, the_digest_of_nothing_is_the_published_one);
    tcase_add_test(t, hex_is_read_back_and_anything_else_refused);
    tcase_add_test(t, pieces_a_file_and_one_call_agree);
    Suite *suite = suite_create("digest");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
