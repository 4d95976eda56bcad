/* Fault points fire once, on the rank and visit asked for; and what log.h says of a failure. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "tests/support/suite.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void arm(const char *text, int rank)
{
    ck_assert_int_eq(setenv("LAMINA_FAULT", text, 1), 0);
    fault_arm_from_environment(rank);
}

START_TEST(a_point_fires_once_on_its_rank_and_visit)
{
    arm("save_write@1:3", 1);
    ck_assert_int_eq(fault_here(FAULT_save_digest), ST_OK);
    ck_assert_int_eq(fault_here(FAULT_save_write), ST_OK);
    ck_assert_int_eq(fault_here(FAULT_save_write), ST_OK);
    ck_assert_int_eq(fault_here(FAULT_save_write), ST_IO);
    ck_assert_ptr_nonnull(strstr(status_text(), "save_write"));
    ck_assert_int_eq(fault_here(FAULT_save_write), ST_OK);
    arm("save_write@1:3", 0);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(fault_here(FAULT_save_write), ST_OK);
    arm("load_read@0=fail", 0);
    ck_assert_int_eq(fault_here(FAULT_load_read), ST_DAMAGED);
}
END_TEST

START_TEST(nothing_fires_unless_it_was_understood)
{
    static const char *const wrong[] = { "",
                                         "load_read",
                                         "load_read@",
                                         "load_reed@0",
                                         "load_read@0:0",
                                         "load_read@-1",
                                         "load_read@0=die",
                                         "load_read@0:1=fail!",
                                         "load_read@0:x",
                                         "@0" };
    log_mute(true);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        arm(wrong[i], 0);
        ck_assert_int_eq(fault_here(FAULT_load_read), ST_OK);
    }
    ck_assert_int_eq(unsetenv("LAMINA_FAULT"), 0);
    fault_arm_from_environment(0);
    ck_assert_int_eq(fault_here(FAULT_load_read), ST_OK);
}
END_TEST

START_TEST(a_kill_kills)
{
    arm("step_local@0=kill", 0);
    ck_assert_int_eq(fault_here(FAULT_step_local), ST_OK);
}
END_TEST

START_TEST(a_hang_hangs)
{
    arm("step_local@0=hang", 0);
    (void)signal(SIGALRM, SIG_DFL); /* Check has a handler of its own */
    (void)alarm(1);
    ck_assert_int_eq(fault_here(FAULT_step_local), ST_OK);
}
END_TEST

static void read_whole(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_failure_is_told_once_with_its_exit_code)
{
    char path[] = "log-XXXXXX", told[1000];
    ck_assert_int_ge(mkstemp(path), 0);
    log_mute(true);
    ck_assert_int_eq(log_to(path), ST_OK);
    (void)status_fail(ST_DATA, "f.c", 3, "train.h5 has no tokens");
    ck_assert_int_eq(setenv("LAMINA_TRACE", "1", 1), 0);
    log_failure(ST_DATA);
    ck_assert_str_eq(status_text(), "");
    log_warn("%d cores idle", 2);
    log_note("a file says: %s", "\033[2J\r\xff\n"); /* data must not drive a terminal */
    ck_assert_int_eq(log_to(NULL), ST_OK);
    log_note("after the file was closed");
    read_whole(path, told, sizeof told);
    (void)unlink(path);
    ck_assert_ptr_nonnull(strstr(told, "Z train.h5 has no tokens\n"));
    ck_assert_ptr_nonnull(strstr(told, "Z ST_DATA at f.c:3\n"));
    ck_assert_ptr_nonnull(strstr(told, "Z exit 4: the input data is not usable\n"));
    ck_assert_ptr_nonnull(strstr(told, "Z warning: 2 cores idle\n"));
    ck_assert_ptr_nonnull(strstr(told, "Z a file says: \\x1b[2J\\x0d\\xff\n"));
    ck_assert_ptr_null(strstr(told, "after"));
    ck_assert_int_eq(log_to("no/such/folder/log"), ST_IO);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fault");
    tcase_add_test(t, a_point_fires_once_on_its_rank_and_visit);
    tcase_add_test(t, nothing_fires_unless_it_was_understood);
    tcase_add_test_raise_signal(t, a_kill_kills, SIGKILL);
    tcase_add_test_raise_signal(t, a_hang_hangs, SIGALRM);
    tcase_add_test(t, a_failure_is_told_once_with_its_exit_code);
    Suite *suite = suite_create("fault");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
