/* Text that arrives in pieces is shown in whole characters, and bytes that are no text do not hold it up; what is not UTF-8 is told apart
 * as Unicode recommends. */
#include "common/base/utf8.h"
#include "common/base/rng.h"
#include "coordinator/utf8.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

static const struct {
    const char *bytes;
    size_t complete;
} rows[] = {
    { "", 0 },
    { "abc", 3 },
    { "a\xC3", 1 },             /* first of two */
    { "a\xC3\xA9", 3 },         /* e with acute accent */
    { "\xE2\x82", 0 },          /* two of three */
    { "\xE2\x82\xAC", 3 },      /* the euro sign */
    { "x\xF0\x9F\x98", 1 },     /* three of four */
    { "x\xF0\x9F\x98\x80", 5 }, /* a face */
    { "a\xFF", 2 },             /* begins no character */
    { "a\x80\x80\x80\x80", 5 }, /* nor do these */
    { "\xC0", 1 },              /* an overlong form */
};

START_TEST(a_character_is_not_cut) { ck_assert_uint_eq(utf8_complete(rows[_i].bytes, strlen(rows[_i].bytes)), rows[_i].complete); }
END_TEST

/* Unicode 15.0, tables 3-8 to 3-11, and each border of table 3-7. "?" stands for U+FFFD. */
static const struct {
    const char *bytes, *repaired;
    int bad, first;
} repairs[] = {
    { "", "", 0, -1 },
    { "plain, and longer than a word of eight bytes", "plain, and longer than a word of eight bytes", 0, -1 },
    { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f", 0, -1 },
    { "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "????????A", 8, 0 }, /* 3-8: overlong forms */
    { "\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "????????A", 8, 0 }, /* 3-9: surrogates */
    { "\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "?????A??B", 7, 0 }, /* 3-10: other ill-formed sequences */
    { "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "????A", 4, 0 },     /* 3-11: truncated sequences */
    { "a\xF1\x80\x80\xE1\x80\xC2"
      "b\x80"
      "c\x80\xBF"
      "d",
      "a???b?c??d", 6, 1 }, /* the example of older editions */
    { "12345678\xC3", "12345678?", 1, 8 },
    { "1234567\xC3"
      "9abcdefghi",
      "1234567?9abcdefghi", 1, 7 },
    { "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", 0,
      -1 }, /* beside the surrogates; the last one */
    { "\xE0\xA0\x80\xE0\x9F\xBF", "\xE0\xA0\x80???", 3, 3 },
    { "\xF0\x90\x80\x80\xF0\x8F\xBF\xBF", "\xF0\x90\x80\x80????", 4, 4 },
    { "\xF5\x80\x80\x80", "????", 4, 0 },
    { "\xC2\x80\xC1\xBF", "\xC2\x80??", 2, 2 },
};

START_TEST(what_is_not_utf8_is_repaired_as_unicode_recommends)
{
    struct text found = { 0 }, expected = { 0 };
    const unsigned char *const bytes = (const unsigned char *)repairs[_i].bytes;
    const int64_t n = (int64_t)strlen(repairs[_i].bytes);
    for (const char *c = repairs[_i].repaired; *c; c++)
        if (*c == '?')
            text_add_bytes(&expected, "\xEF\xBF\xBD", 3);
        else
            text_add_bytes(&expected, c, 1);
    const struct utf8_check check = utf8_check(bytes, n);
    ck_assert_int_eq(check.bad, repairs[_i].bad);
    ck_assert_int_eq(check.first, repairs[_i].first);
    text_add_bytes(&found, "", 0);
    text_add_bytes(&expected, "", 0);
    utf8_repair(bytes, n, &found);
    ck_assert_str_eq(found.data, expected.data);
    text_free(&found);
    text_free(&expected);
}
END_TEST

/* Random bytes of the interesting kinds: what was repaired is UTF-8, and the count is the number of U+FFFD that came in. */
START_TEST(repaired_text_is_utf8)
{
    static const unsigned char kinds[] = { 'a', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5 };
    const struct rng_key key = { .seed = 5, .purpose = RNG_TEST };
    for (int64_t k = 0; k < 20000; k++) {
        unsigned char bytes[24];
        struct text text = { 0 };
        const int64_t n = (int64_t)(rng_u64(key, k, 0) % sizeof bytes);
        for (int64_t i = 0; i < n; i++) bytes[i] = kinds[rng_u64(key, k, 1 + i) % sizeof kinds];
        text_add_bytes(&text, "", 0);
        utf8_repair(bytes, n, &text);
        ck_assert_int_eq(utf8_check((const unsigned char *)text.data, (int64_t)text.length).bad, 0);
        int64_t marks = 0;
        for (const char *at = text.data; (at = strstr(at, "\xEF\xBF\xBD")) != NULL; at++) marks++;
        ck_assert_int_eq(marks, utf8_check(bytes, n).bad);
        text_free(&text);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("utf8");
    tcase_add_loop_test(t, a_character_is_not_cut, 0, (int)(sizeof rows / sizeof rows[0]));
    tcase_add_loop_test(t, what_is_not_utf8_is_repaired_as_unicode_recommends, 0, (int)(sizeof repairs / sizeof repairs[0]));
    tcase_add_test(t, repaired_text_is_utf8);
    Suite *s = suite_create("utf8");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
