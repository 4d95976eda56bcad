#include "launcher.h"
#include "common/base/check.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names in the order of preference inside one folder, and the options before the number of ranks. */
#if defined OPEN_MPI
static const char *const names[] = { "mpirun.openmpi", "mpirun", NULL };
static const char *const options[] = { "-q", "--bind-to", "none", "--oversubscribe", "-n", NULL };
#elif defined MPICH_VERSION || defined I_MPI_VERSION
static const char *const names[] = { "mpiexec.hydra", "mpiexec.mpich", "mpiexec", NULL }; /* binds nothing, and does not count cores */
static const char *const options[] = { "-n", NULL };
#else
static const char *const names[] = { "mpiexec", NULL };
static const char *const options[] = { "-n", NULL };
#endif

static bool leads_to(const char *folder, size_t n, const char *name)
{
    char path[4096];
    const int bytes = n == 0 ? snprintf(path, sizeof path, "./%s", name) : snprintf(path, sizeof path, "%.*s/%s", (int)n, folder, name);
    return bytes < (int)sizeof path && access(path, X_OK) == 0;
}

static const char *name_in_path(void)
{
    const char *folder = getenv("PATH");
    while (folder != NULL) { /* the folder decides first: what a module puts in front of PATH counts, not what Debian calls it */
        const char *end = strchr(folder, ':');
        const size_t n = end != NULL ? (size_t)(end - folder) : strlen(folder);
        for (int i = 0; names[i] != NULL; i++)
            if (leads_to(folder, n, names[i])) return names[i];
        folder = end != NULL ? end + 1 : NULL;
    }
    return NULL;
}

int comm_launcher(const char *words[LAUNCHER_WORDS])
{
    int n = 0;
    const char *found = name_in_path();
    while (names[n + 1] != NULL) n++;
    words[0] = found != NULL ? found : names[n]; /* the common name: who starts it is told that it is not there */
    for (n = 1; options[n - 1] != NULL; n++) words[n] = options[n - 1];
    CHECK(n < LAUNCHER_WORDS);
    words[n] = NULL;
    return n;
}
