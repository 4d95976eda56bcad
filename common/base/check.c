#include "check.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static void (*_Atomic on_failure)(enum status);

void check_on_failure(void (*hook)(enum status)) { atomic_store(&on_failure, hook); }

_Noreturn void check_failed(const char *file, int line, const char *condition)
{
    /* The hook is taken out before it runs: an invariant that breaks inside it, or on another thread meanwhile, must not call it again. */
    void (*hook)(enum status) = atomic_exchange(&on_failure, NULL);
    const enum status code = status_fail(ST_BUG, file, line, "%s:%d: this must hold and does not: %s", file, line, condition);
    if (hook != NULL) hook(code);
    (void)fprintf(stderr, "lamina: %s\n", status_text());
    abort();
}

enum status size_mul(size_t a, size_t b, size_t *out)
{
    if (__builtin_mul_overflow(a, b, out)) FAIL(ST_BUG, "a size of %zu x %zu bytes does not fit an address", a, b);
    return ST_OK;
}

enum status size_add(size_t a, size_t b, size_t *out)
{
    if (__builtin_add_overflow(a, b, out)) FAIL(ST_BUG, "a size of %zu + %zu bytes does not fit an address", a, b);
    return ST_OK;
}
