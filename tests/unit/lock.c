/* One process per run folder. */
#include "coordinator/lock.h"
#include "coordinator/file.h"
#include "tests/support/suite.h"
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[96];
static struct text said;

static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-lock-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/lock", folder);
}
static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
    text_free(&said);
}

static void write_lock_of(const char *host, long pid, const char *job)
{
    char line[256];
    const int n = snprintf(line, sizeof line, "host %s\npid %ld\nstarted 1\njob %s\n", host, pid, job);
    ck_assert_int_eq(file_replace(path, line, (size_t)n), ST_OK);
}
static void write_lock(const char *host, long pid) { write_lock_of(host, pid, "77"); }
static const char *this_host(void)
{
    static char host[256];
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    return host;
}

START_TEST(taken_once_and_free_again_after_release)
{
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
    ck_assert_int_eq(lock_take(folder, &said), ST_BUSY);
    lock_release(folder);
    ck_assert(!file_exists(path));
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
}
END_TEST

START_TEST(another_process_is_refused_and_cannot_release)
{
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = lock_take(folder, &said) == ST_BUSY && strstr(status_text(), "working in this run") != NULL;
        lock_release(folder);
        _exit(refused ? 0 : 1);
    }
    int how = 0;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
    ck_assert(file_exists(path));
}
END_TEST

START_TEST(a_dead_holder_of_this_host_is_taken_over_and_said)
{
    unsetenv("SLURMD_NODENAME");
    write_lock(this_host(), INT_MAX); /* above any pid_max */
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
    ck_assert_ptr_nonnull(strstr(said.data, "took over the lock of process 2147483647"));
}
END_TEST

START_TEST(a_holder_that_died_but_was_not_collected_is_taken_over)
{
    const pid_t child = fork();
    if (child == 0) _exit(lock_take(folder, &said) == ST_OK ? 0 : 1);
    siginfo_t how = { 0 };
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT), 0); /* a zombie from here on */
    ck_assert_int_eq(how.si_status, 0);
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
    ck_assert_ptr_nonnull(strstr(said.data, "took over"));
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(a_recycled_pid_is_not_the_holder)
{
    write_lock(this_host(), getppid()); /* alive, but it did not start at tick 1 */
    ck_assert_int_eq(lock_take(folder, &said), ST_OK);
}
END_TEST

START_TEST(another_host_is_refused_with_the_remedy)
{
    write_lock("elsewhere", INT_MAX);
    ck_assert_int_eq(lock_take(folder, &said), ST_BUSY);
    ck_assert_ptr_nonnull(strstr(status_text(), "on elsewhere (job 77)"));
    ck_assert_ptr_nonnull(strstr(status_text(), "remove"));
}
END_TEST

START_TEST(a_requeued_job_takes_over_from_its_earlier_start_alone)
{
    static const struct {
        const char *holder, *job, *restarts;
        enum status want;
    } rows[] = {
        { "77", "77", "1", ST_OK },     { "77/1", "77", "2", ST_OK },  { "77/1", "77", "10", ST_OK }, { "77/1", "77", "1", ST_BUSY },
        { "77/2", "77", "1", ST_BUSY }, { "77", "77", NULL, ST_BUSY }, { "77", "77", "0", ST_BUSY },  { "777", "77", "1", ST_BUSY },
        { "7", "77", "1", ST_BUSY },    { "-", "77", "1", ST_BUSY },   { "77", NULL, "1", ST_BUSY },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsetenv("SLURM_JOB_ID");
        unsetenv("SLURM_RESTART_COUNT");
        if (rows[i].job != NULL) setenv("SLURM_JOB_ID", rows[i].job, 1);
        if (rows[i].restarts != NULL) setenv("SLURM_RESTART_COUNT", rows[i].restarts, 1);
        write_lock_of("dead-node", 12, rows[i].holder);
        ck_assert_msg(lock_take(folder, &said) == rows[i].want, "row %zu", i);
    }
    ck_assert_ptr_nonnull(strstr(said.data, "process 12 on dead-node, from an earlier start of this job"));
}
END_TEST

START_TEST(an_unreadable_lock_is_refused)
{
    ck_assert_int_eq(file_replace(path, "", 0), ST_OK);
    ck_assert_int_eq(lock_take(folder, &said), ST_BUSY);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("lock");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, taken_once_and_free_again_after_release);
    tcase_add_test(t, another_process_is_refused_and_cannot_release);
    tcase_add_test(t, a_dead_holder_of_this_host_is_taken_over_and_said);
    tcase_add_test(t, a_holder_that_died_but_was_not_collected_is_taken_over);
    tcase_add_test(t, a_recycled_pid_is_not_the_holder);
    tcase_add_test(t, another_host_is_refused_with_the_remedy);
    tcase_add_test(t, a_requeued_job_takes_over_from_its_earlier_start_alone);
    tcase_add_test(t, an_unreadable_lock_is_refused);
    Suite *s = suite_create("lock");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
