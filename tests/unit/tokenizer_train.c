/* From text files to a tokenizer.json: what is counted, whoever counts it; what is written; what is refused. */
#include "common/data/tokenizer_train.h"
#include "common/base/libraries.h"
#include "common/base/parallel.h"
#include "common/base/str.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/count.h"
#include "common/data/tokenizers/learn.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- counting ---------------------------------------------------------------------------------------------------------- */

static uint32_t draw_state;
static uint32_t draw(uint32_t below)
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(draw_state >> 8) * below) >> 24);
}

/* Words of many scripts and shapes, runs of white space, bytes that are not UTF-8, and (rarely) 70,000 letters in a row. */
static void add_words(struct text *t, size_t bytes)
{
    static const char *const words[] = { "the",  "don't",    " of", "naïve", "слово", "日本語", "\xff\xfe", "12345",
                                         "\r\n", "\n\n",     "  ",  "...",   "\xe2",  "é",      "WE'LL",    "🙂",
                                         "\t",   "\xc2\xa0", "x",   "_",     " a",    "\n",     "(under)",  "7" };
    const size_t end = t->length + bytes;
    while (t->length < end) {
        const char *const word = words[draw(sizeof words / sizeof *words)];
        text_add_bytes(t, word, strlen(word));
        if (draw(3) == 0) text_add(t, " w%u", draw(500));
        for (int i = 0; i < 70000 && draw_state % 60013 == 1; i++) text_add(t, "q");
    }
}

static struct split *open_split(const char *pattern)
{
    struct split *s;
    const struct split_step step = { .kind = SPLIT_MATCH, .pattern = pattern, .behaviour = SPLIT_ISOLATED };
    ck_assert_int_eq(split_open(&step, 1, &s), ST_OK);
    return s;
}

static enum status into_table(void *table, const unsigned char *piece, int64_t n)
{
    ck_assert(piece_table_add(table, (struct piece){ .bytes = piece, .n = n, .count = 1 }));
    return ST_OK;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *const x = a, *const y = b;
    const int bytes = memcmp(x->bytes, y->bytes, (size_t)(x->n < y->n ? x->n : y->n));
    return bytes != 0 ? bytes : (x->n > y->n) - (x->n < y->n);
}

static size_t list(const struct piece_table *tables, int n_tables, struct piece **out)
{
    size_t n = 0;
    for (int i = 0; i < n_tables; i++) n += tables[i].used;
    *out = calloc(n + 1, sizeof **out);
    n = 0;
    for (int i = 0; i < n_tables; i++)
        for (size_t at = 0; piece_table_next(&tables[i], &at, &(*out)[n]);) n++;
    qsort(*out, n, sizeof **out, compare_pieces);
    return n;
}

static void assert_same(const struct piece_table *want, const struct pieces *got)
{
    struct piece *a, *b;
    const size_t n = list(want, 1, &a);
    ck_assert_uint_eq(n, list(got->shard, PIECE_SHARDS, &b));
    for (size_t i = 0; i < n; i++) ck_assert(compare_pieces(&a[i], &b[i]) == 0 && a[i].count == b[i].count);
    free(a);
    free(b);
}

enum { DOCUMENTS = 20 };
static size_t document_bytes(int i) { return i == 7 ? 5 << 18 : i == 8 ? 300000 : i == 9 ? 0 : draw(3000); }

static void count_as(const char *pattern, int ranks, int threads, struct pieces *sum)
{
    struct split *const split = open_split(pattern);
    parallel_set_threads(threads);
    for (int rank = 0; rank < ranks; rank++) {
        struct counter *c;
        draw_state = 5;
        ck_assert_int_eq(counter_open(split, rank, ranks, &c), ST_OK);
        for (int i = 0; i < DOCUMENTS; i++) {
            struct text t = { 0 };
            add_words(&t, document_bytes(i));
            ck_assert_int_eq(counter_add(c, (const unsigned char *)t.data, (int64_t)t.length), ST_OK);
            text_free(&t);
        }
        ck_assert_int_eq(counter_finish(c), ST_OK);
        ck_assert_int_eq(pieces_take(sum, counter_pieces(c)->shard, PIECE_SHARDS), ST_OK);
        counter_close(c);
    }
    parallel_set_threads(1);
    split_close(split);
}

START_TEST(parts_tasks_threads_and_ranks_count_what_whole_documents_hold)
{
    static const char *const patterns[] = { "gpt2", "llama3", "qwen2", "[a-z]+|\\s+|[^a-z\\s]+" };
    struct split *const split = open_split(patterns[_i]);
    struct splitter *w;
    struct piece_table whole = { 0 };
    ck_assert_int_eq(splitter_open(split, &w), ST_OK);
    draw_state = 5;
    for (int i = 0; i < DOCUMENTS; i++) {
        struct text t = { 0 };
        add_words(&t, document_bytes(i));
        ck_assert_int_eq(splitter_pieces(w, (const unsigned char *)t.data, (int64_t)t.length, true, into_table, &whole), ST_OK);
        text_free(&t);
    }
    for (int k = 0; k < 3; k++) {
        struct pieces sum = { 0 };
        count_as(patterns[_i], (int[]){ 1, 3, 2 }[k], (int[]){ 1, 2, 16 }[k], &sum);
        assert_same(&whole, &sum);
        pieces_free(&sum);
    }
    splitter_close(w);
    split_close(split);
    piece_table_free(&whole);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------------------------------- */

static char folder[64], input[128], out[128];
static struct comm *self;
static const char *const special[] = { "<|endoftext|>", "<|a \"b\"|>", "日" };

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-learn-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(input, sizeof input, "%s/in.txt", folder);
    (void)snprintf(out, sizeof out, "%s/out.json", folder);
    ck_assert_int_eq(comm_self(&self), ST_OK);
}
static void remove_folder(void)
{
    comm_free(self);
    ck_assert_int_eq(folder_remove(folder), ST_OK);
}

static void put(const char *path, const char *bytes, size_t n)
{
    FILE *const f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    (void)fclose(f);
}

static void put_text(const char *text) { put(input, text, strlen(text)); }

static const char *const inputs[] = { input };
static struct tokenizer_train options_of(int64_t vocab)
{
    return (struct tokenizer_train){
        .inputs = inputs, .n_inputs = 1, .out = out, .pattern = "gpt2", .special = special, .n_special = 1, .vocab = vocab, .min_count = 1
    };
}

static struct tokenizer_trained train(const struct tokenizer_train *o)
{
    struct tokenizer_trained r;
    ck_assert_int_eq(tokenizer_train(self, o, NULL, NULL, &r), ST_OK);
    return r;
}

static void refused(const struct tokenizer_train *o, enum status want, const char *text)
{
    struct tokenizer_trained r;
    put(out, "older", 5);
    ck_assert_int_eq(tokenizer_train(self, o, NULL, NULL, &r), want);
    ck_assert_msg(strstr(status_text(), text) != NULL, "\"%s\" does not say \"%s\"", status_text(), text);
    struct stat info;
    ck_assert(stat(out, &info) == 0 && info.st_size == 5); /* as it was */
}

static int64_t id_in(json_t *vocab, const char *token)
{
    json_t *const id = json_object_get(vocab, token);
    return id != NULL ? json_integer_value(id) : -1;
}

START_TEST(the_file_holds_bytes_then_merges_then_special_tokens)
{
    struct tokenizer_train o = options_of(256 + 3 + 3);
    o.n_special = 3;
    put_text("ab ab ab abé\"\\\"\\");
    const struct tokenizer_trained r = train(&o);
    ck_assert_int_eq(r.bytes, 17);
    ck_assert_int_eq(r.pieces, 5);
    ck_assert_int_eq(r.merges, 3);
    json_error_t error;
    json_t *const file = json_load_file(out, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(file != NULL, "%s:%d: %s", out, error.line, error.text);
    json_t *const model = json_object_get(file, "model"), *const vocab = json_object_get(model, "vocab");
    ck_assert_uint_eq(json_object_size(vocab), 259);
    ck_assert_int_eq(id_in(vocab, "!"), 0);
    ck_assert_int_eq(id_in(vocab, "Ġ"), 188 + 32);   /* the space is the 33rd byte that does not print */
    ck_assert_int_eq(id_in(vocab, "\xc5\x83"), 255); /* U+0143 stands for 0xad, the last of them */
    ck_assert_int_eq(id_in(vocab, "ab"), 256);
    ck_assert_int_eq(id_in(vocab, "Ġab"), 257);
    ck_assert_int_eq(id_in(vocab, "\"\\"), 258);
    json_t *const merges = json_object_get(model, "merges");
    ck_assert_uint_eq(json_array_size(merges), 3);
    ck_assert_str_eq(json_string_value(json_array_get(merges, 1)), "Ġ ab");
    ck_assert_str_eq(json_string_value(json_array_get(merges, 2)), "\" \\");
    json_t *const added = json_object_get(file, "added_tokens");
    ck_assert_uint_eq(json_array_size(added), 3);
    for (int i = 0; i < 3; i++) {
        json_t *const token = json_array_get(added, (size_t)i);
        ck_assert_str_eq(json_string_value(json_object_get(token, "content")), special[i]);
        ck_assert_int_eq(json_integer_value(json_object_get(token, "id")), 259 + i);
        ck_assert(json_is_true(json_object_get(token, "special")));
    }
    json_decref(file);
}
END_TEST

/* Ids of a text by the merges of a file: each piece from the merges, the first learned first. */
static int64_t naive_tokens(const char *text, int64_t *merges)
{
    struct learned_merge rule[64];
    int n_rules = 0;
    int64_t count = 0;
    json_t *const file = json_load_file(out, 0, NULL), *const model = json_object_get(file, "model"),
                  *const vocab = json_object_get(model, "vocab");
    json_t *const lines = json_object_get(model, "merges");
    for (size_t i = 0; i < json_array_size(lines); i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "%s", json_string_value(json_array_get(lines, i)));
        char *const space = strchr(line, ' ');
        *space = '\0';
        rule[n_rules++] = (struct learned_merge){ .left = (int32_t)id_in(vocab, line), .right = (int32_t)id_in(vocab, space + 1) };
    }
    for (const char *word = text; *word != '\0'; word += strcspn(word, " ")) { /* words of ASCII letters, a space before each */
        int32_t id[64];
        int n = 0;
        do {
            const char one[] = { *word, '\0' };
            id[n++] = (int32_t)id_in(vocab, *word == ' ' ? "Ġ" : one);
        } while (*++word != ' ' && *word != '\0');
        for (int k = 0; k < n_rules; k++) {
            int to = 0;
            for (int i = 0; i < n; to++) {
                const bool here = i + 1 < n && id[i] == rule[k].left && id[i + 1] == rule[k].right;
                id[to] = here ? 256 + k : id[i];
                i += here ? 2 : 1;
            }
            n = to;
        }
        count += n;
    }
    *merges = n_rules;
    json_decref(file);
    return count;
}

START_TEST(tokens_are_those_of_the_text_under_the_file)
{
    static const char text[] = " banana bananas band bandana cabana nab abba banana anna hannah annas ananas";
    struct tokenizer_train o = options_of(256 + 20 + 1);
    int64_t merges;
    put_text(text);
    const struct tokenizer_trained r = train(&o);
    ck_assert_int_eq(naive_tokens(text, &merges), r.tokens);
    ck_assert_int_eq(merges, 20);
}
END_TEST

START_TEST(what_is_written_encodes_as_it_was_learned)
{
    static const char *const patterns[] = { "gpt2", "llama3", "qwen2", "[a-z]+|\\s+|[^a-z\\s]+" };
    struct tokenizer_train o = options_of(600);
    struct arena arena;
    struct tokenizer t;
    struct encoder *e;
    struct ids ids = { 0 };
    struct text text = { 0 }, again = { 0 };
    draw_state = 11;
    add_words(&text, 400000);
    put(input, text.data, text.length);
    o.pattern = patterns[_i];
    const struct tokenizer_trained r = train(&o);
    arena_open_growing(&arena, "test");
    ck_assert_int_eq(tokenizer_open(&arena, out, &t), ST_OK);
    ck_assert_int_eq(t.vocab, 600);
    ck_assert_int_eq(t.end_of_document, 599);
    ck_assert_int_eq(encoder_open(&t, &e), ST_OK);
    ck_assert_int_eq(encoder_add(e, (const unsigned char *)text.data, (int64_t)text.length, &ids), ST_OK);
    ck_assert_int_eq(ids.n, r.tokens);
    struct decoder d = { .tokenizer = &t };
    ck_assert_int_eq(decoder_add(&d, ids.id, ids.n, &again), ST_OK);
    ck_assert_uint_eq(again.length, text.length);
    ck_assert_mem_eq(again.data, text.data, text.length);
    encoder_close(e);
    ids_close(&ids);
    tokenizer_close(&t);
    arena_close(&arena);
    text_free(&text);
    text_free(&again);
}
END_TEST

START_TEST(a_smaller_vocabulary_is_the_beginning_of_a_larger_one)
{
    put_text("low lower lowest new newer newest wide wider widest low low new");
    struct tokenizer_train o = options_of(256 + 10 + 1);
    (void)train(&o);
    json_t *const first = json_load_file(out, 0, NULL);
    o.vocab += 7;
    (void)train(&o);
    json_t *const second = json_load_file(out, 0, NULL);
    json_t *const a = json_object_get(json_object_get(first, "model"), "vocab"), *const b = json_object_get(
                                                                                     json_object_get(second, "model"), "vocab");
    const char *token;
    json_t *id;
    ck_assert_uint_eq(json_object_size(a) + 7, json_object_size(b));
    json_object_foreach(a, token, id) ck_assert_int_eq(json_integer_value(id), id_in(b, token));
    json_decref(first);
    json_decref(second);
}
END_TEST

START_TEST(documents_and_limits_cut_the_text)
{
    struct tokenizer_train o = options_of(258);
    put_text("# ab\nab\n# ab\nab\n");
    ck_assert_int_eq(train(&o).documents, 1);
    o.document_start = "#";
    ck_assert_int_eq(train(&o).documents, 2);
    ck_assert_int_eq(train(&o).bytes, 16);
    o.limit = 8; /* exactly the first */
    ck_assert_int_eq(train(&o).documents, 1);
    ck_assert_int_eq(train(&o).bytes, 8);
    o.limit = 10; /* into the second */
    ck_assert_int_eq(train(&o).documents, 2);
    ck_assert_int_eq(train(&o).bytes, 10);
    o.limit = 1000;
    ck_assert_int_eq(train(&o).bytes, 16);
    o.document_start = NULL;
    put_text("ab日本語");
    for (o.limit = 5; o.limit < 8; o.limit++) ck_assert_int_eq(train(&o).bytes, 5); /* no half character */
    put_text("ab\x80\x80\x80\x80\x80\x80");
    o.limit = 6;
    ck_assert_int_eq(train(&o).bytes, 6);
    put_text("ab\xc3\xa9");
    const char *const twice[] = { input, input };
    o.inputs = twice;
    o.n_inputs = 2;
    o.limit = 3; /* of each input */
    ck_assert_int_eq(train(&o).bytes, 4);
    char second[128];
    (void)snprintf(second, sizeof second, "%s/z.txt", folder);
    put(second, "abcd", 4);
    o.inputs = (const char *const[]){ folder };
    o.n_inputs = 1;
    o.limit = 6; /* of a folder as a whole: 4 of the first file, 2 of the second */
    ck_assert_int_eq(train(&o).bytes, 6);
    ck_assert_int_eq(train(&o).files, 2);
    ck_assert_int_eq(train(&o).passed, 1); /* the vocabulary itself */
}
END_TEST

START_TEST(what_cannot_be_is_refused_and_the_older_file_stays)
{
    struct tokenizer_train o = options_of(257);
    put_text("abcabc abcabc");
    refused(&o, ST_USAGE, "256 bytes and 1 special token leave the first to entry 258");
    o = options_of(300);
    refused(&o, ST_DATA, "good for 261 entries and not for 300"); /* ab, abc, abcabc, and that with the space */
    o = options_of(258), o.min_count = 5;
    refused(&o, ST_DATA, "occurs 5 times");
    o = options_of(258), o.pattern = "gpt-2";
    refused(&o, ST_USAGE, "did you mean gpt2");
    o = options_of(258), o.pattern = "(";
    refused(&o, ST_USAGE, "--pattern: ");
    o = options_of(258), o.document_start = "(";
    refused(&o, ST_USAGE, "--document-start");
    o = options_of(259), o.n_special = 2;
    o.special = (const char *const[]){ "a<", "b" };
    refused(&o, ST_USAGE, "the byte 0x62");
    o.special = (const char *const[]){ "x<", "Ġ" };
    refused(&o, ST_USAGE, "the byte 0x20");
    o.special = (const char *const[]){ "a<", "a<" };
    refused(&o, ST_USAGE, "given twice");
    o.special = (const char *const[]){ "a<", "" };
    refused(&o, ST_USAGE, "empty");
    o.special = (const char *const[]){ "a<", "\xff" };
    refused(&o, ST_USAGE, "UTF-8");
    o.special = (const char *const[]){ "<|end|>", "<|pad|>" };
    refused(&o, ST_USAGE, "call it <|endoftext|>, not '<|end|>'");
    o.special = (const char *const[]){ "</s>", "<|endoftext|>" };
    refused(&o, ST_USAGE, "takes <|endoftext|> for the end");
    o = options_of(258), o.inputs = (const char *const[]){ "/no/such.txt" };
    refused(&o, ST_DATA, "/no/such.txt");
    o = options_of(258), o.out = "/no/such/folder.json";
    refused(&o, ST_IO, "/no/such: cannot be written to");
    o.out = "no-ending";
    refused(&o, ST_USAGE, ".json");
    o = options_of(258), o.inputs = (const char *const[]){ out }, o.more_text = (const char *const[]){ ".json", NULL };
    refused(&o, ST_USAGE, "the same file");
    put_text("");
    o = options_of(258);
    refused(&o, ST_DATA, "good for 257 entries");
}
END_TEST

START_TEST(a_special_token_is_no_symbol_of_the_text)
{
    struct tokenizer_train o = options_of(256 + 2 + 2);
    put_text("the the the the");
    o.n_special = 2;
    o.special = (const char *const[]){ "</s>", "the" };
    (void)train(&o);
    json_t *const file = json_load_file(out, JSON_REJECT_DUPLICATES, NULL), *const vocab =
                                                                                json_object_get(json_object_get(file, "model"), "vocab");
    ck_assert_int_eq(id_in(vocab, "the"), -1);
    ck_assert_int_ge(id_in(vocab, "he"), 256);
    json_decref(file);
}
END_TEST

START_TEST(any_bytes_become_a_vocabulary)
{
    struct tokenizer_train o = options_of(257 + 200);
    char *const bytes = malloc(1 << 20);
    draw_state = 1;
    for (int i = 0; i < 1 << 20; i++) bytes[i] = (char)draw(256);
    put(input, bytes, 1 << 20);
    ck_assert_int_eq(train(&o).bytes, 1 << 20);
    memset(bytes, 'a', 1 << 20);
    put(input, bytes, 1 << 20);
    o.vocab = 257 + 20;
    ck_assert_int_eq(train(&o).tokens, 1);
    free(bytes);
}
END_TEST

int main(void)
{
    if (library_pcre2() == NULL) return suite_skip("PCRE2");
    TCase *count = tcase_create("count"), *files = tcase_create("files");
    tcase_add_loop_test(count, parts_tasks_threads_and_ranks_count_what_whole_documents_hold, 0, 4);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, the_file_holds_bytes_then_merges_then_special_tokens);
    tcase_add_test(files, tokens_are_those_of_the_text_under_the_file);
    tcase_add_loop_test(files, what_is_written_encodes_as_it_was_learned, 0, 4);
    tcase_add_test(files, a_smaller_vocabulary_is_the_beginning_of_a_larger_one);
    tcase_add_test(files, documents_and_limits_cut_the_text);
    tcase_add_test(files, what_cannot_be_is_refused_and_the_older_file_stays);
    tcase_add_test(files, a_special_token_is_no_symbol_of_the_text);
    tcase_add_test(files, any_bytes_become_a_vocabulary);
    Suite *suite = suite_create("tokenizer_train");
    suite_add_tcase(suite, count);
    suite_add_tcase(suite, files);
    return suite_main(suite, CK_NOFORK); /* threads */
}
