#include "suite.h"
#include "common/base/log.h"
#include "common/math/product.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77 };

static const char *told = ""; /* the last library whose absence was told */

int suite_skip(const char *needed)
{
    if (strcmp(told, needed) != 0) (void)printf("skipped: this build has no %s\n", needed);
    told = needed;
    return SKIPPED;
}

bool suite_without(bool present, const char *needed)
{
    if (!present) (void)suite_skip(needed);
    return !present;
}

double suite_seconds(double bound)
{
    const char *slow = getenv("CK_TIMEOUT_MULTIPLIER");
    return slow != NULL ? bound * strtod(slow, NULL) : bound;
}

int suite_main(Suite *suite, enum fork_status fork)
{
    const enum status s = math_start(getenv("LAMINA_ISA"));
    if (s == ST_OK) return suite_run(suite, fork);
    log_failure(s);
    return EXIT_FAILURE;
}

int suite_run(Suite *suite, enum fork_status fork)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, fork);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : told[0] != '\0' ? SKIPPED : EXIT_SUCCESS;
}
