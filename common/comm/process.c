/* What MPI has once per process: counters, the deadline, and the end of everything. */
#define LAMINA_COMM_PRIVATE
#include "common/base/clock.h"
#include "common/base/log.h"
#include "private.h"
#include "recorder.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

struct comm_process comm_process = { .deadline_s = 600, .piece_bytes = (size_t)1 << 30 };

static const char *const phase_names[COMM_PHASES] = { "control", "gather", "reduce", "across", "optimizer", "data" };

const char *comm_phase_name(enum comm_phase phase) { return phase_names[phase]; }

void comm_count(enum comm_phase phase, int64_t bytes) { comm_process.bytes[phase] += bytes; }

void comm_bytes(int64_t out[COMM_PHASES]) { memcpy(out, comm_process.bytes, sizeof comm_process.bytes); }

void comm_limit_pieces(size_t bytes) { comm_process.piece_bytes = bytes; }

int64_t comm_allreduce_bytes(int size, int64_t bytes) { return 2 * bytes * (size - 1) / size; }

bool comm_late(struct comm_watch *watch)
{
    if (watch->polls++ == 0) watch->began = clock_seconds();
    if (watch->polls > 64) (void)sched_yield(); /* ranks may share this core: the one we wait for needs it */
    return watch->polls % 256 == 0 && clock_seconds() - watch->began > comm_process.deadline_s;
}

void comm_await(MPI_Request *requests, int n, const char *call, enum comm_phase phase)
{
    struct comm_watch watch = { 0 };
    for (;;) {
        int done = 0;
        comm_check(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE), call, phase);
        if (done) return;
        if (comm_late(&watch))
            comm_abort(
                status_fail(ST_TIMEOUT, __FILE__, __LINE__,
                            "%s (%s) was not answered within %g s: a rank has stopped or is cut off; LAMINA_DEADLINE sets the seconds",
                            call, phase_names[phase], comm_process.deadline_s));
    }
}

void comm_check(int mpi_code, const char *call, enum comm_phase phase)
{
    if (mpi_code == MPI_SUCCESS) return;
    char reason[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    (void)MPI_Error_string(mpi_code, reason, &length);
    comm_abort(status_fail(ST_LAUNCH, __FILE__, __LINE__, "%s (%s) failed inside MPI: %s", call, phase_names[phase], reason));
}

static bool mpi_is_running(void)
{
    int begun = 0, ended = 0;
    (void)MPI_Initialized(&begun);
    (void)MPI_Finalized(&ended);
    return begun && !ended;
}

_Noreturn void comm_abort(enum status code)
{
    const bool running = mpi_is_running();
    int rank = 0;
    char line[160], host[COMM_HOST_BYTES] = "";
    if (running) (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)gethostname(host, sizeof host - 1);
    log_mute(true); /* the record is long: it goes to this rank's own file only */
    for (int i = 0; recorder_line(i, line, sizeof line); i++) log_note("was at: %s", line);
    log_mute(false);
    log_note("rank %d on %s stops all ranks: %s", rank, host, status_text());
    log_note("rank %d was at: %s; %s", rank, recorder_last(), status_trace_text());
    log_note("exit %d: %s", status_exit_code(code), status_meaning(code));
    if (running) (void)MPI_Abort(MPI_COMM_WORLD, status_exit_code(code));
    _exit(status_exit_code(code)); /* no handlers of libraries whose peers are gone */
}
