/* Text that arrives in pieces is shown in whole characters, and bytes that are no text do not hold it up. */
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

int main(void)
{
    TCase *t = tcase_create("utf8");
    tcase_add_loop_test(t, a_character_is_not_cut, 0, (int)(sizeof rows / sizeof rows[0]));
    Suite *s = suite_create("utf8");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
