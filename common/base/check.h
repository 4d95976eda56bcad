/* check.h: invariants, and sizes that cannot overflow unseen. */
#ifndef LAMINA_BASE_CHECK_H
#define LAMINA_BASE_CHECK_H

#include "status.h"
#include <stddef.h>
#include <stdint.h>

/* An invariant of ours is broken: state the condition; never use it for what a user or a file can cause. */
#define CHECK(condition)                                                                                                                   \
    do {                                                                                                                                   \
        if (!(condition)) check_failed(__FILE__, __LINE__, #condition);                                                                    \
    } while (0)

/* Records file, line and condition as this thread's failure and calls the hook with ST_BUG (comm installs comm_abort, which
 * prints the failure and ends all ranks); where none is installed, or it returns, prints the failure and calls abort(). */
_Noreturn void check_failed(const char *file, int line, const char *condition);
void check_on_failure(void (*hook)(enum status));

/* *out = a * b or a + b. Fails: ST_BUG on overflow. */
enum status size_mul(size_t a, size_t b, size_t *out) MUST_USE;
enum status size_add(size_t a, size_t b, size_t *out) MUST_USE;

static inline int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
