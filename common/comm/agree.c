#define LAMINA_COMM
#include "agree.h"
#include "private.h"

#include <string.h>

enum { SENTENCE = 2048 };

struct vote {
    int64_t code, rank;
};

static void worst(const void *in, void *inout, size_t n)
{
    (void)n;
    const struct vote *a = in;
    struct vote *b = inout;
    if (a->code > b->code || (a->code == b->code && a->rank < b->rank)) *b = *a;
}

enum status comm_agree(const struct comm *comm, enum status mine)
{
    if (comm->size == 1) return mine;
    struct vote v = { mine, comm->rank };
    TRY(comm_reduce_record(comm, COMM_CONTROL, &v, sizeof v, worst));
    if (v.code == ST_OK) return ST_OK;
    char text[SENTENCE] = "";
    if (comm->rank == v.rank) strncpy(text, status_text(), sizeof text - 1);
    TRY(comm_broadcast(comm, COMM_CONTROL, text, sizeof text, (int)v.rank));
    return comm->rank == v.rank ? mine : status_adopt((enum status)v.code, (int)v.rank, text);
}

enum status comm_same(const struct comm *comm, const char *what, struct digest128 mine)
{
    if (comm->size == 1) return ST_OK;
    /* Everyone compares with rank 0; the lowest rank that differs is named. */
    struct digest128 first = mine;
    TRY(comm_broadcast(comm, COMM_CONTROL, &first, sizeof first, 0));
    int64_t lowest = digest_equal(first, mine) ? -comm->size : -comm->rank; /* maximum of -rank: the lowest that differs */
    TRY(comm_max_i64(comm, COMM_CONTROL, &lowest, 1));
    if (lowest == -comm->size) return ST_OK;
    const int other = (int)-lowest;
    char a[DIGEST_HEX], b[DIGEST_HEX] = "";
    if (comm->rank == other) digest_hex(mine, b);
    TRY(comm_broadcast(comm, COMM_CONTROL, b, sizeof b, other));
    FAIL(ST_LAUNCH, "%s differs: rank 0 on %s has %s, rank %d on %s has %s", what, comm_host(comm, 0), digest_hex(first, a), other,
         comm_host(comm, other), b);
}
