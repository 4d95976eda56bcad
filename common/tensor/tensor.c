#include "tensor.h"
#include "common/base/check.h"

static const struct {
    size_t bytes;
    const char *name;
} dtypes[DTYPE_COUNT] = {
#define DTYPE_ROW(name, bytes, text) { bytes, text },
    DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

size_t dtype_bytes(enum dtype dtype)
{
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return dtypes[dtype].bytes;
}

const char *dtype_name(enum dtype dtype)
{
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return dtypes[dtype].name;
}

struct tensor tensor_make(enum dtype dtype, int n_dims, const int64_t dim[], void *data)
{
    CHECK(n_dims >= 1 && n_dims <= TENSOR_DIMS);
    struct tensor t = { .dtype = dtype, .n_dims = n_dims, .dim = { 1, 1, 1, 1 }, .data = data };
    for (int i = 0; i < n_dims; i++) {
        CHECK(dim[i] >= 0);
        t.dim[i] = dim[i];
    }
    return t;
}

static int64_t product(const int64_t dim[], int n)
{
    int64_t count = 1;
    for (int i = 0; i < n; i++) CHECK(!__builtin_mul_overflow(count, dim[i], &count));
    return count;
}

int64_t tensor_count(const struct tensor *t) { return product(t->dim, t->n_dims); }

int64_t tensor_cols(const struct tensor *t) { return t->dim[t->n_dims - 1]; }

int64_t tensor_rows(const struct tensor *t) { return product(t->dim, t->n_dims - 1); }

size_t tensor_bytes(const struct tensor *t)
{
    size_t bytes = 0;
    CHECK(size_mul((size_t)tensor_count(t), dtype_bytes(t->dtype), &bytes) == ST_OK);
    return bytes;
}

float *tensor_f32(const struct tensor *t)
{
    CHECK(t->dtype == DT_F32);
    return t->data;
}

uint16_t *tensor_bf16(const struct tensor *t)
{
    CHECK(t->dtype == DT_BF16);
    return t->data;
}

int32_t *tensor_i32(const struct tensor *t)
{
    CHECK(t->dtype == DT_I32);
    return t->data;
}
