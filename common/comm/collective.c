/* The blocking and non-blocking collectives. Counts are 64-bit and cut into pieces that fit MPI's int. */
#define LAMINA_COMM
#include "private.h"

#include "common/base/check.h"

#include <string.h>

enum { PIECE = 1 << 27 }; /* elements per MPI call: 1 GiB of int64 */

/* The direct algorithm's share of one rank; comm.h states the rule. */
static int64_t sum_bytes(int64_t bytes, int n) { return 2 * bytes * (n - 1) / n; }

enum status comm_broadcast(const struct comm *comm, enum comm_phase phase, void *bytes, size_t n, int root)
{
    if (comm->size == 1) return ST_OK;
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t now = n - at < PIECE ? n - at : PIECE;
        comm_check(MPI_Bcast((char *)bytes + at, (int)now, MPI_BYTE, root, comm->mpi), "MPI_Bcast");
    }
    if (comm->rank == root) comm_count(phase, (int64_t)n * (comm->size - 1));
    return ST_OK;
}

enum status comm_barrier(const struct comm *comm)
{
    if (comm->size > 1) comm_check(MPI_Barrier(comm->mpi), "MPI_Barrier");
    return ST_OK;
}

static enum status reduce_all(const struct comm *comm, enum comm_phase phase, void *values, int64_t n, size_t width, MPI_Datatype type,
                              MPI_Op op)
{
    if (comm->size == 1) return ST_OK;
    for (int64_t at = 0; at < n; at += PIECE) {
        const int64_t now = min_i64(n - at, PIECE);
        comm_check(MPI_Allreduce(MPI_IN_PLACE, (char *)values + (size_t)at * width, (int)now, type, op, comm->mpi), "MPI_Allreduce");
    }
    comm_count(phase, sum_bytes(n * (int64_t)width, comm->size));
    return ST_OK;
}

enum status comm_sum_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n)
{
    return reduce_all(comm, phase, values, n, sizeof *values, MPI_INT64_T, MPI_SUM);
}
enum status comm_max_u32(const struct comm *comm, enum comm_phase phase, uint32_t *values, int64_t n)
{
    return reduce_all(comm, phase, values, n, sizeof *values, MPI_UINT32_T, MPI_MAX);
}
enum status comm_max_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n)
{
    return reduce_all(comm, phase, values, n, sizeof *values, MPI_INT64_T, MPI_MAX);
}
enum status comm_min_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n)
{
    return reduce_all(comm, phase, values, n, sizeof *values, MPI_DOUBLE, MPI_MIN);
}
enum status comm_max_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n)
{
    return reduce_all(comm, phase, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

enum status comm_gather_all(const struct comm *comm, enum comm_phase phase, const void *mine, size_t n, void *out)
{
    if (comm->size == 1) {
        memcpy(out, mine, n);
        return ST_OK;
    }
    CHECK(n < PIECE);
    comm_check(MPI_Allgather(mine, (int)n, MPI_BYTE, out, (int)n, MPI_BYTE, comm->mpi), "MPI_Allgather");
    comm_count(phase, (int64_t)n * (comm->size - 1));
    return ST_OK;
}

/* MPI hands a user operation neither its record's size nor a context: both stand here while the one reduction runs. */
static struct {
    void (*combine)(const void *, void *, size_t);
    size_t n;
} record;

static void combine_records(void *in, void *inout, int *count, MPI_Datatype *type)
{
    (void)type;
    for (int i = 0; i < *count; i++) record.combine((char *)in + (size_t)i * record.n, (char *)inout + (size_t)i * record.n, record.n);
}

enum status comm_reduce_record(const struct comm *comm, enum comm_phase phase, void *values, size_t n,
                               void (*combine)(const void *in, void *inout, size_t n))
{
    if (comm->size == 1) return ST_OK;
    struct comm *c = (struct comm *)(uintptr_t)comm; /* the type and operation are kept for the next call */
    if (c->record_bytes != n) {
        if (c->record != MPI_DATATYPE_NULL) MPI_Type_free(&c->record);
        comm_check(MPI_Type_contiguous((int)n, MPI_BYTE, &c->record), "MPI_Type_contiguous");
        comm_check(MPI_Type_commit(&c->record), "MPI_Type_commit");
        c->record_bytes = n;
    }
    if (c->combine == MPI_OP_NULL) comm_check(MPI_Op_create(combine_records, 1, &c->combine), "MPI_Op_create");
    record.combine = combine;
    record.n = n;
    comm_check(MPI_Allreduce(MPI_IN_PLACE, values, 1, c->record, c->combine, c->mpi), "MPI_Allreduce");
    comm_count(phase, sum_bytes((int64_t)n, comm->size));
    return ST_OK;
}

/* --- Non-blocking --------------------------------------------------------------------------------------------------------- */

static MPI_Request *request_of(struct comm_request *r)
{
    _Static_assert(sizeof(MPI_Request) <= sizeof r->handle, "a request fits its place");
    return (MPI_Request *)(void *)r->handle;
}

/* Slices may be long and end anywhere, and MPI counts in ints: counts and places are in units of the largest power of two, up to 1 MiB,
 * that divides all slices. Rows of 512 bytes and more reach units of a terabyte; rows of one bf16 element, 4 GiB. */
static size_t common_unit(const size_t bytes[], int n)
{
    size_t all = (size_t)1 << 20;
    for (int r = 0; r < n; r++) all |= bytes[r];
    return all & -all;
}

enum status comm_gather_begin(const struct comm *comm, enum comm_phase phase, void *buffer, const size_t bytes[],
                              struct comm_request *request)
{
    *request_of(request) = MPI_REQUEST_NULL;
    if (comm->size == 1) return ST_OK;
    struct comm *c = (struct comm *)(uintptr_t)comm; /* counts and places must live until the gather is done: one at a time per group */
    const size_t unit = common_unit(bytes, c->size);
    if (c->slice_unit != unit) {
        if (c->slice != MPI_DATATYPE_NULL) MPI_Type_free(&c->slice);
        comm_check(MPI_Type_contiguous((int)unit, MPI_BYTE, &c->slice), "MPI_Type_contiguous");
        comm_check(MPI_Type_commit(&c->slice), "MPI_Type_commit");
        c->slice_unit = unit;
    }
    size_t place = 0;
    for (int r = 0; r < c->size; r++) {
        CHECK((place + bytes[r]) / unit <= INT32_MAX);
        c->counts[r] = (int)(bytes[r] / unit);
        c->places[r] = (int)(place / unit);
        place += bytes[r];
    }
    comm_check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, buffer, c->counts, c->places, c->slice, c->mpi, request_of(request)),
               "MPI_Iallgatherv");
    comm_count(phase, (int64_t)bytes[c->rank] * (c->size - 1));
    return ST_OK;
}

enum status comm_sum_begin(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n, struct comm_request *request)
{
    *request_of(request) = MPI_REQUEST_NULL;
    if (comm->size == 1) return ST_OK;
    CHECK(n <= PIECE);
    comm_check(MPI_Iallreduce(MPI_IN_PLACE, values, (int)n, MPI_INT64_T, MPI_SUM, comm->mpi, request_of(request)), "MPI_Iallreduce");
    comm_count(phase, sum_bytes(n * (int64_t)sizeof *values, comm->size));
    return ST_OK;
}

enum status comm_wait(const struct comm *comm, struct comm_request *request)
{
    if (comm->size > 1) comm_wait_all(request_of(request), 1, "a collective");
    return ST_OK;
}

/* Any call into MPI moves what is outstanding. */
void comm_poll(void *comm)
{
    const struct comm *c = comm;
    int waiting;
    if (c->size > 1) comm_check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, c->mpi, &waiting, MPI_STATUS_IGNORE), "MPI_Iprobe");
}
