/* tensor.h: a typed, shaped view of memory that somebody else owns. Row-major, contiguous, at most four dimensions. */
#ifndef LAMINA_TENSOR_TENSOR_H
#define LAMINA_TENSOR_TENSOR_H

#include "common/base/status.h"
#include <stddef.h>
#include <stdint.h>

/* name, bytes per element, text in files and messages */
#define DTYPE_LIST(X)                                                                                                                      \
    X(DT_F32, 4, "fp32")                                                                                                                   \
    X(DT_BF16, 2, "bf16") X(DT_F64, 8, "fp64") X(DT_I32, 4, "int32") X(DT_I64, 8, "int64") X(DT_U8, 1, "uint8") X(DT_U16, 2, "uint16")

enum dtype {
#define DTYPE_ENUM(name, bytes, text) name,
    DTYPE_LIST(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
};

enum { TENSOR_DIMS = 4 };

struct tensor {
    enum dtype dtype;
    int n_dims;
    int64_t dim[TENSOR_DIMS];
    void *data;
};

size_t dtype_bytes(enum dtype dtype);
const char *dtype_name(enum dtype dtype);

struct tensor tensor_make(enum dtype dtype, int n_dims, const int64_t dim[], void *data);
int64_t tensor_count(const struct tensor *t); /* elements */
int64_t tensor_cols(const struct tensor *t);  /* the last dimension; 1-D tensors are one row */
int64_t tensor_rows(const struct tensor *t);  /* product of all the others */
size_t tensor_bytes(const struct tensor *t);

/* Typed access; the dtype is an invariant. */
float *tensor_f32(const struct tensor *t);
uint16_t *tensor_bf16(const struct tensor *t);
int32_t *tensor_i32(const struct tensor *t);

#endif
