/* progress.h: how far a long command is, its rate and the time left: on stderr, one line that updates itself on a real terminal (or where
 * LAMINA_PROGRESS=line asks for it), else a plain line every ten seconds. */
#ifndef LAMINA_COORDINATOR_PROGRESS_H
#define LAMINA_COORDINATOR_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum progress_unit { PROGRESS_BYTES, PROGRESS_COUNT };
struct progress {
    const char *what; /* "reading", "learning merges" */
    enum progress_unit unit;
    bool line, pending;  /* pending: the line is on the screen */
    double first, told;  /* clock */
    int64_t done_before; /* done when it began: a part that was there already does not count into the rate */
};

void progress_begin(struct progress *p, const char *what, enum progress_unit unit, int64_t done_before);
/* As often as the caller likes: most calls print nothing. total 0: unknown. Local; ranks other than 0 say nothing. */
void progress_note(struct progress *p, int64_t done, int64_t total);
/* Takes the line away. Legal on one that never began (zeroed), and twice. */
void progress_end(struct progress *p);

#endif
