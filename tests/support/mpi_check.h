/* mpi_check.h: Check programs that run on several ranks. Forking is off (MPI does not survive it), so a failed assertion jumps out of its
 * test: it must do so on all ranks, or the others wait in a collective for ever. */
#ifndef LAMINA_TESTS_MPI_CHECK_H
#define LAMINA_TESTS_MPI_CHECK_H

#include "common/comm/comm.h"
#include <check.h>

/* Agree first, then fail on all ranks, naming the lowest rank where the condition does not hold. In MPI tests it takes the place of
 * ck_assert. Collective: yes; the condition may differ. */
#define mpi_ck_assert(comm, condition) mpi_ck_agree((comm), (condition), #condition, __FILE__, __LINE__)
void mpi_ck_agree(const struct comm *comm, bool holds, const char *condition, const char *file, int line);

/* The whole of main: starts MPI, lets `add` put tests into the case, runs them, prints on rank 0. Returns the exit code, the same on all
 * ranks. Collective over the launched world. */
int mpi_check_main(const char *name, void (*add)(TCase *));
/* The world, for the tests. */
const struct comm *mpi_world(void);

#endif
