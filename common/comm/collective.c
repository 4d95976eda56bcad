/* Blocking collectives. Each is the non-blocking one of MPI and a wait with the deadline: a blocking call on a rank whose peer was
 * stopped or cut off would wait for ever, and MPI does not notice such peers. */
#define LAMINA_COMM_PRIVATE
#include "common/base/check.h"
#include "private.h"
#include <limits.h>
#include <string.h>

/* Elements of width bytes that one call may take. */
static int64_t piece_of(size_t width) { return max_i64(1, (int64_t)(comm_process.piece_bytes / width)); }

enum status comm_broadcast(const struct comm *comm, enum comm_phase phase, void *bytes, size_t n, int root)
{
    if (comm->size == 1) return ST_OK;
    const int64_t all = (int64_t)n, piece = piece_of(1);
    for (int64_t at = 0; at < all; at += piece) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int count = (int)min_i64(all - at, piece);
        comm_check(MPI_Ibcast((char *)bytes + at, count, MPI_BYTE, root, comm->mpi, &request), "MPI_Ibcast", phase);
        comm_await(&request, 1, "broadcast", phase);
    }
    if (comm->rank == root) comm_count(phase, all * (comm->size - 1));
    return ST_OK;
}

enum status comm_barrier(const struct comm *comm)
{
    if (comm->size == 1) return ST_OK;
    MPI_Request request = MPI_REQUEST_NULL;
    comm_check(MPI_Ibarrier(comm->mpi, &request), "MPI_Ibarrier", COMM_CONTROL);
    comm_await(&request, 1, "barrier", COMM_CONTROL);
    return ST_OK;
}

static enum status allreduce(const struct comm *comm, enum comm_phase phase, void *values, int64_t n, size_t width, MPI_Datatype type,
                             MPI_Op op)
{
    if (comm->size == 1) return ST_OK;
    const int64_t piece = piece_of(width);
    for (int64_t at = 0; at < n; at += piece) {
        MPI_Request request = MPI_REQUEST_NULL;
        char *part = (char *)values + at * (int64_t)width;
        comm_check(MPI_Iallreduce(MPI_IN_PLACE, part, (int)min_i64(n - at, piece), type, op, comm->mpi, &request), "MPI_Iallreduce", phase);
        comm_await(&request, 1, "allreduce", phase);
    }
    comm_count(phase, comm_allreduce_bytes(comm->size, n * (int64_t)width));
    return ST_OK;
}

enum status comm_sum_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n)
{
    return allreduce(comm, phase, values, n, sizeof *values, MPI_INT64_T, MPI_SUM);
}

enum status comm_max_u32(const struct comm *comm, enum comm_phase phase, uint32_t *values, int64_t n)
{
    return allreduce(comm, phase, values, n, sizeof *values, MPI_UINT32_T, MPI_MAX);
}

enum status comm_max_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n)
{
    return allreduce(comm, phase, values, n, sizeof *values, MPI_INT64_T, MPI_MAX);
}

enum status comm_min_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n)
{
    return allreduce(comm, phase, values, n, sizeof *values, MPI_DOUBLE, MPI_MIN);
}

enum status comm_max_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n)
{
    return allreduce(comm, phase, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

enum status comm_gather_all(const struct comm *comm, enum comm_phase phase, const void *mine, size_t n, void *out)
{
    if (comm->size == 1) {
        if (n > 0) memcpy(out, mine, n);
        return ST_OK;
    }
    CHECK(n <= INT_MAX); /* small things: tables of hosts, times, digests */
    MPI_Request request = MPI_REQUEST_NULL;
    comm_check(MPI_Iallgather(mine, (int)n, MPI_BYTE, out, (int)n, MPI_BYTE, comm->mpi, &request), "MPI_Iallgather", phase);
    comm_await(&request, 1, "allgather", phase);
    comm_count(phase, (int64_t)n * (comm->size - 1));
    return ST_OK;
}

/* MPI hands a user's operation no context of his: the combine function and the size of the record in flight stand here. Only thread 0
 * communicates and the reduction is waited for, so there is one at a time. Type and operation are kept for the next step. */
static struct {
    void (*combine)(const void *in, void *inout, size_t n);
    size_t n;
    MPI_Datatype type;
    MPI_Op op;
} record = { .type = MPI_DATATYPE_NULL, .op = MPI_OP_NULL };

static void combine_records(void *in, void *inout, int *count, MPI_Datatype *type)
{
    for (size_t i = 0; i < (size_t)*count; i++) record.combine((const char *)in + i * record.n, (char *)inout + i * record.n, record.n);
}

static void record_prepare(size_t n)
{
    if (record.op == MPI_OP_NULL) comm_check(MPI_Op_create(combine_records, 1, &record.op), "MPI_Op_create", COMM_CONTROL);
    if (record.n == n) return;
    if (record.type != MPI_DATATYPE_NULL) comm_check(MPI_Type_free(&record.type), "MPI_Type_free", COMM_CONTROL);
    CHECK(n > 0 && n <= INT_MAX);
    comm_check(MPI_Type_contiguous((int)n, MPI_BYTE, &record.type), "MPI_Type_contiguous", COMM_CONTROL);
    comm_check(MPI_Type_commit(&record.type), "MPI_Type_commit", COMM_CONTROL);
    record.n = n;
}

void comm_record_free(void)
{
    if (record.op != MPI_OP_NULL) (void)MPI_Op_free(&record.op);
    if (record.type != MPI_DATATYPE_NULL) (void)MPI_Type_free(&record.type);
    record.n = 0;
}

enum status comm_reduce_record(const struct comm *comm, enum comm_phase phase, void *values, size_t n,
                               void (*combine)(const void *in, void *inout, size_t n))
{
    if (comm->size == 1) return ST_OK;
    record_prepare(n);
    record.combine = combine;
    MPI_Request request = MPI_REQUEST_NULL;
    comm_check(MPI_Iallreduce(MPI_IN_PLACE, values, 1, record.type, record.op, comm->mpi, &request), "MPI_Iallreduce", phase);
    comm_await(&request, 1, "reduction of a record", phase);
    comm_count(phase, comm_allreduce_bytes(comm->size, (int64_t)n));
    return ST_OK;
}
