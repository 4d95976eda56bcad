#include "environment.h"
#include "common/base/str.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct environment_row environment_table[] = {
    { "OMP_NUM_THREADS", "threads per rank; not set: cores of the node divided by the ranks on it" },
    { "LAMINA_ISA", "instruction set of the kernels: generic, avx2, avx512, avx512_bf16 or amx; not set: the best of the machine" },
    { "LAMINA_PROGRESS", "line: one line that updates itself instead of a line per report" },
    { "LAMINA_DEADLINE", "seconds after which a wait for another rank is given up (exit 9); not set: 600" },
    { "LAMINA_TRACE", "set: failures also print where in the source they came from" },
    { "LAMINA_FAULT", "name@rank[:count][=fail|kill|hang]: make one named point of the program fail, for tests" },
    { "LAMINA_PMI", "what batch scripts ask srun for as --mpi; not set: pmix" },
    { "LAMINA_SITE", "shell file that batch scripts read first, for modules; not set: slurm/site.sh where it is" },
    { "NO_COLOR", "not empty: no colours on a terminal" },
    { "OPENBLAS_CORETYPE", "set by the program itself where OpenBLAS takes the processor for an old one, and by LAMINA_ISA" },
    { "HDF5_USE_FILE_LOCKING", "BEST_EFFORT unless set: file systems without locks work" },
    { 0 },
};

static const char *const rank_names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID" };

static const char *launcher_rank(void)
{
    for (size_t i = 0; i < sizeof rank_names / sizeof rank_names[0]; i++) {
        const char *text = getenv(rank_names[i]);
        if (text != NULL) return text;
    }
    return NULL;
}

static int launched = -1; /* like the environment itself, one for the process */

bool environment_launched(void)
{
    if (launched < 0) launched = launcher_rank() != NULL;
    return launched != 0;
}

bool environment_terminal(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && !environment_launched() && kind != NULL && strcmp(kind, "dumb") != 0;
}

bool environment_line(int fd)
{
    const char *wish = getenv("LAMINA_PROGRESS");
    return wish != NULL && wish[0] != '\0' ? strcmp(wish, "line") == 0 : environment_terminal(fd);
}

bool environment_color(int fd)
{
    const char *no = getenv("NO_COLOR");
    return environment_terminal(fd) && (no == NULL || no[0] == '\0');
}

bool environment_is_rank(void)
{
    static const char *const slurm = "SLURM_PROCID";
    for (size_t i = 0; i < sizeof rank_names / sizeof rank_names[0]; i++)
        if (strcmp(rank_names[i], slurm) != 0 && getenv(rank_names[i]) != NULL) return true;
    return getenv(slurm) != NULL && getenv("SLURM_STEP_ID") != NULL;
}

int environment_rank(void)
{
    int64_t rank = 0;
    const char *text = launcher_rank();
    if (text == NULL || str_to_i64(text, &rank) != ST_OK || rank < 0) return 0;
    return (int)rank;
}
