/* What ends inside MPI_Init. Open MPI that srun has started finds its peers through PMIx. Where srun speaks another language (--mpi=none,
 * pmi2) most builds end the process there and then, with code 1 and a page of text from each rank; those built for it start all the same.
 * Nobody can tell beforehand, so a parent stays behind and looks. */
#define LAMINA_COMM_PRIVATE
#include "common/base/log.h"
#include "common/base/str.h"
#include "private.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BEGUN = 'b', STARTED = 's', KNOWN = 0x80 }; /* what the pipe brings; KNOWN + exit code */

/* A task of srun that neither PMIx nor mpirun knows, and a library that needs to be known. */
static bool is_doubtful(void)
{
    return getenv("SLURM_STEP_ID") != NULL && getenv("SLURM_PROCID") != NULL && getenv("PMIX_RANK") == NULL &&
           getenv("OMPI_COMM_WORLD_RANK") == NULL && strncmp(comm_library(), "Open MPI", strlen("Open MPI")) == 0;
}

/* Slurm sends its signals, KILL included, to every process of a task, so the parent only has to outlive those that are requests. */
static int wait_for(pid_t child)
{
    static const int outlived[] = { SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP };
    int how = 0;
    for (size_t i = 0; i < sizeof outlived / sizeof outlived[0]; i++) (void)signal(outlived[i], SIG_IGN);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static int tell(void)
{
    const char *rank = getenv("SLURM_PROCID");
    log_mute(rank != NULL && strcmp(rank, "0") != 0); /* all of them end so, and one sentence is enough */
    const enum status s = status_fail(
        ST_LAUNCH, __FILE__, __LINE__,
        "srun started this as one of %s ranks, but %s does not learn from it who the others are: use srun --mpi=pmix (LAMINA_PMI in "
        "batch scripts; srun --mpi=list shows what there is), or mpirun inside the job",
        getenv("SLURM_STEP_NUM_TASKS") != NULL ? getenv("SLURM_STEP_NUM_TASKS") : "several", comm_library());
    log_failure(s);
    return status_exit_code(s);
}

int comm_guard(void)
{
    int report[2];
    if (!is_doubtful() || pipe2(report, O_CLOEXEC) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        (void)close(report[0]);
        comm_process.guard = report[1];
        return -1;
    }
    (void)close(report[1]);
    unsigned char last = 0;
    const int code = child > 0 ? wait_for(child) : 0;
    int known = 0;
    for (unsigned char c; read(report[0], &c, 1) == 1; last = c)
        if (c >= KNOWN) known = c - KNOWN;
    (void)close(report[0]);
    if (child < 0) return -1; /* no process to spare: without a guard, then */
    return last != BEGUN ? code : known != 0 ? known : tell();
}

void comm_guard_code(int code)
{
    const unsigned char known = (unsigned char)(KNOWN + code);
    if (comm_process.guard > 0) (void)!write(comm_process.guard, &known, 1);
}

enum status comm_guarded_init(int *provided)
{
    const int report = comm_process.guard;
    const char begun = BEGUN, started = STARTED;
    int errors = -1;
    if (report > 0) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        if (errors >= 0 && null >= 0) (void)dup2(null, STDERR_FILENO); /* the page of text: the parent says it in a sentence */
        if (null >= 0) (void)close(null);
        (void)!write(report, &begun, 1);
    }
    const int result = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, provided);
    if (report > 0) (void)!write(report, &started, 1);
    if (errors >= 0) {
        (void)dup2(errors, STDERR_FILENO);
        (void)close(errors);
    }
    if (result != MPI_SUCCESS) FAIL(ST_LAUNCH, "MPI did not start; launch with its own mpirun, or under Slurm with srun --mpi=pmix");
    return ST_OK;
}
