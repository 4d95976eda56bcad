/* Normalization: what becomes of a text before tokens are looked for. */
#include "common/data/tokenizers/normalize.h"
#include "common/base/libraries.h"
#include "common/data/tokenizers/later.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

static void expect(const struct normalize_step *steps, int n_steps, const char *text, const char *expected)
{
    struct normalizer *n;
    struct normalizing *w;
    const unsigned char *out;
    int64_t bytes;
    ck_assert_msg(normalizer_open(steps, n_steps, &n) == ST_OK, "%s", status_text());
    ck_assert_int_eq(normalizing_open(n, &w), ST_OK);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(normalize_text(w, (const unsigned char *)text, (int64_t)strlen(text), &out, &bytes), ST_OK);
        ck_assert_int_eq(bytes, (int64_t)strlen(expected));
        ck_assert_mem_eq(out, expected, strlen(expected));
    }
    normalizing_close(w);
    normalizer_close(n);
}

static void one(enum normalize_kind kind, const char *text, const char *expected)
{
    expect(&(struct normalize_step){ .kind = kind }, 1, text, expected);
}

START_TEST(unicode_forms)
{
    one(NORMALIZE_NFC, "plain ASCII\r\n", "plain ASCII\r\n");
    one(NORMALIZE_NFC, "cafe\xcc\x81 x", "caf\xc3\xa9 x"); /* the letter before the mark is ASCII */
    one(NORMALIZE_NFD, "caf\xc3\xa9", "cafe\xcc\x81");
    one(NORMALIZE_NFC, "a\xcc\x81\xcc\xa3", "\xe1\xba\xa1\xcc\x81");            /* marks are ordered, then composed */
    one(NORMALIZE_NFC, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81"); /* Hangul */
    one(NORMALIZE_NFKC, "\xef\xac\x81 \xef\xbc\xa1 \xc2\xbd \xef\xb7\xba",
        "fi A 1\xe2\x81\x84"
        "2 \xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 \xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85");
    one(NORMALIZE_NFKD, "\xc3\x85\xe2\x84\xab",
        "A\xcc\x8a"
        "A\xcc\x8a");
    one(NORMALIZE_NFC, "", "");
}
END_TEST

START_TEST(characters_since_unicode_10_stay_as_they_are)
{
    one(NORMALIZE_NFKC, "\xf0\x9f\xaf\xb0 \xe3\x8b\xbf", "\xf0\x9f\xaf\xb0 \xe3\x8b\xbf");              /* U+1FBF0, U+32FF */
    one(NORMALIZE_NFC, "\xe0\xa6\xac\xe0\xa7\xbe\xe0\xa6\xbc", "\xe0\xa6\xac\xe0\xa7\xbe\xe0\xa6\xbc"); /* U+09FE is no mark to order */
    ck_assert(later_than_forms(0x9fe) && later_than_forms(0x1fbf9) && later_than_forms(0x1c89) && later_than_forms(0x31350));
    ck_assert(!later_than_forms('a') && !later_than_forms(0x9ff) && !later_than_forms(0x301) && !later_than_forms(0x10ffff));
}
END_TEST

START_TEST(lower_case_goes_by_characters)
{
    one(NORMALIZE_LOWERCASE, "ABC \xc3\x84 \xce\x91\xce\xa3", "abc \xc3\xa4 \xce\xb1\xcf\x83"); /* sigma at the end of a word, too */
    one(NORMALIZE_LOWERCASE, "\xc4\xb0", "i\xcc\x87");                                          /* U+0130 */
}
END_TEST

START_TEST(bytes_that_are_no_text_stay)
{
    one(NORMALIZE_NFC, "e\xff\xcc\x81 e\xcc\x81\xe2\x82", "e\xff\xcc\x81 \xc3\xa9\xe2\x82");
    one(NORMALIZE_LOWERCASE,
        "\xc3"
        "A\x80",
        "\xc3"
        "a\x80");
}
END_TEST

START_TEST(texts_are_replaced_and_put_in_front)
{
    const struct normalize_step steps[] = { { .kind = NORMALIZE_PREPEND, .content = "\xe2\x96\x81" },
                                            { .kind = NORMALIZE_REPLACE, .pattern = " ", .literal = true, .content = "\xe2\x96\x81" },
                                            { .kind = NORMALIZE_REPLACE, .pattern = "[bc]{2,}", .content = "" } };
    expect(steps, 2, "a b",
           "\xe2\x96\x81"
           "a\xe2\x96\x81"
           "b");
    expect(steps, 3, "a bcb b",
           "\xe2\x96\x81"
           "a\xe2\x96\x81\xe2\x96\x81"
           "b");
    expect(steps, 2, "", "");
    expect(steps, 0, "A", "A");
}
END_TEST

START_TEST(what_cannot_be_done_is_refused)
{
    struct normalizer *n;
    ck_assert_int_eq(
        normalizer_open(&(struct normalize_step){ .kind = NORMALIZE_REPLACE, .pattern = "", .literal = true, .content = "" }, 1, &n),
        ST_DATA);
    ck_assert_int_eq(normalizer_open(&(struct normalize_step){ .kind = NORMALIZE_REPLACE, .pattern = "a*", .content = "" }, 1, &n),
                     ST_DATA);
    ck_assert_int_eq(normalizer_open(NULL, NORMALIZE_STEPS_MOST + 1, &n), ST_DATA);
}
END_TEST

int main(void)
{
    if (library_pcre2() == NULL) return suite_skip("PCRE2");
    if (library_utf8proc() == NULL) return suite_skip("utf8proc");
    TCase *tc = tcase_create("normalize");
    tcase_add_test(tc, unicode_forms);
    tcase_add_test(tc, characters_since_unicode_10_stay_as_they_are);
    tcase_add_test(tc, lower_case_goes_by_characters);
    tcase_add_test(tc, bytes_that_are_no_text_stay);
    tcase_add_test(tc, texts_are_replaced_and_put_in_front);
    tcase_add_test(tc, what_cannot_be_done_is_refused);
    Suite *suite = suite_create("normalize");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
