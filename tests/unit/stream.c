/* Streams of documents that are kept apart: what a model is told of each token. Streams of concatenated ones: tests/unit/tokens.c. */
#include "common/data/stream.h"
#include "common/data/prefetch.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 16, MOST = 4000, END = MOST, VOCAB = END + 1 };

static char folder[64], path[128];
static int64_t n_tokens, document_of[MOST], place_of[MOST]; /* of each token: its document, and its place there */
static int32_t text[MOST];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-stream-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/t.h5", folder);
    n_tokens = 0;
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

static struct tokens_writer *create(void)
{
    struct tokens_writer *w;
    ck_assert_int_eq(tokens_create(path, "bytes", (struct digest128){ 1, 2 }, VOCAB, &w), ST_OK);
    return w;
}

/* Documents of these lengths, end marks included. No two tokens are alike but for the end marks. */
static void write_documents(int64_t n, const int64_t *lengths)
{
    struct tokens_writer *w = create();
    for (int64_t d = 0; d < n; d++) {
        for (int64_t i = 0; i < lengths[d]; i++, n_tokens++) {
            ck_assert_int_lt(n_tokens, MOST);
            text[n_tokens] = i == lengths[d] - 1 ? END : (int32_t)n_tokens;
            document_of[n_tokens] = d;
            place_of[n_tokens] = i;
        }
        ck_assert_int_eq(tokens_append(w, text + n_tokens - lengths[d], lengths[d], NULL, lengths[d] - 1), ST_OK);
    }
    ck_assert_int_eq(tokens_publish(w), ST_OK);
}

static void write_some(void)
{
    int64_t lengths[60];
    for (int64_t d = 0; d < 60; d++) lengths[d] = d % 7 == 6 ? 40 + d : 1 + d * d % 19;
    write_documents(60, lengths);
}

struct sample {
    int32_t inputs[CONTEXT], targets[CONTEXT], starts[CONTEXT];
};
static struct samples of(struct sample *s) { return (struct samples){ s->inputs, s->targets, s->starts }; }

static int32_t stands_before(int64_t at) { return place_of[at] == 0 ? END : text[at - 1]; }

/* Where in the file a piece stands that was not there before. `before` tells apart pieces of an end mark alone. */
static int64_t find(const int32_t *tokens, int64_t n, int32_t before, const bool *seen)
{
    for (int64_t at = 0; at + n <= n_tokens; at++)
        if (!seen[at] && place_of[at] % CONTEXT == 0 && before == stands_before(at) &&
            memcmp(text + at, tokens, (size_t)n * sizeof *text) == 0)
            return at;
    ck_abort_msg("a piece of %lld tokens is not of the file, or was there before", (long long)n);
    return -1;
}

/* One piece of a window: its tokens are predicted from what stands before them in their document. */
static void check_piece(const struct sample *s, int64_t from, int64_t n, bool *seen)
{
    const int64_t at = find(s->targets + from, n, s->inputs[from], seen);
    for (int64_t i = 0; i < n; i++) {
        ck_assert_int_eq(document_of[at + i], document_of[at]);
        ck_assert_int_eq(s->inputs[from + i], stands_before(at + i));
        seen[at + i] = true;
    }
}

/* Returns how many tokens the window predicts. */
static int64_t check_window(const struct sample *s, bool *seen)
{
    int64_t predicted = 0;
    for (int64_t from = 0, to; from < CONTEXT; from = to) {
        for (to = from; to < CONTEXT && s->starts[to] == from; to++) {}
        ck_assert_int_gt(to, from);
        if (s->targets[from] >= 0) {
            check_piece(s, from, to - from, seen);
            predicted += to - from;
            continue;
        }
        ck_assert_int_eq(to, CONTEXT); /* what no document fills is at the end */
        for (int64_t i = from; i < to; i++) ck_assert(s->targets[i] == -1 && s->inputs[i] == END);
    }
    return predicted;
}

static void check_epoch(const struct stream *s, bool once, int64_t first)
{
    bool seen[MOST] = { false };
    int64_t predicted = 0;
    for (int64_t i = 0; i < stream_epoch(s); i++) {
        struct sample sample;
        ck_assert_int_eq(once ? stream_window(s, i, of(&sample)) : stream_sample(s, first + i, of(&sample)), ST_OK);
        predicted += check_window(&sample, seen);
    }
    ck_assert_int_eq(predicted, n_tokens);
}

START_TEST(every_token_of_every_document_is_predicted_once_an_epoch)
{
    struct stream s;
    write_some();
    ck_assert_int_eq(stream_open(path, 3, 0, CONTEXT, true, &s), ST_OK);
    ck_assert_int_eq(stream_windows(&s), stream_epoch(&s));
    check_epoch(&s, true, 0);
    for (int64_t epoch = 0; epoch < 3; epoch++) check_epoch(&s, false, epoch * stream_epoch(&s));
    stream_close(&s);
    stream_close(&s);
}
END_TEST

START_TEST(epochs_and_seeds_have_orders_of_their_own_and_evaluation_one)
{
    struct stream s, other;
    struct sample a, b;
    write_some();
    ck_assert_int_eq(stream_open(path, 3, 0, CONTEXT, true, &s), ST_OK);
    ck_assert_int_eq(stream_open(path, 4, 1, CONTEXT, true, &other), ST_OK);
    int64_t moved = 0, differ = 0, n = stream_epoch(&s);
    for (int64_t i = 0; i < n; i++) {
        ck_assert_int_eq(stream_sample(&s, i, of(&a)), ST_OK);
        ck_assert_int_eq(stream_sample(&s, i + n, of(&b)), ST_OK);
        moved += memcmp(&a, &b, sizeof a) != 0;
        ck_assert_int_eq(stream_sample(&other, i, of(&b)), ST_OK);
        differ += memcmp(&a, &b, sizeof a) != 0;
        ck_assert_int_eq(stream_window(&s, i, of(&a)), ST_OK);
        ck_assert_int_eq(stream_window(&other, i, of(&b)), ST_OK);
        ck_assert_mem_eq(&a, &b, sizeof a);
    }
    ck_assert(moved > n / 2 && differ > n / 2);
    stream_close(&s);
    stream_close(&other);
}
END_TEST

/* A text far shorter than a window is one window: concatenated, it would be none. */
START_TEST(a_short_text_is_a_window)
{
    struct stream s;
    struct sample sample;
    write_documents(1, (int64_t[]){ 3 });
    ck_assert_int_eq(stream_open(path, 1, 0, CONTEXT, true, &s), ST_OK);
    ck_assert_int_eq(stream_epoch(&s), 1);
    ck_assert_int_eq(stream_sample(&s, 5, of(&sample)), ST_OK);
    bool seen[MOST] = { false };
    ck_assert_int_eq(check_window(&sample, seen), 3);
    stream_close(&s);
}
END_TEST

START_TEST(documents_that_make_no_sense_are_refused)
{
    struct stream s;
    ck_assert_int_eq(tokens_publish(create()), ST_OK);
    ck_assert_int_eq(stream_open(path, 1, 0, CONTEXT, true, &s), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "holds no document"));
    struct tokens_writer *w = create();
    for (int i = 0; i < 3; i++) ck_assert_int_eq(tokens_append(w, (int32_t[]){ 1, 2, END }, i == 1 ? 0 : 3, NULL, 2), ST_OK);
    ck_assert_int_eq(tokens_publish(w), ST_OK);
    ck_assert_int_eq(stream_open(path, 1, 0, CONTEXT, true, &s), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "document 2 begins at token 3: behind 3, where the one before begins"));
}
END_TEST

/* The thread that reads ahead moves starts as it moves tokens, and padding is one document of nothing. */
START_TEST(prefetch_moves_starts)
{
    enum { COUNT = 3 };
    struct prefetch *p;
    int32_t inputs[COUNT * CONTEXT], targets[COUNT * CONTEXT], starts[COUNT * CONTEXT];
    write_some();
    const struct corpus_wish wish = {
        .seed = 3, .context = CONTEXT, .sequences = COUNT, .separate = true, .n = 1, .source = { { "a", path, 1 } }
    };
    struct corpus c;
    ck_assert_int_eq(corpus_open(&wish, &c), ST_OK);
    ck_assert_int_eq(prefetch_open(&c, COUNT, &p), ST_OK);
    const struct samples batch = { inputs, targets, starts };
    for (int64_t first = 0; first < 12; first += COUNT) {
        ck_assert_int_eq(prefetch_batch(p, (struct sample_range){ first, COUNT }, (struct sample_range){ first + COUNT, COUNT }, batch),
                         ST_OK);
        samples_pad(samples_from(batch, COUNT - 1, CONTEXT), 1, CONTEXT);
        for (int64_t i = 0; i < COUNT; i++) {
            struct sample a = { { 0 }, { 0 }, { 0 } };
            if (i < COUNT - 1)
                ck_assert_int_eq(stream_sample(&c.stream[0], first + i, of(&a)), ST_OK);
            else
                memset(a.targets, 0xff, sizeof a.targets);
            ck_assert_mem_eq(a.inputs, inputs + i * CONTEXT, sizeof a.inputs);
            ck_assert_mem_eq(a.targets, targets + i * CONTEXT, sizeof a.targets);
            ck_assert_mem_eq(a.starts, starts + i * CONTEXT, sizeof a.starts);
        }
    }
    prefetch_close(p);
    corpus_close(&c);
}
END_TEST

/* A run whose documents are kept apart from a step on goes on with another order, and its ledger says which it is. */
START_TEST(keeping_documents_apart_is_another_order)
{
    struct corpus_wish wish = { .seed = 3, .context = CONTEXT, .sequences = 4, .n = 1, .source = { { "a", path, 1 } } };
    struct ledger concat, read;
    struct ledger_change change;
    struct text words = { 0 };
    write_some();
    for (int separate = 0; separate < 2; separate++) {
        struct corpus *c = malloc(sizeof *c);
        wish.separate = separate == 1;
        ck_assert_int_eq(corpus_open(&wish, c), ST_OK);
        if (separate == 0) {
            struct mix_cursor at = corpus_cursor(c);
            corpus_ledger(c, &at, 5, &concat);
        }
        ck_assert_int_eq(corpus_go_on(c, &concat, 5, &change), ST_OK);
        ck_assert_int_eq(change.begins, separate);
        ck_assert_int_eq(c->ledger.orders, separate);
        words.length = 0;
        ledger_write(&c->ledger, &words);
        ck_assert_int_eq(ledger_read(words.data, words.length, &read), ST_OK);
        ck_assert_int_eq(read.separate, separate);
        corpus_close(c);
        free(c);
    }
    text_free(&words);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("stream");
    tcase_add_checked_fixture(c, make_folder, remove_folder);
    tcase_add_test(c, every_token_of_every_document_is_predicted_once_an_epoch);
    tcase_add_test(c, epochs_and_seeds_have_orders_of_their_own_and_evaluation_one);
    tcase_add_test(c, a_short_text_is_a_window);
    tcase_add_test(c, documents_that_make_no_sense_are_refused);
    tcase_add_test(c, prefetch_moves_starts);
    tcase_add_test(c, keeping_documents_apart_is_another_order);
    Suite *s = suite_create("stream");
    suite_add_tcase(s, c);
    return suite_main(s, CK_FORK);
}
