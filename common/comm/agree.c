#define LAMINA_COMM_PRIVATE
#include "agree.h"
#include "private.h"
#include <stdio.h>

/* Worst code first, lowest rank on a tie, as one number whose maximum is wanted. */
static int64_t vote_of(enum status code, int rank) { return ((int64_t)code << 32) + (INT32_MAX - rank); }
static enum status vote_code(int64_t vote) { return (enum status)(vote >> 32); }
static int vote_rank(int64_t vote) { return INT32_MAX - (int)(vote & 0xffffffff); }

/* What the rank that failed tells the others. Its number is the world's: the one that log files and launchers know. */
struct sentence {
    int32_t world_rank;
    char text[STATUS_TEXT_BYTES];
};

enum status comm_agree(const struct comm *comm, enum status mine)
{
    if (comm->size == 1) return mine;
    int64_t vote = vote_of(mine, comm->rank);
    TRY(comm_max_i64(comm, COMM_CONTROL, &vote, 1));
    const enum status worst = vote_code(vote);
    if (worst == ST_OK) return ST_OK;

    struct sentence said = { 0 };
    if (comm->rank == vote_rank(vote)) {
        (void)MPI_Comm_rank(MPI_COMM_WORLD, &said.world_rank);
        (void)snprintf(said.text, sizeof said.text, "%s", status_text());
    }
    TRY(comm_broadcast(comm, COMM_CONTROL, &said, sizeof said, vote_rank(vote)));
    return comm->rank == vote_rank(vote) ? worst : status_adopt(worst, said.world_rank, said.text);
}

/* Everyone compares with rank 0, and the lowest rank that differs is named: two ranks are enough to look at. */
enum status comm_same(const struct comm *comm, const char *what, struct digest128 mine)
{
    if (comm->size == 1) return ST_OK;
    struct digest128 first = mine;
    TRY(comm_broadcast(comm, COMM_CONTROL, &first, sizeof first, 0));
    int64_t lowest = digest_equal(first, mine) ? -comm->size : -comm->rank; /* the largest -rank */
    TRY(comm_max_i64(comm, COMM_CONTROL, &lowest, 1));
    if (lowest == -comm->size) return ST_OK;

    const int other = (int)-lowest;
    struct digest128 theirs = mine;
    TRY(comm_broadcast(comm, COMM_CONTROL, &theirs, sizeof theirs, other));
    char a[DIGEST_HEX], b[DIGEST_HEX];
    FAIL(ST_LAUNCH, "%s is not the same on all ranks: rank 0 on %s has %s, rank %d on %s has %s; start all ranks from the same files", what,
         comm_host(comm, 0), digest_hex(first, a), other, comm_host(comm, other), digest_hex(theirs, b));
}
