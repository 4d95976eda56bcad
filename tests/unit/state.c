/* State files from elsewhere: hostile layouts are refused, damage is survived. One process, no MPI. */
#include "common/store/state.h"
#include "common/base/rng.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];
static struct comm *self;

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-state-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/state.h5", folder);
    ck_assert_int_eq(comm_self(&self), ST_OK);
}
static void remove_folder(void)
{
    comm_free(self);
    ck_assert_int_eq(folder_remove(folder), ST_OK);
}

static const struct state_entry entries[] = {
    { .name = "weights/a", .dtype = DT_F32, .n_dims = 2, .rows = 5, .cols = 7 },
    { .name = "weights/b", .dtype = DT_BF16, .n_dims = 1, .rows = 1, .cols = 9 },
    { .name = "slots/m/a", .dtype = DT_U8, .n_dims = 2, .rows = 5, .cols = 7 },
};
enum { N_ENTRIES = sizeof entries / sizeof *entries };

static void write_state(void)
{
    struct state_writer *w;
    unsigned char bytes[5 * 7 * 4];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
    ck_assert_int_eq(state_create(self, path, entries, N_ENTRIES, &w), ST_OK);
    for (int e = 0; e < N_ENTRIES; e++)
        ck_assert_int_eq(state_write_rows(self, w, e, &(struct state_rows){ 0, entries[e].rows, bytes }, 1), ST_OK);
    ck_assert_int_eq(state_set_i64(self, w, "step", 7), ST_OK);
    ck_assert_int_eq(state_set_text(self, w, "note", ""), ST_OK);
    ck_assert_int_eq(state_finish(self, w), ST_OK);
}

/* Reads all there is. */
static enum status try_file(void)
{
    struct state *st;
    char text[32];
    int64_t step;
    unsigned char *const rows = malloc(1 << 20);
    enum status s = state_open(path, &st);
    for (int i = 0; !s && i < state_count(st); i++) {
        const struct state_entry *const e = state_entry(st, i);
        if (e->bytes <= 1 << 20) s = state_read_rows(st, e, &(struct state_rows){ 0, e->rows, rows }, 1);
    }
    if (!s) s = state_get_i64(st, "step", &step);
    if (!s) s = state_get_text(st, "note", text, sizeof text);
    state_close(st);
    free(rows);
    ck_assert_msg(s == ST_OK || s == ST_DAMAGED, "%s: %s", status_name(s), status_text());
    return s;
}

START_TEST(one_process_writes_and_reads_without_mpi)
{
    struct state *st;
    unsigned char row[7 * 4];
    write_state();
    ck_assert_int_eq(try_file(), ST_OK);
    ck_assert_int_eq(state_open(path, &st), ST_OK);
    ck_assert_str_eq(state_entry(st, 0)->name, "slots/m/a"); /* in order of name */
    ck_assert_int_eq(state_read_rows(st, &entries[0], &(struct state_rows){ 3, 1, row }, 1), ST_OK);
    for (int i = 0; i < 28; i++) ck_assert_int_eq(row[i], 3 * 28 + i);
    ck_assert_ptr_null(state_find(st, "weights"));
    state_close(st);
}
END_TEST

START_TEST(equal_states_are_equal_files)
{
    struct digest128 first, second;
    write_state();
    ck_assert_int_eq(digest_file(path, &first), ST_OK);
    ck_assert_int_eq(unlink(path), 0);
    write_state();
    ck_assert_int_eq(digest_file(path, &second), ST_OK);
    ck_assert(digest_equal(first, second));
}
END_TEST

START_TEST(bf16_is_a_number_to_hdf5)
{
    struct state_writer *w;
    uint16_t half[9];
    float whole[9];
    for (int i = 0; i < 9; i++) half[i] = (uint16_t)(0x3f80 + i); /* 1 + i / 128 */
    ck_assert_int_eq(state_create(self, path, entries, N_ENTRIES, &w), ST_OK);
    ck_assert_int_eq(state_write_rows(self, w, 1, &(struct state_rows){ 0, 1, half }, 1), ST_OK);
    ck_assert_int_eq(state_finish(self, w), ST_OK);
    const hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(f, "weights/b", H5P_DEFAULT);
    ck_assert_int_ge(H5Dread(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, whole), 0);
    for (int i = 0; i < 9; i++) ck_assert_double_eq((double)whole[i], 1 + i / 128.0);
    (void)H5Dclose(d);
    (void)H5Fclose(f);
}
END_TEST

/* --- hostile layouts ----------------------------------------------------------------------------------------------------- */

static hid_t open_to_change(void) { return H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT); }

static void add_dataset(hid_t creation, hid_t type)
{
    const hid_t f = open_to_change(), space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL);
    const hid_t d = H5Dcreate2(f, "evil", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert_int_ge(d, 0);
    (void)H5Dclose(d);
    (void)H5Sclose(space);
    (void)H5Fclose(f);
}

static void make_chunked(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(p, 1, (hsize_t[]){ 4 });
    (void)H5Pset_deflate(p, 1);
    add_dataset(p, H5T_STD_U8LE);
    (void)H5Pclose(p);
}
static void make_compact(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_layout(p, H5D_COMPACT);
    add_dataset(p, H5T_STD_U8LE);
    (void)H5Pclose(p);
}
static void make_external(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_external(p, "/etc/passwd", 0, 8);
    add_dataset(p, H5T_STD_U8LE);
    (void)H5Pclose(p);
}
static void make_virtual(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL);
    (void)H5Pset_virtual(p, space, "/tmp/other.h5", "x", space);
    add_dataset(p, H5T_STD_U8LE);
    (void)H5Sclose(space);
    (void)H5Pclose(p);
}
static void make_variable_length(void)
{
    const hid_t type = H5Tvlen_create(H5T_STD_U8LE);
    add_dataset(H5P_DEFAULT, type);
    (void)H5Tclose(type);
}
static void make_big_endian(void) { add_dataset(H5P_DEFAULT, H5T_STD_I32BE); }
static void make_late(void) { add_dataset(H5P_DEFAULT, H5T_STD_U8LE); } /* contiguous, but without space in the file */
static void make_soft_link(void)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Lcreate_soft("/weights/a", f, "evil", H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Fclose(f);
}
static void make_external_link(void)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Lcreate_external("/etc/passwd", "x", f, "evil", H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Fclose(f);
}
static void make_foreign(void)
{
    const hid_t f = open_to_change();
    (void)H5Adelete(f, "format");
    (void)H5Fclose(f);
}
static void make_text_without_length(void)
{
    const hid_t f = open_to_change(), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    const char *text = "x";
    (void)H5Tset_size(type, H5T_VARIABLE);
    (void)H5Adelete(f, "note");
    const hid_t a = H5Acreate2(f, "note", type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(a, type, &text), 0);
    (void)H5Aclose(a);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)H5Fclose(f);
}

static const struct {
    void (*make)(void);
    const char *says;
} hostile[] = {
    { make_chunked, "one plain piece" }, { make_compact, "one plain piece" },  { make_external, "one plain piece" },
    { make_virtual, "one plain piece" }, { make_variable_length, "type" },     { make_big_endian, "type" },
    { make_late, "inside the file" },    { make_soft_link, "link" },           { make_external_link, "link" },
    { make_foreign, "format" },          { make_text_without_length, "note" },
};

START_TEST(hostile_layouts_are_refused)
{
    write_state();
    hostile[_i].make();
    ck_assert_int_eq(try_file(), ST_DAMAGED);
    ck_assert_msg(strstr(status_text(), hostile[_i].says) != NULL, "%s", status_text());
}
END_TEST

/* --- damage -------------------------------------------------------------------------------------------------------------- */

static unsigned char *slurp(int64_t *n)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    *n = (int64_t)info.st_size;
    unsigned char *const bytes = malloc((size_t)*n);
    const int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, bytes, (size_t)*n), *n);
    (void)close(fd);
    return bytes;
}

static void spill(const unsigned char *bytes, int64_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, bytes, (size_t)n), n);
    (void)close(fd);
}

START_TEST(random_damage_is_survived)
{
    int64_t n;
    write_state();
    unsigned char *const good = slurp(&n), *const bad = malloc((size_t)n);
    int noticed = 0;
    for (int64_t k = 0; k < 600; k++) {
        const struct rng_key key = { .seed = 6, .purpose = RNG_TEST };
        memcpy(bad, good, (size_t)n);
        for (int c = 0; c < 1 + (int)(k % 5); c++) {
            const uint64_t r = rng_u64(key, k, c);
            bad[r % (uint64_t)n] ^= (unsigned char)(1 + (r >> 40) % 255);
        }
        spill(bad, n);
        noticed += try_file() == ST_DAMAGED;
    }
    ck_assert_int_gt(noticed, 0);
    free(good);
    free(bad);
}
END_TEST

START_TEST(a_cut_file_is_refused)
{
    int64_t n;
    write_state();
    unsigned char *const bytes = slurp(&n);
    for (int64_t keep = 0; keep < n; keep += 53) {
        spill(bytes, keep);
        ck_assert_msg(try_file() == ST_DAMAGED, "%lld of %lld bytes", (long long)keep, (long long)n);
    }
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("state");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, one_process_writes_and_reads_without_mpi);
    tcase_add_test(tc, equal_states_are_equal_files);
    tcase_add_test(tc, bf16_is_a_number_to_hdf5);
    tcase_add_loop_test(tc, hostile_layouts_are_refused, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tc, random_damage_is_survived);
    tcase_add_test(tc, a_cut_file_is_refused);
    Suite *suite = suite_create("state");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
