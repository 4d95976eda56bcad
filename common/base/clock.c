#include "clock.h"
#include <stddef.h>
#include <time.h>

double clock_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t clock_unix(void) { return (int64_t)time(NULL); }

char *clock_iso8601(int64_t unix_seconds, char out[24])
{
    const time_t t = (time_t)unix_seconds;
    struct tm utc;
    out[0] = '\0'; /* a year beyond 9999 or beyond int has no such form */
    if (gmtime_r(&t, &utc) == NULL || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) out[0] = '\0';
    return out;
}
