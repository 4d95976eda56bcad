/* recorder.h: the last actions of this rank, so that a hung or dead run can say where each rank was. */
#ifndef LAMINA_COMM_RECORDER_H
#define LAMINA_COMM_RECORDER_H

#include <stdint.h>

/* A ring of the last 64 actions; text must be a string literal or live as long as the process. One store, no lock. */
void recorder_note(const char *action, int64_t step, int64_t detail);
/* Write the ring, oldest first, to a file descriptor; async-signal-safe. */
void recorder_dump(int fd);
const char *recorder_last(void);

#endif
