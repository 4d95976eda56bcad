/* A checkpoint is either there, whole and verified, or not there: also when the process is killed at any moment. */
#include "common/store/publish.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/store/folder.h"
#include "common/store/state.h"
#include "tests/support/suite.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], ckpt[80];
static struct comm *self;
static struct arena arena;

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-publish-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(ckpt, sizeof ckpt, "%s/ckpt", folder);
    ck_assert_int_eq(comm_self(&self), ST_OK);
    arena_open_growing(&arena, "test");
    log_mute(true); /* warnings about damaged checkpoints are what is expected here */
}

static void remove_folder(void)
{
    char command[128];
    arena_close(&arena);
    comm_free(self);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* weights/large spans three blocks of 4 MiB and weights/small lies in the last one of the file. */
enum { ROWS = 2500, COLS = 1024 };
static const struct state_entry entries[] = {
    { .name = "weights/large", .dtype = DT_F32, .n_dims = 2, .rows = ROWS, .cols = COLS },
    { .name = "weights/small", .dtype = DT_F32, .n_dims = 1, .rows = 1, .cols = 10 },
};

static enum status write_state(int64_t step, int n)
{
    char path[H5_PATH];
    struct state_writer *w;
    static float data[ROWS * COLS];
    for (int i = 0; i < (n == 2 ? ROWS * COLS : 10); i++) data[i] = (float)(i % 1000) + (float)step;
    TRY(state_create(self, publish_path(ckpt, step, PUBLISH_TEMPORARY, path), entries + 2 - n, n, &w));
    for (int e = 0; e < n; e++) {
        const enum status s = state_write_rows(self, w, e, &(struct state_rows){ 0, entries[2 - n + e].rows, data }, 1);
        if (s) state_abandon(self, w);
        TRY(s);
    }
    return state_finish(self, w);
}

/* n = 2: both datasets; 1: the small one alone. */
static enum status save(int64_t step, int n)
{
    TRY(publish_begin(self, ckpt, step));
    enum status s = write_state(step, n);
    if (!s) s = publish_commit(self, ckpt, step);
    if (s) publish_discard(self, ckpt, step);
    return s;
}

static char *step_folder(int64_t step)
{
    static char out[H5_PATH], path[H5_PATH];
    return folder_of(publish_path(ckpt, step, PUBLISH_FINAL, path), out, sizeof out);
}

/* "300 200 100", newest first */
static const char *listed(void)
{
    static char out[256];
    int64_t *steps;
    int n, used = 0;
    ck_assert_int_eq(publish_list(&arena, ckpt, &steps, &n), ST_OK);
    out[0] = '\0';
    for (int i = 0; i < n; i++) used += snprintf(out + used, sizeof out - (size_t)used, "%s%lld", i > 0 ? " " : "", (long long)steps[i]);
    return out;
}

static void flip(const char *path, int64_t at)
{
    unsigned char byte;
    const int fd = open(path, O_RDWR);
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 4;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
    (void)close(fd);
}

START_TEST(published_checkpoints_are_listed_newest_first_and_verify)
{
    int64_t newest;
    ck_assert_str_eq(listed(), "");
    ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_OK);
    ck_assert_int_eq(newest, -1);
    for (int64_t step = 100; step <= 300; step += 100) ck_assert_int_eq(save(step, 1), ST_OK);
    ck_assert_int_eq(save(123456789, 1), ST_OK); /* more digits than usual */
    char junk[160];
    static const char *const foreign[] = { "step-00000400.tmp", "step-00000500.old", "step-7", "step-0x000900", "step-000000100", "steps" };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        (void)snprintf(junk, sizeof junk, "%s/%s", ckpt, foreign[i]);
        ck_assert_int_eq(mkdir(junk, 0700), 0);
    }
    ck_assert_str_eq(listed(), "123456789 300 200 100");
    for (int64_t step = 100; step <= 300; step += 100) ck_assert_int_eq(publish_verify(self, step_folder(step)), ST_OK);
    ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_OK);
    ck_assert_int_eq(newest, 123456789);
}
END_TEST

START_TEST(a_flipped_bit_is_found_and_named)
{
    char path[H5_PATH];
    struct state *st;
    ck_assert_int_eq(save(1, 2), ST_OK);
    ck_assert_int_eq(state_open(publish_path(ckpt, 1, PUBLISH_FINAL, path), &st), ST_OK);
    const int64_t large = state_find(st, "weights/large")->offset, small = state_find(st, "weights/small")->offset;
    state_close(st);
    flip(path, large + (5 << 20));
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_DAMAGED);
    ck_assert_ptr_nonnull(strstr(status_text(), "block 1 "));
    ck_assert_ptr_nonnull(strstr(status_text(), "weights/large"));
    ck_assert_ptr_null(strstr(status_text(), "weights/small"));
    flip(path, large + (5 << 20)); /* and back */
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_OK);
    flip(path, small + 3);
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_DAMAGED);
    ck_assert_ptr_nonnull(strstr(status_text(), "weights/small"));
}
END_TEST

START_TEST(a_cut_file_and_a_damaged_manifest_are_found)
{
    char path[H5_PATH], manifest[H5_PATH + 16];
    struct stat info;
    ck_assert_int_eq(save(1, 1), ST_OK);
    (void)snprintf(manifest, sizeof manifest, "%s/manifest.json", step_folder(1));
    ck_assert_int_eq(stat(manifest, &info), 0);
    for (int64_t at = 0; at < info.st_size;
         at++) { /* a flipped bit in blanks or names of keys may be harmless JSON or not; never a crash */
        flip(manifest, at);
        const enum status s = publish_verify(self, step_folder(1));
        ck_assert(s == ST_OK || s == ST_DAMAGED);
        flip(manifest, at);
    }
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_OK);
    (void)publish_path(ckpt, 1, PUBLISH_FINAL, path);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(truncate(path, info.st_size - 1), 0);
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_DAMAGED);
    ck_assert_ptr_nonnull(strstr(status_text(), "cut"));
    ck_assert_int_eq(unlink(manifest), 0);
    ck_assert_int_eq(publish_verify(self, step_folder(1)), ST_DAMAGED);
}
END_TEST

START_TEST(the_newest_that_verifies_is_used_and_none_is_an_error)
{
    char path[H5_PATH];
    int64_t newest;
    for (int64_t step = 1; step <= 3; step++) ck_assert_int_eq(save(step, 1), ST_OK);
    flip(publish_path(ckpt, 3, PUBLISH_FINAL, path), 2000);
    ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_OK);
    ck_assert_int_eq(newest, 2);
    flip(publish_path(ckpt, 2, PUBLISH_FINAL, path), 2000);
    flip(publish_path(ckpt, 1, PUBLISH_FINAL, path), 2000);
    ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_DAMAGED);
    ck_assert_str_eq(listed(), "3 2 1"); /* nothing was touched */
}
END_TEST

START_TEST(a_damaged_checkpoint_is_replaced_by_a_new_one_of_the_same_step)
{
    char path[H5_PATH];
    ck_assert_int_eq(save(5, 1), ST_OK);
    flip(publish_path(ckpt, 5, PUBLISH_FINAL, path), 2000);
    ck_assert_int_eq(save(5, 2), ST_OK);
    ck_assert_int_eq(publish_verify(self, step_folder(5)), ST_OK);
    ck_assert_str_eq(listed(), "5");
}
END_TEST

START_TEST(retention_never_takes_the_newest_that_verifies)
{
    char path[H5_PATH];
    for (int64_t step = 1; step <= 5; step++) ck_assert_int_eq(save(step, 1), ST_OK);
    ck_assert_int_eq(publish_retain(self, ckpt, 4, 5), ST_OK);
    ck_assert_str_eq(listed(), "5 4 3 2");
    for (int64_t step = 3; step <= 5; step++) flip(publish_path(ckpt, step, PUBLISH_FINAL, path), 2000);
    ck_assert_int_eq(publish_retain(self, ckpt, 2, -1), ST_OK);
    ck_assert_str_eq(listed(), "5 4 2");
    flip(publish_path(ckpt, 2, PUBLISH_FINAL, path), 2000);
    ck_assert_int_eq(publish_retain(self, ckpt, 1, -1), ST_OK); /* none verifies: all stay */
    ck_assert_str_eq(listed(), "5 4 2");
}
END_TEST

/* --- kill -9 ------------------------------------------------------------------------------------------------------------- */

static void expect_killed(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(a_kill_at_any_named_point_leaves_the_older_one)
{
    static const char *const points[] = { "save_reserve@0=kill", "save_write@0=kill", "save_write@0:2=kill", "save_digest@0=kill",
                                          "save_publish@0=kill" };
    int64_t newest;
    ck_assert_int_eq(save(1, 2), ST_OK);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const pid_t child = fork();
        if (child == 0) {
            (void)setenv("LAMINA_FAULT", points[i], 1);
            fault_arm_from_environment(0);
            _exit(save(2, 2) == ST_OK ? 0 : 1);
        }
        expect_killed(child);
        ck_assert_str_eq(listed(), "1");
        ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_OK);
        ck_assert_int_eq(newest, 1);
    }
    ck_assert_int_eq(save(2, 2), ST_OK); /* over the leftovers */
    ck_assert_str_eq(listed(), "2 1");
}
END_TEST

START_TEST(a_kill_at_any_time_leaves_only_whole_checkpoints)
{
    int64_t newest, *steps, before = 0;
    int n;
    for (int trial = 0; trial < 25 || (before <= 2 && trial < 200); trial++) { /* some must have been saved between the kills */
        const pid_t child = fork();
        if (child == 0) {
            for (int64_t step = before + 1;; step++)
                if (save(step, 1) || publish_retain(self, ckpt, 2, step)) _exit(1);
        }
        (void)usleep(
            (useconds_t)(rng_u64((struct rng_key){ .seed = 4, .purpose = RNG_TEST }, 0, trial) % (uint64_t)(20000 + 4000 * trial)));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        expect_killed(child);
        ck_assert_int_eq(publish_list(&arena, ckpt, &steps, &n), ST_OK);
        for (int i = 0; i < n; i++) ck_assert_int_eq(publish_verify(self, step_folder(steps[i])), ST_OK);
        ck_assert_int_eq(publish_newest(self, ckpt, &newest), ST_OK);
        ck_assert_int_ge(newest, before == 0 ? -1 : before);
        before = newest > before ? newest : before;
    }
    ck_assert_int_gt(before, 2);
}
END_TEST

START_TEST(a_failure_is_told_and_leaves_nothing)
{
    static const char *const points[] = { "save_reserve@0", "save_write@0", "save_digest@0", "save_publish@0" };
    struct stat info;
    char path[H5_PATH];
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        (void)setenv("LAMINA_FAULT", points[i], 1);
        fault_arm_from_environment(0);
        ck_assert_int_eq(save(1, 2), ST_IO);
        ck_assert_ptr_nonnull(strstr(status_text(), "LAMINA_FAULT"));
        ck_assert_str_eq(listed(), "");
        char folder_name[H5_PATH];
        (void)folder_of(publish_path(ckpt, 1, PUBLISH_TEMPORARY, path), folder_name, sizeof folder_name);
        ck_assert_int_ne(stat(folder_name, &info), 0);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("publish");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, published_checkpoints_are_listed_newest_first_and_verify);
    tcase_add_test(tc, a_flipped_bit_is_found_and_named);
    tcase_add_test(tc, a_cut_file_and_a_damaged_manifest_are_found);
    tcase_add_test(tc, the_newest_that_verifies_is_used_and_none_is_an_error);
    tcase_add_test(tc, a_damaged_checkpoint_is_replaced_by_a_new_one_of_the_same_step);
    tcase_add_test(tc, retention_never_takes_the_newest_that_verifies);
    tcase_add_test(tc, a_kill_at_any_named_point_leaves_the_older_one);
    tcase_add_test(tc, a_kill_at_any_time_leaves_only_whole_checkpoints);
    tcase_add_test(tc, a_failure_is_told_and_leaves_nothing);
    Suite *suite = suite_create("publish");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
