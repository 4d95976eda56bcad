#include "signals.h"
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

/* A handler may touch nothing but lock-free atomics; this is the one state that cannot be a parameter. */
static atomic_uint seen, count;

static const struct {
    int number;
    unsigned bit;
    const char *name;
} rows[] = { { SIGUSR1, SIGNAL_STOP_USR1, "USR1" }, { SIGTERM, SIGNAL_STOP_TERM, "TERM" }, { SIGINT, SIGNAL_STOP_INT, "INT" } };
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static void note(int number)
{
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].number == number) atomic_fetch_or_explicit(&seen, rows[i].bit, memory_order_relaxed);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

void signals_install(void)
{
    struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_ROWS; i++) (void)sigaction(rows[i].number, &action, NULL);
    (void)signal(SIGCONT, SIG_IGN);
}

unsigned signals_seen(void) { return atomic_load_explicit(&seen, memory_order_relaxed); }

unsigned signals_count(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

const char *signals_names(unsigned mask, char out[32])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < N_ROWS; i++) {
        if (!(mask & rows[i].bit)) continue;
        used += (size_t)snprintf(out + used, 32 - used, "%s%s", used > 0 ? ", " : "", rows[i].name);
    }
    return out;
}
