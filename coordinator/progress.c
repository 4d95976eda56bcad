#include "progress.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "environment.h"
#include <stdio.h>
#include <unistd.h>

static const double PLAIN_SECONDS = 10, LINE_SECONDS = 0.2; /* least time between two reports */

void progress_begin(struct progress *p, const char *what, enum progress_unit unit, int64_t done_before)
{
    const double now = clock_seconds();
    *p = (struct progress){ .what = what, .unit = unit, .first = now, .told = now, .done_before = done_before };
    p->line = environment_line(STDERR_FILENO);
}

static char *amount(const struct progress *p, char *buffer, size_t size, double n)
{
    return p->unit == PROGRESS_BYTES ? str_bytes(buffer, size, n) : str_count(buffer, size, (int64_t)n);
}

static void add_state(const struct progress *p, double now, int64_t done, int64_t total, struct text *out)
{
    char a[32], b[32];
    const double rate = (double)(done - p->done_before) / (now - p->first);
    text_add(out, "%s: %s", p->what, amount(p, a, sizeof a, (double)done));
    if (total > 0) text_add(out, " of %s", amount(p, b, sizeof b, (double)total));
    text_add(out, ", %s/s", amount(p, a, sizeof a, rate));
    if (total > done && rate > 0) text_add(out, ", %s left", str_seconds(b, sizeof b, (double)(total - done) / rate));
}

void progress_note(struct progress *p, int64_t done, int64_t total)
{
    const double now = clock_seconds();
    if (environment_rank() != 0 || now - p->told < (p->line ? LINE_SECONDS : PLAIN_SECONDS)) return;
    struct text out = { 0 };
    add_state(p, now, done, total, &out);
    if (p->line)
        (void)fprintf(stderr, "\r\033[K%s", out.data);
    else
        log_note("%s", out.data);
    p->pending = p->line;
    p->told = now;
    text_free(&out);
}

void progress_end(struct progress *p)
{
    if (p->pending) (void)fprintf(stderr, "\r\033[K");
    p->pending = false;
}
