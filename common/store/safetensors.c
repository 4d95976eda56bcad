#include "safetensors.h"
#include "common/base/check.h"
#include "common/base/str.h"
#include "common/comm/agree.h"
#include "common/tensor/convert.h"
#include "folder.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 1024, ALIGN = 8, CHUNK = 1 << 14 };

struct safetensors {
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES + 8];
    enum dtype dtype;
    int n, fd;
    int64_t *offset, *cols; /* [n]: of a tensor's first value in the file; of its rows */
};

/* --- header ------------------------------------------------------------------------------------------------------------ */

static json_t *describe(const struct safetensors_tensor *t, enum dtype dtype, int64_t begin, int64_t end)
{
    json_t *const shape = json_array();
    if (t->n_dims == 2) CHECK(json_array_append_new(shape, json_integer(t->rows)) == 0);
    CHECK(json_array_append_new(shape, json_integer(t->cols)) == 0);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype == DT_BF16 ? "BF16" : "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)end);
}

static json_t *describe_facts(const struct safetensors_fact *facts, int n)
{
    json_t *const o = json_object();
    for (int i = 0; i < n; i++) CHECK(json_object_set_new(o, facts[i].key, json_string(facts[i].value)) == 0);
    return o;
}

/* The header as it stands in the file, its length first and padded with spaces so that values are aligned. Offsets count from its end;
 * f->offset from the file's beginning. Returns the file's size. */
static int64_t lay_out(struct safetensors *f, const struct safetensors_tensor *tensors, json_t *header, struct text *out)
{
    int64_t at = 0;
    for (int i = 0; i < f->n; i++) {
        const int64_t bytes = tensors[i].rows * tensors[i].cols * (int64_t)dtype_bytes(f->dtype);
        CHECK(json_object_set_new(header, tensors[i].name, describe(&tensors[i], f->dtype, at, at + bytes)) == 0);
        f->offset[i] = at;
        f->cols[i] = tensors[i].cols;
        at += bytes;
    }
    char *const text = json_dumps(header, JSON_COMPACT);
    CHECK(text != NULL);
    const uint64_t n = (strlen(text) + ALIGN - 1) / ALIGN * ALIGN;
    text_add_bytes(out, (const char *)&n, sizeof n); /* little-endian, as every processor that this is built for */
    text_add(out, "%-*s", (int)n, text);
    free(text);
    for (int i = 0; i < f->n; i++) f->offset[i] += (int64_t)out->length;
    return at + (int64_t)out->length;
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static enum status make(const char *path, const struct text *header, int64_t bytes)
{
    bool checked_only;
    (void)unlink(path); /* of an export that was killed */
    TRY(file_make(path));
    TRY(file_reserve(path, bytes, &checked_only));
    TRY(file_trim(path, bytes));
    const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const enum status s = file_write(fd, path, header->data, header->length);
    (void)close(fd);
    return s;
}

static enum status open_made(struct safetensors *f)
{
    f->fd = open(f->temporary, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (f->fd < 0) FAIL(ST_IO, "%s: cannot be opened on this node: %s", f->temporary, strerror(errno));
    return ST_OK;
}

static enum status check_path(const char *path)
{
    if (strlen(path) >= PATH_MAX_BYTES) FAIL(ST_IO, "the path %.60s... is longer than %d bytes", path, PATH_MAX_BYTES - 1);
    return ST_OK;
}

static void abandon(struct safetensors *f, bool unlinks)
{
    if (f->fd >= 0) (void)close(f->fd);
    if (unlinks) (void)unlink(f->temporary);
    free(f->offset);
    free(f->cols);
    free(f);
}

enum status safetensors_create(const struct comm *comm, const char *path, enum dtype dtype, const struct safetensors_tensor *tensors, int n,
                               const struct safetensors_fact *facts, int n_facts, struct safetensors **out)
{
    CHECK(dtype == DT_F32 || dtype == DT_BF16);
    TRY_ALL(comm, check_path(path));
    struct safetensors *const f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    *f = (struct safetensors){ .dtype = dtype, .n = n, .fd = -1, .offset = calloc((size_t)n + 1, 8), .cols = calloc((size_t)n + 1, 8) };
    CHECK(f->offset != NULL && f->cols != NULL);
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    (void)snprintf(f->temporary, sizeof f->temporary, "%s.tmp", path);
    json_t *const header = json_object();
    CHECK(json_object_set_new(header, "__metadata__", describe_facts(facts, n_facts)) == 0);
    struct text text = { 0 };
    const int64_t bytes = lay_out(f, tensors, header, &text);
    json_decref(header);
    enum status s = comm_agree(comm, comm_rank(comm) == 0 ? make(f->temporary, &text, bytes) : ST_OK);
    text_free(&text);
    if (!s) s = comm_agree(comm, open_made(f));
    if (s)
        abandon(f, comm_rank(comm) == 0);
    else
        *out = f;
    return s;
}

enum status safetensors_write(struct safetensors *f, int tensor, int64_t first, int64_t n, const float *values)
{
    CHECK(tensor >= 0 && tensor < f->n);
    const size_t width = dtype_bytes(f->dtype);
    const int64_t count = n * f->cols[tensor];
    if (lseek(f->fd, (off_t)(f->offset[tensor] + first * f->cols[tensor] * (int64_t)width), SEEK_SET) < 0)
        FAIL(ST_IO, "%s: %s", f->temporary, strerror(errno));
    for (int64_t i = 0; i < count; i += CHUNK) {
        uint16_t rounded[CHUNK];
        const int64_t now = min_i64(CHUNK, count - i);
        if (f->dtype == DT_BF16) convert_f32_to_bf16(rounded, values + i, now);
        TRY(file_write(f->fd, f->temporary, f->dtype == DT_BF16 ? (const void *)rounded : values + i, (size_t)now * width));
    }
    return ST_OK;
}

static enum status name_finally(const struct safetensors *f)
{
    char folder[PATH_MAX_BYTES];
    if (rename(f->temporary, f->path) != 0) FAIL(ST_IO, "%s: cannot be renamed to %s: %s", f->temporary, f->path, strerror(errno));
    return file_sync(folder_of(f->path, folder, sizeof folder));
}

enum status safetensors_publish(const struct comm *comm, struct safetensors *f, enum status written)
{
    enum status s = comm_agree(comm, written ? written : file_sync(f->temporary));
    if (!s) s = comm_agree(comm, comm_rank(comm) == 0 ? name_finally(f) : ST_OK);
    abandon(f, s && comm_rank(comm) == 0);
    return s;
}
