/* launcher.h: the program that starts ranks of this MPI on one machine. Each MPI has its own, and one that belongs to another starts worlds
 * of one rank. Needs no MPI to be running. */
#ifndef LAMINA_COMM_LAUNCHER_H
#define LAMINA_COMM_LAUNCHER_H

enum { LAUNCHER_WORDS = 8 };
/* The words before the number of ranks, NULL-terminated: { "mpirun", "-q", ..., "-n" }. Ranks are not bound to cores, and there may be more
 * of them than cores. The name is the first that PATH leads to: Debian keeps the launchers of two MPIs side by side. Returns their number.
 */
int comm_launcher(const char *words[LAUNCHER_WORDS]);

#endif
