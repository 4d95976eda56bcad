/* The training text of a run: which sample of which source each step reads, and where each source goes on when the run does. */
#include "common/data/prefetch.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 8, SEQUENCES = 7, FILES = 4 };
static char folder[64], path[FILES][128];

/* Source f holds the tokens 1000 f + 0, 1, 2, ..., so that every sample says whence it is. Documents of 10, 20, 30, 40. */
static void write_source(int f, int64_t n)
{
    struct tokens_writer *w;
    int32_t ids[40];
    const int length = 10 * (f + 1);
    ck_assert_int_eq(tokens_create(path[f], "test", (struct digest128){ 1, 2 }, 10000, &w), ST_OK);
    for (int64_t first = 0; first < n; first += length) {
        for (int i = 0; i < length; i++) ids[i] = (int32_t)(1000 * f + (first + i) % 1000);
        ck_assert_int_eq(tokens_append(w, ids, n - first < length ? n - first : length, NULL, 2 * length), ST_OK);
    }
    ck_assert_int_eq(tokens_publish(w), ST_OK);
}

static void make_files(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-corpus-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int f = 0; f < FILES; f++) {
        (void)snprintf(path[f], sizeof path[f], "%s/%d.h5", folder, f);
        write_source(f, 900 - 100 * f);
    }
}
static void remove_files(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

static const char *const names[FILES] = { "zero", "one", "two", "three" };

/* The sources of these files, mixed by these amounts. */
static struct corpus *open_shaped(int64_t context, int64_t sequences, enum corpus_by by, int n, const int file[], const double amount[])
{
    struct corpus_wish wish = { .seed = 5, .context = context, .sequences = sequences, .by = by, .n = n };
    for (int i = 0; i < n; i++) {
        wish.source[i].name = names[file[i]];
        wish.source[i].path = path[file[i]];
        wish.source[i].amount = amount[i];
    }
    struct corpus *c = malloc(sizeof *c);
    ck_assert_int_eq(corpus_open(&wish, c), ST_OK);
    return c;
}
static struct corpus *open_by(enum corpus_by by, int n, const int file[], const double amount[])
{
    return open_shaped(CONTEXT, SEQUENCES, by, n, file, amount);
}
static struct corpus *open_sources(int n, const int file[], const double amount[]) { return open_by(CORPUS_BY_TOKENS, n, file, amount); }
static struct corpus *open_three(void) { return open_sources(3, (int[]){ 0, 1, 2 }, (double[]){ 5, 3, 1 }); }

static void close(struct corpus *c)
{
    corpus_close(c);
    free(c);
}

/* What the samples of steps from .. to read: the first token of each. */
static void dump(const struct corpus *c, int64_t from, int64_t to, int32_t *out)
{
    struct mix_cursor at = corpus_cursor(c);
    int32_t inputs[CONTEXT], targets[CONTEXT];
    for (int64_t s = (from - 1) * SEQUENCES; s < to * SEQUENCES; s++) {
        ck_assert_int_eq(corpus_sample(c, &at, s, (struct samples){ .inputs = inputs, .targets = targets }), ST_OK);
        *out++ = inputs[0];
    }
}

static struct ledger ledger_after(const struct corpus *c, int64_t step)
{
    struct mix_cursor at = corpus_cursor(c);
    struct ledger l;
    corpus_ledger(c, &at, step, &l);
    return l;
}

/* What a checkpoint does to a ledger. */
static struct ledger through_text(const struct ledger *l)
{
    struct text text = { 0 };
    struct ledger back;
    ledger_write(l, &text);
    ck_assert_int_eq(ledger_read(text.data, text.length, &back), ST_OK);
    text_free(&text);
    return back;
}

static struct ledger_change go_on(struct corpus *c, const struct ledger *before, int64_t step)
{
    const struct ledger l = through_text(before);
    struct ledger_change change;
    ck_assert_int_eq(corpus_go_on(c, &l, step, &change), ST_OK);
    return change;
}

enum { STEPS = 60, ALL = STEPS * SEQUENCES };

START_TEST(a_resumed_run_reads_what_the_undisturbed_one_reads)
{
    int32_t whole[ALL], again[ALL];
    struct corpus *undisturbed = open_three();
    dump(undisturbed, 1, STEPS, whole);
    for (int64_t stop = 0; stop < STEPS; stop += 13) {
        struct corpus *first = open_three(), *second = open_three();
        const struct ledger l = ledger_after(first, stop);
        ck_assert(!go_on(second, &l, stop).begins);
        dump(second, stop + 1, STEPS, again);
        ck_assert(memcmp(again, whole + stop * SEQUENCES, (size_t)(STEPS - stop) * SEQUENCES * sizeof *again) == 0);
        const struct ledger end = ledger_after(second, STEPS), expected = ledger_after(undisturbed, STEPS);
        for (int i = 0; i < 3; i++) ck_assert_int_eq(end.row[i].taken, expected.row[i].taken);
        close(first);
        close(second);
    }
    close(undisturbed);
}
END_TEST

START_TEST(any_rank_finds_its_samples)
{
    int32_t whole[ALL], inputs[2 * CONTEXT], targets[2 * CONTEXT];
    struct corpus *c = open_three();
    dump(c, 1, STEPS, whole);
    for (int slot = 0; slot < SEQUENCES - 1; slot += 2) { /* a rank that reads two slots of each step, ahead of time */
        struct prefetch *p;
        ck_assert_int_eq(prefetch_open(c, 2, &p), ST_OK);
        for (int64_t step = 0; step < STEPS; step++)
            for (int attempt = 0; attempt < (step % 5 == 0 ? 2 : 1); attempt++) { /* a step that is done again */
                const int64_t first = step * SEQUENCES + slot;
                ck_assert_int_eq(prefetch_batch(p, (struct sample_range){ first, 2 }, (struct sample_range){ first + SEQUENCES, 2 },
                                                (struct samples){ .inputs = inputs, .targets = targets }),
                                 ST_OK);
                ck_assert_int_eq(inputs[0], whole[first]);
                ck_assert_int_eq(inputs[CONTEXT], whole[first + 1]);
            }
        prefetch_close(p);
    }
    close(c);
}
END_TEST

/* How many of n samples are of file f. */
static int count_of(const int32_t *first, int n, int f)
{
    int count = 0;
    for (int i = 0; i < n; i++) count += first[i] / 1000 == f;
    return count;
}

START_TEST(counts_are_the_weights)
{
    int32_t all[ALL];
    struct corpus *c = open_three();
    dump(c, 1, STEPS, all);
    for (int n = 1; n <= ALL; n++) {
        ck_assert(fabs(count_of(all, n, 0) - n * 5 / 9.0) < 1);
        ck_assert(fabs(count_of(all, n, 1) - n * 3 / 9.0) < 1);
        ck_assert(fabs(count_of(all, n, 2) - n * 1 / 9.0) < 1);
    }
    close(c);
}
END_TEST

START_TEST(ten_thousand_steps_hold_the_weights)
{
    static const double weight[] = { 0.62, 0.311, 0.0689, 0.0001 };
    struct corpus *c = open_sources(4, (int[]){ 0, 1, 2, 3 }, weight);
    struct mix_cursor at = corpus_cursor(c);
    int64_t next[4] = { 0 };
    for (int64_t s = 0; s < 10000 * SEQUENCES; s++) {
        const struct mix_turn turn = corpus_turn(c, &at, s);
        ck_assert_int_eq(turn.index, next[turn.source]++); /* each source one sample after the other */
        for (int i = 0; i < 4; i++) ck_assert(fabs((double)next[i] - (double)(s + 1) * weight[i]) < 1);
    }
    const struct ledger l = ledger_after(c, 10000);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(l.row[i].taken, next[i]);
    close(c);
}
END_TEST

START_TEST(shares_follow_tokens_documents_or_epochs)
{
    static const double one[] = { 1, 1 };
    static const int files[] = { 0, 1 };
    struct corpus *c = open_by(CORPUS_BY_TOKENS, 2, files, one);
    ck_assert_int_eq(c->mix.share[0], mix_whole / 2);
    close(c);
    c = open_by(CORPUS_BY_DOCUMENTS, 2, files, one); /* as many documents, which are twice as long in the second */
    ck_assert_double_eq_tol((double)c->mix.share[1] / (double)c->mix.share[0], 2, 1e-12);
    close(c);
    c = open_by(CORPUS_BY_EPOCHS, 2, files, (double[]){ 2, 3 });
    const int64_t a = stream_epoch(&c->stream[0]), b = stream_epoch(&c->stream[1]);
    ck_assert_double_eq_tol((double)c->mix.share[1] / (double)c->mix.share[0], 3.0 * (double)b / (2.0 * (double)a), 1e-12);
    const int64_t steps = (2 * a + 3 * b) / SEQUENCES;
    const struct ledger l = ledger_after(c, steps); /* the run that is as long as that reads them as often as that */
    ck_assert_int_le(llabs(l.row[0].taken - 2 * a), SEQUENCES);
    ck_assert_int_le(llabs(l.row[1].taken - 3 * b), SEQUENCES);
    close(c);
}
END_TEST

START_TEST(tokens_per_byte_is_that_of_what_is_read)
{
    struct corpus *c = open_sources(1, (int[]){ 0 }, (double[]){ 1 });
    const double a = (double)c->stream[0].tokens.text_bytes / 900; /* bytes per token */
    ck_assert_double_eq_tol(corpus_tokens_per_byte(c), 1 / a, 1e-12);
    close(c);
    c = open_sources(2, (int[]){ 0, 1 }, (double[]){ 1, 3 });
    const double b = (double)c->stream[1].tokens.text_bytes / 800;
    ck_assert_double_eq_tol(corpus_tokens_per_byte(c), 1 / (a / 4 + 3 * b / 4), 1e-12);
    close(c);
}
END_TEST

/* Documents of 10 tokens fill windows of 16 worse than those of 20, which are cut into pieces of 16 and 4. */
START_TEST(padding_is_not_read)
{
    static const double weight[] = { 1, 1 };
    struct corpus_wish wish = { .seed = 5, .context = 16, .sequences = SEQUENCES, .separate = true, .n = 2 };
    for (int i = 0; i < 2; i++) wish.source[i].name = names[i], wish.source[i].path = path[i], wish.source[i].amount = weight[i];
    struct corpus c;
    ck_assert_int_eq(corpus_open(&wish, &c), ST_OK);
    double tokens[2], fill[2];
    for (int i = 0; i < 2; i++) {
        fill[i] = (double)c.stream[i].tokens.n_tokens / (double)(stream_epoch(&c.stream[i]) * 16);
        tokens[i] = (double)c.mix.share[i] * fill[i];
    }
    ck_assert(fabs(fill[0] - fill[1]) > 0.1);
    ck_assert_double_eq_tol(tokens[0] / tokens[1], 1, 1e-9); /* as many tokens of each, and not as many samples */
    const double bytes0 = (double)c.stream[0].tokens.text_bytes / (double)c.stream[0].tokens.n_tokens;
    const double bytes1 = (double)c.stream[1].tokens.text_bytes / (double)c.stream[1].tokens.n_tokens;
    ck_assert_double_eq_tol(corpus_tokens_per_byte(&c), 2 / (bytes0 + bytes1), 1e-9);
    corpus_close(&c);
}
END_TEST

/* --- Other sources on the way ------------------------------------------------------------------------------------------------- */

/* The samples that a source gives, by its own numbers, are those of a run in which it is alone with key `key`. */
static void check_source(const struct corpus *c, int i, int f, const int32_t *all, int n, int64_t before)
{
    int32_t inputs[CONTEXT], targets[CONTEXT];
    for (int k = 0; k < n; k++) {
        if (all[k] / 1000 != f) continue;
        ck_assert_int_eq(stream_sample(&c->stream[i], before++, (struct samples){ .inputs = inputs, .targets = targets }), ST_OK);
        ck_assert_int_eq(inputs[0], all[k]);
    }
}

START_TEST(a_source_that_is_added_leaves_the_others_in_their_order)
{
    int32_t alone[ALL], mixed[ALL];
    struct corpus *one = open_sources(1, (int[]){ 0 }, (double[]){ 1 });
    const struct ledger before = ledger_after(one, 20);
    dump(one, 1, STEPS, alone);
    struct corpus *two = open_sources(2, (int[]){ 3, 0 }, (double[]){ 1, 2 });
    const struct ledger_change change = go_on(two, &before, 20);
    ck_assert(change.begins && change.n_replaced == 0);
    ck_assert_int_eq(two->ledger.orders, 1);
    ck_assert_int_eq(two->ledger.first_step, 20);
    ck_assert_int_eq(two->ledger.row[1].before, 20 * SEQUENCES);
    ck_assert_int_eq(two->ledger.row[1].key, 0); /* its order, though it is one of several now */
    ck_assert_int_ne(two->ledger.row[0].key, 0);
    dump(two, 21, STEPS, mixed);
    int next = 20 * SEQUENCES;
    for (int k = 0; k < 40 * SEQUENCES; k++) { /* it goes on with its next sample */
        if (mixed[k] / 1000 == 0) ck_assert_int_eq(mixed[k], alone[next++]);
        ck_assert(fabs(count_of(mixed, k + 1, 3) - (k + 1) / 3.0) < 1);
    }
    check_source(two, 0, 3, mixed, 40 * SEQUENCES, 0);

    /* and this run can be stopped and gone on with like any other */
    const struct ledger later = ledger_after(two, 35);
    struct corpus *three = open_sources(2, (int[]){ 3, 0 }, (double[]){ 1, 2 });
    int32_t again[ALL];
    ck_assert(!go_on(three, &later, 35).begins);
    dump(three, 36, STEPS, again);
    ck_assert(memcmp(again, mixed + 15 * SEQUENCES, 25 * SEQUENCES * sizeof *again) == 0);
    close(one);
    close(two);
    close(three);
}
END_TEST

START_TEST(a_source_that_comes_back_goes_on_where_it_was_left)
{
    int32_t all[ALL];
    struct corpus *first = open_three();
    const struct ledger l10 = ledger_after(first, 10);
    struct corpus *second = open_sources(2, (int[]){ 0, 3 }, (double[]){ 1, 1 });
    ck_assert(go_on(second, &l10, 10).begins);
    const struct ledger l20 = ledger_after(second, 20);
    ck_assert_int_eq(l20.n_read, 2);
    ck_assert_int_eq(l20.n, 4);
    struct corpus *third = open_three();
    ck_assert(go_on(third, &l20, 20).begins);
    ck_assert_int_eq(third->ledger.orders, 2);
    ck_assert_int_eq(third->ledger.row[0].before, l20.row[0].taken);
    ck_assert_int_eq(third->ledger.row[1].before, l10.row[1].taken);
    ck_assert_int_eq(third->ledger.row[2].before, l10.row[2].taken);
    ck_assert_int_eq(third->ledger.n, 4); /* three is remembered */
    dump(third, 21, STEPS, all);
    for (int f = 0; f < 3; f++) check_source(third, f, f, all, 40 * SEQUENCES, third->ledger.row[f].before);
    close(first);
    close(second);
    close(third);
}
END_TEST

START_TEST(other_weights_begin_another_order)
{
    int32_t all[ALL];
    struct corpus *first = open_three();
    const struct ledger l = ledger_after(first, 9);
    struct corpus *second = open_sources(3, (int[]){ 0, 1, 2 }, (double[]){ 1, 1, 7 });
    ck_assert(go_on(second, &l, 9).begins);
    dump(second, 10, STEPS, all);
    for (int k = 0; k < 51 * SEQUENCES; k++) ck_assert(fabs(count_of(all, k + 1, 2) - (k + 1) * 7 / 9.0) < 1);
    for (int f = 0; f < 3; f++) check_source(second, f, f, all, 51 * SEQUENCES, l.row[f].taken);
    close(first);
    close(second);
}
END_TEST

START_TEST(another_batch_or_context_loses_and_repeats_nothing)
{
    static const int files[] = { 0, 1 };
    static const double weight[] = { 2, 1 };
    struct corpus *first = open_sources(2, files, weight);
    const struct ledger l = ledger_after(first, 9);
    struct corpus *batch = open_shaped(CONTEXT, 5, CORPUS_BY_TOKENS, 2, files, weight);
    ck_assert(go_on(batch, &l, 9).begins);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(batch->ledger.row[i].before, l.row[i].taken);
    struct mix_cursor at = corpus_cursor(batch);
    int64_t next[2] = { l.row[0].taken, l.row[1].taken };
    for (int64_t s = 9 * 5; s < 40 * 5; s++) { /* samples are numbered by the steps of this batch */
        const struct mix_turn turn = corpus_turn(batch, &at, s);
        ck_assert_int_eq(turn.index, next[turn.source]++);
    }
    struct corpus *context = open_shaped(2 * CONTEXT, SEQUENCES, CORPUS_BY_TOKENS, 2, files, weight);
    ck_assert(go_on(context, &l, 9).begins);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(context->ledger.row[i].before, l.row[i].taken / 2);      /* as much text */
    struct corpus *without = open_shaped(2 * CONTEXT, SEQUENCES, CORPUS_BY_TOKENS, 1, files + 1, weight); /* also of what is left out */
    ck_assert(go_on(without, &l, 9).begins);
    ck_assert_int_eq(without->ledger.n, 2);
    ck_assert_int_eq(without->ledger.row[1].taken, l.row[0].taken / 2);
    close(without);
    close(first);
    close(batch);
    close(context);
}
END_TEST

START_TEST(a_file_with_other_text_is_noticed)
{
    struct corpus *first = open_three();
    const struct ledger l = ledger_after(first, 9);
    close(first);
    write_source(1, 500);
    struct corpus *second = open_three();
    const struct ledger_change change = go_on(second, &l, 9);
    ck_assert(change.begins && change.n_replaced == 1 && change.replaced[0] == 1);
    ck_assert_int_eq(second->ledger.row[1].before, 0);
    ck_assert_int_eq(second->ledger.row[0].before, l.row[0].taken);
    struct ledger unknown = l; /* of a checkpoint that did not know */
    for (int i = 0; i < 3; i++) unknown.row[i].content = (struct digest128){ 0 };
    close(second);
    second = open_three();
    ck_assert_int_eq(go_on(second, &unknown, 9).n_replaced, 0);
    close(second);
}
END_TEST

/* --- Ledgers that are none ------------------------------------------------------------------------------------------------------ */

START_TEST(a_ledger_of_another_step_is_refused)
{
    struct corpus *c = open_three();
    struct ledger l = ledger_after(c, 9);
    struct ledger_change change;
    ck_assert_int_eq(corpus_go_on(c, &l, 8, &change), ST_DAMAGED);
    ck_assert_int_eq(corpus_go_on(c, &l, 10, &change), ST_DAMAGED);
    l.row[0].taken += 2, l.row[1].taken -= 2; /* as many, and no order deals them so */
    ck_assert_int_eq(corpus_go_on(c, &l, 9, &change), ST_DAMAGED);
    close(c);
}
END_TEST

static enum status read_back(const char *text)
{
    static struct ledger l;
    return ledger_read(text, strlen(text), &l);
}

#define HEAD             "{\"orders\":0,\"first_step\":0,\"sequences\":7,\"context\":8,\"sources\":["
#define DIGEST           "\"content\":\"00000000000000000000000000000000\",\"key\":1,"
#define ROW(name, share) "{\"name\":\"" name "\"," DIGEST "\"share\":" share ",\"before\":1,\"taken\":2}"

START_TEST(what_is_no_ledger_is_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "null",
        HEAD "]}",
        HEAD ROW("a", "281474976710656") "]",                    /* cut */
        HEAD ROW("a", "281474976710655") "]}",                   /* shares do not add up */
        HEAD ROW("a", "281474976710656") "," ROW("a", "0") "]}", /* twice */
        HEAD ROW("a", "0") "," ROW("b", "281474976710656") "]}", /* read behind unread */
        HEAD ROW("", "281474976710656") "]}",
        HEAD ROW("a", "-1") "," ROW("b", "281474976710657") "]}",
        HEAD ROW("a", "2.5e3") "]}",
        HEAD ROW("a", "9223372036854775807") "]}",
        HEAD "{\"name\":\"a\"," DIGEST "\"share\":281474976710656,\"before\":3,\"taken\":2}]}", /* backwards */
        HEAD "{\"name\":\"a\",\"content\":\"zz\",\"key\":1,\"share\":281474976710656,\"before\":1,\"taken\":2}]}",
    };
    ck_assert_int_eq(read_back(HEAD ROW("a", "281474976710656") "]}"), ST_OK);
    ck_assert_int_eq(read_back(HEAD ROW("a", "281474976710656") "," ROW("b", "0") "]}"), ST_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(read_back(bad[i]) == ST_DAMAGED, "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(status_text(), "data/ledger"));
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("corpus");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_files, remove_files);
    tcase_add_test(tc, a_resumed_run_reads_what_the_undisturbed_one_reads);
    tcase_add_test(tc, any_rank_finds_its_samples);
    tcase_add_test(tc, counts_are_the_weights);
    tcase_add_test(tc, ten_thousand_steps_hold_the_weights);
    tcase_add_test(tc, shares_follow_tokens_documents_or_epochs);
    tcase_add_test(tc, tokens_per_byte_is_that_of_what_is_read);
    tcase_add_test(tc, padding_is_not_read);
    tcase_add_test(tc, a_source_that_is_added_leaves_the_others_in_their_order);
    tcase_add_test(tc, a_source_that_comes_back_goes_on_where_it_was_left);
    tcase_add_test(tc, other_weights_begin_another_order);
    tcase_add_test(tc, another_batch_or_context_loses_and_repeats_nothing);
    tcase_add_test(tc, a_file_with_other_text_is_noticed);
    tcase_add_test(tc, a_ledger_of_another_step_is_refused);
    tcase_add_test(tc, what_is_no_ledger_is_refused);
    Suite *suite = suite_create("corpus");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
