/* One file written by all ranks together: who wrote which rows cannot be told from it. */
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/store/folder.h"
#include "common/store/state.h"
#include "tests/support/mpi_check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static void make_folder(void)
{
    const struct comm *w = mpi_world();
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-store-XXXXXX");
    const bool made = comm_rank(w) != 0 || mkdtemp(folder) != NULL;
    mpi_ck_assert(w, made);
    mpi_ck_assert(w, comm_broadcast(w, COMM_CONTROL, folder, sizeof folder, 0) == ST_OK);
    (void)snprintf(path, sizeof path, "%s/state.h5", folder);
}

static void remove_folder(void)
{
    const struct comm *w = mpi_world();
    mpi_ck_assert(w, comm_barrier(w) == ST_OK);
    const bool removed = comm_rank(w) != 0 || folder_remove(folder) == ST_OK;
    mpi_ck_assert(w, removed);
}

/* Shapes that hurt: more rows than ranks and fewer, one row, one element, nothing, and vectors. */
static const struct state_entry entries[] = {
    { .name = "weights/embedding", .dtype = DT_F32, .n_dims = 2, .rows = 257, .cols = 33 },
    { .name = "weights/blocks.0.q", .dtype = DT_BF16, .n_dims = 2, .rows = 7, .cols = 64 },
    { .name = "weights/blocks.0.bias", .dtype = DT_F32, .n_dims = 1, .rows = 1, .cols = 1000 },
    { .name = "weights/one", .dtype = DT_F32, .n_dims = 2, .rows = 1, .cols = 1 },
    { .name = "slots/adamw/m/blocks.0.q", .dtype = DT_U8, .n_dims = 2, .rows = 2, .cols = 5 },
    { .name = "slots/adalayer/v/embedding", .dtype = DT_F64, .n_dims = 2, .rows = 257, .cols = 1 },
    { .name = "exponents", .dtype = DT_I32, .n_dims = 1, .rows = 1, .cols = 6 },
    { .name = "nothing", .dtype = DT_I64, .n_dims = 2, .rows = 0, .cols = 3 },
};
enum { N_ENTRIES = sizeof entries / sizeof *entries };

static size_t row_bytes(const struct state_entry *e) { return (size_t)e->cols * dtype_bytes(e->dtype); }

/* Byte k of row r of dataset e, whoever writes it. */
static void fill_row(int e, int64_t r, unsigned char *out)
{
    for (size_t k = 0; k < row_bytes(&entries[e]); k++) out[k] = (unsigned char)((size_t)e * 31 + (size_t)r * 7 + k * 3 + (k >> 8));
}

/* Which rank writes row r: long runs of rows with jumps between, so that ranks have several ranges, one, or none. */
static int owner(int e, int64_t r, int ranks)
{
    return (int)(rng_u64((struct rng_key){ .seed = 1, .purpose = RNG_TEST, .stream = (uint32_t)e }, 0, r / 20) % (uint64_t)ranks);
}

static int my_ranges(int e, int rank, int ranks, unsigned char *rows, struct state_rows *ranges)
{
    int n = 0;
    const size_t width = row_bytes(&entries[e]);
    for (int64_t r = 0; r < entries[e].rows; r++) {
        if (owner(e, r, ranks) != rank) continue;
        unsigned char *const row = rows + (size_t)r * width;
        fill_row(e, r, row);
        if (n > 0 && ranges[n - 1].begin + ranges[n - 1].count == r)
            ranges[n - 1].count++;
        else
            ranges[n++] = (struct state_rows){ r, 1, row };
    }
    return n;
}

static enum status write_entry(const struct comm *w, struct state_writer *f, int e)
{
    static struct state_rows ranges[300];
    unsigned char *const rows = malloc((size_t)entries[e].rows * row_bytes(&entries[e]) + 1);
    const int n = my_ranges(e, comm_rank(w), comm_size(w), rows, ranges);
    const enum status s = state_write_rows(w, f, e, ranges, n);
    free(rows);
    return s;
}

static enum status write_all(const struct comm *w, struct state_writer *f)
{
    for (int e = 0; e < N_ENTRIES; e++) TRY(write_entry(w, f, e));
    TRY(state_set_i64(w, f, "step", 1200));
    TRY(state_set_f64(w, f, "lr", 0.1));
    return state_set_text(w, f, "config_digest", "0123456789abcdef");
}

static enum status write_file(const struct comm *w)
{
    struct state_writer *f;
    TRY(state_create(w, path, entries, N_ENTRIES, &f));
    const enum status s = write_all(w, f);
    if (s) {
        state_abandon(w, f);
        return s;
    }
    return state_finish(w, f);
}

/* Slice q of Q of a dataset, read and compared. */
static bool slice_is_right(const struct state *st, int e, int q, int Q)
{
    const int64_t begin = entries[e].rows * q / Q, count = entries[e].rows * (q + 1) / Q - begin;
    const size_t width = row_bytes(&entries[e]);
    unsigned char *const got = malloc((size_t)count * width + 1), *const expected = malloc(width + 1);
    bool right = state_read_rows(st, &entries[e], &(struct state_rows){ begin, count, got }, 1) == ST_OK;
    for (int64_t r = 0; r < count && right; r++) {
        fill_row(e, begin + r, expected);
        right = memcmp(expected, got + (size_t)r * width, width) == 0;
    }
    free(got);
    free(expected);
    return right;
}

START_TEST(any_number_of_slices_reads_what_these_ranks_wrote)
{
    const struct comm *w = mpi_world();
    struct state *st = NULL;
    mpi_ck_assert(w, write_file(w) == ST_OK);
    const enum status opened = state_open(path, &st);
    mpi_ck_assert(w, opened == ST_OK);
    bool right = state_count(st) == N_ENTRIES;
    for (int Q = 1; Q <= 5; Q++)
        for (int q = 0; q < Q; q++)
            for (int e = 0; e < N_ENTRIES; e++) right = right && slice_is_right(st, e, q, Q);
    mpi_ck_assert(w, right);
    int64_t step = 0;
    double lr = 0;
    char text[32] = "";
    const bool facts = state_get_i64(st, "step", &step) == ST_OK && state_get_f64(st, "lr", &lr) == ST_OK &&
                       state_get_text(st, "config_digest", text, sizeof text) == ST_OK;
    mpi_ck_assert(w, facts && step == 1200 && lr == 0.1 && strcmp(text, "0123456789abcdef") == 0);
    state_close(st);
}
END_TEST

START_TEST(reserved_space_that_was_not_used_is_cut_off)
{
    const struct comm *w = mpi_world();
    struct stat info;
    mpi_ck_assert(w, write_file(w) == ST_OK);
    const bool there = stat(path, &info) == 0;
    mpi_ck_assert(w, there);
    int64_t data = 0;
    for (int e = 0; e < N_ENTRIES; e++) data += entries[e].rows * (int64_t)row_bytes(&entries[e]);
    mpi_ck_assert(w, info.st_size > data && info.st_size < data + (64 << 10) && info.st_blocks * 512 < data + (128 << 10));
}
END_TEST

START_TEST(another_model_is_told_by_name_and_shape)
{
    const struct comm *w = mpi_world();
    struct state *st = NULL;
    mpi_ck_assert(w, write_file(w) == ST_OK);
    const enum status opened = state_open(path, &st);
    mpi_ck_assert(w, opened == ST_OK);
    struct state_entry missing = entries[0], wider = entries[0], typed = entries[0];
    (void)snprintf(missing.name, sizeof missing.name, "weights/no-such");
    wider.cols++;
    typed.dtype = DT_I32;
    const bool told = state_read_rows(st, &missing, NULL, 0) == ST_CONFIG && strstr(status_text(), "no-such") != NULL &&
                      state_read_rows(st, &wider, NULL, 0) == ST_CONFIG && strstr(status_text(), "34") != NULL &&
                      state_read_rows(st, &typed, NULL, 0) == ST_CONFIG;
    mpi_ck_assert(w, told);
    state_close(st);
}
END_TEST

/* Each point fails on each rank in turn; all ranks must return the same, and the next attempt must succeed. */
START_TEST(a_failure_of_one_rank_is_a_failure_of_all)
{
    const struct comm *w = mpi_world();
    static const struct {
        const char *point;
        int visit;
        bool everywhere; /* on any rank; else on rank 0 alone */
    } faults[] = { { "save_reserve", 1, false }, { "save_write", 1, true }, { "save_write", 4, true } };
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
        for (int rank = 0; rank < (faults[k].everywhere ? comm_size(w) : 1); rank++) {
            char fault[32];
            (void)snprintf(fault, sizeof fault, "%s@%d:%d", faults[k].point, rank, faults[k].visit);
            (void)setenv("LAMINA_FAULT", fault, 1);
            fault_arm_from_environment(comm_rank(w));
            const enum status s = write_file(w);
            const bool named = strstr(status_text(), "LAMINA_FAULT") != NULL;
            (void)unsetenv("LAMINA_FAULT");
            fault_arm_from_environment(comm_rank(w));
            mpi_ck_assert(w, s == ST_IO && named);
            mpi_ck_assert(w, comm_barrier(w) == ST_OK);
            const bool removed = comm_rank(w) != 0 || unlink(path) == 0;
            mpi_ck_assert(w, removed);
        }
    mpi_ck_assert(w, write_file(w) == ST_OK);
}
END_TEST

START_TEST(an_existing_file_is_not_touched)
{
    const struct comm *w = mpi_world();
    mpi_ck_assert(w, write_file(w) == ST_OK);
    const enum status s = write_file(w);
    mpi_ck_assert(w, s == ST_IO);
    struct state *st = NULL;
    const enum status opened = state_open(path, &st);
    mpi_ck_assert(w, opened == ST_OK);
    state_close(st);
}
END_TEST

static int skipped;

static bool run(const char *command)
{
    char line[160];
    (void)snprintf(line, sizeof line, "%s '%s' 2>/dev/null", command, folder);
    return comm_rank(mpi_world()) != 0 || system(line) == 0;
}

START_TEST(a_full_disk_is_an_error_everywhere_and_soon)
{
    const struct comm *w = mpi_world();
    const struct state_entry large = { .name = "weights/large", .dtype = DT_F32, .n_dims = 2, .rows = 2048, .cols = 1024 }; /* 8 MiB */
    struct state_writer *f = NULL;
    int64_t mounted = run("mount -t tmpfs -o size=4m none");
    mpi_ck_assert(w, comm_broadcast(w, COMM_CONTROL, &mounted, sizeof mounted, 0) == ST_OK);
    if (!mounted) {
        skipped++; /* needs root */
        return;
    }
    const double start = clock_seconds();
    const enum status s = state_create(w, path, &large, 1, &f);
    const double took = clock_seconds() - start;
    const bool told = strstr(status_text(), "space") != NULL;
    mpi_ck_assert(w, comm_barrier(w) == ST_OK);
    const bool unmounted = run("umount");
    mpi_ck_assert(w, unmounted);
    mpi_ck_assert(w, s == ST_IO && told && took < 5);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, any_number_of_slices_reads_what_these_ranks_wrote);
    tcase_add_test(tc, reserved_space_that_was_not_used_is_cut_off);
    tcase_add_test(tc, another_model_is_told_by_name_and_shape);
    tcase_add_test(tc, a_failure_of_one_rank_is_a_failure_of_all);
    tcase_add_test(tc, an_existing_file_is_not_touched);
    tcase_add_test(tc, a_full_disk_is_an_error_everywhere_and_soon);
}

int main(void)
{
    const int code = mpi_check_main("store", add);
    return code == 0 && skipped ? 77 : code;
}
