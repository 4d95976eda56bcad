/* h5.h: the small part of HDF5 that Lamina uses, with our errors: contiguous datasets of at most two dimensions, of eight fixed types,
 * and attributes of the root group. Read FORMAT.md first. hid_t stays behind this header; only this folder includes hdf5.h.
 *
 * Files are written by the HDF5 library, with checksummed headers (format 1.8), and read without it: a file may come from anywhere, and the
 * library (1.10.8) dies of 1 in 130 files whose headers somebody changed and sealed again. Our own reader knows what we write and no more:
 * hard links alone, no external storage, no virtual, chunked or compressed layout, no variable-length type, nothing shared; every address
 * and size is compared with the file before it is used, every checksum is checked, and the work is bounded by the size of the file. */
#ifndef LAMINA_STORE_H5_H
#define LAMINA_STORE_H5_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types as they stand in a file, all little-endian: name, bytes, text. bf16 is a 16-bit float of HDF5, so h5py and h5dump show numbers. */
#define STORED_LIST(X)                                                                                                                     \
    X(STORED_U8, 1, "uint8")                                                                                                               \
    X(STORED_U16, 2, "uint16")                                                                                                             \
    X(STORED_U32, 4, "uint32")                                                                                                             \
    X(STORED_I32, 4, "int32")                                                                                                              \
    X(STORED_I64, 8, "int64")                                                                                                              \
    X(STORED_BF16, 2, "bf16")                                                                                                              \
    X(STORED_F32, 4, "fp32")                                                                                                               \
    X(STORED_F64, 8, "fp64")
enum stored {
#define STORED_ENUM(name, bytes, text) name,
    STORED_LIST(STORED_ENUM)
#undef STORED_ENUM
        STORED_COUNT
};
size_t stored_bytes(enum stored type);
const char *stored_name(enum stored type);

enum { H5_PATH = 1200, H5_NAME = 128, H5_TEXT = 32768 };

/* Names of datasets and groups: 1 to H5_NAME - 1 letters, digits, '.', '_' and '-', with '/' between levels, none of which is empty or
 * begins with a '.': they can be printed, and put into a file's name. */
bool h5_is_name(const char *name, size_t n);

struct h5_source;
struct h5 {
    int64_t id;               /* of a file that is written */
    struct h5_source *source; /* of one that is read */
    enum status bad;          /* what a file that is not as expected means here: ST_DATA or ST_DAMAGED */
    char path[H5_PATH];
};

struct h5_dataset {
    char name[H5_NAME]; /* from the root, "weights/head.weight" */
    enum stored type;
    int n_dims; /* 1 or 2 */
    int64_t dim[2];
    int64_t offset, bytes; /* where its elements stand in the file; offset 0 when there are none */
};

/* Make path, an empty file that the caller created, an HDF5 file. mpi: the MPI_Comm of comm_handle; then this call and every call that
 * writes is made by all its ranks with equal arguments. NULL or MPI_COMM_NULL: one process, POSIX driver. Owns: until h5_close. Fails:
 * ST_IO. */
enum status h5_create(const char *path, const void *mpi, struct h5 *out) MUST_USE;
/* Opens for reading, by one process. Owns: until h5_drop. Fails: `bad`, with the path, where it is missing, not a plain file, or not HDF5
 * of the format that we write. */
enum status h5_open(const char *path, enum status bad, struct h5 *out) MUST_USE;
/* Bytes that a file opened for reading says it has; there may be more. */
int64_t h5_end(const struct h5 *f);
/* For pread at the places that h5_dataset tells. Owns: closed by h5_drop, except after h5_keep_descriptor, where the caller does. */
int h5_descriptor(const struct h5 *f);
int h5_keep_descriptor(struct h5 *f);
/* Fails: ST_IO when what was written cannot be flushed. The handle is gone in any case. */
enum status h5_close(struct h5 *f) MUST_USE;
/* Closes what was only read, or what failed already: nothing is said, so the sentence of that failure stays. Legal on a zeroed one. */
void h5_drop(struct h5 *f);

/* A contiguous dataset with its space allocated and not filled; groups on the way are made. handle: for h5_write, until h5_release.
 * Fails: ST_IO. */
enum status h5_make(const struct h5 *f, const struct h5_dataset *d, int64_t *handle) MUST_USE;
/* Lines [begin, begin + count) along the first dimension; count 0 takes part without data. shared: a collective write by all ranks.
 * At most 1 GiB. Fails: ST_IO. */
enum status h5_write(const struct h5 *f, int64_t handle, const struct h5_dataset *d, bool shared, int64_t begin, int64_t count,
                     const void *data) MUST_USE;
void h5_release(int64_t handle);

/* Facts of a dataset, after all refusals. Fails: f->bad. */
enum status h5_find(const struct h5 *f, const char *name, struct h5_dataset *out) MUST_USE;
/* All datasets, in order of name within each group. Fails: f->bad for anything that is neither group nor dataset of ours; what visit
 * returns. */
enum status h5_visit(const struct h5 *f, enum status (*visit)(void *context, const struct h5_dataset *d), void *context) MUST_USE;

/* Attributes of the root group: scalars of int64, fp64, and text of fixed length below H5_TEXT bytes. Fails: ST_IO; reading: f->bad. */
enum status h5_set_i64(const struct h5 *f, const char *name, int64_t value) MUST_USE;
enum status h5_set_f64(const struct h5 *f, const char *name, double value) MUST_USE;
enum status h5_set_text(const struct h5 *f, const char *name, const char *text) MUST_USE;
bool h5_has(const struct h5 *f, const char *name); /* for attributes that older files lack */
enum status h5_get_i64(const struct h5 *f, const char *name, int64_t *out) MUST_USE;
enum status h5_get_f64(const struct h5 *f, const char *name, double *out) MUST_USE;
enum status h5_get_text(const struct h5 *f, const char *name, char *out, size_t size) MUST_USE; /* refused where it does not fit */

#endif
