/* The text of a record of .jsonl, and what is no such record: told with the key that was meant, the column, the type. */
#include "common/data/format.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct text scratch;

static enum status take(const char *field, const char *line, size_t n, const char **text, int64_t *bytes)
{
    const unsigned char *found;
    scratch.length = 0;
    const enum status s = format_jsonl.text(field, (const unsigned char *)line, (int64_t)n, &scratch, &found, bytes);
    *text = (const char *)found;
    return s;
}

static const struct {
    const char *field, *line, *text;
} good[] = {
    { "text", "{\"text\": \"plain\"}", "plain" },
    { "text", "  {\"id\": 1, \"text\": \"\"}\r", "" },
    { "text", "{\"text\": \"\\u20ac \\ud83d\\ude00 \\\"\\n\\t\\/\"}", "\xe2\x82\xac \xf0\x9f\x98\x80 \"\n\t/" },
    { "text", "{\"text\": \"\xe2\x82\xac\"}", "\xe2\x82\xac" },
    { "a.b", "{\"a\": {\"b\": \"inner\"}}", "inner" },
    { "a.b.c", "{\"a\": {\"b\": {\"c\": \"deep\"}}}", "deep" },
    { "a.b", "{\"a.b\": \"spelled\", \"a\": {\"b\": \"inner\"}}", "spelled" },
    { "a.b.c", "{\"a.b\": {\"c\": \"half\"}}", "half" },
    { "a..b", "{\"a\": {\"\": {\"b\": \"no name\"}}}", "no name" },
};

START_TEST(the_field_is_the_text)
{
    const char *text;
    int64_t n;
    ck_assert_int_eq(take(good[_i].field, good[_i].line, strlen(good[_i].line), &text, &n), ST_OK);
    ck_assert_int_eq(n, (int64_t)strlen(good[_i].text));
    ck_assert_int_eq(memcmp(text, good[_i].text, (size_t)n), 0);
}
END_TEST

static const struct {
    const char *field, *line, *says;
} bad[] = {
    { "text", "{\"txt\": \"a\"}", "did you mean --field txt?" },
    { "text", "{\"content\": \"a\"}", "its first one is \"content\"" },
    { "text", "{}", "it is empty" },
    { "text", "{\"text\": 5}", "is a number" },
    { "text", "{\"text\": null}", "is null" },
    { "text", "{\"text\": [\"a\"]}", "is an array" },
    { "a.b", "{\"a\": \"b\"}", "no field \"a.b\"" },
    { "a.", "{\"a\": {\"b\": \"c\"}}", "no field \"a.\"" },
    { "text", "[\"text\"]", "the line is an array" },
    { "text", "\"text\"", "the line is a string" },
    { "text", "{\"text\": \"a\", \"text\": \"b\"}", "duplicate" },
    { "text", "{\"text\": \"a\", \"x\": {\"y\": 1, \"y\": 2}}", "duplicate" },
    { "text", "{\"text\": \"a\"", "not JSON" },
    { "text", "{\"text\": \"a\"} {\"text\": \"b\"}", "not JSON" },
    { "text", "{'text': 'a'}", "not JSON" },
    { "text", "{\"text\": \"a\nb\"}", "not JSON" },
    { "text", "{\"text\": \"\\ud800\"}", "not JSON" },
    { "text", "{\"text\": \"\\x\"}", "not JSON" },
    { "text", "{\"text\": \"\xff\"}", "not JSON" },
    { "text", "{\"text\": \"a\", \"n\": 1e999}", "not JSON" },
    { "text", "text", "not JSON" },
    { "text", "", "not JSON" },
};

START_TEST(what_is_no_record_is_told)
{
    const char *text;
    int64_t n;
    ck_assert_int_eq(take(bad[_i].field, bad[_i].line, strlen(bad[_i].line), &text, &n), ST_DATA);
    ck_assert_msg(strstr(status_text(), bad[_i].says) != NULL, "%s", status_text());
}
END_TEST

START_TEST(a_zero_in_a_string_is_text)
{
    static const char line[] = "{\"text\": \"a\\u0000b\"}";
    const char *text;
    int64_t n;
    ck_assert_int_eq(take("text", line, sizeof line - 1, &text, &n), ST_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(memcmp(text, "a\0b", 3), 0);
}
END_TEST

/* A million brackets neither end the stack nor pass. */
START_TEST(depth_has_a_limit)
{
    enum { DEPTH = 1000000 };
    char *const line = malloc(2 * DEPTH + 32);
    const char *text;
    int64_t n;
    for (int kind = 0; kind < 2; kind++) {
        size_t used = 0;
        for (int i = 0; i < DEPTH; i++) {
            memcpy(line + used, kind == 0 ? "[" : "{\"a\":", kind == 0 ? 1 : 5);
            used += kind == 0 ? 1 : 5;
            if (used > 2 * DEPTH) break;
        }
        ck_assert_int_eq(take("text", line, used, &text, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), "depth"));
    }
    free(line);
}
END_TEST

START_TEST(names_tell_the_format)
{
    static const char *const more[] = { ".md", NULL };
    char names[256];
    ck_assert_ptr_eq(format_of("a.txt", NULL), &format_text);
    ck_assert_ptr_eq(format_of("a.txt.xz", NULL), &format_text);
    ck_assert_ptr_eq(format_of("a.jsonl.zst", NULL), &format_jsonl);
    ck_assert_ptr_eq(format_of("a.ndjson", NULL), &format_jsonl);
    ck_assert_ptr_eq(format_of("gcide.dict.dz", NULL), &format_text); /* packed, and nothing else is told */
    ck_assert_ptr_eq(format_of("a.md.gz", more), &format_text);
    ck_assert_ptr_eq(format_of("a.md", more), &format_text);
    ck_assert_ptr_null(format_of("a.md", NULL));
    ck_assert_ptr_null(format_of("a.tar.gz", NULL));
    ck_assert_ptr_null(format_of("a.pdf", NULL));
    ck_assert_ptr_null(format_of(".txt", NULL)); /* a name, not an ending */
    ck_assert_str_eq(format_names(names, sizeof names), ".txt, .jsonl, .ndjson, also packed as .gz, .dz, .zst, .bz2, .xz");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("format");
    tcase_add_loop_test(tc, the_field_is_the_text, 0, (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(tc, what_is_no_record_is_told, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tc, a_zero_in_a_string_is_text);
    tcase_add_test(tc, depth_has_a_limit);
    tcase_add_test(tc, names_tell_the_format);
    Suite *suite = suite_create("format");
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_NOFORK);
    text_free(&scratch);
    return code;
}
