#define LAMINA_COMM_PRIVATE
#include "recorder.h"
#include "private.h"
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { RING = 64, LINE = 160, ACTION = 80 };

/* Written by thread 0; a signal handler or a failing thread may read at any time. An entry is complete before `noted` counts it. */
static struct {
    const char *action;
    int64_t step, detail;
} ring[RING];
static atomic_uint_fast64_t noted;

void recorder_note(const char *action, int64_t step, int64_t detail)
{
    const uint_fast64_t n = atomic_load_explicit(&noted, memory_order_relaxed);
    ring[n % RING].action = action;
    ring[n % RING].step = step;
    ring[n % RING].detail = detail;
    atomic_store_explicit(&noted, n + 1, memory_order_release);
}

const char *recorder_last(void)
{
    const uint_fast64_t n = atomic_load_explicit(&noted, memory_order_acquire);
    return n == 0 ? "start" : ring[(n - 1) % RING].action;
}

/* printf may not be called in a signal handler; these may. */
static size_t put_text(char *out, const char *text, size_t most)
{
    const size_t n = strnlen(text, most);
    memcpy(out, text, n);
    return n;
}

static size_t put_number(char *out, int64_t value)
{
    char digits[20];
    size_t n_digits = 0, n = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do digits[n_digits++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0) out[n++] = '-';
    while (n_digits > 0) out[n++] = digits[--n_digits];
    return n;
}

bool recorder_line(int i, char *line, size_t cap)
{
    const uint_fast64_t end = atomic_load_explicit(&noted, memory_order_acquire), held = end < RING ? end : RING;
    if ((uint_fast64_t)i >= held || cap < LINE) return false;
    const uint_fast64_t at = (end - held + (uint_fast64_t)i) % RING;
    size_t n = put_text(line, "step ", 5);
    n += put_number(line + n, ring[at].step);
    n += put_text(line + n, " ", 1);
    n += put_text(line + n, ring[at].action, ACTION);
    n += put_text(line + n, " ", 1);
    n += put_number(line + n, ring[at].detail);
    line[n] = '\0';
    return true;
}

void recorder_dump(int fd)
{
    char line[LINE + 1];
    for (int i = 0; recorder_line(i, line, LINE); i++) {
        const size_t n = strlen(line);
        line[n] = '\n';
        if (write(fd, line, n + 1) < 0) return; /* no better place to say so */
    }
}
