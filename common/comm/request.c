/* Non-blocking collectives. What MPI reads while one is in flight (requests, counts, places) lives in an operation; operations are kept
 * and used again, so that after the first steps nothing is allocated here. */
#define LAMINA_COMM_PRIVATE
#include "common/base/check.h"
#include "private.h"
#include <stdlib.h>

enum { TAG_GATHER = 1 << 14, TAG_MESSAGE }; /* above the tags of slices.c */

struct operation {
    struct operation *next;
    bool busy;
    const char *call;
    enum comm_phase phase;
    MPI_Request *requests;
    int n_requests, cap_requests;
    int *counts, *places; /* [cap_ranks] */
    int cap_ranks;
};

static struct operation *operations; /* of the process; only thread 0 communicates */

static struct operation *operation_begin(struct comm_request *request, const char *call, enum comm_phase phase)
{
    CHECK(request->handle[0] == NULL); /* the operation before was not waited for */
    struct operation *op = operations;
    while (op != NULL && op->busy) op = op->next;
    if (op == NULL) {
        op = calloc(1, sizeof *op);
        CHECK(op != NULL);
        op->next = operations;
        operations = op;
    }
    op->busy = true;
    op->call = call;
    op->phase = phase;
    op->n_requests = 0;
    request->handle[0] = op;
    return op;
}

static MPI_Request *operation_add(struct operation *op)
{
    if (op->n_requests == op->cap_requests) {
        op->cap_requests = 2 * op->cap_requests + 1;
        op->requests = realloc(op->requests, (size_t)op->cap_requests * sizeof *op->requests);
        CHECK(op->requests != NULL);
    }
    op->requests[op->n_requests] = MPI_REQUEST_NULL;
    return &op->requests[op->n_requests++];
}

static void operation_tables(struct operation *op, int ranks)
{
    if (op->cap_ranks >= ranks) return;
    op->counts = realloc(op->counts, (size_t)ranks * sizeof *op->counts);
    op->places = realloc(op->places, (size_t)ranks * sizeof *op->places);
    CHECK(op->counts != NULL && op->places != NULL);
    op->cap_ranks = ranks;
}

void comm_operations_free(void)
{
    while (operations != NULL) {
        struct operation *op = operations;
        operations = op->next;
        free(op->requests);
        free(op->counts);
        free(op->places);
        free(op);
    }
}

/* A unit below one piece: the library's allgatherv, in place. */
static void gather_by_library(const struct comm *comm, struct operation *op, void *buffer, const size_t bytes[])
{
    operation_tables(op, comm->size);
    size_t at = 0;
    for (int r = 0; r < comm->size; r++) {
        op->counts[r] = (int)bytes[r];
        op->places[r] = (int)at;
        at += bytes[r];
    }
    comm_check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, buffer, op->counts, op->places, MPI_BYTE, comm->mpi, operation_add(op)),
               "MPI_Iallgatherv", op->phase);
}

/* A larger unit: MPI's counts and places are int and would not reach across it, so every slice goes to every rank in pieces. All are
 * posted at once and in the same order on both sides, so pieces with one tag, also of two gathers in flight, meet in order. */
static void gather_directly(const struct comm *comm, struct operation *op, char *buffer, const size_t bytes[])
{
    const int n = comm->size, me = comm->rank;
    for (int step = 1; step < n; step++) {
        const int from = (me + n - step) % n, to = (me + step) % n;
        size_t theirs = 0, mine = 0;
        for (int r = 0; r < from; r++) theirs += bytes[r];
        for (int r = 0; r < me; r++) mine += bytes[r];
        for (size_t at = 0; at < bytes[from]; at += comm_process.piece_bytes) {
            const int count = (int)min_i64((int64_t)(bytes[from] - at), (int64_t)comm_process.piece_bytes);
            comm_check(MPI_Irecv(buffer + theirs + at, count, MPI_BYTE, from, TAG_GATHER, comm->mpi, operation_add(op)), "MPI_Irecv",
                       op->phase);
        }
        for (size_t at = 0; at < bytes[me]; at += comm_process.piece_bytes) {
            const int count = (int)min_i64((int64_t)(bytes[me] - at), (int64_t)comm_process.piece_bytes);
            comm_check(MPI_Isend(buffer + mine + at, count, MPI_BYTE, to, TAG_GATHER, comm->mpi, operation_add(op)), "MPI_Isend",
                       op->phase);
        }
    }
}

enum status comm_gather_begin(const struct comm *comm, enum comm_phase phase, void *buffer, const size_t bytes[],
                              struct comm_request *request)
{
    if (comm->size == 1) return ST_OK;
    struct operation *op = operation_begin(request, "gather", phase);
    size_t unit = 0;
    for (int r = 0; r < comm->size; r++) unit += bytes[r];
    if (unit <= comm_process.piece_bytes)
        gather_by_library(comm, op, buffer, bytes);
    else
        gather_directly(comm, op, buffer, bytes);
    comm_count(phase, (int64_t)bytes[comm->rank] * (comm->size - 1));
    return ST_OK;
}

enum status comm_sum_begin(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n, struct comm_request *request)
{
    if (comm->size == 1) return ST_OK;
    struct operation *op = operation_begin(request, "sum", phase);
    const int64_t piece = max_i64(1, (int64_t)(comm_process.piece_bytes / sizeof *values));
    for (int64_t at = 0; at < n; at += piece)
        comm_check(
            MPI_Iallreduce(MPI_IN_PLACE, values + at, (int)min_i64(n - at, piece), MPI_INT64_T, MPI_SUM, comm->mpi, operation_add(op)),
            "MPI_Iallreduce", phase);
    comm_count(phase, comm_allreduce_bytes(comm->size, n * (int64_t)sizeof *values));
    return ST_OK;
}

enum status comm_messages_begin(const struct comm *comm, enum comm_phase phase, const struct comm_message sends[], int n_sends,
                                const struct comm_message recvs[], int n_recvs, struct comm_request *request)
{
    if (comm->size == 1) return ST_OK;
    struct operation *op = operation_begin(request, "messages", phase);
    const size_t piece = comm_process.piece_bytes;
    for (int i = 0; i < n_recvs; i++)
        for (size_t at = 0; at < recvs[i].n; at += piece)
            comm_check(MPI_Irecv((char *)recvs[i].bytes + at, (int)min_i64((int64_t)(recvs[i].n - at), (int64_t)piece), MPI_BYTE,
                                 recvs[i].peer, TAG_MESSAGE, comm->mpi, operation_add(op)),
                       "MPI_Irecv", phase);
    for (int i = 0; i < n_sends; i++) {
        for (size_t at = 0; at < sends[i].n; at += piece)
            comm_check(MPI_Isend((const char *)sends[i].bytes + at, (int)min_i64((int64_t)(sends[i].n - at), (int64_t)piece), MPI_BYTE,
                                 sends[i].peer, TAG_MESSAGE, comm->mpi, operation_add(op)),
                       "MPI_Isend", phase);
        comm_count(phase, (int64_t)sends[i].n);
    }
    return ST_OK;
}

enum status comm_wait(const struct comm *comm, struct comm_request *request)
{
    struct operation *op = request->handle[0];
    if (op == NULL) return ST_OK; /* idle, or a group of one */
    comm_await(op->requests, op->n_requests, op->call, op->phase);
    op->busy = false;
    request->handle[0] = NULL;
    return ST_OK;
}

/* Requests that are done become MPI_REQUEST_NULL here; comm_wait then returns at once. */
void comm_poll(void *comm)
{
    for (struct operation *op = operations; op != NULL; op = op->next) {
        int done = 0;
        if (op->busy) comm_check(MPI_Testall(op->n_requests, op->requests, &done, MPI_STATUSES_IGNORE), op->call, op->phase);
    }
}
