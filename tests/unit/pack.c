/* Packing: every token once, no window beyond its size, the choices of a naive best fit, little padding for lengths of real texts. */
#include "common/data/pack.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t drawn;
static uint32_t draw(void)
{
    drawn = drawn * 1664525 + 1013904223;
    return drawn >> 8;
}
static double uniform(void) { return ((double)draw() + 0.5) / 16777216.0; }

struct documents {
    int64_t n_documents, n_tokens, *starts;
};

static struct documents text_of(int64_t n, const int64_t *lengths)
{
    struct documents t = { .n_documents = n, .starts = calloc((size_t)n, sizeof *t.starts) };
    ck_assert_ptr_nonnull(t.starts);
    for (int64_t i = 0; i < n; t.n_tokens += lengths[i++]) t.starts[i] = t.n_tokens;
    return t;
}

/* Lengths from 1 to `most`, long ones rarer. */
static struct documents random_text(int64_t n, int64_t most)
{
    int64_t *lengths = calloc((size_t)n, sizeof *lengths);
    for (int64_t i = 0; i < n; i++) lengths[i] = 1 + (int64_t)(pow(uniform(), 3) * (double)most);
    const struct documents t = text_of(n, lengths);
    free(lengths);
    return t;
}

static int64_t end_of(const struct documents *t, int64_t d) { return d + 1 < t->n_documents ? t->starts[d + 1] : t->n_tokens; }

static int64_t window_tokens(const struct pack *p, int64_t w)
{
    int64_t n = 0;
    for (int64_t i = p->window[w]; i < p->window[w + 1]; i++) n += p->pieces[i].n;
    return n;
}

/* Each token stands in one piece; a piece lies in one document, and begins with it or a whole number of contexts later. */
static void assert_whole(const struct documents *t, const struct pack *p)
{
    char *seen = calloc((size_t)t->n_tokens, 1);
    int64_t begun = 0, n = 0, twice = 0;
    ck_assert_int_eq(p->window[0], 0);
    ck_assert_int_eq(p->window[p->n_windows], p->n_pieces);
    for (int64_t w = 0; w < p->n_windows; w++) {
        ck_assert_int_lt(p->window[w], p->window[w + 1]);
        ck_assert_int_le(window_tokens(p, w), p->context);
    }
    for (int64_t i = 0; i < p->n_pieces; i++) {
        const struct pack_piece *q = &p->pieces[i];
        int64_t low = 0, high = t->n_documents;
        while (high - low > 1) *(t->starts[(low + high) / 2] <= q->first ? &low : &high) = (low + high) / 2;
        ck_assert_int_eq((q->first - t->starts[low]) % p->context, 0);
        ck_assert_int_eq(q->begins, q->first == t->starts[low]);
        ck_assert_int_le(q->first + q->n, end_of(t, low));
        ck_assert(q->n == p->context || q->first + q->n == end_of(t, low)); /* cut for want of context alone */
        for (int64_t k = q->first; k < q->first + q->n; k++) twice += seen[k]++;
        begun += q->begins;
        n += q->n;
    }
    ck_assert_int_eq(begun, t->n_documents);
    ck_assert_int_eq(n, t->n_tokens);
    ck_assert_int_eq(twice, 0);
    ck_assert_double_eq_tol(pack_padding(p), 1 - (double)n / (double)(p->n_windows * p->context), 1e-12);
    free(seen);
}

/* Best-fit decreasing as one would write it down: all windows are looked at for each piece. Returns how many windows it needs; rooms gets
 * how often each room is left over. */
static int64_t naive(const struct documents *t, int64_t context, int64_t *rooms)
{
    int64_t n = 0, *room = calloc((size_t)(t->n_documents + t->n_tokens / context), sizeof *room);
    for (int64_t d = 0; d < t->n_documents; d++)
        for (int64_t k = 0; k < (end_of(t, d) - t->starts[d]) / context; k++) room[n++] = 0;
    for (int64_t length = context - 1; length > 0; length--)
        for (int64_t d = 0; d < t->n_documents; d++) {
            if ((end_of(t, d) - t->starts[d]) % context != length) continue;
            int64_t best = -1;
            for (int64_t w = 0; w < n; w++)
                if (room[w] >= length && (best < 0 || room[w] < room[best])) best = w;
            if (best < 0) best = n, room[n++] = context;
            room[best] -= length;
        }
    for (int64_t w = 0; w < n; w++) rooms[room[w]]++;
    free(room);
    return n;
}

START_TEST(random_texts_are_packed_as_a_naive_best_fit_packs_them)
{
    for (int round = 0; round < 300; round++) {
        drawn = (uint32_t)round;
        const int64_t context = 1 + draw() % 70, n = 1 + draw() % 200;
        struct documents t = random_text(n, 1 + draw() % (3 * context));
        int64_t expected[71] = { 0 }, found[71] = { 0 };
        struct pack p;
        pack_open(t.starts, n, t.n_tokens, context, &p);
        assert_whole(&t, &p);
        ck_assert_int_eq(p.n_windows, naive(&t, context, expected));
        for (int64_t w = 0; w < p.n_windows; w++) found[context - window_tokens(&p, w)]++;
        ck_assert_mem_eq(found, expected, sizeof found);
        pack_close(&p);
        free(t.starts);
    }
}
END_TEST

START_TEST(the_same_text_is_packed_the_same)
{
    struct documents t = random_text(5000, 900);
    struct pack a, b;
    pack_open(t.starts, t.n_documents, t.n_tokens, 512, &a);
    pack_open(t.starts, t.n_documents, t.n_tokens, 512, &b);
    ck_assert_int_eq(a.n_windows, b.n_windows);
    ck_assert_mem_eq(a.window, b.window, (size_t)(a.n_windows + 1) * sizeof *a.window);
    for (int64_t i = 0; i < a.n_pieces; i++)
        ck_assert(a.pieces[i].first == b.pieces[i].first && a.pieces[i].n == b.pieces[i].n && a.pieces[i].begins == b.pieces[i].begins);
    pack_close(&a);
    pack_close(&b);
    free(t.starts);
}
END_TEST

/* By hand, context 10: 23 = 10 + 10 + 3; then 7, 6, 4, 4, 3, 1 into windows {7 3}, {6 4}, {4 1}. Of the two pieces of 4 the earlier goes
 * first, and takes the room that fits it to the token. */
START_TEST(a_small_text_is_packed_as_by_hand)
{
    const struct documents t = text_of(6, (int64_t[]){ 4, 23, 7, 1, 6, 4 }); /* begin at 0, 4, 27, 34, 35, 41 */
    static const struct pack_piece expected[] = { { 4, 10, true }, { 14, 10, false }, { 27, 7, true }, { 24, 3, false },
                                                  { 35, 6, true }, { 0, 4, true },    { 41, 4, true }, { 34, 1, true } };
    static const int64_t windows[] = { 0, 1, 2, 4, 6, 8 };
    struct pack p;
    pack_open(t.starts, t.n_documents, t.n_tokens, 10, &p);
    ck_assert_int_eq(p.n_windows, 5);
    ck_assert_int_eq(p.n_pieces, 8);
    ck_assert_int_eq(p.n_cut, 1);
    ck_assert_mem_eq(p.window, windows, sizeof windows);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(p.pieces[i].first, expected[i].first);
        ck_assert_int_eq(p.pieces[i].n, expected[i].n);
        ck_assert_int_eq(p.pieces[i].begins, expected[i].begins);
    }
    ck_assert_double_eq_tol(pack_padding(&p), 5.0 / 50, 1e-12);
    ck_assert_double_eq_tol(pack_seen(&p), (55 + 55 + 28 + 6 + 21 + 10 + 10 + 1) / 45.0, 1e-12);
    pack_close(&p);
    free(t.starts);
}
END_TEST

START_TEST(extreme_texts_are_packed)
{
    static const struct {
        int64_t n, length, context, windows;
    } cases[] = {
        { 1, 1, 1, 1 },   { 1, 1, 1000, 1 }, { 1, 1000, 1, 1000 }, { 1, 1000, 1000, 1 }, { 1, 1001, 1000, 2 }, { 1000, 1, 1, 1000 },
        { 10, 1, 10, 1 }, { 11, 1, 10, 2 },  { 9, 6, 10, 9 },      { 9, 5, 10, 5 },      { 3, 20, 10, 6 },     { 4, 25, 10, 10 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t lengths[1000];
        for (int64_t i = 0; i < cases[c].n; i++) lengths[i] = cases[c].length;
        struct documents t = text_of(cases[c].n, lengths);
        struct pack p;
        pack_open(t.starts, t.n_documents, t.n_tokens, cases[c].context, &p);
        assert_whole(&t, &p);
        ck_assert_int_eq(p.n_windows, cases[c].windows);
        pack_close(&p);
        free(t.starts);
    }
}
END_TEST

/* Lengths as those of web pages and of dictionary entries: log-normal. */
START_TEST(lengths_of_real_texts_leave_little_padding)
{
    static const struct {
        double median, spread;
        int64_t context;
        double padding;
    } cases[] = { { 60, 1, 256, 0.001 }, { 60, 1, 1024, 0.001 }, { 400, 1.2, 1024, 0.001 }, { 400, 1.2, 4096, 0.001 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        enum { N = 20000 };
        int64_t *lengths = calloc(N, sizeof *lengths);
        drawn = 5;
        for (int64_t i = 0; i < N; i++) {
            const double normal = sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
            lengths[i] = 1 + (int64_t)(cases[c].median * exp(cases[c].spread * normal));
        }
        struct documents t = text_of(N, lengths);
        struct pack p;
        pack_open(t.starts, t.n_documents, t.n_tokens, cases[c].context, &p);
        assert_whole(&t, &p);
        ck_assert_double_lt(pack_padding(&p), cases[c].padding);
        pack_close(&p);
        free(t.starts);
        free(lengths);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("pack");
    tcase_add_test(c, a_small_text_is_packed_as_by_hand);
    tcase_add_test(c, random_texts_are_packed_as_a_naive_best_fit_packs_them);
    tcase_add_test(c, the_same_text_is_packed_the_same);
    tcase_add_test(c, extreme_texts_are_packed);
    tcase_add_test(c, lengths_of_real_texts_leave_little_padding);
    Suite *s = suite_create("pack");
    suite_add_tcase(s, c);
    return suite_main(s, CK_FORK);
}
