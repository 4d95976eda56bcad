/* A safetensors file by several ranks, read back as its format is described. */
#include "common/store/safetensors.h"
#include "common/base/check.h"
#include "common/tensor/convert.h"
#include "tests/support/mpi_check.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 37, COLS = 3001, LENGTH = 5, MOST = 1 << 20 };
static const struct safetensors_tensor tensors[] = { { "b.weight", 2, ROWS, COLS }, { "a.gain", 1, 1, LENGTH } };
static const struct safetensors_fact facts[] = { { "family", "llama" } };

static float value(int tensor, int64_t i) { return (float)(tensor + 1) * 0.1F + (float)i * 1.001F; }

static enum status write_mine(const struct comm *w, struct safetensors *f)
{
    static float rows[ROWS * COLS];
    const int64_t n = comm_size(w), begin = ROWS * comm_rank(w) / n, end = ROWS * (comm_rank(w) + 1) / n;
    for (int64_t i = 0; i < (end - begin) * COLS; i++) rows[i] = value(0, begin * COLS + i);
    TRY(safetensors_write(f, 0, begin, end - begin, rows));
    if (comm_rank(w) != comm_size(w) - 1) return ST_OK;
    for (int64_t i = 0; i < LENGTH; i++) rows[i] = value(1, i);
    return safetensors_write(f, 1, 0, 1, rows);
}

static void shared_path(char path[64])
{
    const struct comm *w = mpi_world();
    (void)snprintf(path, 64, "/tmp/lamina-safetensors-%ld", (long)getpid());
    mpi_ck_assert(w, comm_broadcast(w, COMM_CONTROL, path, 64, 0) == ST_OK);
}

static enum status write_file(const char *path, enum dtype dtype, enum status failure)
{
    const struct comm *w = mpi_world();
    struct safetensors *f;
    TRY(safetensors_create(w, path, dtype, tensors, 2, facts, 1, &f));
    const enum status s = write_mine(w, f);
    return safetensors_publish(w, f, comm_rank(w) == comm_size(w) - 1 && failure ? failure : s);
}

static bool tensor_is_right(const json_t *header, const unsigned char *values, size_t bytes, int tensor, enum dtype dtype)
{
    const struct safetensors_tensor *t = &tensors[tensor];
    const json_t *const o = json_object_get(header, t->name), *const shape = json_object_get(o, "shape"),
                        *const at = json_object_get(o, "data_offsets");
    const int64_t begin = json_integer_value(json_array_get(at, 0)), end = json_integer_value(json_array_get(at, 1)),
                  count = t->rows * t->cols;
    bool right = strcmp(json_string_value(json_object_get(o, "dtype")), dtype == DT_BF16 ? "BF16" : "F32") == 0 &&
                 json_array_size(shape) == (size_t)t->n_dims &&
                 json_integer_value(json_array_get(shape, (size_t)t->n_dims - 1)) == t->cols &&
                 end - begin == count * (int64_t)dtype_bytes(dtype) && (size_t)end <= bytes;
    for (int64_t i = 0; right && i < count; i++) {
        float f = value(tensor, i);
        uint16_t h = f32_to_bf16(f);
        const size_t width = dtype_bytes(dtype);
        right = memcmp(values + begin + i * (int64_t)width, width == 2 ? (const void *)&h : &f, width) == 0;
    }
    return right;
}

static bool file_is_right(const char *path, enum dtype dtype)
{
    static unsigned char bytes[MOST];
    FILE *const file = fopen(path, "rb");
    if (file == NULL) return false;
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    uint64_t length;
    memcpy(&length, bytes, sizeof length);
    if (n < 8 || length > n - 8 || length % 8 != 0) return false;
    json_t *const header = json_loadb((const char *)bytes + 8, length, JSON_REJECT_DUPLICATES, NULL);
    const size_t data = n - 8 - length;
    bool right = header != NULL && json_object_size(header) == 3 &&
                 strcmp(json_string_value(json_object_get(json_object_get(header, "__metadata__"), "family")), "llama") == 0 &&
                 data == (ROWS * COLS + LENGTH) * dtype_bytes(dtype); /* no holes, nothing behind */
    for (int t = 0; right && t < 2; t++) right = tensor_is_right(header, bytes + 8 + length, data, t, dtype);
    json_decref(header);
    return right;
}

START_TEST(every_value_stands_where_the_header_says)
{
    const struct comm *w = mpi_world();
    char path[64];
    shared_path(path);
    for (int i = 0; i < 2; i++) {
        const enum dtype dtype = i == 0 ? DT_F32 : DT_BF16;
        mpi_ck_assert(w, write_file(path, dtype, ST_OK) == ST_OK);
        mpi_ck_assert(w, comm_rank(w) != 0 || file_is_right(path, dtype));
    }
    mpi_ck_assert(w, comm_rank(w) != 0 || unlink(path) == 0);
}
END_TEST

START_TEST(a_failure_of_one_rank_leaves_nothing_and_is_told_to_all)
{
    const struct comm *w = mpi_world();
    char path[64], temporary[72];
    shared_path(path);
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    mpi_ck_assert(w, write_file(path, DT_F32, ST_IO) == ST_IO);
    mpi_ck_assert(w, access(path, F_OK) != 0 && access(temporary, F_OK) != 0);
    mpi_ck_assert(w, write_file("/no/such/folder/file", DT_F32, ST_OK) == ST_IO);
    status_clear();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_value_stands_where_the_header_says);
    tcase_add_test(tc, a_failure_of_one_rank_leaves_nothing_and_is_told_to_all);
}

int main(void) { return mpi_check_main("safetensors", add); }
