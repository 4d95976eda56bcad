#define LAMINA_STORE
#include "common/base/check.h"
#include "private.h"
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are read and written as memory has them: little-endian");

size_t stored_bytes(enum stored type)
{
    static const size_t bytes[STORED_COUNT] = {
#define STORED_BYTES(name, bytes, text) bytes,
        STORED_LIST(STORED_BYTES)
#undef STORED_BYTES
    };
    CHECK((unsigned)type < STORED_COUNT);
    return bytes[type];
}

const char *stored_name(enum stored type)
{
    static const char *const names[STORED_COUNT] = {
#define STORED_TEXT(name, bytes, text) text,
        STORED_LIST(STORED_TEXT)
#undef STORED_TEXT
    };
    CHECK((unsigned)type < STORED_COUNT);
    return names[type];
}

/* The upper half of an fp32 as a type of its own: sign 15, exponent 7 to 14 with bias 127, mantissa 0 to 6. */
static hid_t bf16_type(void)
{
    const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    if (t < 0 || H5Tset_fields(t, 15, 7, 8, 0, 7) < 0 || H5Tset_precision(t, 16) < 0 || H5Tset_size(t, 2) < 0 || H5Tset_ebias(t, 127) < 0)
        return H5I_INVALID_HID;
    return t;
}

hid_t h5_type(enum stored type)
{
    switch (type) {
    case STORED_U8: return H5Tcopy(H5T_STD_U8LE);
    case STORED_U16: return H5Tcopy(H5T_STD_U16LE);
    case STORED_U32: return H5Tcopy(H5T_STD_U32LE);
    case STORED_I32: return H5Tcopy(H5T_STD_I32LE);
    case STORED_I64: return H5Tcopy(H5T_STD_I64LE);
    case STORED_BF16: return bf16_type();
    case STORED_F32: return H5Tcopy(H5T_IEEE_F32LE);
    case STORED_F64: return H5Tcopy(H5T_IEEE_F64LE);
    case STORED_COUNT: break;
    }
    return H5I_INVALID_HID;
}

/* --- errors ---------------------------------------------------------------------------------------------------------- */

static herr_t keep_ends(unsigned n, const H5E_error2_t *e, void *context)
{
    char *const out = context;
    const size_t used = strlen(out);
    if (n == 0)
        (void)snprintf(out, H5_WHY, "%.60s: ", e->func_name); /* the call of ours */
    else {                                                    /* deeper each time: the last one to write is the reason */
        char *const reason = strchr(out, ':');
        const size_t at = reason != NULL ? (size_t)(reason - out) + 2 : used;
        (void)snprintf(out + at, H5_WHY - at, "%.300s", e->desc != NULL ? e->desc : "");
    }
    return 0;
}

const char *h5_why(char out[H5_WHY])
{
    out[0] = '\0';
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_ends, out);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    return out[0] ? out : "no reason given";
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

/* Before the first use of HDF5 in this process, and harmless after it. */
static enum status prepare(void)
{
    (void)setenv("HDF5_USE_FILE_LOCKING", "BEST_EFFORT", 0); /* shared file systems without locks still work */
    if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0 || H5PLset_loading_state(0) < 0)
        FAIL(ST_BUG, "the HDF5 library did not start");
    return ST_OK;
}

static bool shared_by_mpi(const void *mpi) { return mpi != NULL && *(const MPI_Comm *)mpi != MPI_COMM_NULL; }

/* Whoever gathers the pieces of a collective write holds them in a buffer that no plan sees: 32 MiB where nothing is said (ompio). */
static void share_by_mpi(hid_t access, MPI_Comm comm)
{
    MPI_Info hints = MPI_INFO_NULL;
    (void)MPI_Info_create(&hints);
    (void)MPI_Info_set(hints, "cb_buffer_size", "4194304");
    (void)H5Pset_fapl_mpio(access, comm, hints);
    (void)MPI_Info_free(&hints);
    (void)H5Pset_all_coll_metadata_ops(access, true);
    (void)H5Pset_coll_metadata_write(access, true);
}

static hid_t create_access(const void *mpi)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return access;
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    if (shared_by_mpi(mpi)) share_by_mpi(access, *(const MPI_Comm *)mpi);
    return access;
}

enum status h5_create(const char *path, const void *mpi, struct h5 *out)
{
    *out = (struct h5){ .bad = ST_IO };
    if ((size_t)snprintf(out->path, sizeof out->path, "%s", path) >= sizeof out->path)
        FAIL(ST_IO, "the path %.60s... is longer than %d bytes", path, H5_PATH - 1);
    TRY(prepare());
    const hid_t access = create_access(mpi), creation = H5Pcreate(H5P_FILE_CREATE);
    (void)H5Pset_attr_phase_change(creation, 64, 32); /* all attributes in one place, the root's header */
    (void)H5Pset_obj_track_times(creation, false);    /* equal content gives equal files, in the root too */
    out->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    char why[H5_WHY];
    (void)h5_why(why);
    (void)H5Pclose(access);
    (void)H5Pclose(creation);
    if (out->id < 0) FAIL(ST_IO, "%s: cannot be created: %s", path, why);
    return ST_OK;
}

enum status h5_close(struct h5 *f)
{
    char why[H5_WHY];
    const herr_t closed = H5Fclose(f->id);
    f->id = -1;
    if (closed < 0) FAIL(ST_IO, "%s: cannot be closed: %s", f->path, h5_why(why));
    return ST_OK;
}

/* --- datasets: writing ------------------------------------------------------------------------------------------------- */

enum status h5_make(const struct h5 *f, const struct h5_dataset *d, int64_t *handle)
{
    CHECK(d->n_dims == 1 || d->n_dims == 2);
    const hsize_t dim[2] = { (hsize_t)d->dim[0], (hsize_t)d->dim[1] };
    const hid_t space = H5Screate_simple(d->n_dims, dim, NULL), type = h5_type(d->type);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_create_intermediate_group(links, 1);
    (void)H5Pset_layout(creation, H5D_CONTIGUOUS);
    (void)H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    (void)H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    (void)H5Pset_obj_track_times(creation, false); /* equal content gives equal files */
    *handle = H5Dcreate2(f->id, d->name, type, space, links, creation, H5P_DEFAULT);
    char why[H5_WHY];
    (void)h5_why(why);
    (void)H5Pclose(creation);
    (void)H5Pclose(links);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    if (*handle < 0) FAIL(ST_IO, "%s: %s cannot be created: %s", f->path, d->name, why);
    return ST_OK;
}

static herr_t select_lines(hid_t space, int n_dims, const hsize_t start[2], const hsize_t count[2])
{
    return count[0] == 0 ? H5Sselect_none(space) : n_dims > 0 ? H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) : -1;
}

enum status h5_write(const struct h5 *f, int64_t handle, const struct h5_dataset *d, bool shared, int64_t begin, int64_t count,
                     const void *data)
{
    CHECK(begin >= 0 && count >= 0 && begin + count <= d->dim[0]);
    static const char nothing[8] = { 0 }; /* HDF5 wants an address even for no element */
    const hsize_t start[2] = { (hsize_t)begin, 0 }, extent[2] = { (hsize_t)count, (hsize_t)d->dim[1] }, zero[2] = { 0, 0 };
    const hsize_t whole[2] = { (hsize_t)(count > 0 ? count : 1), (hsize_t)d->dim[1] };
    const hid_t file_space = H5Dget_space(handle), memory = H5Screate_simple(d->n_dims, whole, NULL), type = h5_type(d->type);
    const hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (shared) (void)H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
    herr_t done = select_lines(file_space, d->n_dims, start, extent);
    if (done >= 0) done = select_lines(memory, d->n_dims, zero, extent);
    if (done >= 0) done = H5Dwrite(handle, type, memory, file_space, transfer, count > 0 ? data : nothing);
    char why[H5_WHY];
    (void)h5_why(why);
    (void)H5Pclose(transfer);
    (void)H5Tclose(type);
    (void)H5Sclose(memory);
    (void)H5Sclose(file_space);
    if (done < 0) FAIL(ST_IO, "%s: %s cannot be written: %s", f->path, d->name, why);
    return ST_OK;
}

void h5_release(int64_t handle)
{
    if (handle > 0) (void)H5Dclose(handle);
}

/* --- attributes: writing ----------------------------------------------------------------------------------------------- */

static enum status set(const struct h5 *f, const char *name, hid_t type, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(f->id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t done = attribute < 0 ? -1 : H5Awrite(attribute, type, value);
    char why[H5_WHY];
    (void)h5_why(why);
    if (attribute >= 0) (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    if (done < 0) FAIL(ST_IO, "%s: the attribute %s cannot be written: %s", f->path, name, why);
    return ST_OK;
}

enum status h5_set_i64(const struct h5 *f, const char *name, int64_t value) { return set(f, name, H5T_STD_I64LE, &value); }
enum status h5_set_f64(const struct h5 *f, const char *name, double value) { return set(f, name, H5T_IEEE_F64LE, &value); }

enum status h5_set_text(const struct h5 *f, const char *name, const char *text)
{
    const size_t length = strlen(text);
    if (length >= H5_TEXT) FAIL(ST_BUG, "%s: the attribute %s is too long for an attribute: make it a dataset of uint8", f->path, name);
    const hid_t type = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(type, length + 1); /* with the final zero, so that it is never empty */
    (void)H5Tset_cset(type, H5T_CSET_UTF8);
    const enum status s = set(f, name, type, text);
    (void)H5Tclose(type);
    return s;
}
