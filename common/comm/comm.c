#define LAMINA_COMM
#include "private.h"
#include "recorder.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t counted[COMM_PHASES];

void comm_count(enum comm_phase phase, int64_t bytes) { counted[phase] += bytes; }
void comm_bytes(int64_t out[COMM_PHASES]) { memcpy(out, counted, sizeof counted); }

const char *comm_phase_name(enum comm_phase phase)
{
    static const char *const names[COMM_PHASES] = { "control", "gather", "reduce", "across", "optimizer", "data" };
    return names[phase];
}

/* --- Ends -------------------------------------------------------------------------------------------------------------- */

void comm_abort(enum status code)
{
    int running = 0, over = 0, rank = 0;
    MPI_Initialized(&running);
    MPI_Finalized(&over);
    if (running && !over) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    log_mute(false);
    log_warn("rank %d ends the run in \"%s\": %s (%s)", rank, recorder_last(), status_text(), status_trace_text());
    recorder_dump(STDERR_FILENO);
    if (running && !over) MPI_Abort(MPI_COMM_WORLD, status_exit_code(code));
    _exit(status_exit_code(code));
}

void comm_check(int mpi_result, const char *call)
{
    if (mpi_result == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(mpi_result, text, &n);
    comm_abort(status_fail(ST_BUG, __FILE__, __LINE__, "%s failed: %s", call, text));
}

double comm_deadline(void)
{
    const char *text = getenv("LAMINA_DEADLINE");
    const double seconds = text ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : 600;
}

void comm_wait_all(MPI_Request *requests, int n, const char *what)
{
    const double start = clock_seconds(), deadline = comm_deadline();
    for (int64_t polls = 0;; polls++) {
        int done = 0;
        comm_check(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE), "MPI_Testall");
        if (done) return;
        if (polls > 1000) usleep(polls > 100000 ? 200 : 0); /* ranks that share a core let each other run */
        if (polls % 256 == 0 && clock_seconds() - start > deadline)
            comm_abort(status_fail(ST_TIMEOUT, __FILE__, __LINE__, "no answer in %s for %.0f s (LAMINA_DEADLINE)", what, deadline));
    }
}

/* --- Start --------------------------------------------------------------------------------------------------------------- */

/* A wrong PMI starts N worlds of one rank each, and all would write the same run. */
static enum status check_promise(int size)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMI_SIZE" };
    const bool under_mpirun = getenv("OMPI_COMM_WORLD_SIZE") != NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text == NULL || (i == 1 && under_mpirun)) continue;
        if (atol(text) != size)
            FAIL(ST_LAUNCH,
                 "the launcher promised %s ranks (%s) and MPI gives %d: start with the launcher of the MPI library this program was built "
                 "with (%s); "
                 "under Slurm: srun --mpi=pmix",
                 text, names[i], size, comm_library());
    }
    return ST_OK;
}

static void exchange_hosts(struct comm *c)
{
    c->hosts = calloc((size_t)c->size, sizeof *c->hosts);
    CHECK(c->hosts != NULL);
    char mine[COMM_NAME] = "";
    const char *node = getenv("SLURMD_NODENAME");
    if (node)
        strncpy(mine, node, sizeof mine - 1);
    else
        gethostname(mine, sizeof mine - 1);
    if (c->size == 1)
        memcpy(c->hosts[0], mine, sizeof mine);
    else
        comm_check(MPI_Allgather(mine, COMM_NAME, MPI_BYTE, c->hosts, COMM_NAME, MPI_BYTE, c->mpi), "MPI_Allgather");
    for (int r = 0; r < c->size; r++) c->node_size += strcmp(c->hosts[r], c->hosts[c->rank]) == 0;
}

static struct comm *new_group(MPI_Comm mpi)
{
    struct comm *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->mpi = mpi;
    c->size = 1;
    c->record = MPI_DATATYPE_NULL;
    c->combine = MPI_OP_NULL;
    c->slice = MPI_DATATYPE_NULL;
    if (mpi != MPI_COMM_NULL) {
        comm_check(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        comm_check(MPI_Comm_rank(mpi, &c->rank), "MPI_Comm_rank");
        comm_check(MPI_Comm_size(mpi, &c->size), "MPI_Comm_size");
    }
    c->counts = calloc((size_t)c->size, sizeof *c->counts);
    c->places = calloc((size_t)c->size, sizeof *c->places);
    CHECK(c->counts != NULL && c->places != NULL);
    exchange_hosts(c);
    return c;
}

enum status comm_start(struct comm **world)
{
    int provided;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS || provided < MPI_THREAD_FUNNELED)
        FAIL(ST_LAUNCH, "MPI did not start with MPI_THREAD_FUNNELED");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check_on_failure(comm_abort);
    *world = new_group(MPI_COMM_WORLD);
    (*world)->world = true;
    return check_promise((*world)->size);
}

enum status comm_self(struct comm **self)
{
    *self = new_group(MPI_COMM_NULL);
    (*self)->self = true;
    return ST_OK;
}

void comm_free(struct comm *comm)
{
    if (comm == NULL) return;
    int over = 1;
    MPI_Finalized(&over);
    if (comm->slice != MPI_DATATYPE_NULL && !over) MPI_Type_free(&comm->slice);
    if (comm->record != MPI_DATATYPE_NULL && !over) MPI_Type_free(&comm->record);
    if (comm->combine != MPI_OP_NULL && !over) MPI_Op_free(&comm->combine);
    if (comm->mpi != MPI_COMM_NULL && !comm->world && !over) MPI_Comm_free(&comm->mpi);
    free(comm->counts);
    free(comm->places);
    free(comm->hosts);
    free(comm);
}

void comm_finish(struct comm *comm)
{
    if (comm == NULL) return;
    const bool world = comm->world;
    comm_free(comm);
    if (world) MPI_Finalize();
}

enum status comm_split(const struct comm *comm, int color, struct comm **out)
{
    if (comm->mpi == MPI_COMM_NULL) return comm_self(out);
    MPI_Comm made;
    comm_check(MPI_Comm_split(comm->mpi, color, comm->rank, &made), "MPI_Comm_split");
    *out = new_group(made);
    return ST_OK;
}

enum status comm_duplicate(const struct comm *comm, struct comm **out)
{
    if (comm->mpi == MPI_COMM_NULL) return comm_self(out);
    MPI_Comm made;
    comm_check(MPI_Comm_dup(comm->mpi, &made), "MPI_Comm_dup");
    *out = new_group(made);
    return ST_OK;
}

int comm_rank(const struct comm *comm) { return comm->rank; }
int comm_size(const struct comm *comm) { return comm->size; }
int comm_node_size(const struct comm *comm) { return comm->node_size; }
const char *comm_host(const struct comm *comm, int rank) { return comm->hosts[rank]; }
void *comm_handle(const struct comm *comm) { return (void *)(uintptr_t)&comm->mpi; }

const char *comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int n = 0;
    MPI_Get_library_version(text, &n);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}
