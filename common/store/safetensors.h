/* safetensors.h: tensors in one file that other programs read: a length, a JSON header, then the values, row-major and little-endian.
 * Written by all ranks, each its own rows. Source: the format's description in Hugging Face's repository `safetensors`. */
#ifndef LAMINA_STORE_SAFETENSORS_H
#define LAMINA_STORE_SAFETENSORS_H

#include "common/comm/comm.h"
#include "common/tensor/tensor.h"

struct safetensors_tensor {
    const char *name;
    int n_dims; /* 1: [cols], 2: [rows, cols] */
    int64_t rows, cols;
};
struct safetensors_fact {
    const char *key, *value;
}; /* a line of the header's __metadata__ */

/* Lays the file out under PATH.tmp, its space reserved. dtype: DT_F32 or DT_BF16, of every tensor. Lists are borrowed for the call.
 * Owns: *out until published or abandoned. Collective: yes, equal arguments. Fails: ST_IO. */
struct safetensors;
enum status safetensors_create(const struct comm *comm, const char *path, enum dtype dtype, const struct safetensors_tensor *tensors, int n,
                               const struct safetensors_fact *facts, int n_facts, struct safetensors **out) MUST_USE;
/* Rows [first, first + n) of a tensor of the list; rounded to nearest where the file's type is bf16. Local. Fails: ST_IO. */
enum status safetensors_write(struct safetensors *f, int tensor, int64_t first, int64_t n, const float *values) MUST_USE;
/* written: what this rank's writes came to. All well everywhere: what was written reaches the device, then the name is the final one, in
 * place of an older file. Else nothing is left. f is gone either way. Collective: yes. Fails: the worst of written, ST_IO. */
enum status safetensors_publish(const struct comm *comm, struct safetensors *f, enum status written) MUST_USE;

#endif
