/* comm.h: a group of ranks and the collectives of Lamina. Read this before agree.h, exact.h and slices.h.
 * A communicator is a function's first parameter if and only if the call is collective, and a collective call returns the
 * same status on every rank. mpi.h stays behind this header. */
#ifndef LAMINA_COMM_COMM_H
#define LAMINA_COMM_COMM_H

#include "common/base/digest.h"
#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm;

/* What comm counts of the bytes this rank sends, by phase; the plan predicts the same numbers.
 * Counting rule, fixed here for both: a collective over n ranks counts what leaves this rank in the direct algorithm:
 * allgatherv own bytes x (n-1); reduce to owners: all but the own slice; allreduce 2 x bytes x (n-1)/n rounded down; broadcast at the
 * root bytes x (n-1). */
enum comm_phase { COMM_CONTROL, COMM_GATHER, COMM_REDUCE, COMM_ACROSS, COMM_OPTIMIZER, COMM_DATA, COMM_PHASES };

/* Before everything else, threads above all: under srun without PMIx this process may stay behind as the parent of the one that goes on, to
 * say in one sentence, on rank 0, what MPI_Init ended for. Returns -1 in the process that goes on, else the exit code to end with. */
int comm_guard(void);
/* This process has failed and told why, and starts MPI to leave together with others: if it does not start, that parent ends with this exit
 * code (below 128) and adds nothing. */
void comm_guard_code(int code);
/* MPI_Init_thread(FUNNELED), error handlers that return, check_on_failure -> comm_abort; the log is muted on ranks other than 0.
 * Collective over the launched world. Fails: ST_LAUNCH when the world is smaller than the launcher promised (OMPI_COMM_WORLD_SIZE,
 * PMI_SIZE, SLURM_STEP_NUM_TASKS, the first that is set), or LAMINA_DEADLINE is no time; *world is a group all the same then, for
 * comm_finish (a process that ends without MPI_Finalize gets an exit code of the launcher's choice), and NULL where MPI did not start. */
enum status comm_start(struct comm **world) MUST_USE;
/* A group of one rank that needs no MPI: for plan, tests and commands without a launcher. */
enum status comm_self(struct comm **self) MUST_USE;
/* Frees the group, and finalizes MPI when it is the world. Legal on NULL. Collective: yes. */
void comm_finish(struct comm *comm);

int comm_rank(const struct comm *comm);
int comm_size(const struct comm *comm);
const char *comm_host(const struct comm *comm, int rank); /* node name of a rank of this group; SLURMD_NODENAME, else host name */
/* Ranks of this group on the caller's node, for cores / ranks. */
int comm_node_size(const struct comm *comm);

/* Ranks with equal color form a group, ordered by rank. Owns: until comm_free.
 * Collective: yes. */
enum status comm_split(const struct comm *comm, int color, struct comm **out) MUST_USE;
/* A plain duplicate (HDF5 gets one of its own). Collective: yes. */
enum status comm_duplicate(const struct comm *comm, struct comm **out) MUST_USE;
void comm_free(struct comm *comm);
/* For common/store only: the address of the MPI_Comm inside; NULL in a group that needs no MPI. */
const void *comm_handle(const struct comm *comm);

/* Collective: yes, equal sizes. 64-bit counts are cut into pieces below 1 GiB. */
enum status comm_broadcast(const struct comm *comm, enum comm_phase phase, void *bytes, size_t n, int root) MUST_USE;
enum status comm_barrier(const struct comm *comm) MUST_USE;
/* In place over n elements. Collective: yes, equal n. */
enum status comm_sum_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n) MUST_USE;
enum status comm_max_u32(const struct comm *comm, enum comm_phase phase, uint32_t *values, int64_t n) MUST_USE;
enum status comm_max_i64(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n) MUST_USE;
enum status comm_min_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n) MUST_USE;
enum status comm_max_f64(const struct comm *comm, enum comm_phase phase, double *values, int64_t n) MUST_USE;
/* every rank's n bytes, in rank order, into out[n * size]. Collective: yes, equal n. */
enum status comm_gather_all(const struct comm *comm, enum comm_phase phase, const void *mine, size_t n, void *out) MUST_USE;

/* A user-defined commutative reduction of one contiguous record (count 1), for the step report.
 * combine(context-free): inout = inout (+) in. Collective: yes, equal n and combine. */
enum status comm_reduce_record(const struct comm *comm, enum comm_phase phase, void *record, size_t n,
                               void (*combine)(const void *in, void *inout, size_t n)) MUST_USE;

/* A request of a non-blocking operation; zero-initialised it is idle, and so it is after comm_wait. Any number may be in flight; they are
 * begun in the same order on all ranks. */
struct comm_request {
    void *handle[2];
};

/* buffer holds the concatenation of all ranks' slices (bytes[r] long each, in rank order); each rank's own slice is in place
 * and the others arrive. Straight into the unit's buffer, slices of any size, also 0.
 * Collective: yes, equal bytes[]. */
enum status comm_gather_begin(const struct comm *comm, enum comm_phase phase, void *buffer, const size_t bytes[],
                              struct comm_request *request) MUST_USE;
/* In-place int64 sum, non-blocking. Collective: yes, equal n. */
enum status comm_sum_begin(const struct comm *comm, enum comm_phase phase, int64_t *values, int64_t n,
                           struct comm_request *request) MUST_USE;
/* Bytes between pairs of ranks, non-blocking. What one rank sends to another meets what that one receives from it in the order of the
 * lists. Counts the bytes sent. Collective: yes, lists that fit. */
struct comm_message {
    int peer;
    void *bytes;
    size_t n;
};
enum status comm_messages_begin(const struct comm *comm, enum comm_phase phase, const struct comm_message sends[], int n_sends,
                                const struct comm_message recvs[], int n_recvs, struct comm_request *request) MUST_USE;
/* Waits with a deadline (watchdog: LAMINA_DEADLINE seconds, default 600): past it the rank writes its record and aborts with
 * ST_TIMEOUT. All collectives above wait in this way. Collective: yes. */
enum status comm_wait(const struct comm *comm, struct comm_request *request) MUST_USE;
/* Lets the outstanding operations of all groups progress; local, called between kernel tasks, by the thread that called comm_start. */
void comm_poll(void *comm);

/* Bytes sent by this process since start, by phase, over all groups. */
void comm_bytes(int64_t out[COMM_PHASES]);
const char *comm_phase_name(enum comm_phase phase);

/* For tests: MPI calls of at most `bytes` (1 GiB unless told), so that the ways of huge counts are walked with small ones. Equal on all
 * ranks. */
void comm_limit_pieces(size_t bytes);

/* Prints rank, host, last recorded action and the failure to stderr and this rank's own log (the log also gets the whole record), then
 * MPI_Abort with the status's exit code. */
_Noreturn void comm_abort(enum status code);

/* "Open MPI 4.1.4" */
const char *comm_library(void);

#endif
