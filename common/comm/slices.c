#define LAMINA_COMM_PRIVATE
#include "slices.h"
#include "common/base/arena.h"
#include "common/base/check.h"
#include "private.h"
#include <string.h>

enum { PIECE = SLICES_PIECE_BYTES / sizeof(int64_t), IN_FLIGHT = 4, TAGS = 1 << 14 };

/* Each rank exchanges with every other in pieces. To keep buffers few and planned, IN_FLIGHT pieces are received at one time, from any
 * peer; sends need no buffer, MPI reads the contribution in place. Messages between two ranks do not overtake each other and receives
 * are taken in the order in which they were posted, so a counter per peer says where a piece belongs. The tag is the number of the
 * reduction in its group: a fast peer may be in the next one already. */
struct slices {
    int size;
    int64_t *buffer[IN_FLIGHT];
    MPI_Request receive[IN_FLIGHT]; /* a ring; oldest is the next to be taken */
    int oldest;
    MPI_Request *send;       /* [size] one piece on its way to each owner */
    int64_t *sent, *arrived; /* [size] elements done with each peer */
    const struct comm *comm; /* NULL: idle */
    const int64_t *contribution, *cut;
    int64_t *own;
    int64_t waiting;  /* elements still to arrive */
    int64_t unposted; /* pieces for which no receive is posted yet */
    int tag;          /* of this reduction */
};

struct slices *slices_place(struct arena *arena, int size)
{
    struct slices *s = arena_place(arena, sizeof *s);
    for (int i = 0; i < IN_FLIGHT; i++) {
        int64_t *buffer = arena_place_n(arena, PIECE, sizeof(int64_t));
        if (!arena->measuring) s->buffer[i] = buffer;
    }
    MPI_Request *send = arena_place_n(arena, (size_t)size, sizeof *send);
    int64_t *sent = arena_place_n(arena, 2 * (size_t)size, sizeof *sent);
    if (arena->measuring) return s;
    s->size = size;
    s->send = send;
    s->sent = sent;
    s->arrived = sent + size;
    s->comm = NULL;
    return s;
}

static int64_t slice_of(const struct slices *s, int rank) { return s->cut[rank + 1] - s->cut[rank]; }

static void post_receive(struct slices *s, int i)
{
    s->receive[i] = MPI_REQUEST_NULL;
    if (s->unposted == 0) return;
    s->unposted--;
    comm_check(MPI_Irecv(s->buffer[i], PIECE, MPI_INT64_T, MPI_ANY_SOURCE, s->tag, s->comm->mpi, &s->receive[i]), "MPI_Irecv", COMM_REDUCE);
}

static void send_next(struct slices *s, int peer)
{
    s->send[peer] = MPI_REQUEST_NULL;
    const int64_t left = slice_of(s, peer) - s->sent[peer];
    if (peer == s->comm->rank || left == 0) return;
    const int64_t now = min_i64(left, PIECE);
    comm_check(MPI_Isend(s->contribution + s->cut[peer] + s->sent[peer], (int)now, MPI_INT64_T, peer, s->tag, s->comm->mpi, &s->send[peer]),
               "MPI_Isend", COMM_REDUCE);
    s->sent[peer] += now;
    comm_count(COMM_REDUCE, now * (int64_t)sizeof(int64_t));
}

/* Unsigned, so that a wrap in an attempt that overflowed (and is thrown away) is defined. */
static void add(int64_t *restrict own, const int64_t *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) own[i] = (int64_t)((uint64_t)own[i] + (uint64_t)in[i]);
}

enum status slices_begin(const struct comm *comm, struct slices *s, const int64_t *contribution, const int64_t cut[], int64_t *own)
{
    CHECK(s->comm == NULL && comm->size == s->size);
    s->comm = comm;
    s->tag = *comm->reductions = (*comm->reductions + 1) % TAGS;
    s->oldest = 0;
    s->contribution = contribution;
    s->cut = cut;
    s->own = own;
    const int64_t mine = slice_of(s, comm->rank);
    add(own, contribution + cut[comm->rank], mine);
    memset(s->sent, 0, 2 * (size_t)s->size * sizeof *s->sent);
    s->waiting = mine * (comm->size - 1);
    s->unposted = ceil_div(mine, PIECE) * (comm->size - 1);
    for (int i = 0; i < IN_FLIGHT; i++) post_receive(s, i);
    for (int r = 1; r < s->size; r++) send_next(s, (comm->rank + r) % s->size); /* not everyone to rank 0 first */
    s->send[comm->rank] = MPI_REQUEST_NULL;
    return ST_OK;
}

static void take(struct slices *s, int i, const MPI_Status *status)
{
    int n = 0;
    comm_check(MPI_Get_count(status, MPI_INT64_T, &n), "MPI_Get_count", COMM_REDUCE);
    const int peer = status->MPI_SOURCE;
    CHECK(s->arrived[peer] + n <= slice_of(s, s->comm->rank));
    add(s->own + s->arrived[peer], s->buffer[i], n);
    s->arrived[peer] += n;
    s->waiting -= n;
    post_receive(s, i);
}

/* True when everything arrived and left. */
static bool progress(struct slices *s)
{
    while (s->receive[s->oldest] != MPI_REQUEST_NULL) {
        int done = 0;
        MPI_Status status;
        comm_check(MPI_Test(&s->receive[s->oldest], &done, &status), "MPI_Test", COMM_REDUCE);
        if (!done) break;
        take(s, s->oldest, &status);
        s->oldest = (s->oldest + 1) % IN_FLIGHT;
    }
    bool all_sent = true;
    for (int r = 0; r < s->size; r++) {
        int done = 0;
        if (s->send[r] == MPI_REQUEST_NULL) continue;
        comm_check(MPI_Test(&s->send[r], &done, MPI_STATUS_IGNORE), "MPI_Test", COMM_REDUCE);
        if (done) send_next(s, r);
        all_sent &= s->send[r] == MPI_REQUEST_NULL;
    }
    return all_sent && s->waiting == 0;
}

void slices_poll(void *slices)
{
    struct slices *s = slices;
    if (s->comm != NULL) (void)progress(s);
}

static int silent_peer(const struct slices *s)
{
    const int64_t mine = slice_of(s, s->comm->rank);
    for (int r = 0; r < s->size; r++)
        if (r != s->comm->rank && s->arrived[r] < mine) return r;
    for (int r = 0; r < s->size; r++)
        if (s->send[r] != MPI_REQUEST_NULL) return r;
    return -1;
}

enum status slices_wait(const struct comm *comm, struct slices *s)
{
    CHECK(s->comm == comm);
    struct comm_watch watch = { 0 };
    while (!progress(s)) {
        if (!comm_late(&watch)) continue;
        const int peer = silent_peer(s);
        comm_abort(status_fail(
            ST_TIMEOUT, __FILE__, __LINE__,
            "rank %d on %s was silent for %g s in the reduction to owners: it has stopped or is cut off; LAMINA_DEADLINE sets the seconds",
            peer, comm_host(comm, peer), comm_process.deadline_s));
    }
    s->comm = NULL;
    return ST_OK;
}
