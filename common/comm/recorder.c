#include "recorder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RING = 64 };

static struct {
    const char *action;
    int64_t step, detail;
} ring[RING];
static volatile unsigned next;

void recorder_note(const char *action, int64_t step, int64_t detail)
{
    const unsigned at = next % RING;
    ring[at].action = action;
    ring[at].step = step;
    ring[at].detail = detail;
    next = next + 1;
}

const char *recorder_last(void) { return next == 0 ? "start" : ring[(next - 1) % RING].action; }

/* snprintf is not on the list of async-signal-safe functions: numbers are written by hand. */
static size_t put_number(char *out, int64_t n)
{
    char digits[24];
    size_t k = 0, m = 0;
    if (n < 0) out[m++] = '-';
    uint64_t u = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do digits[k++] = (char)('0' + u % 10);
    while (u /= 10);
    while (k) out[m++] = digits[--k];
    return m;
}

void recorder_dump(int fd)
{
    const unsigned end = next, begin = end > RING ? end - RING : 0;
    for (unsigned i = begin; i != end; i++) {
        char line[160];
        size_t n = strnlen(ring[i % RING].action, 80);
        memcpy(line, ring[i % RING].action, n);
        memcpy(line + n, " step ", 6);
        n += 6 + put_number(line + n + 6, ring[i % RING].step);
        line[n++] = ' ';
        n += put_number(line + n, ring[i % RING].detail);
        line[n++] = '\n';
        if (write(fd, line, n) < 0) return;
    }
}
