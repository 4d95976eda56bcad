/* One rank fails, and all take the same branch with the same sentence. */
#include "common/comm/agree.h"
#include "tests/support/mpi_check.h"
#include <stdio.h>
#include <string.h>

static enum status open_shard(int rank, int failing)
{
    if (rank == failing) FAIL(ST_DATA, "shard %d is missing", rank);
    return ST_OK;
}

static enum status open_all(const struct comm *comm, int failing)
{
    TRY_ALL(comm, open_shard(comm_rank(comm), failing));
    return ST_OK;
}

START_TEST(whichever_rank_fails_all_return_its_code_and_sentence)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    for (int failing = 0; failing < n; failing++) {
        char expected[64];
        const enum status s = open_all(w, failing);
        const int prefix = me == failing ? 0 : snprintf(expected, sizeof expected, "rank %d: ", failing);
        (void)snprintf(expected + prefix, sizeof expected - (size_t)prefix, "shard %d is missing", failing);
        const bool same = strcmp(status_text(), expected) == 0;
        status_clear();
        mpi_ck_assert(w, s == ST_DATA);
        mpi_ck_assert(w, same);
    }
    const enum status s = open_all(w, -1);
    mpi_ck_assert(w, s == ST_OK);
}
END_TEST

START_TEST(the_worst_code_wins_and_the_lowest_rank_on_a_tie)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    enum status mine = ST_CONFIG;
    if (me > 0) mine = ST_IO; /* worse; ranks 1, 2, 3 tie */
    (void)status_fail(mine, "x.c", 1, "said by %d", me);
    const enum status s = comm_agree(w, mine);
    const bool by_right_rank = strstr(status_text(), n > 1 ? "said by 1" : "said by 0") != NULL;
    mpi_ck_assert(w, s == (n > 1 ? ST_IO : ST_CONFIG));
    mpi_ck_assert(w, by_right_rank);
}
END_TEST

START_TEST(a_subgroup_names_the_rank_of_the_world)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    struct comm *odd = NULL;
    mpi_ck_assert(w, comm_split(w, me % 2, &odd) == ST_OK);
    const enum status s = comm_agree(odd, open_shard(me, 3)); /* rank 3 is rank 1 among the odd */
    const bool named = me != 1 || n < 4 || strcmp(status_text(), "rank 3: shard 3 is missing") == 0;
    mpi_ck_assert(w, s == (me % 2 == 1 && n == 4 ? ST_DATA : ST_OK));
    mpi_ck_assert(w, named);
    comm_free(odd);
}
END_TEST

START_TEST(what_differs_is_named_with_two_ranks_and_hosts)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    struct digest128 mine = { 1, 2 };
    enum status s = comm_same(w, "the plan", mine);
    mpi_ck_assert(w, s == ST_OK);
    if (me == n - 1) mine.low = 3;
    s = comm_same(w, "the plan", mine);
    char ranks[96];
    (void)snprintf(ranks, sizeof ranks, "rank %d on %s has %016x%016x;", n - 1, comm_host(w, n - 1), 1, 3);
    const bool named = strstr(status_text(), "the plan") != NULL && strstr(status_text(), ranks) != NULL;
    mpi_ck_assert(w, s == (n > 1 ? ST_LAUNCH : ST_OK));
    mpi_ck_assert(w, n == 1 || named);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, whichever_rank_fails_all_return_its_code_and_sentence);
    tcase_add_test(t, the_worst_code_wins_and_the_lowest_rank_on_a_tie);
    tcase_add_test(t, a_subgroup_names_the_rank_of_the_world);
    tcase_add_test(t, what_differs_is_named_with_two_ranks_and_hosts);
}

int main(void) { return mpi_check_main("agree", add); }
