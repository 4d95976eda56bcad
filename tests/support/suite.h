/* suite.h: the end of a Check program's main. */
#ifndef LAMINA_TESTS_SUITE_H
#define LAMINA_TESTS_SUITE_H

#include <check.h>

/* Runs the suite and frees it: the exit code. CK_NOFORK where the program opens threads (a forked test would find none of them) or keeps
 * something from test to test; CK_FORK where a test may crash or hang. */
int suite_main(Suite *suite, enum fork_status fork);

#endif
