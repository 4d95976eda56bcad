/* Pre-tokenization: what the pieces of a text are. */
#include "common/data/tokenizers/split.h"
#include "common/base/libraries.h"
#include "common/base/rng.h"
#include "common/base/str.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

static enum status note(void *context, const unsigned char *piece, int64_t n)
{
    struct text *const out = context;
    text_add_bytes(out, "[", 1);
    text_add_bytes(out, (const char *)piece, (size_t)n);
    text_add_bytes(out, "]", 1);
    return ST_OK;
}

static void pieces_of(struct split *s, const char *text, int64_t n, bool first, struct text *out)
{
    struct splitter *w;
    ck_assert_int_eq(splitter_open(s, &w), ST_OK);
    ck_assert_int_eq(splitter_pieces(w, (const unsigned char *)text, n, first, note, out), ST_OK);
    splitter_close(w);
    text_add_bytes(out, "", 1);
}

static void expect(const struct split_step *steps, int n_steps, const char *text, const char *pieces)
{
    struct split *s;
    struct text out = { 0 };
    ck_assert_msg(split_open(steps, n_steps, &s) == ST_OK, "%s", status_text());
    pieces_of(s, text, (int64_t)strlen(text), true, &out);
    ck_assert_str_eq(out.data, pieces);
    text_free(&out);
    split_close(s);
}

static void named(const char *name, const char *text, const char *pieces)
{
    expect(&(struct split_step){ .pattern = name }, 1, text, pieces);
}

START_TEST(gpt2_takes_the_space_before_a_word)
{
    named("gpt2", "It's  been 1234 days!!\n\n x", "[It]['s][ ][ been][ 1234][ days][!!][\n\n][ x]");
    named("gpt2", "a\xc2\xa0 b", "[a][\xc2\xa0][ b]");                                             /* U+00A0 is space */
    named("gpt2", "a \xe1\xa0\x8e b", "[a][ \xe1\xa0\x8e][ b]");                                   /* U+180E is none */
    named("gpt2", "a \x1c b", "[a][ \x1c][ b]");                                                   /* nor is U+001C */
    named("gpt2", "I'LL", "[I]['][LL]");                                                           /* case counts */
    named("gpt2", "\xf0\x96\xb5\x83z \xf0\xb1\x8d\x90", "[\xf0\x96\xb5\x83z][ \xf0\xb1\x8d\x90]"); /* letters since Unicode 16 and 15 */
}
END_TEST

START_TEST(llama3_takes_three_digits_and_line_ends)
{
    named("llama3", "I'LL pay 12345$.\r\n\n  x", "[I]['LL][ pay][ ][123][45][$.\r\n\n][ ][ x]");
    named("llama3", "a \n\n b\t\n", "[a][ \n\n][ b][\t\n]");
    named("llama3", "(word", "[(word]");
    named("qwen2", "v12", "[v][1][2]");
}
END_TEST

START_TEST(behaviours_are_those_of_split)
{
    static const char *const expected[SPLIT_BEHAVIOURS] = { "[a][-][-][bc][-]", "[a][bc]", "[a-][-][bc-]", "[a][-][-bc][-]",
                                                            "[a][--][bc][-]" };
    static const char *const inverted[SPLIT_BEHAVIOURS] = { "[a][-][-][bc][-]", "[-][-][-]", "[a][-][-bc][-]", "[a-][-][bc-]",
                                                            "[a][--][bc][-]" };
    for (int k = 0; k < SPLIT_BEHAVIOURS; k++) {
        for (int literal = 0; literal < 2; literal++) {
            struct split_step step = { .pattern = "-", .literal = literal, .behaviour = (enum split_behaviour)k };
            expect(&step, 1, "a--bc-", expected[k]);
            step.invert = true;
            expect(&step, 1, "a--bc-", inverted[k]);
        }
    }
}
END_TEST

START_TEST(steps_work_on_the_pieces_of_the_step_before)
{
    const struct split_step steps[] = { { .pattern = "\\p{N}" }, { .kind = SPLIT_PREFIX_SPACE }, { .pattern = "gpt2" } };
    expect(steps, 3, "ab1 c", "[ ab][ 1][ c]");
    expect(steps, 0, "ab1 c", "[ab1 c]");
    expect(steps, 3, "", "");
}
END_TEST

START_TEST(metaspace_marks_spaces)
{
    struct split_step steps[] = { { .kind = SPLIT_METASPACE, .prepend = PREPEND_FIRST },
                                  { .pattern = "\xe2\x96\x81", .literal = true, .behaviour = SPLIT_MERGED_WITH_NEXT } };
    struct split *s;
    struct text out = { 0 };
    expect(steps, 1, "a  b",
           "[\xe2\x96\x81"
           "a\xe2\x96\x81\xe2\x96\x81"
           "b]");
    expect(steps, 2, " a  b",
           "[\xe2\x96\x81"
           "a][\xe2\x96\x81][\xe2\x96\x81"
           "b]");
    ck_assert_int_eq(split_open(steps, 1, &s), ST_OK);
    pieces_of(s, "a", 1, false, &out); /* not the beginning */
    ck_assert_str_eq(out.data, "[a]");
    split_close(s);
    text_free(&out);
    steps[0].prepend = PREPEND_NEVER;
    expect(steps, 1, "a", "[a]");
}
END_TEST

START_TEST(what_is_not_utf8_is_a_piece_of_its_own)
{
    named("gpt2", "word\xff\xfe word \xe2\x82", "[word][\xff\xfe][ word][ ][\xe2\x82]");
    named("gpt2", "\x80", "[\x80]");
    expect(NULL, 0, "\xc0\x80z", "[\xc0\x80][z]"); /* an overlong form */
}
END_TEST

/* Pieces of parts, one after the other, are the pieces of the whole, wherever split_cut allows a cut. */
START_TEST(a_cut_changes_no_piece)
{
    static const char *const parts[] = { "a",    "b", "Z",  "'s",       "'",        " ", " ",    "\n",      "\n",
                                         "\r\n", "1", "\t", "\xc3\xa9", "\xc2\xa0", ".", "\xff", "\xcc\x81" };
    for (const struct split_pattern *p = split_patterns; p->name != NULL; p++) {
        struct split *s;
        int cuts = 0;
        ck_assert_int_eq(split_open(&(struct split_step){ .pattern = p->name }, 1, &s), ST_OK);
        for (int round = 0; round < 3000; round++) {
            struct text in = { 0 }, whole = { 0 }, cut = { 0 };
            for (int i = 0; i < 24; i++) {
                const uint64_t r = rng_u64((struct rng_key){ .seed = 5, .purpose = RNG_TEST }, round, i);
                text_add(&in, "%s", parts[r % (sizeof parts / sizeof *parts)]);
            }
            const int64_t n = (int64_t)in.length, at = split_cut(s, (const unsigned char *)in.data, n);
            if (at > 0) {
                ck_assert_int_lt(at, n);
                cuts++;
                pieces_of(s, in.data, n, true, &whole);
                pieces_of(s, in.data, at, true, &cut);
                cut.length--;
                pieces_of(s, in.data + at, n - at, false, &cut);
                ck_assert_str_eq(cut.data, whole.data);
            }
            text_free(&in);
            text_free(&whole);
            text_free(&cut);
        }
        ck_assert_int_gt(cuts, 300);
        split_close(s);
    }
}
END_TEST

START_TEST(cuts_of_other_steps_are_unknown)
{
    struct split *s;
    const unsigned char text[] = "one two three";
    ck_assert_int_eq(split_open(&(struct split_step){ .pattern = "\\s+" }, 1, &s), ST_OK);
    ck_assert_int_eq(split_cut(s, text, 13), 0);
    split_close(s);
    ck_assert_int_eq(split_open(&(struct split_step){ .pattern = split_pattern_named("gpt2")->expression }, 1, &s), ST_OK);
    ck_assert_int_eq(split_cut(s, text, 13), 7);
    ck_assert_int_eq(split_cut(s, text, 8), 3); /* what follows the space is not seen */
    ck_assert_int_eq(split_cut(s, text, 3), 0);
    split_close(s);
}
END_TEST

static const struct {
    const char *expression, *why; /* NULL: it reads */
} expressions[] = {
    { "[^\\S\\n\\d\\p{L}x-z]|\\u3000|\\x{1F600}", NULL },
    { "a{,2}b|{|x{1,3}?", NULL },
    { "(?<=a)b++|(?>c*)d|^e$", NULL },
    { "a\\wb", "has '\\w' at character 2: is not read" },
    { "\\p{Han}", "has '\\p{Han}' at character 1: of properties" },
    { "[\\P{L}]", "has '\\P{L}' at character 2: a negated property" },
    { "[a[b]]", "has '[' at character 3: a set inside a set" },
    { "[a&&b]", "has '&&' at character 3: an intersection" },
    { "[ab", "has '[' at character 1: has no ]" },
    { "x{2}+", "has '{2}+' at character 2" },
    { "(?<name>a)", "has '(?<' at character 1: of groups" },
    { "(*UTF)a", "has '(*' at character 1" },
    { "(a", "does not read: missing closing parenthesis" },
    { "a*", "can match nothing at all" },
    { "\\x{D800}", "is no character" },
    { "\\", "is not read" },
    { "", "can match nothing" },
};

START_TEST(expressions_read_or_are_refused_by_name)
{
    struct split *s;
    const enum status got = split_open(&(struct split_step){ .pattern = expressions[_i].expression }, 1, &s);
    if (expressions[_i].why == NULL) {
        ck_assert_msg(got == ST_OK, "%s", status_text());
        split_close(s);
        return;
    }
    ck_assert_int_eq(got, ST_DATA);
    ck_assert_msg(strstr(status_text(), expressions[_i].why) != NULL, "%s", status_text());
}
END_TEST

START_TEST(an_expression_that_is_too_slow_ends)
{
    struct split *s;
    struct splitter *w;
    struct text out = { 0 }, in = { 0 };
    for (int i = 0; i < 200; i++) text_add(&in, "a");
    ck_assert_int_eq(split_open(&(struct split_step){ .pattern = "(?:a+)+(?:a+)+[bc]" }, 1, &s), ST_OK);
    ck_assert_int_eq(splitter_open(s, &w), ST_OK);
    ck_assert_int_eq(splitter_pieces(w, (const unsigned char *)in.data, (int64_t)in.length, true, note, &out), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "too slow"));
    splitter_close(w);
    split_close(s);
    text_free(&in);
    text_free(&out);
}
END_TEST

int main(void)
{
    if (library_pcre2() == NULL) return suite_skip("PCRE2");
    TCase *tc = tcase_create("split");
    tcase_add_test(tc, gpt2_takes_the_space_before_a_word);
    tcase_add_test(tc, llama3_takes_three_digits_and_line_ends);
    tcase_add_test(tc, behaviours_are_those_of_split);
    tcase_add_test(tc, steps_work_on_the_pieces_of_the_step_before);
    tcase_add_test(tc, metaspace_marks_spaces);
    tcase_add_test(tc, what_is_not_utf8_is_a_piece_of_its_own);
    tcase_add_test(tc, a_cut_changes_no_piece);
    tcase_add_test(tc, cuts_of_other_steps_are_unknown);
    tcase_add_loop_test(tc, expressions_read_or_are_refused_by_name, 0, (int)(sizeof expressions / sizeof *expressions));
    tcase_add_test(tc, an_expression_that_is_too_slow_ends);
    Suite *suite = suite_create("split");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
