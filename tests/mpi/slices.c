/* The reduction to owners equals a sum that every rank computes for itself. */
#include "common/comm/slices.h"
#include "common/base/arena.h"
#include "tests/support/mpi_check.h"
#include <stdlib.h>
#include <unistd.h>

/* Rank r's contribution to element i of reduction k: any int64, and reproducible everywhere. */
static int64_t part(int r, int64_t i, int64_t k)
{
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15 + (uint64_t)r * 0xbf58476d1ce4e5b9 + (uint64_t)k;
    x ^= x >> 29;
    return (int64_t)(x * 0x94d049bb133111eb);
}

static bool owns_the_sum(const int64_t *own, int64_t begin, int64_t n, int ranks, int64_t k)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t sum = 1; /* what stood there before */
        for (int r = 0; r < ranks; r++) sum += (uint64_t)part(r, begin + i, k);
        if (own[i] != (int64_t)sum) return false;
    }
    return true;
}

/* One reduction with late ranks and polls between pieces of work; true when this rank's slice is right and was counted right. */
static bool reduce_once(const struct comm *w, struct slices *s, const int64_t *cut, int64_t k)
{
    const int n = comm_size(w), me = comm_rank(w);
    const int64_t all = cut[n], mine = cut[me + 1] - cut[me];
    int64_t *contribution = malloc((size_t)(all + 1) * sizeof *contribution), *own = malloc((size_t)(mine + 1) * sizeof *own);
    for (int64_t i = 0; i < all; i++) contribution[i] = part(me, i, k);
    for (int64_t i = 0; i < mine; i++) own[i] = 1;
    int64_t before[COMM_PHASES], after[COMM_PHASES];
    comm_bytes(before);
    if ((me + k) % 3 == 0) (void)usleep(200);
    bool good = slices_begin(w, s, contribution, cut, own) == ST_OK;
    for (int64_t i = 0; i < (me + k) % 5; i++) {
        (void)usleep(50);
        slices_poll(s);
    }
    good = slices_wait(w, s) == ST_OK && good;
    comm_bytes(after);
    good = good && owns_the_sum(own, cut[me], mine, n, k) && after[COMM_REDUCE] - before[COMM_REDUCE] == 8 * (all - mine);
    free(contribution);
    free(own);
    return good;
}

static struct arena arena;
static struct slices *slices;

static void place(void)
{
    if (arena_open(&arena, "test", (size_t)32 << 20) != ST_OK) abort();
    slices = slices_place(&arena, comm_size(mpi_world()));
}

static void drop(void) { arena_close(&arena); }

START_TEST(uneven_and_empty_slices_of_several_pieces)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w);
    const int64_t piece = SLICES_PIECE_BYTES / 8;
    for (int empty = 0; empty < n; empty++) {
        int64_t cut[65] = { 0 };
        for (int r = 0; r < n; r++) cut[r + 1] = cut[r] + (r == empty ? 0 : r * 2 * piece + 17);
        const bool good = reduce_once(w, slices, cut, empty);
        mpi_ck_assert(w, good);
    }
    int64_t whole[65] = { 0 }; /* exactly so many pieces */
    for (int r = 0; r < n; r++) whole[r + 1] = whole[r] + 6 * piece;
    const bool good = reduce_once(w, slices, whole, 9);
    mpi_ck_assert(w, good);
}
END_TEST

START_TEST(more_ranks_than_elements)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w);
    for (int owner = 0; owner < n; owner++) {
        int64_t cut[65] = { 0 };
        for (int r = 0; r < n; r++) cut[r + 1] = cut[r] + (r == owner);
        const bool good = reduce_once(w, slices, cut, owner);
        mpi_ck_assert(w, good);
    }
    const int64_t nothing[65] = { 0 };
    const bool good = reduce_once(w, slices, nothing, 0);
    mpi_ck_assert(w, good);
}
END_TEST

START_TEST(many_reductions_one_after_the_other_do_not_mix)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w);
    bool good = true;
    for (int64_t k = 0; k < 400; k++) { /* no agreement between them: a fast rank runs ahead of a slow one */
        int64_t cut[65] = { 0 };
        for (int r = 0; r < n; r++) cut[r + 1] = cut[r] + (r * 37 + k * 11) % 501;
        good = reduce_once(w, slices, cut, k) && good;
    }
    mpi_ck_assert(w, good);
}
END_TEST

START_TEST(two_reductions_in_flight_do_not_mix)
{
    enum { N = 3001 };
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    struct slices *pair[2] = { slices, slices_place(&arena, n) };
    int64_t cut[65] = { 0 }, own[2][N], *contribution = malloc(2 * (size_t)n * N * sizeof *contribution);
    bool good = true;
    for (int r = 0; r < n; r++) cut[r + 1] = cut[r] + N;
    for (int u = 0; u < 2; u++) {
        for (int64_t i = 0; i < n * N; i++) contribution[u * n * N + i] = part(me, i, u);
        for (int64_t i = 0; i < N; i++) own[u][i] = 1;
        good = slices_begin(w, pair[u], contribution + u * n * N, cut, own[u]) == ST_OK && good;
    }
    for (int u = 1; u >= 0; u--) good = slices_wait(w, pair[u]) == ST_OK && good;
    for (int u = 0; u < 2; u++) good = good && owns_the_sum(own[u], cut[me], N, n, u);
    free(contribution);
    mpi_ck_assert(w, good);
}
END_TEST

START_TEST(measuring_takes_the_bytes_of_the_run)
{
    struct arena measuring;
    arena_open_measuring(&measuring, "measure");
    (void)slices_place(&measuring, comm_size(mpi_world()));
    ck_assert_uint_eq(measuring.peak, arena.used);
    arena_close(&measuring);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_checked_fixture(t, place, drop);
    tcase_add_test(t, uneven_and_empty_slices_of_several_pieces);
    tcase_add_test(t, more_ranks_than_elements);
    tcase_add_test(t, many_reductions_one_after_the_other_do_not_mix);
    tcase_add_test(t, two_reductions_in_flight_do_not_mix);
    tcase_add_test(t, measuring_takes_the_bytes_of_the_run);
}

int main(void) { return mpi_check_main("slices", add); }
