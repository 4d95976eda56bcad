/* Plugins of HDF5 are programs that a file can ask for: none is loaded, whatever the file says and HDF5_PLUGIN_PATH offers. */
#include "common/data/tokens.h"
#include "common/store/folder.h"
#include "common/store/state.h"
#include "tests/support/suite.h"
#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILTER = 300 }; /* that of tools/h5_plugin.c */
static char folder[64], path[128], mark[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-plugin-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file.h5", folder);
    (void)snprintf(mark, sizeof mark, "%s/loaded", folder);
    ck_assert_int_eq(setenv("LAMINA_TEST_MARK", mark, 1), 0);
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

/* In a process of its own: what one has loaded stays loaded. */
static void in_child(void (*act)(void))
{
    int how = -1;
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
}

/* A dataset of 8 numbers that cannot be read without the filter. */
static void put_filtered(hid_t f, const char *name, hid_t type)
{
    static const char bytes[64] = { 0 };
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL);
    if (H5Pset_chunk(p, 1, (hsize_t[]){ 8 }) < 0 || H5Pset_filter(p, FILTER, H5Z_FLAG_OPTIONAL, 0, NULL) < 0) _exit(1);
    const hid_t d = H5Dcreate2(f, name, type, space, H5P_DEFAULT, p, H5P_DEFAULT);
    if (d < 0 || H5Dwrite_chunk(d, H5P_DEFAULT, 0, (hsize_t[]){ 0 }, 8 * H5Tget_size(type), bytes) < 0) _exit(2);
    if (H5Dclose(d) < 0 || H5Fclose(f) < 0) _exit(3);
}

static void add_to_state(void) { put_filtered(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), "evil", H5T_STD_U8LE); }
static void change_tokens(void)
{
    const hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (H5Ldelete(f, "tokens", H5P_DEFAULT) < 0) _exit(4);
    put_filtered(f, "tokens", H5T_STD_U16LE);
}

static void read_by_hdf5(const char *name)
{
    char bytes[64];
    const hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(f, name, H5P_DEFAULT);
    (void)H5Dread(d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    (void)H5Fclose(f);
}
static void read_evil(void) { read_by_hdf5("evil"); }
static void read_tokens(void) { read_by_hdf5("tokens"); }

/* The trap works: HDF5 by itself loads the plugin. */
static void arm(void (*make)(void), void (*read)(void))
{
    in_child(make);
    (void)unlink(mark);
    in_child(read);
    ck_assert_msg(access(mark, F_OK) == 0, "HDF5 alone does not load the plugin: this test shows nothing");
    ck_assert_int_eq(unlink(mark), 0);
}

static void write_state(void)
{
    struct comm *self;
    struct state_writer *w;
    const struct state_entry entry = { .name = "weights/a", .dtype = DT_U8, .n_dims = 1, .rows = 1, .cols = 4 };
    if (comm_self(&self) || state_create(self, path, &entry, 1, &w) ||
        state_write_rows(self, w, 0, &(struct state_rows){ 0, 1, (char[]){ 1, 2, 3, 4 } }, 1) || state_finish(self, w))
        _exit(5);
    comm_free(self);
}

START_TEST(a_checkpoint_loads_no_plugin)
{
    struct state *st;
    in_child(write_state);
    arm(add_to_state, read_evil);
    ck_assert_int_eq(state_open(path, &st), ST_DAMAGED);
    ck_assert_msg(strstr(status_text(), "evil is not stored in one plain piece") != NULL, "%s", status_text());
    ck_assert_int_ne(access(mark, F_OK), 0);
}
END_TEST

static void write_tokens(void)
{
    struct tokens_writer *w;
    if (tokens_create(path, "bytes", (struct digest128){ 1, 2 }, 257, &w) ||
        tokens_append(w, (int32_t[]){ 1, 2, 3, 4, 5, 6, 7, 256 }, 8, NULL, 7) || tokens_publish(w))
        _exit(6);
}

START_TEST(a_token_file_loads_no_plugin)
{
    struct tokens t;
    in_child(write_tokens);
    arm(change_tokens, read_tokens);
    ck_assert_int_eq(tokens_open(path, true, &t), ST_DATA);
    ck_assert_msg(strstr(status_text(), "tokens is not stored in one plain piece") != NULL, "%s", status_text());
    ck_assert_int_ne(access(mark, F_OK), 0);
}
END_TEST

/* Also not later by HDF5 itself, in a process that writes checkpoints. */
static void write_and_read(void)
{
    char other[160];
    struct h5 f;
    (void)snprintf(other, sizeof other, "%s/other.h5", folder);
    if (file_make(other) || h5_create(other, NULL, &f) || h5_close(&f)) _exit(7);
    read_evil();
}

START_TEST(a_process_that_writes_loads_no_plugin)
{
    in_child(write_state);
    arm(add_to_state, read_evil);
    in_child(write_and_read);
    ck_assert_int_ne(access(mark, F_OK), 0);
}
END_TEST

/* The plugin lies beside this program (tests/CMakeLists.txt). */
static void offer_plugin(void)
{
    char self[1024], place[1100], plugins[1200];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    (void)snprintf(plugins, sizeof plugins, "%s/plugins", folder_of(self, place, sizeof place));
    (void)setenv("HDF5_PLUGIN_PATH", plugins, 1);
}

int main(void)
{
    offer_plugin();
    TCase *tc = tcase_create("plugin");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, a_checkpoint_loads_no_plugin);
    tcase_add_test(tc, a_token_file_loads_no_plugin);
    tcase_add_test(tc, a_process_that_writes_loads_no_plugin);
    Suite *suite = suite_create("plugin");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
