/* environment.h: the environment variables that this program understands: one row each, for `info`, --help and run.json. */
#ifndef LAMINA_COORDINATOR_ENVIRONMENT_H
#define LAMINA_COORDINATOR_ENVIRONMENT_H

#include <stdbool.h>

struct environment_row {
    const char *name, *help;
};
extern const struct environment_row environment_table[]; /* ends with name NULL */

/* This process's rank as its launcher (Open MPI, PMIx, PMI, Slurm) tells it before MPI starts; 0 without a launcher. */
int environment_rank(void);
bool environment_launched(void);
/* Is this process one of the ranks that a launcher started? A batch shell of Slurm has a SLURM_PROCID too, but is no rank. */
bool environment_is_rank(void);

#endif
