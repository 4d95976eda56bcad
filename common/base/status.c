#include "status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One record per thread: a failure on a helper thread cannot overwrite the one that the main thread is reporting. */
static _Thread_local struct {
    char text[STATUS_TEXT_BYTES];
    char trace[1024];
} record;

static const struct {
    const char *name;
    int exit_code;
    const char *meaning;
} codes[STATUS_COUNT] = {
#define STATUS_ROW(name, code, text) { #name, code, text },
    STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

/* Replaces the record's text; a text that does not fit ends in "...". */
static void set_text(const char *text)
{
    const size_t cap = sizeof record.text, n = strlen(text);
    if (n < cap) {
        memmove(record.text, text, n + 1);
        return;
    }
    memmove(record.text, text, cap - 4);
    memcpy(record.text + cap - 4, "...", 4);
}

enum status status_fail(enum status code, const char *file, int line, const char *format, ...)
{
    char text[STATUS_TEXT_BYTES +
              1]; /* apart from the record: the arguments may quote status_text(). One longer, so that set_text sees a cut */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    set_text(text);
    record.trace[0] = '\0';
    return status_trace(code, file, line);
}

enum status status_trace(enum status code, const char *file, int line)
{
    const size_t used = strlen(record.trace);
    (void)snprintf(record.trace + used, sizeof record.trace - used, "%s%s:%d", used > 0 ? " < " : "", file, line);
    return code;
}

enum status status_adopt(enum status code, int rank, const char *text)
{
    char adopted[STATUS_TEXT_BYTES + 1];
    (void)snprintf(adopted, sizeof adopted, "rank %d: %s", rank, text);
    set_text(adopted);
    record.trace[0] = '\0';
    return code;
}

const char *status_text(void) { return record.text; }

const char *status_trace_text(void) { return record.trace; }

void status_clear(void)
{
    record.text[0] = '\0';
    record.trace[0] = '\0';
}

static enum status known(enum status code) { return (unsigned)code < STATUS_COUNT ? code : ST_BUG; }

int status_exit_code(enum status code) { return codes[known(code)].exit_code; }

const char *status_name(enum status code) { return codes[known(code)].name; }

const char *status_meaning(enum status code) { return codes[known(code)].meaning; }
