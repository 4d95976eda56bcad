/* status.h: how a failure travels: a small code returned up the stack, a sentence and a trace kept per thread.
 * Read this first; every other header uses it. */
#ifndef LAMINA_BASE_STATUS_H
#define LAMINA_BASE_STATUS_H

/* name, exit code of the process, what it means in general. The exit codes are documented to users and never change. */
#define STATUS_LIST(X)                                                                                                                     \
    X(ST_OK, 0, "done")                                                                                                                    \
    X(ST_DIFFER, 1, "they differ")                                                                                                         \
    X(ST_USAGE, 2, "the command line is not usable")                                                                                       \
    X(ST_CONFIG, 3, "the configuration is not usable")                                                                                     \
    X(ST_DATA, 4, "the input data is not usable")                                                                                          \
    X(ST_DAMAGED, 5, "a checkpoint is damaged")                                                                                            \
    X(ST_IO, 6, "no space, or the file system failed")                                                                                     \
    X(ST_DIVERGED, 7, "training diverged")                                                                                                 \
    X(ST_BUG, 8, "internal contradiction")                                                                                                 \
    X(ST_TIMEOUT, 9, "a deadline passed")                                                                                                  \
    X(ST_LAUNCH, 10, "the launch or the environment is not usable")                                                                        \
    X(ST_BUSY, 11, "the run folder is in use")                                                                                             \
    X(ST_STOPPED, 75, "stopped early with a good checkpoint; run the same command to go on")

enum status {
#define STATUS_ENUM(name, code, text) name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

#define MUST_USE                __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Start a failure here, with a sentence that tells the user what to change. */
#define FAIL(code, ...) return status_fail((code), __FILE__, __LINE__, __VA_ARGS__)

/* Pass a failure up and note the place. */
#define TRY(call)                                                                                                                          \
    do {                                                                                                                                   \
        enum status s_ = (call);                                                                                                           \
        if (s_) return status_trace(s_, __FILE__, __LINE__);                                                                               \
    } while (0)

/* TRY_ALL(comm, local call): all ranks agree on the worst status first. It stands in common/comm/agree.h. */

enum { STATUS_TEXT_BYTES = 8192 }; /* a longer sentence is cut and ends in "..." */

/* Record the text of a new failure for this thread (an older text is replaced) and return code. */
enum status status_fail(enum status code, const char *file, int line, const char *format, ...) PRINTF_LIKE(4, 5);

/* Append file:line to the trace of this thread's failure and return code. */
enum status status_trace(enum status code, const char *file, int line);

/* Take over a failure another rank reported: its sentence becomes this thread's text, with "rank R: " before it. */
enum status status_adopt(enum status code, int rank, const char *text);

const char *status_text(void);       /* the sentence of the last failure of this thread, "" if none */
const char *status_trace_text(void); /* "file:line < file:line", innermost first */
void status_clear(void);
int status_exit_code(enum status code);
const char *status_name(enum status code);    /* "ST_CONFIG" */
const char *status_meaning(enum status code); /* "the configuration is not usable" */

#endif
