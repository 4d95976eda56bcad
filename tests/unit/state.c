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

static void add_hard_link(const char *to, const char *name)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Lcreate_hard(f, to, f, name, H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Fclose(f);
}
static void make_circle(void) { add_hard_link("/", "weights/evil"); }
static void make_second_name(void) { add_hard_link("/weights", "evil"); }
static void make_escape(void) { add_hard_link("/weights/a", "weights/\033[31m"); }
static void make_dots(void) { add_hard_link("/weights/a", ".evil"); }
static void make_long_name(void)
{
    char name[200];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    add_hard_link("/weights/a", name);
}

static void add_space(int n_dims, const hsize_t *dim, const hsize_t *most)
{
    const hid_t f = open_to_change(), space = n_dims < 0 ? H5Screate(H5S_NULL) : H5Screate_simple(n_dims, dim, most);
    const hid_t d = H5Dcreate2(f, "evil", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(d, 0);
    (void)H5Dclose(d);
    (void)H5Sclose(space);
    (void)H5Fclose(f);
}
static void make_cube(void) { add_space(3, (hsize_t[]){ 2, 2, 2 }, NULL); }
static void make_point(void) { add_space(0, NULL, NULL); }
static void make_null_space(void) { add_space(-1, NULL, NULL); }
static void make_huge(void) { add_space(1, (hsize_t[]){ UINT64_C(1) << 60 }, NULL); }
static void make_overflow(void) { add_space(2, (hsize_t[]){ UINT64_C(1) << 40, UINT64_C(1) << 40 }, NULL); }
static void make_wide_nothing(void) { add_space(2, (hsize_t[]){ 0, UINT64_C(1) << 62 }, NULL); }
static void make_compound(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    ck_assert_int_ge(H5Tinsert(type, "x", 0, H5T_IEEE_F32LE), 0);
    ck_assert_int_ge(H5Tinsert(type, "y", 4, H5T_IEEE_F32LE), 0);
    add_dataset(H5P_DEFAULT, type);
    (void)H5Tclose(type);
}
static void make_reference(void) { add_dataset(H5P_DEFAULT, H5T_STD_REF_OBJ); }
static void make_array(void)
{
    const hid_t type = H5Tarray_create2(H5T_STD_U8LE, 1, (hsize_t[]){ 4 });
    add_dataset(H5P_DEFAULT, type);
    (void)H5Tclose(type);
}
static void make_named_type(void)
{
    const hid_t f = open_to_change(), type = H5Tcopy(H5T_STD_U8LE);
    ck_assert_int_ge(H5Tcommit2(f, "evil", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Tclose(type);
    (void)H5Fclose(f);
}
static void make_of_named_type(void)
{
    const hid_t f = open_to_change(), type = H5Tcopy(H5T_STD_U8LE);
    ck_assert_int_ge(H5Tcommit2(f, "weights/type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Tclose(type);
    (void)H5Fclose(f);
    const hid_t g = open_to_change(), space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL), of = H5Topen2(g, "weights/type", H5P_DEFAULT);
    const hid_t d = H5Dcreate2(g, "evil", of, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(d, 0);
    (void)H5Dclose(d);
    (void)H5Tclose(of);
    (void)H5Sclose(space);
    (void)H5Fclose(g);
}
static void change_step(hid_t type, hid_t space)
{
    const hid_t f = open_to_change();
    (void)H5Adelete(f, "step");
    const hid_t a = H5Acreate2(f, "step", type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(a, 0);
    (void)H5Aclose(a);
    (void)H5Sclose(space);
    (void)H5Fclose(f);
}
static void make_step_a_float(void) { change_step(H5T_IEEE_F64LE, H5Screate(H5S_SCALAR)); }
static void make_step_a_list(void) { change_step(H5T_STD_I64LE, H5Screate_simple(1, (hsize_t[]){ 1 }, NULL)); }
static void make_old_format(void)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    (void)H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    (void)H5Pclose(access);
}
static void make_user_block(void)
{
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    (void)H5Pset_userblock(creation, 512);
    (void)H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT));
    (void)H5Pclose(creation);
}
static void make_many_attributes(void) /* HDF5 puts them into an index; ours are in the header */
{
    const hid_t f = open_to_change(), space = H5Screate(H5S_SCALAR);
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "a%d", i);
        (void)H5Aclose(H5Acreate2(f, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    }
    (void)H5Sclose(space);
    (void)H5Fclose(f);
}

static const struct {
    void (*make)(void);
    const char *says;
} hostile[] = {
    { make_chunked, "one plain piece" },
    { make_compact, "one plain piece" },
    { make_external, "one plain piece" },
    { make_virtual, "one plain piece" },
    { make_variable_length, "type" },
    { make_big_endian, "type" },
    { make_late, "inside the file" },
    { make_soft_link, "link" },
    { make_external_link, "link" },
    { make_foreign, "format" },
    { make_text_without_length, "note" },
    { make_circle, "weights/evil" },
    { make_second_name, "another name" },
    { make_escape, "weights: holds a name" },
    { make_dots, "holds a name" },
    { make_long_name, "holds a name" },
    { make_cube, "evil has neither" },
    { make_point, "evil has neither" },
    { make_null_space, "evil has neither" },
    { make_huge, "evil claims more" },
    { make_overflow, "evil claims more" },
    { make_wide_nothing, "evil claims more" },
    { make_compound, "evil has a type" },
    { make_reference, "evil has a type" },
    { make_array, "evil has a type" },
    { make_named_type, "evil has no" },
    { make_of_named_type, "shared" },
    { make_step_a_float, "step" },
    { make_step_a_list, "step" },
    { make_old_format, "version 1.8" },

    { make_user_block, "HDF5" },
    { make_many_attributes, "attribute" },
};

START_TEST(hostile_layouts_are_refused)
{
    write_state();
    hostile[_i].make();
    ck_assert_int_eq(try_file(), ST_DAMAGED);
    ck_assert_msg(strstr(status_text(), hostile[_i].says) != NULL, "%s", status_text());
}
END_TEST

/* As many as a large model has in one group: the tree of their names is two levels deep, and the heap's table has tables below it. The
 * file is HDF5's, and what is read from it is ours. */
START_TEST(thousands_of_datasets_are_found)
{
    enum { MANY = 6000 };
    struct state_writer *w;
    struct state *st;
    struct state_entry *const many = calloc(MANY, sizeof *many);
    for (int i = 0; i < MANY; i++) {
        many[i] = (struct state_entry){ .dtype = DT_I32, .n_dims = 1, .rows = 1, .cols = 1 };
        (void)snprintf(many[i].name, H5_NAME, "state/%0100d.m", i);
    }
    ck_assert_int_eq(state_create(self, path, many, MANY, &w), ST_OK);
    for (int i = 0; i < MANY; i++) ck_assert_int_eq(state_write_rows(self, w, i, &(struct state_rows){ 0, 1, &i }, 1), ST_OK);
    ck_assert_int_eq(state_finish(self, w), ST_OK);
    ck_assert_int_eq(state_open(path, &st), ST_OK);
    ck_assert_int_eq(state_count(st), MANY);
    for (int i = 0; i < MANY; i++) {
        int32_t value = -1;
        ck_assert_str_eq(state_entry(st, i)->name, many[i].name);
        ck_assert_int_eq(state_read_rows(st, &many[i], &(struct state_rows){ 0, 1, &value }, 1), ST_OK);
        ck_assert_int_eq(value, i);
    }
    state_close(st);
    free(many);
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
    tcase_add_test(tc, thousands_of_datasets_are_found);
    tcase_add_test(tc, random_damage_is_survived);
    tcase_add_test(tc, a_cut_file_is_refused);
    Suite *suite = suite_create("state");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
