/* Starting MPI, and the life of groups. */
#define LAMINA_COMM_PRIVATE
#include "agree.h"
#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who may have launched us, innermost first: mpirun inside a Slurm job sets its own and leaves Slurm's variables of the step around it. */
static const struct {
    const char *size, *rank;
} promises[] = {
    { "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK" },
    { "PMI_SIZE", "PMI_RANK" },
    { "SLURM_STEP_NUM_TASKS", "SLURM_PROCID" },
};

/* A launcher and an MPI library that do not know each other start N worlds of one rank, and all would write the same run. */
static enum status check_promise(int size, int mine)
{
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        const char *promised = getenv(promises[i].size), *rank = getenv(promises[i].rank);
        int64_t n_promised = 0, number = 0;
        if (promised == NULL || str_to_i64(promised, &n_promised) != ST_OK) continue; /* not a launcher's doing */
        if (n_promised <= size) return ST_OK;
        /* every one of these worlds has a rank 0, and one sentence is enough */
        log_mute(mine != 0 || (rank != NULL && str_to_i64(rank, &number) == ST_OK && number != 0));
        FAIL(ST_LAUNCH,
             "the launcher started %s ranks (%s), but MPI joined %d of them into a world: use the launcher of %s (its mpirun; under Slurm: "
             "srun --mpi=pmix, in batch scripts LAMINA_PMI)",
             promised, promises[i].size, size, comm_library());
    }
    return ST_OK;
}

static enum status read_deadline(void)
{
    const char *text = getenv("LAMINA_DEADLINE");
    if (text == NULL) return ST_OK;
    double seconds = 0;
    if (str_to_f64(text, &seconds) != ST_OK || !(seconds > 0))
        FAIL(ST_LAUNCH, "LAMINA_DEADLINE is '%s': give the seconds that a rank may wait for another, more than 0", text);
    comm_process.deadline_s = seconds;
    return ST_OK;
}

static void name_hosts(struct comm *comm)
{
    char mine[COMM_HOST_BYTES] = "";
    const char *node = getenv("SLURMD_NODENAME"); /* several Slurm nodes may share one host */
    if (node != NULL)
        (void)snprintf(mine, sizeof mine, "%s", node);
    else
        (void)gethostname(mine, sizeof mine - 1);
    /* not counted: it happens when groups are made, never in a step */
    MPI_Request request = MPI_REQUEST_NULL;
    if (comm->size == 1)
        memcpy(comm->hosts, mine, sizeof mine);
    else
        comm_check(MPI_Iallgather(mine, sizeof mine, MPI_BYTE, comm->hosts, sizeof mine, MPI_BYTE, comm->mpi, &request), "MPI_Iallgather",
                   COMM_CONTROL);
    if (comm->size > 1) comm_await(&request, 1, "exchange of host names", COMM_CONTROL);
    for (int r = 0; r < comm->size; r++) comm->node_size += strcmp(comm->hosts[r], mine) == 0;
}

/* Collective over mpi. Memory that cannot be had here breaks an invariant: a rank that returned alone would leave the others waiting. */
static struct comm *group_of(MPI_Comm mpi)
{
    struct comm *comm = calloc(1, sizeof *comm);
    CHECK(comm != NULL);
    comm->mpi = mpi;
    comm->size = 1;
    if (mpi != MPI_COMM_NULL) {
        comm_check(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler", COMM_CONTROL);
        comm_check(MPI_Comm_rank(mpi, &comm->rank), "MPI_Comm_rank", COMM_CONTROL);
        comm_check(MPI_Comm_size(mpi, &comm->size), "MPI_Comm_size", COMM_CONTROL);
    }
    comm->reductions = calloc(1, sizeof *comm->reductions);
    comm->hosts = calloc((size_t)comm->size, sizeof *comm->hosts);
    CHECK(comm->reductions != NULL && comm->hosts != NULL);
    name_hosts(comm);
    return comm;
}

/* What a rank can find wrong before it has said a word to another. */
static enum status check_start(const struct comm *comm, int provided)
{
    TRY(check_promise(comm->size, comm->rank));
    TRY(read_deadline());
    if (provided < MPI_THREAD_FUNNELED) FAIL(ST_LAUNCH, "%s was built without thread support (MPI_THREAD_FUNNELED)", comm_library());
    return ST_OK;
}

enum status comm_start(struct comm **world)
{
    int provided = MPI_THREAD_SINGLE;
    TRY(comm_guarded_init(&provided));
    check_on_failure(comm_abort);
    struct comm *comm = group_of(MPI_COMM_WORLD);
    comm->world = true;
    log_mute(comm->rank != 0);
    *world = comm;
    return comm_agree(comm, check_start(comm, provided));
}

enum status comm_self(struct comm **self)
{
    *self = group_of(MPI_COMM_NULL);
    return ST_OK;
}

void comm_free(struct comm *comm)
{
    if (comm == NULL) return;
    if (comm->mpi != MPI_COMM_NULL && !comm->world) comm_check(MPI_Comm_free(&comm->mpi), "MPI_Comm_free", COMM_CONTROL);
    free(comm->hosts);
    free(comm->reductions);
    free(comm);
}

void comm_finish(struct comm *comm)
{
    if (comm == NULL) return;
    const bool world = comm->world;
    comm_free(comm);
    if (!world) return;
    comm_record_free();
    comm_operations_free();
    check_on_failure(NULL);
    (void)MPI_Finalize();
}

enum status comm_split(const struct comm *comm, int color, struct comm **out)
{
    if (comm->mpi == MPI_COMM_NULL) return comm_self(out);
    TRY(comm_barrier(comm)); /* MPI_Comm_split has no deadline; once all are here it does not need one */
    MPI_Comm made = MPI_COMM_NULL;
    comm_check(MPI_Comm_split(comm->mpi, color, comm->rank, &made), "MPI_Comm_split", COMM_CONTROL);
    *out = group_of(made);
    return ST_OK;
}

enum status comm_duplicate(const struct comm *comm, struct comm **out)
{
    if (comm->mpi == MPI_COMM_NULL) return comm_self(out);
    TRY(comm_barrier(comm));
    MPI_Comm made = MPI_COMM_NULL;
    comm_check(MPI_Comm_dup(comm->mpi, &made), "MPI_Comm_dup", COMM_CONTROL);
    *out = group_of(made);
    return ST_OK;
}

int comm_rank(const struct comm *comm) { return comm->rank; }
int comm_size(const struct comm *comm) { return comm->size; }
int comm_node_size(const struct comm *comm) { return comm->node_size; }
const char *comm_host(const struct comm *comm, int rank) { return comm->hosts[rank]; }
const void *comm_handle(const struct comm *comm) { return comm->mpi == MPI_COMM_NULL ? NULL : &comm->mpi; }

const char *comm_library(void)
{
    static char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (MPI_Get_library_version(name, &length) != MPI_SUCCESS) return "this MPI";
    name[strcspn(name, ",\n")] = '\0';
    static const char mpich[] = "MPICH Version:"; /* and a tab: the first line of many */
    if (strncmp(name, mpich, sizeof mpich - 1) == 0) {
        const char *version = name + sizeof mpich - 1;
        version += strspn(version, " \t");
        memmove(name + sizeof "MPICH", version, strlen(version) + 1);
        name[sizeof "MPICH" - 1] = ' ';
    }
    return name;
}

const char *library_mpi(void)
{
    static _Thread_local char text[MPI_MAX_LIBRARY_VERSION_STRING + 32];
    int major = 0, minor = 0;
    (void)MPI_Get_version(&major, &minor);
    (void)snprintf(text, sizeof text, "%s, standard %d.%d", comm_library(), major, minor);
    return text;
}
