/* clock.h: the only sources of time. Time never enters a decision that must be equal on all ranks without agreement. */
#ifndef LAMINA_BASE_CLOCK_H
#define LAMINA_BASE_CLOCK_H

#include <stdint.h>

double clock_seconds(void);        /* monotonic */
double clock_thread_seconds(void); /* of the processor, spent by the calling thread */
int64_t clock_unix(void);          /* seconds since 1970 */
/* "2026-01-31T12:00:00Z" */
char *clock_iso8601(int64_t unix_seconds, char out[24]);

#endif
