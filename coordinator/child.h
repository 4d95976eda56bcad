/* child.h: another program as a child of this one: a session of its own, nothing on stdin, its output in a file. No shell. */
#ifndef LAMINA_COORDINATOR_CHILD_H
#define LAMINA_COORDINATOR_CHILD_H

#include "common/base/status.h"
#include <stdbool.h>

struct child {
    long pid; /* also its session and process group */
};

/* Starts argv[0] (looked for in PATH) with the arguments as they are, NULL-terminated. What it says is appended to the file `log`. Should
 * this process die, however it does, the child gets USR1: it saves and stops. Call it from the first thread. Fails: ST_IO, ST_LAUNCH. */
enum status child_start(char *const argv[], const char *log, struct child *out) MUST_USE;
/* Has it ended? *code is its exit code, or 128 and the signal. Does not wait. */
bool child_ended(const struct child *c, int *code);
/* To the child alone, or to all of its group. */
void child_signal(const struct child *c, int signal, bool group);

#endif
