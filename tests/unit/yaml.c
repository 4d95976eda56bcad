/* yaml.c: texts to trees (common/config/tree.h): places, paths, and what of YAML is refused, where and how fast. */
#include "common/base/clock.h"
#include "common/config/tree.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct arena arena;
    struct problems *problems;
    struct source source;
    struct text told;
};
static struct fixture fx;

static void set_up(void)
{
    fx = (struct fixture){ 0 };
    arena_open_growing(&fx.arena, "test");
    fx.problems = arena_place(&fx.arena, sizeof *fx.problems);
    fx.problems->arena = &fx.arena;
}

static void tear_down(void)
{
    text_free(&fx.told);
    arena_close(&fx.arena);
}

static struct node *read_bytes(const char *text, size_t n)
{
    fx.source = (struct source){ "t.yaml", text, n, 0 };
    struct node *root = tree_read(&fx.source, 0, &fx.arena, fx.problems);
    problems_print(fx.problems, &fx.told);
    return root;
}

static struct node *read_text(const char *text) { return read_bytes(text, strlen(text)); }

START_TEST(a_map_keeps_order_text_and_places)
{
    struct node *root = read_text("a: 1\nb:\n  - x\n  - {name: row, k: 'v w'}\n");
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(problems_count(fx.problems), 0);
    struct node *b = node_get(root, "b"), *row = node_row(b, "row"), *k = node_get(row, "k");
    ck_assert_int_eq(root->n_children, 2);
    ck_assert_str_eq(node_get(root, "a")->text, "1");
    ck_assert_int_eq(b->kind, NODE_LIST);
    ck_assert_int_eq(b->key_place.line, 2);
    ck_assert_str_eq(k->text, "v w");
    ck_assert(!k->plain);
    ck_assert_int_eq(k->place.line, 4);
    ck_assert_int_eq(k->place.column, 20);
    char path[NODE_PATH_MAX];
    ck_assert_str_eq(node_path(k, path), "b.row.k");
    ck_assert_str_eq(node_path(b->first, path), "b[0]");
}
END_TEST

START_TEST(crlf_ends_lines_like_lf)
{
    struct node *root = read_text("a: 1\r\nb: two\r\n");
    ck_assert_int_eq(problems_count(fx.problems), 0);
    ck_assert_str_eq(node_get(root, "b")->text, "two");
    ck_assert_int_eq(node_get(root, "b")->place.line, 2);
}
END_TEST

START_TEST(an_empty_text_is_an_empty_value)
{
    const struct node *root = read_text("# nothing\n");
    ck_assert_int_eq(root->kind, NODE_SCALAR);
    ck_assert_str_eq(root->text, "");
}
END_TEST

START_TEST(putting_a_value_keeps_the_place_of_the_old_one)
{
    struct node *root = read_text("{a: 1, b: 2, c: 3}");
    struct node *value = node_new(&fx.arena, NODE_SCALAR, root->place);
    node_put(root, "b", root->place, value);
    ck_assert_ptr_eq(root->first->next, value);
    ck_assert_str_eq(value->next->key, "c");
    node_put(root, "c", root->place, node_new(&fx.arena, NODE_SCALAR, root->place));
    ck_assert_ptr_eq(root->last, node_get(root, "c"));
    ck_assert_int_eq(root->n_children, 3);
}
END_TEST

START_TEST(the_caret_stands_below_its_character)
{
    (void)read_text("ok: 1\nd\xC3\xA9j\xC3\xA0: \"x\"\t, *a\n");
    ck_assert_str_eq(fx.told.data, "t.yaml:2:11: while parsing a block mapping that began in line 1: did not find expected key\n"
                                   "  d\xC3\xA9j\xC3\xA0: \"x\" , *a\n"
                                   "            ^\n");
}
END_TEST

/* text, its length (0: to the NUL), is a tree left, start of the first problem, how many problems */
static const struct refused {
    const char *text;
    size_t n;
    bool tree;
    const char *told;
    int count;
} refused[] = {
    { "a: &x 1\nb: *x\n", 0, true, "t.yaml:1:4: anchor '&x'", 2 },
    { "b: *x\n", 0, true, "t.yaml:1:4: alias '*x'", 1 },
    { "a: !!int 3\n", 0, true, "t.yaml:1:4: tag 'tag:yaml.org,2002:int'", 1 },
    { "a: !own {b: 1}\n", 0, true, "t.yaml:1:4: tag '!own'", 1 },
    { "a: 1\nb: 2\na: 3\n", 0, true, "t.yaml:3:1: 'a' is given twice; it stands already in line 1", 1 },
    { "{a: 1, a: 2}", 0, true, "t.yaml:1:8: 'a' is given twice", 1 },
    { "a: 1\n---\nb: 2\n", 0, true, "t.yaml:2:1: a second document", 1 },
    { "%YAML 1.1\n---\na: 1\n", 0, false, "t.yaml:1:1: YAML directives", 1 },
    { "a: 1\n...\n%TAG ! x\n---\n", 0, false, "t.yaml:3:1: YAML directives", 1 },
    { "? [1, 2]\n: 3\n", 0, true, "t.yaml:1:3: a key must be a word, not a list", 1 },
    { "{{a: 1}: 3}\n", 0, true, "t.yaml:1:2: a key must be a word, not a map", 1 },
    { "{'': 3}\n", 0, true, "t.yaml:1:2: a key must be a word, not empty", 1 },
    { "a: \"x\\0y\"\n", 0, true, "t.yaml:1:4: the value contains the control character 0x00", 1 },
    { "a: \"x\\u202Ey\"\n", 0, true, "t.yaml:1:4: the value contains the invisible character U+202E", 1 },
    { "\"a\\x85b\": 1\n", 0, true, "t.yaml:1:1: the value contains the invisible character U+0085", 1 },
    { "a: |\n  x\n  y\n", 0, true, "t.yaml:1:4: the value contains the control character 0x0A; write it in one line", 1 },
    { "a:\n\tb: 1\n", 0, false, "t.yaml:2:1: a tab cannot stand here; indent with spaces", 1 },
    { "a: [1, 2\nb: 3\n", 0, false, "t.yaml:2:2: while parsing a flow sequence that began in line 1: did not find expected ',' or ']'", 1 },
    { "a: 'open\n", 0, false,
      "t.yaml:1:4: while scanning a quoted scalar that does not end: found unexpected end of stream\n  a: 'open\n     ^\n", 1 },
    { "a: {b: [1, 2,\n\n# the end\n", 0, false,
      "t.yaml:1:8: this does not end: did not find expected node content\n  a: {b: [1, 2,\n         ^\n", 1 },
    { "a: {b: 1\n\n", 0, false, "t.yaml:1:4: while parsing a flow mapping that does not end", 1 },
    { "a: b: c\n", 0, false, "t.yaml:1:5: in the text: mapping values are not allowed", 1 },
    { "a: 1\n b: 2\n", 0, false, "t.yaml:2:3: in the text: mapping values are not allowed", 1 },
    { "a: @x\n", 0, false, "t.yaml:1:4: while scanning for the next token: found character that cannot start any token", 1 },
    { "a: 1\0b", 6, false, "t.yaml:1:5: a NUL byte", 1 },
    { "\xEF\xBB\xBF"
      "a: 1\n",
      0, false, "t.yaml:1:1: the text begins with a byte order mark", 1 },
    { "\xFF\xFE"
      "a\0",
      4, false, "t.yaml:1:1: the text is UTF-16", 1 },
    { "a: caf\xE9\n", 0, false, "t.yaml:1:7: byte 0xE9 is not UTF-8", 1 },
    { "a: \xC0\xAF\n", 0, false, "t.yaml:1:4: byte 0xC0 is not UTF-8", 1 },
    { "a: \xED\xA0\x80\n", 0, false, "t.yaml:1:4: byte 0xED is not UTF-8", 1 },
    { "a: \xE2\x80\xA8"
      "b: 1\n",
      0, false, "t.yaml:1:4: the invisible character U+2028", 1 },
    { "a: x\xE2\x80\xAEy\n", 0, false, "t.yaml:1:5: the invisible character U+202E", 1 },
    { "a: \x1b[31m\n", 0, false, "t.yaml:1:4: the invisible character U+001B", 1 },
    { "a: 1\rb: 2\r", 0, false, "t.yaml:1:5: a carriage return without a line feed", 1 },
};

START_TEST(what_can_deceive_is_refused_at_its_place)
{
    const struct refused *bad = &refused[_i];
    const struct node *root = read_bytes(bad->text, bad->n > 0 ? bad->n : strlen(bad->text));
    ck_assert_msg(fx.told.data != NULL && strncmp(fx.told.data, bad->told, strlen(bad->told)) == 0, "expected\n%s\nbut was told\n%s",
                  bad->told, fx.told.data);
    ck_assert_int_eq(root != NULL, bad->tree);
    ck_assert_int_eq(problems_count(fx.problems), bad->count);
}
END_TEST

/* open n times, close n times */
static char *nested(size_t n, char open, char close)
{
    char *text = malloc(2 * n + 1);
    memset(text, open, n);
    memset(text + n, close, n);
    text[2 * n] = '\0';
    return text;
}

START_TEST(depth_64_is_read_and_65_is_not)
{
    char *text = nested(64, '[', ']');
    ck_assert_ptr_nonnull(read_text(text));
    free(text);
    text = nested(65, '[', ']');
    ck_assert_ptr_null(read_text(text));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:1:65: more than 64 lists and maps stand inside each other"));
    free(text);
}
END_TEST

/* A megabyte of what is dearest to read, and texts far beyond the limit. */
START_TEST(hostile_texts_are_refused_within_a_second)
{
    const size_t mega = (size_t)1 << 20, sizes[] = { 1000, mega / 2, mega, mega - 2, mega - 2, 100 * mega };
    const char units[][4] = { "[", "[", "{", "&a ", "a\n", "x" };
    const char *told[] = { "1:65: more than 64", "1:65: more than 64", "1:65: more than 64", "", "", "more than 1 MiB" };
    const size_t length = strlen(units[_i]), n = sizes[_i] / length * length;
    char *text = malloc(n + 1);
    for (size_t i = 0; i < n; i++) text[i] = units[_i][i % length];
    text[n] = '\0';
    const double start = clock_thread_seconds();
    (void)read_text(text);
    ck_assert_double_lt(clock_thread_seconds() - start, suite_seconds(1));
    ck_assert_msg(strstr(fx.told.data != NULL ? fx.told.data : "", told[_i]) != NULL, "%s", fx.told.data);
    free(text);
}
END_TEST

/* libyaml compares every directive with all before it. */
START_TEST(a_megabyte_of_directives_is_refused_within_a_second)
{
    struct text text = { 0 };
    for (int i = 0; i < 55000; i++) text_add(&text, "%%TAG !t%d! x\n", i);
    const double start = clock_thread_seconds();
    ck_assert_ptr_null(read_text(text.data));
    ck_assert_double_lt(clock_thread_seconds() - start, suite_seconds(1));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:1:1: YAML directives are not used here"));
    text_free(&text);
}
END_TEST

START_TEST(a_list_of_more_than_a_thousand_is_refused)
{
    struct text text = { 0 };
    for (int i = 0; i < TREE_MAX_CHILDREN; i++) text_add(&text, "- %d\n", i);
    ck_assert_ptr_nonnull(read_text(text.data));
    text_add(&text, "- more\n");
    ck_assert_ptr_null(read_text(text.data));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:1001:3: more than 1000 values in one list"));
    text_free(&text);
}
END_TEST

/* Each key is compared with those before it in its map, so it matters how many there are in all. */
START_TEST(a_megabyte_of_keys_is_refused_within_a_second)
{
    struct text text = { 0 };
    for (int i = 0; i < 110; i++) {
        text_add(&text, "k%d: {", i);
        for (int k = 0; k < 1000; k++) text_add(&text, "a%d: 1, ", k);
        text_add(&text, "}\n");
    }
    const double start = clock_thread_seconds();
    ck_assert_ptr_null(read_text(text.data));
    ck_assert_double_lt(clock_thread_seconds() - start, suite_seconds(1));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:33:"));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "more than 65536 keys and values"));
    text_free(&text);
}
END_TEST

START_TEST(fifty_problems_are_shown_and_the_rest_counted)
{
    struct text text = { 0 };
    for (int i = 0; i < 700; i++) text_add(&text, "- *a\n");
    (void)read_text(text.data);
    ck_assert_int_eq(problems_count(fx.problems), 700);
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:50:3: alias"));
    ck_assert_ptr_null(strstr(fx.told.data, "t.yaml:51:3: alias"));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "\n... and 650 more\n"));
    text_free(&text);
}
END_TEST

START_TEST(the_same_problem_is_told_once)
{
    const struct source source = { "t.yaml", "x", 1, 0 };
    problem_add(fx.problems, (struct place){ &source, 1, 1 }, "it is %s", "wrong");
    problem_add(fx.problems, (struct place){ &source, 1, 1 }, "it is wrong");
    problem_add(fx.problems, (struct place){ &source, 1, 2 }, "it is wrong");
    ck_assert_int_eq(problems_count(fx.problems), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yaml");
    TCase *cases = tcase_create("tree");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 20);
    tcase_add_test(cases, a_map_keeps_order_text_and_places);
    tcase_add_test(cases, crlf_ends_lines_like_lf);
    tcase_add_test(cases, an_empty_text_is_an_empty_value);
    tcase_add_test(cases, putting_a_value_keeps_the_place_of_the_old_one);
    tcase_add_test(cases, the_caret_stands_below_its_character);
    tcase_add_loop_test(cases, what_can_deceive_is_refused_at_its_place, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(cases, depth_64_is_read_and_65_is_not);
    tcase_add_loop_test(cases, hostile_texts_are_refused_within_a_second, 0, 6);
    tcase_add_test(cases, a_megabyte_of_directives_is_refused_within_a_second);
    tcase_add_test(cases, a_list_of_more_than_a_thousand_is_refused);
    tcase_add_test(cases, a_megabyte_of_keys_is_refused_within_a_second);
    tcase_add_test(cases, fifty_problems_are_shown_and_the_rest_counted);
    tcase_add_test(cases, the_same_problem_is_told_once);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
