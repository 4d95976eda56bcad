/* The only place that ends the process. What must happen before any library looks at the environment stands here. */
#include "common/base/parallel.h"
#include "common/comm/comm.h"
#include "common/math/product.h"
#include "coordinator/commands.h"
#include <stdlib.h>
#include <unistd.h>

/* OpenBLAS chooses its kernels while it is being loaded; where it takes the processor for an old one (five times slower), or LAMINA_ISA
 * asks for others, only a fresh start of the program with OPENBLAS_CORETYPE helps. Before MPI_Init, which may not run twice; once, as the
 * variable then has the value. */
static void restart_for_openblas(char *argv[])
{
    const char *core = math_openblas_coretype_needed();
    if (core == NULL) return;
    if (setenv("OPENBLAS_CORETYPE", core, 1) == 0) (void)execv("/proc/self/exe", argv); /* if it fails, LAPACK is slow and nothing else */
}

int main(int argc, char *argv[])
{
    restart_for_openblas(argv);
    const int ended = comm_guard(); /* before there are threads: it may fork */
    if (ended >= 0) return ended;
    (void)setenv("HDF5_USE_FILE_LOCKING", "BEST_EFFORT", 0); /* many cluster file systems have no locks */
    parallel_init();
    return status_exit_code(commands_run(argc, argv));
}
