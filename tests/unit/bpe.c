/* Tokenizers read from a tokenizer.json: every byte string comes back, merging is what it says, and what a file must not say. */
#include "common/base/libraries.h"
#include "common/base/rng.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/bpe_file.h"
#include "common/data/tokenizers/byte_letters.h"
#include "common/data/tokenizers/merge.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/lamina-bpe-XXXXXX.json";
static struct arena arena;
static void open_arena(void)
{
    (void)memcpy(path, "/tmp/lamina-bpe-XXXXXX.json", sizeof path);
    const int fd = mkstemps(path, 5);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    arena_open_growing(&arena, "test");
}
static void close_arena(void)
{
    arena_close(&arena);
    (void)unlink(path);
}

/* --- A small vocabulary: the bytes, some merges that compete, and an end --------------------------------------------------- */

static const char *const merges[][2] = { { "t", "h" },       { "h", "e" },
                                         { "th", "e" },      { "\xc4\xa0", "the" },
                                         { "a", "a" },       { "aa", "a" },
                                         { "aa", "aa" },     { "\xc3\x83", "\xc2\xa9" },
                                         { "1", "2" },       { "\xc3\xbf", "\xc3\xbe" },
                                         { "\xc4\xa0", "a" } };
enum { MERGES = sizeof merges / sizeof *merges };

static void add_letter(struct text *out, unsigned char byte)
{
    const uint32_t c = byte_letter(byte);
    if (c == '"' || c == '\\')
        text_add(out, "\\%c", (char)c);
    else if (c < 0x80)
        text_add(out, "%c", (char)c);
    else
        text_add(out, "%c%c", (char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)));
}

static const char plain_parts[] =
    "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"decoder\": {\"type\": \"ByteLevel\"}";

/* pairs: merges as lists, and members of the file in another order. */
static void make_file(struct text *out, const char *parts, bool pairs)
{
    int id = 0;
    struct text model = { 0 };
    text_add(&model, "\"model\": {\"type\": \"BPE\", \"vocab\": {");
    for (; id < 256; id++) {
        text_add(&model, "%s\"", id > 0 ? ", " : "");
        add_letter(&model, (unsigned char)id);
        text_add(&model, "\": %d", id);
    }
    for (int k = 0; k < MERGES; k++) text_add(&model, ", \"%s%s\": %d", merges[k][0], merges[k][1], id++);
    text_add(&model, "}, \"merges\": [");
    for (int k = 0; k < MERGES; k++)
        text_add(&model, pairs ? "%s[\"%s\", \"%s\"]" : "%s\"%s %s\"", k > 0 ? ", " : "", merges[k][0], merges[k][1]);
    text_add(&model, "]}");
    const char added[] =
        "\"added_tokens\": [{\"id\": 270, \"content\": \"<|endoftext|>\", \"special\": true}, {\"id\": 268, \"content\": \"the end\"}]";
    text_add(out, "{%s, %s, %s}", pairs ? parts : model.data, added, pairs ? model.data : parts);
    text_free(&model);
}

static enum status open_text(const char *bytes, size_t n, struct tokenizer *t)
{
    ck_assert_int_eq(file_replace(path, bytes, n), ST_OK);
    return tokenizer_open(&arena, path, t);
}

static void open_small(struct tokenizer *t, const char *parts, bool pairs)
{
    struct text file = { 0 };
    make_file(&file, parts, pairs);
    ck_assert_msg(open_text(file.data, file.length, t) == ST_OK, "%s", status_text());
    text_free(&file);
}

static void expect_ids(const struct tokenizer *t, const char *text, int n, const int32_t *expected)
{
    struct encoder *e;
    struct ids ids = { 0 };
    ck_assert_int_eq(encoder_open(t, &e), ST_OK);
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        ids.n = 0;
        ck_assert_int_eq(encoder_add(e, (const unsigned char *)text, (int64_t)strlen(text), &ids), ST_OK);
        ck_assert_int_eq(ids.n, n);
        for (int i = 0; i < n; i++) ck_assert_int_eq(ids.id[i], expected[i]);
    }
    ids_close(&ids);
    encoder_close(e);
}

START_TEST(merges_go_by_rank_then_from_the_left)
{
    struct tokenizer t;
    open_small(&t, plain_parts, false);
    ck_assert_int_eq(t.vocab, 271); /* 267 and 269 are holes */
    ck_assert_int_eq(t.end_of_document, 270);
    expect_ids(&t, "the", 1, (int32_t[]){ 258 });
    expect_ids(&t, "he the", 2, (int32_t[]){ 257, 259 });
    expect_ids(&t, "aaaa", 1, (int32_t[]){ 262 });
    expect_ids(&t, "aaaaa", 2, (int32_t[]){ 260, 261 }); /* the last joins before the two pairs do */
    expect_ids(&t, "x<|endoftext|>the end", 3, (int32_t[]){ 'x', 270, 268 });
    tokenizer_close(&t);
}
END_TEST

START_TEST(the_digest_is_of_what_decides_ids)
{
    struct tokenizer a, b, c;
    open_small(&a, plain_parts, false);
    open_small(&b, plain_parts, true); /* another order and spelling */
    open_small(&c, "\"decoder\": {\"type\": \"ByteLevel\"}, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true}",
               false);
    ck_assert(digest_equal(a.digest, b.digest));
    ck_assert(!digest_equal(a.digest, c.digest));
    tokenizer_close(&a);
    tokenizer_close(&b);
    tokenizer_close(&c);
}
END_TEST

/* --- Every byte string comes back ---------------------------------------------------------------------------------------------- */

enum { STRINGS = 1000000, PARTS = 8 };

static const char *const parts_of_text[] = {
    " the",          "the",     "a",  "aa",           " ",        "\n",    "\xc3\xa9",     "\xe2\x82", "\xff\xfe", "\xf0\x9f\x98\x80", "12",
    "<|endoftext|>", "the end", "'s", "\xed\xa0\x80", "\xc2\xa0", "<|end", "\xe1\xa0\x8e", "\r\n",     "\x80"
};

static int64_t make_string(int64_t k, char *out)
{
    const struct rng_key key = { .seed = 11, .purpose = RNG_TEST };
    uint32_t r[4 * (1 + PARTS / 4)];
    int64_t n = 0;
    rng_blocks(key, k, 0, 1 + PARTS / 4, r);
    for (uint32_t i = 0; i < r[0] % PARTS; i++) {
        const uint32_t which = r[1 + i] >> 8;
        if (which % 3 == 0) { /* any byte */
            out[n++] = (char)(unsigned char)(which >> 4);
            continue;
        }
        const char *const part = parts_of_text[which / 3 % (sizeof parts_of_text / sizeof *parts_of_text)];
        memcpy(out + n, part, strlen(part));
        n += (int64_t)strlen(part);
    }
    return n;
}

static void check_round_trips(const struct tokenizer *t)
{
    char text[PARTS * 16];
    struct encoder *e;
    struct ids ids = { 0 };
    struct text back = { 0 };
    int64_t bytes = 0, tokens = 0;
    ck_assert_int_eq(encoder_open(t, &e), ST_OK);
    for (int64_t k = 0; k < STRINGS; k++) {
        const int64_t n = make_string(k, text);
        struct decoder decoder = { .tokenizer = t, .ends_too = true };
        ids.n = 0;
        back.length = 0;
        if (encoder_add(e, (const unsigned char *)text, n, &ids) != ST_OK || decoder_add(&decoder, ids.id, ids.n, &back) != ST_OK)
            ck_abort_msg("%s", status_text());
        if (back.length != (size_t)n || (n > 0 && memcmp(back.data, text, (size_t)n) != 0)) ck_abort_msg("string %lld", (long long)k);
        bytes += n;
        tokens += ids.n;
    }
    ck_assert_int_gt(bytes, 5 * STRINGS);
    ck_assert_int_lt(tokens, bytes * 3 / 4);
    ids_close(&ids);
    text_free(&back);
    encoder_close(e);
}

START_TEST(every_byte_string_comes_back)
{
    static const char *const kinds[] = {
        plain_parts,
        "\"decoder\": {\"type\": \"ByteLevel\"}, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
        "\"individual_digits\": true}, {\"type\": \"Split\", \"pattern\": {\"String\": \" \"}, \"behavior\": \"MergedWithNext\"}, "
        "{\"type\": "
        "\"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}",
    };
    struct tokenizer t;
    open_small(&t, kinds[_i], false);
    check_round_trips(&t);
    tokenizer_close(&t);
}
END_TEST

START_TEST(a_long_piece_is_merged_like_a_short_one)
{
    struct bpe_merge list[] = { { 1, 1, 2 }, { 2, 1, 3 }, { 2, 2, 4 }, { 4, 4, 5 } };
    struct merges m;
    struct merger scratch = { 0 };
    int32_t *const symbol = malloc((1 << 20) * sizeof *symbol);
    ck_assert_int_eq(merges_build(&arena, list, 4, &m), -1);
    for (int64_t k = 1; k < 200; k++) { /* across the border between the two ways */
        int64_t n = k, sum = 0;
        for (int64_t i = 0; i < n; i++) symbol[i] = 1;
        ck_assert_int_eq(merge_symbols(&m, &scratch, symbol, &n), ST_OK);
        static const int64_t length[] = { 0, 1, 2, 3, 4, 8 };
        for (int64_t i = 0; i < n; i++) sum += length[symbol[i]];
        ck_assert_int_eq(sum, k);
        if (k % 2 == 1 && k > 1) ck_assert_int_eq(symbol[n - 1], 3); /* twos from the left, the odd one joins the last of them first */
        if (k % 8 == 0) ck_assert_int_eq(n, k / 8);
    }
    int64_t n = 1 << 20;
    for (int64_t i = 0; i < n; i++) symbol[i] = 1;
    ck_assert_int_eq(merge_symbols(&m, &scratch, symbol, &n), ST_OK);
    ck_assert_int_eq(n, 1 << 17);
    merger_close(&scratch);
    free(symbol);
}
END_TEST

/* Random rows by the definition, without tables: the pair of lowest rank, the leftmost, again and again. */
START_TEST(merging_is_what_its_definition_says)
{
    struct bpe_merge list[60];
    struct merges m;
    struct merger scratch = { 0 };
    int n_list = 0;
    for (int i = 0; i < 60; i++) {
        const uint64_t r = rng_u64((struct rng_key){ .seed = 2, .purpose = RNG_TEST }, 0, i);
        const int32_t left = (int32_t)(r % (uint64_t)(4 + n_list)), right = (int32_t)((r >> 32) % (uint64_t)(4 + n_list));
        bool there = false;
        for (int k = 0; k < n_list; k++) there = there || (list[k].left == left && list[k].right == right);
        if (!there) list[n_list] = (struct bpe_merge){ left, right, 4 + n_list }, n_list++;
    }
    ck_assert_int_eq(merges_build(&arena, list, n_list, &m), -1);
    for (int round = 0; round < 400; round++) {
        int32_t plain[300], fast[300];
        int64_t n = 1 + round * 3 / 4, count = n;
        for (int64_t i = 0; i < n; i++)
            plain[i] = fast[i] = (int32_t)(rng_u64((struct rng_key){ .seed = 3, .purpose = RNG_TEST }, round, i) % 4);
        for (int k = 0; k < n_list;) {
            int64_t at = 0;
            while (at + 1 < count && !(plain[at] == list[k].left && plain[at + 1] == list[k].right)) at++;
            if (at + 1 >= count) {
                k++;
                continue;
            }
            plain[at] = list[k].result;
            memmove(plain + at + 1, plain + at + 2, (size_t)(count - at - 2) * sizeof *plain);
            count--;
            k = 0; /* what was made may be part of an earlier one */
        }
        ck_assert_int_eq(merge_symbols(&m, &scratch, fast, &n), ST_OK);
        ck_assert_int_eq(n, count);
        ck_assert_mem_eq(fast, plain, (size_t)n * sizeof *fast);
    }
    merger_close(&scratch);
}
END_TEST

/* --- Files that are refused ------------------------------------------------------------------------------------------------------ */

#define BPE(more)                                                                                                                          \
    "{\"added_tokens\": [{\"id\": 2, \"content\": \"</s>\", \"special\": true}], \"decoder\": {\"type\": \"ByteLevel\"}, " more "}"
#define MODEL(more) "\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": []" more "}"
#define LEVEL       "\"pre_tokenizer\": {\"type\": \"ByteLevel\"}, "

static const struct {
    const char *file, *why;
} refused[] = {
    { "", "is not JSON that is read" },
    { "[1]", "is not a JSON object" },
    { "{\"model\": {}, \"model\": {}}", "duplicate object key" },
    { BPE(LEVEL MODEL(", \"dropout\": 0.1")), "model.dropout: is not read: it must be null" },
    { BPE(LEVEL MODEL(", \"end_of_word_suffix\": \"</w>\"")), "model.end_of_word_suffix: is not read" },
    { BPE(LEVEL MODEL(", \"fuse_unkn\": true")), "model: the key 'fuse_unkn' is not known here; is 'fuse_unk' meant?" },
    { BPE(LEVEL MODEL(", \"byte_fallback\": true")), "model.vocab: <0x00> is not among the tokens" },
    { BPE(LEVEL MODEL(", \"unk_token\": \"u\"")), "model.unk_token: 'u' is not in model.vocab" },
    { BPE(LEVEL "\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}"), "model.type: the model 'WordPiece' is not read; known is BPE" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}"), "model.vocab: 'a' and 'b' have the same id, 0" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": -1}, \"merges\": []}"), "the id of 'a', -1, is not between 0 and" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 2147483648}, \"merges\": []}"), "the id of 'a', 2147483648, is not between" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 2147483646}, \"merges\": []}"), "the largest id is 2147483646, and there are 2 tokens" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": \"0\"}, \"merges\": []}"), "'a' has no whole number as its id" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 0, \"aa\": 1}, \"merges\": [\"a a\", \"a a\"]}"),
      "model.merges[1]: 'a' and 'a' were merged before" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [\"a b\"]}"), "model.merges[0]: 'ab' is not in model.vocab" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"ab\": 0, \"b\": 1}, \"merges\": [\"a b\"]}"), "model.merges[0]: 'a' is not in model.vocab" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"\": 0, \"b\": 1}, \"merges\": [[\"\", \"b\"]]}"),
      "model.merges[0]: merges with an empty token" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a b c\"]}"), "model.merges[0]: two tokens are expected here" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [7]}"), "model.merges[0]: two tokens" },
    { BPE(LEVEL "\"model\": {\"vocab\": {\"</s>\": 0}, \"merges\": []}"),
      "added_tokens[0]: '</s>' has the id 2 here and 0 in model.vocab" },
    { BPE(LEVEL MODEL("") ", \"truncation\": {\"max_length\": 5}"), "truncation: would cut documents" },
    { BPE(LEVEL MODEL("") ", \"normaliser\": null"), "the key 'normaliser' is not known here; is 'normalizer' meant?" },
    { BPE(LEVEL MODEL("") ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"StripAccents\"}]}"),
      "normalizer.normalizers[0].type: the normalizer 'StripAccents' is not read" },
    { BPE(LEVEL MODEL("") ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"\\\\w\"}, \"content\": \"\"}"),
      "normalizer: the expression" },
    { BPE(MODEL("") ", \"pre_tokenizer\": {\"type\": \"Whitespace\"}"), "pre_tokenizer.type: the pre-tokenizer 'Whitespace' is not read" },
    { BPE(MODEL("") ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"isolated\"}"),
      "pre_tokenizer.behavior: 'isolated' is none of Isolated" },
    { BPE(MODEL("") ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}"),
      "decoder: is ByteLevel, and the pre-tokenizer is not" },
    { BPE(MODEL(
          "") ", \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"ByteLevel\"}, {\"type\": \"Digits\"}]}"),
      "pre_tokenizer.pretokenizers[1]: nothing may follow ByteLevel" },
    { BPE(LEVEL MODEL("") ", \"post_processor\": {\"type\": \"Other\"}"), "post_processor.type: the post-processor 'Other' is not read" },
    { "{\"decoder\": null, " MODEL("") ", \"added_tokens\": [{\"id\": 2, \"content\": \"</s>\"}]}", "decoder: is not given" },
    { "{\"decoder\": null, " MODEL("") ", \"added_tokens\": []}", "added_tokens: which token ends documents is not known" },
    { "{\"decoder\": null, " MODEL("") ", \"added_tokens\": [{\"id\": 2, \"content\": \"x\"}, {\"id\": 3, \"content\": \"x\"}]}",
      "which token ends" },
    { "{\"decoder\": null, " MODEL("") ", \"added_tokens\": [{\"id\": 2, \"content\": \"\"}]}", "added_tokens[0]: an object with content" },
    { "{" LEVEL "\"decoder\": {\"type\": \"ByteLevel\"}, " MODEL(
          "") ", \"added_tokens\": [{\"id\": 2, \"content\": \"</s>\"}, {\"id\": 3, \"content\": \"</s>\"}]}",
      "added_tokens[1]: '</s>' is given twice" },
};

START_TEST(what_a_file_asks_for_and_is_not_there_is_refused_by_its_place)
{
    struct tokenizer t;
    ck_assert_int_eq(open_text(refused[_i].file, strlen(refused[_i].file), &t), ST_DATA);
    ck_assert_msg(strstr(status_text(), path) != NULL, "%s", status_text());
    ck_assert_msg(strstr(status_text(), refused[_i].why) != NULL, "%s", status_text());
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    struct text file = { 0 };
    struct tokenizer t;
    for (int i = 0; i < 1000000; i++) text_add(&file, "[");
    ck_assert_int_eq(open_text(file.data, file.length, &t), ST_DATA);
    file.length = 0;
    text_add(&file, "{\"normalizer\": ");
    for (int i = 0; i < 100; i++) text_add(&file, "{\"type\": \"Sequence\", \"normalizers\": [");
    for (int i = 0; i < 100; i++) text_add(&file, "]}");
    text_add(&file, ", \"added_tokens\": [{\"id\": 2, \"content\": \"</s>\"}], " MODEL("") "}");
    ck_assert_int_eq(open_text(file.data, file.length, &t), ST_DATA);
    ck_assert_msg(strstr(status_text(), "sequences are nested more than 8 deep") != NULL, "%s", status_text());
    text_free(&file);
}
END_TEST

START_TEST(a_character_without_a_token_is_told)
{
    static const char file[] = BPE(LEVEL MODEL(""));
    struct tokenizer t;
    struct encoder *e;
    struct ids ids = { 0 };
    ck_assert_msg(open_text(file, strlen(file), &t) == ST_OK, "%s", status_text());
    ck_assert_int_eq(encoder_open(&t, &e), ST_OK);
    ck_assert_int_eq(encoder_add(e, (const unsigned char *)"ab", 2, &ids), ST_DATA); /* the space before it */
    ck_assert_msg(strstr(status_text(), "has no token for the byte 0x20") != NULL, "%s", status_text());
    struct decoder d = { .tokenizer = &t };
    struct text out = { 0 };
    ck_assert_int_eq(decoder_add(&d, (int32_t[]){ 0, 1, 2, 0 }, 4, &out), ST_OK);
    ck_assert_uint_eq(out.length, 3);
    text_free(&out);
    ids_close(&ids);
    encoder_close(e);
    tokenizer_close(&t);
}
END_TEST

START_TEST(byte_letters_are_256_and_go_both_ways)
{
    int n = 0;
    for (int byte = 0; byte < 256; byte++) ck_assert_int_eq(byte_of_letter(byte_letter((unsigned char)byte)), byte);
    for (uint32_t c = 0; c < 0x300; c++) n += byte_of_letter(c) >= 0;
    ck_assert_int_eq(n, 256);
    ck_assert_uint_eq(byte_letter(' '), 0x120);
    ck_assert_uint_eq(byte_letter(0xad), 0x143);
}
END_TEST

int main(void)
{
    if (library_pcre2() == NULL) return suite_skip("PCRE2");
    TCase *tc = tcase_create("bpe");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, open_arena, close_arena);
    tcase_add_test(tc, merges_go_by_rank_then_from_the_left);
    tcase_add_test(tc, the_digest_is_of_what_decides_ids);
    tcase_add_loop_test(tc, every_byte_string_comes_back, 0, 2);
    tcase_add_test(tc, a_long_piece_is_merged_like_a_short_one);
    tcase_add_test(tc, merging_is_what_its_definition_says);
    tcase_add_loop_test(tc, what_a_file_asks_for_and_is_not_there_is_refused_by_its_place, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tc, deep_nesting_is_refused);
    tcase_add_test(tc, a_character_without_a_token_is_told);
    tcase_add_test(tc, byte_letters_are_256_and_go_both_ways);
    Suite *suite = suite_create("bpe");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
