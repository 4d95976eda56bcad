/* Tasks: each once, at any number of threads; libraries stay sequential inside; denormals are zero everywhere. */
#include "common/base/parallel.h"
#include "tests/support/suite.h"
#include <check.h>
#include <float.h>
#include <omp.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { N_TASKS = 5000 };
static atomic_int visits[N_TASKS];
static atomic_int wrong;

static void visit(void *context, int64_t task, int thread)
{
    const int *n_threads = context;
    atomic_fetch_add(&visits[task], 1);
    if (thread < 0 || thread >= *n_threads) atomic_fetch_add(&wrong, 1);
}

START_TEST(every_task_runs_once_at_any_number_of_threads)
{
    int teams[] = { 1, 2, 3, 16 };
    for (size_t i = 0; i < sizeof teams / sizeof teams[0]; i++) {
        memset(visits, 0, sizeof visits);
        parallel_set_threads(teams[i]);
        ck_assert_int_eq(parallel_threads(), teams[i]);
        parallel_for(N_TASKS, visit, &teams[i]);
        for (int k = 0; k < N_TASKS; k++) ck_assert_int_eq(visits[k], 1);
    }
    parallel_for(0, visit, &teams[3]);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

static void see_team_of_library(void *context, int64_t task, int thread)
{
    int team = 0; /* what oneDNN's runtime would get */
    if (omp_in_parallel() == 0)
        team = omp_get_max_threads();
    else
        team = 1;
    if (team != 1) atomic_fetch_add((atomic_int *)context, 1);
}

START_TEST(a_library_called_from_a_task_is_sequential)
{
    atomic_int parallel_libraries = 0;
    parallel_set_threads(4);
    (void)parallel_library_threads(4);
    parallel_for(1, see_team_of_library, &parallel_libraries); /* a team of one is not "in parallel" to OpenMP */
    parallel_for(64, see_team_of_library, &parallel_libraries);
    parallel_set_threads(1);
    parallel_for(64, see_team_of_library, &parallel_libraries);
    ck_assert_int_eq(parallel_libraries, 0);
    ck_assert_int_eq(parallel_library_threads(4), 4); /* and outside all is as before */
}
END_TEST

static void nest(void *context, int64_t task, int thread)
{
    int n_threads = thread + 1; /* inner tasks run in place: on this very thread */
    (void)task, (void)context;
    parallel_for(10, visit, &n_threads);
}

START_TEST(nested_work_runs_in_place)
{
    memset(visits, 0, sizeof visits);
    parallel_set_threads(3);
    parallel_for(30, nest, NULL);
    for (int k = 0; k < 10; k++) ck_assert_int_eq(visits[k], 30);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

static int polls;
static void count_poll(void *context)
{
    const pid_t *main_thread = context;
    if (gettid() != *main_thread) atomic_fetch_add(&wrong, 1);
    polls++;
}

static void nap(void *context, int64_t task, int thread)
{
    (void)context, (void)task, (void)thread;
    (void)usleep(500);
}

START_TEST(the_main_thread_polls_between_its_tasks)
{
    pid_t main_thread = gettid();
    parallel_set_threads(2);
    parallel_set_poll(count_poll, &main_thread);
    parallel_for(40, nap, NULL);
    ck_assert_int_ge(polls, 5);
    polls = 0;
    parallel_set_threads(1);
    parallel_for(40, nap, NULL);
    ck_assert_int_eq(polls, 40);
    parallel_set_poll(NULL, NULL);
    parallel_for(4, nap, NULL);
    ck_assert_int_eq(polls, 40);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

static void halve_the_least(void *context, int64_t task, int thread)
{
    volatile float least = FLT_MIN, half = 0.5f;
    volatile float denormal = least * half;
    if (denormal * 0x1p60f > 0) atomic_fetch_add((atomic_int *)context, 1);
    (void)task, (void)thread;
}

START_TEST(denormals_are_zero_on_every_thread)
{
    atomic_int alive = 0;
    parallel_set_threads(5);
    parallel_init();
    ck_assert(parallel_denormals_off());
    parallel_for(100, halve_the_least, &alive);
    parallel_set_threads(7); /* two new threads */
    parallel_for(100, halve_the_least, &alive);
    ck_assert_int_eq(alive, 0);
    ck_assert(parallel_denormals_off());
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() & ~0x8040u); /* what a library could do */
    ck_assert(!parallel_denormals_off());
    parallel_init();
    ck_assert(parallel_denormals_off());
#endif
}
END_TEST

START_TEST(cores_are_counted)
{
    ck_assert_int_ge(parallel_cores_allowed(), 1);
    ck_assert_int_ge(parallel_cores_node(), parallel_cores_allowed());
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("parallel");
    tcase_add_test(t, every_task_runs_once_at_any_number_of_threads);
    tcase_add_test(t, a_library_called_from_a_task_is_sequential);
    tcase_add_test(t, nested_work_runs_in_place);
    tcase_add_test(t, the_main_thread_polls_between_its_tasks);
    tcase_add_test(t, denormals_are_zero_on_every_thread);
    tcase_add_test(t, cores_are_counted);
    Suite *suite = suite_create("parallel");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
