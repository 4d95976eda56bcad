#include "log.h"
#include "clock.h"
#include "str.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One lock: lines of helper threads do not mix, and the file is not closed under a writer. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool muted;
static int file = -1;

/* A line that cannot be written has no better place to be reported; it must not stop a run. */
static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes += written, n -= (size_t)written;
    }
}

static void say(const char *prefix, const char *message)
{
    char when[24];
    struct text line = { 0 }, shown = { 0 };
    text_add_printable(&shown, message, strlen(message)); /* it may quote a file: names, text, numbers of any kind */
    message = shown.data != NULL ? shown.data : "";
    (void)pthread_mutex_lock(&lock);
    if (!muted) {
        text_add(&line, "lamina: %s%s\n", prefix, message);
        write_all(STDERR_FILENO, line.data, line.length); /* one write, so that lines of several processes do not mix */
    }
    if (file >= 0) {
        line.length = 0;
        text_add(&line, "%s %s%s\n", clock_iso8601(clock_unix(), when), prefix, message);
        write_all(file, line.data, line.length);
    }
    (void)pthread_mutex_unlock(&lock);
    text_free(&line);
    text_free(&shown);
}

static void say_formatted(const char *prefix, const char *format, va_list args)
{
    char *message = NULL;
    if (vasprintf(&message, format, args) < 0) message = NULL;
    say(prefix, message != NULL ? message : format);
    free(message);
}

void log_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("", format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("warning: ", format, args);
    va_end(args);
}

void log_failure(enum status code)
{
    if (status_text()[0] != '\0') say("", status_text());
    if (getenv("LAMINA_TRACE") != NULL && status_trace_text()[0] != '\0') log_note("%s at %s", status_name(code), status_trace_text());
    log_note("exit %d: %s", status_exit_code(code), status_meaning(code));
    status_clear();
}

void log_mute(bool mute)
{
    (void)pthread_mutex_lock(&lock);
    muted = mute;
    (void)pthread_mutex_unlock(&lock);
}

enum status log_to(const char *path)
{
    int opened = -1;
    if (path != NULL) {
        opened = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (opened < 0) FAIL(ST_IO, "%s: this log cannot be opened: %s", path, strerror(errno));
    }
    (void)pthread_mutex_lock(&lock);
    const int before = file;
    file = opened;
    (void)pthread_mutex_unlock(&lock);
    if (before >= 0) (void)close(before);
    return ST_OK;
}
