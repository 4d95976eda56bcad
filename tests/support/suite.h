/* suite.h: the end of a Check program's main, and what is said where this build lacks something. */
#ifndef LAMINA_TESTS_SUITE_H
#define LAMINA_TESTS_SUITE_H

#include <check.h>
#include <stdbool.h>

/* Runs the suite with the instruction set that LAMINA_ISA asks for, and frees it: the exit code. CK_NOFORK where the program opens threads
 * (a forked test would find none of them) or keeps something from test to test; CK_FORK where a test may crash or hang. */
int suite_main(Suite *suite, enum fork_status fork);
/* The same for programs that choose instruction sets themselves. */
int suite_run(Suite *suite, enum fork_status fork);

/* For a test that needs a library: `if (suite_without(library_pcre2() != NULL, "PCRE2")) return;`. The reason is printed once, and
 * suite_main returns 77 (skipped) unless something failed. CK_NOFORK only. */
bool suite_without(bool present, const char *needed);
/* A bound on processor time, which grows with the slowness that the build knows of (CK_TIMEOUT_MULTIPLIER: sanitizers, emulators). */
double suite_seconds(double bound);
/* For a whole program without a library: prints the reason and returns 77. */
int suite_skip(const char *needed);

#endif
