/* state.h5, damaged, its checksums right or not: it is refused with its path, or every row of it can be read. */
#include "common/store/folder.h"
#include "common/store/state.h"
#include "tests/support/h5_damage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 1 << 16, TENSORS = 14 };
static char folder[] = "/tmp/lamina-fuzz-XXXXXX", path[64];
static struct h5_sample sample;

static void write_state(struct comm *self)
{
    struct state_writer *w;
    struct state_entry entries[2 * TENSORS + 2] = { 0 };
    static const unsigned char rows[1024] = { 0 };
    for (int i = 0; i < 2 * TENSORS + 2; i++) {
        entries[i] = (struct state_entry){ .dtype = i % 3 ? DT_F32 : DT_BF16, .n_dims = 1 + i % 2, .rows = i % 2 ? 3 : 1, .cols = 4 };
        if (i < 2 * TENSORS) /* more than eight in a group: HDF5 keeps them in a heap and a tree */
            (void)snprintf(entries[i].name, H5_NAME, "%s.%d.weight", i < TENSORS ? "weights/blocks" : "state/slots", i);
        else
            (void)snprintf(entries[i].name, H5_NAME, "%s", i % 2 ? "config" : "data/ledger");
    }
    enum status s = state_create(self, path, entries, 2 * TENSORS + 2, &w);
    for (int i = 0; i < 2 * TENSORS + 2 && !s; i++)
        s = state_write_rows(self, w, i, &(struct state_rows){ 0, entries[i].rows, (void *)(uintptr_t)rows }, 1);
    if (!s) s = state_set_i64(self, w, "step", 7);
    if (!s) s = state_set_text(self, w, "config_digest", "0123456789abcdef0123456789abcdef");
    if (!s) s = state_set_f64(self, w, "loss", 1.5);
    if (!s) s = state_finish(self, w);
    if (s) abort();
}

static void read_all(struct fuzz *f)
{
    struct state *st;
    char text[64];
    int64_t step;
    double loss;
    static unsigned char rows[ROOM];
    enum status s = state_open(path, &st);
    for (int i = 0; !s && i < state_count(st); i++) {
        const struct state_entry *const e = state_entry(st, i);
        FUZZ_CHECK(f, e->bytes <= ROOM && state_find(st, e->name) != NULL);
        s = state_read_rows(st, e, &(struct state_rows){ 0, e->rows, rows }, 1);
    }
    if (!s) s = state_get_i64(st, "step", &step);
    if (!s) s = state_get_f64(st, "loss", &loss);
    if (!s) s = state_get_text(st, "config_digest", text, sizeof text);
    FUZZ_CHECK(f, s == ST_OK || (s == ST_DAMAGED && strstr(status_text(), path) != NULL));
    state_close(st);
}

static void one(struct fuzz *f)
{
    h5_sample_damage(f, &sample);
    status_clear();
    read_all(f);
}

static void prepare(void)
{
    struct comm *self;
    if (mkdtemp(folder) == NULL || comm_self(&self)) abort();
    (void)snprintf(path, sizeof path, "%s/state.h5", folder);
    write_state(self);
    h5_sample_take(&sample, path, 20);
}

int main(int argc, char **argv)
{
    prepare();
    const int code = fuzz_main(argc, argv, "state_h5", one);
    return folder_remove(folder) ? 1 : code;
}
