/* Counting pieces and learning merges, against a reference that recounts everything before each merge. */
#include "common/data/tokenizers/learn.h"
#include "common/base/parallel.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the reference: pieces as rows of ids, all pairs counted anew each time --------------------------------------------- */

enum { ROWS = 14, ROW = 20, MERGES = 80 };
struct naive {
    int n_rows, length[ROWS], id[ROWS][ROW];
    int64_t count[ROWS];
    struct learned_merge merge[MERGES];
    int n_merges;
};

/* The code point that stands for a byte in the byte-level alphabet: itself, or the next free one from 256. Ids are in the order of these.
 */
static int code_point(int byte)
{
    int next = 256;
    for (int b = 0; b < 256; b++) {
        const bool itself = (b > ' ' && b < 127) || (b > 160 && b != 173);
        if (b == byte) return itself ? b : next;
        next += !itself;
    }
    return -1;
}

static int id_of(int byte)
{
    int below = 0;
    for (int b = 0; b < 256; b++) below += code_point(b) < code_point(byte);
    return below;
}

static int64_t naive_count(const struct naive *n, int left, int right)
{
    int64_t sum = 0;
    for (int r = 0; r < n->n_rows; r++)
        for (int i = 0; i + 1 < n->length[r]; i++) sum += n->id[r][i] == left && n->id[r][i + 1] == right ? n->count[r] : 0;
    return sum;
}

static struct learned_merge naive_best(const struct naive *n)
{
    struct learned_merge best = { .count = 0 };
    for (int r = 0; r < n->n_rows; r++)
        for (int i = 0; i + 1 < n->length[r]; i++) {
            const int left = n->id[r][i], right = n->id[r][i + 1];
            const int64_t count = naive_count(n, left, right);
            const bool smaller = left < best.left || (left == best.left && right < best.right);
            if (count > best.count || (count == best.count && smaller))
                best = (struct learned_merge){ .left = left, .right = right, .count = count };
        }
    return best;
}

static void naive_merge(struct naive *n, struct learned_merge m)
{
    for (int r = 0; r < n->n_rows; r++) {
        int to = 0;
        for (int i = 0; i < n->length[r]; to++) {
            const bool here = i + 1 < n->length[r] && n->id[r][i] == m.left && n->id[r][i + 1] == m.right;
            n->id[r][to] = here ? 256 + n->n_merges : n->id[r][i];
            i += here ? 2 : 1;
        }
        n->length[r] = to;
    }
    n->merge[n->n_merges++] = m;
}

static void naive_learn(struct naive *n, int most, int64_t least)
{
    while (n->n_merges < most) {
        const struct learned_merge m = naive_best(n);
        if (m.count < least) break;
        naive_merge(n, m);
    }
}

/* --- helpers ----------------------------------------------------------------------------------------------------------- */

static uint32_t draw_state;
static uint32_t draw(uint32_t below) /* enough for shapes of tests */
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(draw_state >> 8) * below) >> 24);
}

static void count_piece(struct piece_table *t, const void *bytes, size_t n, int64_t count)
{
    ck_assert(piece_table_add(t, (struct piece){ .bytes = bytes, .n = (int64_t)n, .count = count }));
}

static void take(struct pieces *p, struct piece_table *t)
{
    ck_assert_int_eq(pieces_take(p, t, 1), ST_OK);
    piece_table_free(t);
}

static struct learned learn_table(struct piece_table *t, int64_t most, int64_t least)
{
    struct pieces p = { 0 };
    struct learned l;
    take(&p, t);
    const struct learn_options o = { .most_merges = most, .least_count = least };
    ck_assert_int_eq(learn_merges(&p, &o, &l), ST_OK);
    ck_assert_int_eq(pieces_sum(&p).different, 0);
    return l;
}

static struct learned learn_words(const char *const *words, const int64_t *counts, int n, int64_t most)
{
    struct piece_table t = { 0 };
    for (int i = 0; i < n; i++) count_piece(&t, words[i], strlen(words[i]), counts[i]);
    return learn_table(&t, most, 1);
}

static void assert_merge(const struct learned *l, int i, int left, int right, int64_t count)
{
    ck_assert_int_lt(i, l->n_merges);
    ck_assert_msg(l->merge[i].left == left && l->merge[i].right == right && l->merge[i].count == count,
                  "merge %d is (%d, %d) %lld times and not (%d, %d) %lld times", i, l->merge[i].left, l->merge[i].right,
                  (long long)l->merge[i].count, left, right, (long long)count);
}

/* --- tests ------------------------------------------------------------------------------------------------------------- */

START_TEST(ids_of_bytes_follow_the_byte_level_alphabet)
{
    for (int byte = 0; byte < 256; byte++) ck_assert_int_eq(learn_byte(id_of(byte)), byte);
    ck_assert_int_eq(learn_byte(0), '!');
}
END_TEST

START_TEST(merges_are_those_of_the_reference)
{
    for (uint32_t round = 0; round < 400; round++) {
        draw_state = round;
        struct naive n = { .n_rows = 1 + (int)draw(ROWS) };
        struct piece_table t = { 0 };
        const uint32_t letters = 1 + draw(5); /* few: runs, overlaps and equal counts everywhere */
        const int most = (int)draw(MERGES), least = 1 + (int)draw(3);
        const int ids[] = { id_of(' '), id_of('a'), id_of(0xff), id_of('b'), id_of('\n') };
        int64_t tokens = 0;
        for (int r = 0; r < n.n_rows; r++) {
            unsigned char bytes[ROW];
            n.length[r] = 1 + (int)draw(ROW);
            n.count[r] = 1 + draw(round % 4 == 0 ? 100 : 2);
            for (int i = 0; i < n.length[r]; i++) {
                const uint32_t letter = draw(letters);
                bytes[i] = (unsigned char[]){ ' ', 'a', 0xff, 'b', '\n' }[letter];
                n.id[r][i] = ids[letter];
            }
            count_piece(&t, bytes, (size_t)n.length[r], n.count[r]);
        }
        struct learned l = learn_table(&t, most, least);
        naive_learn(&n, most, least);
        ck_assert_int_eq(l.n_merges, n.n_merges);
        for (int i = 0; i < n.n_merges; i++) assert_merge(&l, i, n.merge[i].left, n.merge[i].right, n.merge[i].count);
        for (int r = 0; r < n.n_rows; r++) tokens += n.length[r] * n.count[r];
        ck_assert_int_eq(l.n_tokens, tokens);
        learned_free(&l);
    }
}
END_TEST

START_TEST(equal_counts_go_to_the_smaller_ids)
{
    /* all pairs twice; '!' < '"' < 'z' < ' ' as ids, whatever the order of the pieces */
    const char *const words[] = { " !", "z!", "!z", "!\"" };
    struct learned l = learn_words(words, (const int64_t[]){ 2, 2, 2, 2 }, 4, 9);
    ck_assert_int_eq(l.n_merges, 4);
    assert_merge(&l, 0, id_of('!'), id_of('"'), 2);
    assert_merge(&l, 1, id_of('!'), id_of('z'), 2);
    assert_merge(&l, 2, id_of('z'), id_of('!'), 2);
    assert_merge(&l, 3, id_of(' '), id_of('!'), 2);
    ck_assert_int_eq(l.n_tokens, 8);
    learned_free(&l);
}
END_TEST

START_TEST(a_run_is_halved_from_the_left)
{
    const int64_t n = 1 << 20;
    unsigned char *const run = malloc((size_t)n);
    memset(run, 'a', (size_t)n);
    struct piece_table t = { 0 };
    count_piece(&t, run, (size_t)n, 1);
    struct learned l = learn_table(&t, 1000, 1);
    assert_merge(&l, 0, id_of('a'), id_of('a'), n - 1); /* places overlap */
    for (int i = 1; i < 20; i++) assert_merge(&l, i, 255 + i, 255 + i, (n >> i) - 1);
    ck_assert_int_eq(l.n_merges, 20);
    ck_assert_int_eq(l.n_tokens, 1);
    learned_free(&l);
    free(run);
    l = learn_words((const char *const[]){ "aaaaa" }, (const int64_t[]){ 1 }, 1, 9); /* the odd one has the smaller id */
    assert_merge(&l, 0, id_of('a'), id_of('a'), 4);
    assert_merge(&l, 1, 256, id_of('a'), 1);
    assert_merge(&l, 2, 256, 257, 1);
    ck_assert_int_eq(l.n_merges, 3);
    learned_free(&l);
}
END_TEST

START_TEST(little_text_gives_few_merges_and_no_failure)
{
    struct piece_table t = { 0 };
    struct learned l = learn_table(&t, 5, 1);
    ck_assert_int_eq(l.n_merges, 0);
    ck_assert_int_eq(l.n_tokens, 0);
    learned_free(&l);
    count_piece(&t, "x", 1, 7);
    l = learn_table(&t, 5, 1);
    ck_assert_int_eq(l.n_merges, 0);
    ck_assert_int_eq(l.n_tokens, 7);
    learned_free(&l);
    count_piece(&t, "xy", 2, 7);
    l = learn_table(&t, 0, 1);
    ck_assert_int_eq(l.n_merges, 0);
    ck_assert_int_eq(l.n_tokens, 14);
    learned_free(&l);
    count_piece(&t, "xy", 2, 7);
    l = learn_table(&t, 5, 8);
    ck_assert_int_eq(l.n_merges, 0);
    learned_free(&l);
    count_piece(&t, "xy", 2, INT64_C(1) << 40); /* far more than 32 bits hold */
    l = learn_table(&t, 5, 1);
    assert_merge(&l, 0, id_of('x'), id_of('y'), INT64_C(1) << 40);
    learned_free(&l);
}
END_TEST

START_TEST(more_than_can_be_learned_from_is_refused_in_time)
{
    struct pieces p = { 0 }; /* sizes alone: nothing is laid out yet */
    ck_assert_int_eq(learn_bound(&p), ST_OK);
    p.shard[3] = (struct piece_table){ .n_bytes = (size_t)1 << 31, .used = 1 };
    ck_assert_int_eq(learn_bound(&p), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "bytes of different pieces"));
    p.shard[3] = (struct piece_table){ .n_bytes = 1 << 20, .used = 1, .cap_bytes = (size_t)1 << 50 };
    ck_assert_int_eq(learn_bound(&p), ST_IO);
    ck_assert_ptr_nonnull(strstr(status_text(), " of memory: give less text"));
    p.shard[3].cap_bytes = 1 << 20;
    ck_assert_int_eq(learn_bound(&p), ST_OK);
    ck_assert_int_eq(learn_memory(&p), (1 << 20) + 20 * ((1 << 20) + 2));
}
END_TEST

START_TEST(reserved_bytes_become_no_symbol)
{
    const struct piece kept[] = { { .bytes = (const unsigned char *)"abc", .n = 3 }, { .bytes = (const unsigned char *)"bb", .n = 2 } };
    struct pieces p = { 0 };
    struct piece_table t = { 0 };
    struct learned l;
    count_piece(&t, "abcd", 4, 10);
    count_piece(&t, "bb", 2, 30);
    take(&p, &t);
    const struct learn_options o = { .most_merges = 9, .least_count = 1, .reserved = kept, .n_reserved = 2 };
    ck_assert_int_eq(learn_merges(&p, &o, &l), ST_OK);
    ck_assert_int_eq(l.n_merges, 3);
    assert_merge(&l, 0, id_of('a'), id_of('b'), 10);
    assert_merge(&l, 1, id_of('c'), id_of('d'), 10);
    assert_merge(&l, 2, 256, 257, 10); /* what contains reserved bytes may be one */
    learned_free(&l);
}
END_TEST

/* 60,000 different pieces, one of them 200,000 bytes long, so that steps have many tasks. */
static void fill_many(struct piece_table *t, bool backwards)
{
    enum { MANY = 60000, LONG = 200000 };
    unsigned char *const one = malloc(LONG);
    for (uint32_t i = 0; i < MANY; i++) {
        draw_state = backwards ? MANY - 1 - i : i;
        const int64_t count = 1 + draw(5);
        const uint32_t n = draw_state % 40000 == 77 ? LONG : 2 + draw(9);
        for (uint32_t k = 0; k < n; k++) one[k] = (unsigned char)("etaoin e"[draw(8)]);
        count_piece(t, one, n, count);
    }
    free(one);
}

START_TEST(merges_do_not_depend_on_threads_or_on_the_order_of_pieces)
{
    struct learned first = { 0 };
    for (int threads = 1; threads <= 16; threads += threads == 1 ? 1 : 14) {
        struct piece_table t = { 0 };
        parallel_set_threads(threads);
        fill_many(&t, threads == 2);
        struct learned l = learn_table(&t, 300, 2);
        ck_assert_int_eq(l.n_merges, 300);
        if (threads > 1) {
            ck_assert_mem_eq(l.merge, first.merge, 300 * sizeof *l.merge);
            ck_assert_int_eq(l.n_tokens, first.n_tokens);
            learned_free(&l);
        } else
            first = l;
    }
    learned_free(&first);
    parallel_set_threads(1);
}
END_TEST

START_TEST(tables_count_what_is_there)
{
    enum { TABLES = 5, WORDS = 3000 };
    int64_t want[WORDS] = { 0 }, all = 0, bytes = 0;
    struct piece_table t[TABLES] = { 0 };
    struct pieces p = { 0 };
    draw_state = 3;
    for (int i = 0; i < 40000; i++) {
        const uint32_t word = draw(WORDS);
        const int64_t count = 1 + draw(3);
        char text[24];
        const int n = snprintf(text, sizeof text, "%u", word * word);
        count_piece(&t[draw(TABLES - 1)], text, (size_t)n, count); /* the last stays empty */
        want[word] += count;
        all += count;
        bytes += count * n;
    }
    parallel_set_threads(3);
    ck_assert_int_eq(pieces_take(&p, t, TABLES), ST_OK);
    parallel_set_threads(1);
    ck_assert_int_eq(pieces_sum(&p).all, all);
    ck_assert_int_eq(pieces_sum(&p).all_bytes, bytes);
    int different = 0;
    for (int i = 0; i < PIECE_SHARDS; i++) {
        struct piece piece;
        for (size_t at = 0; piece_table_next(&p.shard[i], &at, &piece); different++) {
            char text[24] = "";
            memcpy(text, piece.bytes, (size_t)piece.n);
            uint32_t root = 0;
            while (root * root < (uint32_t)strtoul(text, NULL, 10)) root++;
            ck_assert_int_eq(piece.count, want[root]);
        }
    }
    ck_assert_int_eq(pieces_sum(&p).different, different);
    for (int i = 0; i < TABLES; i++) piece_table_free(&t[i]);
    pieces_free(&p);
    ck_assert_int_eq(pieces_sum(&p).all, 0);
}
END_TEST

START_TEST(a_table_holds_any_bytes_and_long_pieces)
{
    enum { LONG = 100000 };
    struct piece_table t = { 0 };
    struct piece p;
    unsigned char *const bytes = calloc(LONG, 1); /* all of them zero */
    for (int n = 1; n <= LONG; n *= 10) count_piece(&t, bytes, (size_t)n, n);
    bytes[LONG - 1] = 1;
    count_piece(&t, bytes, LONG, 5);
    ck_assert_uint_eq(t.used, 7);
    int64_t sum = 0;
    for (size_t at = 0; piece_table_next(&t, &at, &p);) {
        ck_assert_int_eq(p.count, p.bytes[p.n - 1] == 1 ? 5 : p.n);
        sum += p.n;
    }
    ck_assert_uint_eq((size_t)sum, t.n_bytes);
    piece_table_clear(&t);
    size_t at = 0;
    ck_assert(!piece_table_next(&t, &at, &p));
    count_piece(&t, "\0", 1, 2);
    at = 0;
    ck_assert(piece_table_next(&t, &at, &p) && p.count == 2 && p.n == 1);
    piece_table_free(&t);
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("learn");
    tcase_add_test(tc, ids_of_bytes_follow_the_byte_level_alphabet);
    tcase_add_test(tc, merges_are_those_of_the_reference);
    tcase_add_test(tc, equal_counts_go_to_the_smaller_ids);
    tcase_add_test(tc, a_run_is_halved_from_the_left);
    tcase_add_test(tc, little_text_gives_few_merges_and_no_failure);
    tcase_add_test(tc, more_than_can_be_learned_from_is_refused_in_time);
    tcase_add_test(tc, reserved_bytes_become_no_symbol);
    tcase_add_test(tc, merges_do_not_depend_on_threads_or_on_the_order_of_pieces);
    tcase_add_test(tc, tables_count_what_is_there);
    tcase_add_test(tc, a_table_holds_any_bytes_and_long_pieces);
    Suite *suite = suite_create("learn");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_NOFORK); /* threads */
}
