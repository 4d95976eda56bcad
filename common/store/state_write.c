#define LAMINA_STORE
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "folder.h"
#include "private.h"
#include "state.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1 };
static const int64_t call_bytes = INT64_C(1) << 30; /* MPI-IO counts in int */

/* Beside the tensors: superblock, object headers, links, attributes. Measured below 700 bytes per dataset; unused space is cut off. */
static const int64_t header_bytes = 1 << 20, header_bytes_each = 2048;

struct state_writer {
    struct h5 file;
    bool open;
    struct comm *comm; /* HDF5's own duplicate */
    struct h5_dataset *datasets;
    int n;
};

static struct h5_dataset dataset_of(const struct state_entry *e)
{
    struct h5_dataset d = { .type = stored_of(e->dtype), .n_dims = e->n_dims, .dim = { e->rows, e->cols } };
    if (e->n_dims == 1) { /* lines of one element, so that a long vector can be cut */
        CHECK(e->rows == 1);
        d.dim[0] = e->cols, d.dim[1] = 1;
    }
    memcpy(d.name, e->name, sizeof d.name);
    CHECK(memchr(d.name, '\0', sizeof d.name) != NULL);
    return d;
}

static int64_t bytes_of(const struct h5_dataset *d) { return d->dim[0] * d->dim[1] * (int64_t)stored_bytes(d->type); }

/* Rank 0 alone, before anybody writes. */
static enum status reserve(const char *path, const struct state_writer *w)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    TRY(fault_here(FAULT_save_reserve));
    int64_t bytes = header_bytes + header_bytes_each * w->n;
    for (int i = 0; i < w->n; i++) bytes += bytes_of(&w->datasets[i]);
    bool checked_only;
    TRY(file_reserve(path, bytes, &checked_only));
    if (checked_only && !atomic_flag_test_and_set(&said))
        log_note("%s: this file system cannot reserve space; its free space was checked instead", path);
    return ST_OK;
}

/* The datasets exist and their addresses are fixed; handles are reopened for each write, so that their number does not matter. */
static enum status make_datasets(const struct state_writer *w)
{
    for (int i = 0; i < w->n; i++) {
        int64_t handle;
        TRY(h5_make(&w->file, &w->datasets[i], &handle));
        h5_release(handle);
    }
    TRY(h5_set_text(&w->file, "format", "lamina-state"));
    return h5_set_i64(&w->file, "version", FORMAT_VERSION);
}

static enum status create(const struct comm *comm, const char *path, struct state_writer *w)
{
    const bool first = comm_rank(comm) == 0;
    TRY(comm_duplicate(comm, &w->comm));
    TRY_ALL(comm, first ? file_make(path) : ST_OK);
    const enum status s = h5_create(path, comm_handle(w->comm), &w->file);
    w->open = s == ST_OK;
    TRY_ALL(comm, s);
    TRY_ALL(comm, first ? reserve(path, w) : ST_OK); /* after HDF5 cut the file to nothing, before anything is in it */
    TRY_ALL(comm, make_datasets(w));
    return ST_OK;
}

enum status state_create(const struct comm *comm, const char *path, const struct state_entry entries[], int n, struct state_writer **out)
{
    *out = NULL;
    struct state_writer *const w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->datasets = calloc((size_t)n + 1, sizeof *w->datasets);
    CHECK(w->datasets != NULL);
    w->n = n;
    for (int i = 0; i < n; i++) w->datasets[i] = dataset_of(&entries[i]);
    const enum status s = create(comm, path, w);
    if (s) {
        state_abandon(comm, w);
        return status_trace(s, __FILE__, __LINE__);
    }
    *out = w;
    return ST_OK;
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

/* A range as lines of the dataset, cut into calls of at most 1 GiB. */
struct piece {
    int64_t begin, count;
    const char *data;
};

static int64_t lines_per_row(const struct h5_dataset *d) { return d->n_dims == 1 ? d->dim[0] : 1; }

static int64_t lines_per_call(const struct h5_dataset *d)
{
    return max_i64(1, call_bytes / max_i64(1, d->dim[1] * (int64_t)stored_bytes(d->type)));
}

static int64_t count_pieces(const struct h5_dataset *d, const struct state_rows ranges[], int n)
{
    int64_t pieces = 0;
    for (int i = 0; i < n; i++) pieces += ceil_div(ranges[i].count * lines_per_row(d), lines_per_call(d));
    return pieces;
}

/* The piece of this number, an empty one past the last. */
static struct piece find_piece(const struct h5_dataset *d, const struct state_rows ranges[], int n, int64_t number)
{
    const int64_t most = lines_per_call(d), line_bytes = d->dim[1] * (int64_t)stored_bytes(d->type);
    for (int i = 0; i < n; i++) {
        const int64_t lines = ranges[i].count * lines_per_row(d), pieces = ceil_div(lines, most), done = number * most;
        if (number < pieces)
            return (struct piece){ .begin = ranges[i].begin * lines_per_row(d) + done,
                                   .count = min_i64(most, lines - done),
                                   .data = (const char *)ranges[i].data + done * line_bytes };
        number -= pieces;
    }
    return (struct piece){ 0 };
}

static enum status check_ranges(const struct h5_dataset *d, const struct state_rows ranges[], int n)
{
    const int64_t rows = d->n_dims == 1 ? 1 : d->dim[0];
    for (int i = 0; i < n; i++)
        if (ranges[i].begin < 0 || ranges[i].count < 0 || ranges[i].begin > rows - ranges[i].count)
            FAIL(ST_BUG, "%s: rows %lld to %lld of %lld are to be written", d->name, (long long)ranges[i].begin,
                 (long long)(ranges[i].begin + ranges[i].count), (long long)rows);
    return fault_here(FAULT_save_write);
}

/* As many collective writes on every rank as the busiest one needs. A rank whose write failed goes on, or the others would wait for it. */
static enum status write_pieces(const struct state_writer *w, const struct h5_dataset *d, const struct state_rows ranges[], int n,
                                int64_t calls)
{
    int64_t handle = -1;
    char why[H5_WHY];
    handle = H5Dopen2(w->file.id, d->name, H5P_DEFAULT);
    if (handle < 0) FAIL(ST_IO, "%s: %s cannot be opened: %s", w->file.path, d->name, h5_why(why));
    const void *const mpi = comm_handle(w->comm);
    const bool shared = comm_size(w->comm) > 1 && mpi != NULL;
    enum status worst = ST_OK;
    for (int64_t call = 0; call < calls; call++) {
        const struct piece p = find_piece(d, ranges, n, call);
        const enum status s = h5_write(&w->file, handle, d, shared, p.begin, p.count, p.data);
        if (s && !worst) worst = s;
    }
    h5_release(handle);
    return worst;
}

enum status state_write_rows(const struct comm *comm, struct state_writer *w, int entry, const struct state_rows ranges[], int n_ranges)
{
    CHECK(entry >= 0 && entry < w->n);
    const struct h5_dataset *const d = &w->datasets[entry];
    TRY_ALL(comm, check_ranges(d, ranges, n_ranges));
    int64_t calls = bytes_of(d) > 0 ? count_pieces(d, ranges, n_ranges) : 0;
    TRY(comm_max_i64(comm, COMM_CONTROL, &calls, 1));
    TRY_ALL(comm, calls > 0 ? write_pieces(w, d, ranges, n_ranges, calls) : ST_OK);
    return ST_OK;
}

/* --- facts and the end ------------------------------------------------------------------------------------------------- */

enum status state_set_i64(const struct comm *comm, struct state_writer *w, const char *name, int64_t value)
{
    TRY_ALL(comm, h5_set_i64(&w->file, name, value));
    return ST_OK;
}

enum status state_set_f64(const struct comm *comm, struct state_writer *w, const char *name, double value)
{
    TRY_ALL(comm, h5_set_f64(&w->file, name, value));
    return ST_OK;
}

enum status state_set_text(const struct comm *comm, struct state_writer *w, const char *name, const char *text)
{
    TRY_ALL(comm, h5_set_text(&w->file, name, text));
    return ST_OK;
}

static void forget(struct state_writer *w)
{
    comm_free(w->comm);
    free(w->datasets);
    free(w);
}

/* Not every driver gives back what was reserved and not used. Opening the file again is also the first proof that it can be. */
static enum status trim(const char *path)
{
    struct h5 f;
    TRY(h5_open(path, ST_IO, &f));
    const int64_t bytes = h5_end(&f);
    h5_drop(&f);
    return file_trim(path, bytes);
}

enum status state_finish(const struct comm *comm, struct state_writer *w)
{
    char path[H5_PATH];
    memcpy(path, w->file.path, sizeof path);
    const enum status closed = h5_close(&w->file);
    forget(w);
    TRY_ALL(comm, closed);
    TRY_ALL(comm, comm_rank(comm) == 0 ? trim(path) : ST_OK);
    TRY_ALL(comm, file_sync(path)); /* every rank: on a shared file system each node has its own cache */
    return ST_OK;
}

void state_abandon(const struct comm *comm, struct state_writer *w)
{
    if (w == NULL) return;
    if (w->open) h5_drop(&w->file);
    forget(w);
}
