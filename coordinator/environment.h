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
/* Was it started by one? The first answer stays, so it is asked for before MPI starts: Open MPI gives a process that starts alone the
 * variables of a rank. */
bool environment_launched(void);
/* Is this the terminal of a person, in which a line can be written over? Under a launcher stdout claims to be one even where it goes to a
 * file. */
bool environment_terminal(int fd);
/* One line that updates itself (else a line per report)? What LAMINA_PROGRESS says, else whether it is such a terminal. */
bool environment_line(int fd);
bool environment_color(int fd); /* such a terminal, and no NO_COLOR */
/* Is this process one of the ranks that a launcher started? A batch shell of Slurm has a SLURM_PROCID too, but is no rank. */
bool environment_is_rank(void);

#endif
