/* log.h: what a person reads. Results go to stdout by printf; this is for messages, which go to stderr. */
#ifndef LAMINA_BASE_LOG_H
#define LAMINA_BASE_LOG_H

#include "status.h"
#include <stdbool.h>

/* One line "lamina: ..." on stderr. Under MPI only rank 0 speaks: others are muted by log_mute(true) and write to
 * their own file through log_to. */
void log_note(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
/* The sentence, exit meaning and (with LAMINA_TRACE set) the trace of this thread's failure; forgets it, so that it
 * is told once. */
void log_failure(enum status code);
void log_mute(bool mute);
/* Everything noted is also appended to this file with a time stamp (log/rank-NNNN.log). NULL closes it.
 * Fails: ST_IO. */
enum status log_to(const char *path) MUST_USE;

#endif
