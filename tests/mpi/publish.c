/* Publication by several ranks: shared digests, one verdict, and an older checkpoint to fall back to. */
#include "common/store/publish.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/store/state.h"
#include "tests/support/mpi_check.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], ckpt[80];

static void make_folder(void)
{
    const struct comm *w = mpi_world();
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-publish-XXXXXX");
    const bool made = comm_rank(w) != 0 || mkdtemp(folder) != NULL;
    mpi_ck_assert(w, made);
    mpi_ck_assert(w, comm_broadcast(w, COMM_CONTROL, folder, sizeof folder, 0) == ST_OK);
    (void)snprintf(ckpt, sizeof ckpt, "%s/ckpt", folder);
    log_mute(true); /* warnings about damaged checkpoints are what is expected here */
}

static void remove_folder(void)
{
    const struct comm *w = mpi_world();
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    mpi_ck_assert(w, comm_barrier(w) == ST_OK);
    const bool removed = comm_rank(w) != 0 || system(command) == 0;
    mpi_ck_assert(w, removed);
}

/* 10 MiB: three blocks, which 1 to 4 ranks share unevenly. */
enum { ROWS = 2560, COLS = 1024 };
static const struct state_entry entry = { .name = "weights/w", .dtype = DT_F32, .n_dims = 2, .rows = ROWS, .cols = COLS };

static enum status write_state(const struct comm *w, int64_t step)
{
    static float rows[ROWS * COLS];
    char path[H5_PATH];
    struct state_writer *f;
    const int64_t n = comm_size(w), begin = ROWS * comm_rank(w) / n, end = ROWS * (comm_rank(w) + 1) / n;
    for (int64_t i = 0; i < (end - begin) * COLS; i++) rows[i] = (float)(begin * COLS + i) + (float)step;
    TRY(state_create(w, publish_path(ckpt, step, PUBLISH_TEMPORARY, path), &entry, 1, &f));
    const enum status s = state_write_rows(w, f, 0, &(struct state_rows){ begin, end - begin, rows }, 1);
    if (s) state_abandon(w, f);
    TRY(s);
    return state_finish(w, f);
}

static enum status save(const struct comm *w, int64_t step)
{
    TRY(publish_begin(w, ckpt, step));
    enum status s = write_state(w, step);
    if (!s) s = publish_commit(w, ckpt, step);
    if (s) publish_discard(w, ckpt, step);
    return s;
}

static void flip(int64_t step, int64_t at)
{
    const struct comm *w = mpi_world();
    char path[H5_PATH];
    unsigned char byte = 0;
    bool done = true;
    if (comm_rank(w) == 0) {
        const int fd = open(publish_path(ckpt, step, PUBLISH_FINAL, path), O_RDWR);
        done = pread(fd, &byte, 1, (off_t)at) == 1;
        byte ^= 1;
        done = done && pwrite(fd, &byte, 1, (off_t)at) == 1;
        (void)close(fd);
    }
    mpi_ck_assert(w, done);
}

START_TEST(each_flipped_block_is_found_by_all_ranks_alike)
{
    const struct comm *w = mpi_world();
    char final[H5_PATH];
    mpi_ck_assert(w, save(w, 1) == ST_OK);
    (void)snprintf(final, sizeof final, "%s/step-00000001", ckpt);
    mpi_ck_assert(w, publish_verify(w, final) == ST_OK);
    for (int block = 0; block < 3; block++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "first block %d ", block);
        flip(1, ((int64_t)block << 22) + (2 << 20));
        const enum status s = publish_verify(w, final);
        const bool named = strstr(status_text(), expected) != NULL && strstr(status_text(), "weights/w") != NULL;
        flip(1, ((int64_t)block << 22) + (2 << 20));
        mpi_ck_assert(w, s == ST_DAMAGED);
        mpi_ck_assert(w, named);
    }
    mpi_ck_assert(w, publish_verify(w, final) == ST_OK);
}
END_TEST

START_TEST(one_process_alone_verifies_what_many_wrote)
{
    const struct comm *w = mpi_world();
    char final[H5_PATH];
    mpi_ck_assert(w, save(w, 1) == ST_OK);
    (void)snprintf(final, sizeof final, "%s/step-00000001", ckpt);
    struct comm *self;
    enum status s = comm_self(&self);
    if (!s) s = publish_verify(self, final);
    comm_free(self);
    mpi_ck_assert(w, s == ST_OK);
}
END_TEST

START_TEST(the_newest_damaged_one_is_passed_over_on_all_ranks)
{
    const struct comm *w = mpi_world();
    int64_t newest = 0;
    mpi_ck_assert(w, save(w, 1) == ST_OK);
    mpi_ck_assert(w, save(w, 2) == ST_OK);
    flip(2, 5 << 20);
    mpi_ck_assert(w, publish_newest(w, ckpt, &newest) == ST_OK && newest == 1);
    mpi_ck_assert(w, save(w, 2) == ST_OK); /* the resumed run arrives there again */
    mpi_ck_assert(w, publish_newest(w, ckpt, &newest) == ST_OK && newest == 2);
    mpi_ck_assert(w, publish_retain(w, ckpt, 1, 2) == ST_OK);
    flip(2, 5 << 20);
    mpi_ck_assert(w, publish_newest(w, ckpt, &newest) == ST_DAMAGED); /* 1 is gone */
}
END_TEST

/* A point that only rank 0 passes is armed there alone. */
START_TEST(a_failure_of_one_rank_publishes_nothing)
{
    const struct comm *w = mpi_world();
    static const struct {
        const char *point;
        bool everywhere;
    } faults[] = { { "save_reserve", false }, { "save_write", true }, { "save_digest", true }, { "save_publish", false } };
    int64_t newest = 0;
    mpi_ck_assert(w, save(w, 1) == ST_OK);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
        for (int rank = 0; rank < (faults[k].everywhere ? comm_size(w) : 1); rank++) {
            char fault[32];
            (void)snprintf(fault, sizeof fault, "%s@%d", faults[k].point, rank);
            (void)setenv("LAMINA_FAULT", fault, 1);
            fault_arm_from_environment(comm_rank(w));
            const enum status s = save(w, 2);
            const bool named = strstr(status_text(), faults[k].point) != NULL;
            (void)unsetenv("LAMINA_FAULT");
            fault_arm_from_environment(comm_rank(w));
            mpi_ck_assert(w, s == ST_IO && named);
            mpi_ck_assert(w, publish_newest(w, ckpt, &newest) == ST_OK && newest == 1);
        }
    mpi_ck_assert(w, save(w, 2) == ST_OK);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, each_flipped_block_is_found_by_all_ranks_alike);
    tcase_add_test(tc, one_process_alone_verifies_what_many_wrote);
    tcase_add_test(tc, the_newest_damaged_one_is_passed_over_on_all_ranks);
    tcase_add_test(tc, a_failure_of_one_rank_publishes_nothing);
}

int main(void) { return mpi_check_main("publish", add); }
