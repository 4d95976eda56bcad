#define LAMINA_STORE
#include "common/base/check.h"
#include "common/base/fault.h"
#include "folder.h"
#include "private.h"
#include "state.h"
#include <stdlib.h>
#include <string.h>

static const enum stored stored_as[DTYPE_COUNT] = {
    [DT_F32] = STORED_F32, [DT_BF16] = STORED_BF16, [DT_F64] = STORED_F64, [DT_I32] = STORED_I32,
    [DT_I64] = STORED_I64, [DT_U8] = STORED_U8,     [DT_U16] = STORED_U16,
};

enum stored stored_of(enum dtype dtype)
{
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return stored_as[dtype];
}

bool dtype_of(enum stored stored, enum dtype *out)
{
    for (int k = 0; k < DTYPE_COUNT; k++)
        if (stored_as[k] == stored) {
            *out = (enum dtype)k;
            return true;
        }
    return false;
}

struct state {
    struct h5 file;
    struct state_entry *entries;
    int n, cap;
};

static enum status take_dataset(void *context, const struct h5_dataset *d)
{
    struct state *const st = context;
    if (st->n == st->cap) {
        st->cap = st->cap > 0 ? 2 * st->cap : 64;
        struct state_entry *const more = realloc(st->entries, (size_t)st->cap * sizeof *more);
        CHECK(more != NULL);
        st->entries = more;
    }
    struct state_entry e = { .n_dims = d->n_dims, .rows = d->dim[0], .cols = d->dim[1], .offset = d->offset, .bytes = d->bytes };
    if (d->n_dims == 1) e.rows = 1, e.cols = d->dim[0];
    memcpy(e.name, d->name, sizeof e.name);
    if (!dtype_of(d->type, &e.dtype)) FAIL(ST_DAMAGED, "%s: %s is %s, which no tensor is", st->file.path, d->name, stored_name(d->type));
    st->entries[st->n++] = e;
    return ST_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct state_entry *)a)->name, ((const struct state_entry *)b)->name);
}

static enum status load(const char *path, struct state *st)
{
    char format[32];
    int64_t version;
    TRY(h5_open(path, ST_DAMAGED, &st->file));
    TRY(h5_get_text(&st->file, "format", format, sizeof format));
    TRY(h5_get_i64(&st->file, "version", &version));
    if (strcmp(format, "lamina-state") != 0 || version != 1)
        FAIL(ST_DAMAGED, "%s: is '%s' version %lld, and 'lamina-state' version 1 is expected", path, format, (long long)version);
    TRY(h5_visit(&st->file, take_dataset, st));
    if (st->n > 0) qsort(st->entries, (size_t)st->n, sizeof *st->entries, by_name); /* whole names: '.' comes before '/' */
    return ST_OK;
}

enum status state_open(const char *path, struct state **out)
{
    *out = NULL;
    struct state *const st = calloc(1, sizeof *st);
    CHECK(st != NULL);
    const enum status s = load(path, st);
    if (s) {
        state_close(st);
        return status_trace(s, __FILE__, __LINE__);
    }
    *out = st;
    return ST_OK;
}

void state_close(struct state *st)
{
    if (st == NULL) return;
    h5_drop(&st->file);
    free(st->entries);
    free(st);
}

int state_count(const struct state *st) { return st->n; }

const struct state_entry *state_entry(const struct state *st, int index)
{
    CHECK(index >= 0 && index < st->n);
    return &st->entries[index];
}

const struct state_entry *state_find(const struct state *st, const char *name)
{
    struct state_entry key = { 0 };
    const size_t n = strlen(name);
    if (n >= sizeof key.name || st->n == 0) return NULL;
    memcpy(key.name, name, n);
    return bsearch(&key, st->entries, (size_t)st->n, sizeof key, by_name);
}

enum status state_read_rows(const struct state *st, const struct state_entry *expected, const struct state_rows ranges[], int n_ranges)
{
    TRY(fault_here(FAULT_load_read));
    const struct state_entry *const e = state_find(st, expected->name);
    if (e == NULL) FAIL(ST_CONFIG, "%s: holds no %s: it is the state of another model or optimizer", st->file.path, expected->name);
    if (e->dtype != expected->dtype || e->n_dims != expected->n_dims || e->rows != expected->rows || e->cols != expected->cols)
        FAIL(ST_CONFIG, "%s: holds %s as %s [%lld, %lld], and %s [%lld, %lld] is expected: it is the state of another model or optimizer",
             st->file.path, e->name, dtype_name(e->dtype), (long long)e->rows, (long long)e->cols, dtype_name(expected->dtype),
             (long long)expected->rows, (long long)expected->cols);
    const int64_t row_bytes = e->cols * (int64_t)dtype_bytes(e->dtype);
    for (int i = 0; i < n_ranges; i++) {
        CHECK(ranges[i].begin >= 0 && ranges[i].count >= 0 && ranges[i].begin <= e->rows - ranges[i].count);
        TRY(file_read_at(h5_descriptor(&st->file), st->file.path, ST_DAMAGED, e->offset + ranges[i].begin * row_bytes, ranges[i].data,
                         (size_t)(ranges[i].count * row_bytes)));
    }
    return ST_OK;
}

enum status state_get_i64(const struct state *st, const char *name, int64_t *out) { return h5_get_i64(&st->file, name, out); }
enum status state_get_f64(const struct state *st, const char *name, double *out) { return h5_get_f64(&st->file, name, out); }
enum status state_get_text(const struct state *st, const char *name, char *out, size_t size)
{
    return h5_get_text(&st->file, name, out, size);
}
