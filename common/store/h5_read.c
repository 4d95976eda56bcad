/* Reading what somebody else may have written: everything is compared before it is used. */
#define LAMINA_STORE
#include "common/base/check.h"
#include "private.h"
#include <stdlib.h>
#include <string.h>

enum status h5_end(const struct h5 *f, int64_t *bytes)
{
    char why[H5_WHY];
    haddr_t end;
    if (H5Fget_eoa(f->id, &end) < 0 || end > INT64_MAX) FAIL(f->bad, "%s: has no readable end: %s", f->path, h5_why(why));
    *bytes = (int64_t)end;
    return ST_OK;
}

/* --- datasets ---------------------------------------------------------------------------------------------------------- */

/* Every link on the way must be a hard one: soft and external links lead elsewhere. */
static enum status check_links(const struct h5 *f, const char *name)
{
    char part[H5_NAME], why[H5_WHY];
    const size_t length = strlen(name);
    if (length == 0 || length >= sizeof part) FAIL(f->bad, "%s: a dataset's name is longer than %d bytes", f->path, H5_NAME - 1);
    for (size_t end = 1; end <= length; end++) {
        if (name[end] != '/' && name[end] != '\0') continue;
        memcpy(part, name, end);
        part[end] = '\0';
        H5L_info_t info;
        if (H5Lget_info(f->id, part, &info, H5P_DEFAULT) < 0) FAIL(f->bad, "%s: there is no %s (%s)", f->path, part, h5_why(why));
        if (info.type != H5L_TYPE_HARD) FAIL(f->bad, "%s: %s is a link to something else, which is refused", f->path, part);
    }
    return ST_OK;
}

static enum status read_type(const struct h5 *f, const char *name, hid_t type, enum stored *out)
{
    for (int k = 0; k < STORED_COUNT; k++) {
        const hid_t ours = h5_type((enum stored)k);
        const htri_t equal = ours < 0 ? -1 : H5Tequal(type, ours);
        if (ours >= 0) (void)H5Tclose(ours);
        if (equal > 0) {
            *out = (enum stored)k;
            return ST_OK;
        }
    }
    FAIL(f->bad, "%s: %s has a type that Lamina does not write", f->path, name);
}

static enum status read_shape(const struct h5 *f, hid_t space, struct h5_dataset *out)
{
    hsize_t dim[2] = { 0, 0 };
    out->n_dims = H5Sget_simple_extent_type(space) == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
    if (out->n_dims != 1 && out->n_dims != 2) FAIL(f->bad, "%s: %s has neither one nor two dimensions", f->path, out->name);
    if (H5Sget_simple_extent_dims(space, dim, NULL) < 0) FAIL(f->bad, "%s: %s has no readable shape", f->path, out->name);
    if (out->n_dims == 1) dim[1] = 1;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(dim[0], dim[1], &bytes) || __builtin_mul_overflow(bytes, stored_bytes(out->type), &bytes) ||
        bytes > (uint64_t)f->bytes || dim[0] > INT64_MAX || dim[1] > INT64_MAX)
        FAIL(f->bad, "%s: %s claims more elements than the file can hold", f->path, out->name);
    out->dim[0] = (int64_t)dim[0];
    out->dim[1] = (int64_t)dim[1];
    out->bytes = (int64_t)bytes;
    return ST_OK;
}

static enum status read_place(const struct h5 *f, hid_t dataset, hid_t creation, struct h5_dataset *out)
{
    if (H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Pget_external_count(creation) != 0 || H5Pget_nfilters(creation) != 0)
        FAIL(f->bad, "%s: %s is not stored in one plain piece inside the file", f->path, out->name);
    if (out->bytes == 0) return ST_OK;
    const haddr_t offset = H5Dget_offset(dataset);
    if (offset == HADDR_UNDEF || offset > (haddr_t)f->bytes || (uint64_t)out->bytes > (uint64_t)f->bytes - offset)
        FAIL(f->bad, "%s: %s does not lie inside the file", f->path, out->name);
    out->offset = (int64_t)offset;
    return ST_OK;
}

static enum status read_facts(const struct h5 *f, hid_t dataset, struct h5_dataset *out)
{
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset), creation = H5Dget_create_plist(dataset);
    enum status s = type < 0 || space < 0 || creation < 0
                        ? status_fail(f->bad, __FILE__, __LINE__, "%s: %s is not readable", f->path, out->name)
                        : read_type(f, out->name, type, &out->type);
    if (!s) s = read_shape(f, space, out);
    if (!s) s = read_place(f, dataset, creation, out);
    if (type >= 0) (void)H5Tclose(type);
    if (space >= 0) (void)H5Sclose(space);
    if (creation >= 0) (void)H5Pclose(creation);
    return s;
}

enum status h5_find(const struct h5 *f, const char *name, struct h5_dataset *out)
{
    *out = (struct h5_dataset){ 0 };
    TRY(check_links(f, name));
    memcpy(out->name, name, strlen(name) + 1);
    char why[H5_WHY];
    const hid_t dataset = H5Dopen2(f->id, name, H5P_DEFAULT);
    if (dataset < 0) FAIL(f->bad, "%s: %s is not a readable dataset: %s", f->path, name, h5_why(why));
    const enum status s = read_facts(f, dataset, out);
    (void)H5Dclose(dataset);
    return s;
}

/* --- the whole file ---------------------------------------------------------------------------------------------------- */

struct walk {
    const struct h5 *file;
    enum status (*visit)(void *context, const struct h5_dataset *d);
    void *context;
    enum status status;
};

static enum status visit_link(struct walk *w, const char *name)
{
    TRY(check_links(w->file, name));
    H5O_info_t info;
    char why[H5_WHY];
    if (H5Oget_info_by_name(w->file->id, name, &info, H5P_DEFAULT) < 0)
        FAIL(w->file->bad, "%s: %s is not readable: %s", w->file->path, name, h5_why(why));
    if (info.type == H5O_TYPE_GROUP) return ST_OK;
    struct h5_dataset d;
    TRY(h5_find(w->file, name, &d));
    return w->visit(w->context, &d);
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    struct walk *const w = context;
    w->status = visit_link(w, name);
    return w->status ? 1 : 0;
}

enum status h5_visit(const struct h5 *f, enum status (*visit)(void *context, const struct h5_dataset *d), void *context)
{
    struct walk w = { .file = f, .visit = visit, .context = context };
    char why[H5_WHY];
    const herr_t done = H5Lvisit(f->id, H5_INDEX_NAME, H5_ITER_INC, on_link, &w);
    if (w.status) return status_trace(w.status, __FILE__, __LINE__);
    if (done < 0) FAIL(f->bad, "%s: the list of datasets is not readable: %s", f->path, h5_why(why));
    return ST_OK;
}

/* --- attributes -------------------------------------------------------------------------------------------------------- */

static enum status open_attribute(const struct h5 *f, const char *name, hid_t *out)
{
    char why[H5_WHY];
    *out = H5Aopen(f->id, name, H5P_DEFAULT);
    if (*out < 0) FAIL(f->bad, "%s: the attribute %s is missing: %s", f->path, name, h5_why(why));
    return ST_OK;
}

static bool is_scalar(hid_t attribute)
{
    const hid_t space = H5Aget_space(attribute);
    const bool scalar = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR;
    if (space >= 0) (void)H5Sclose(space);
    return scalar;
}

/* A scalar of exactly this type. */
static enum status get_number(const struct h5 *f, const char *name, hid_t type, void *out)
{
    hid_t attribute;
    TRY(open_attribute(f, name, &attribute));
    const hid_t stored = H5Aget_type(attribute);
    const bool good = is_scalar(attribute) && stored >= 0 && H5Tequal(stored, type) > 0 && H5Aread(attribute, type, out) >= 0;
    if (stored >= 0) (void)H5Tclose(stored);
    (void)H5Aclose(attribute);
    if (!good) FAIL(f->bad, "%s: the attribute %s is not the number it should be", f->path, name);
    return ST_OK;
}

bool h5_has(const struct h5 *f, const char *name) { return H5Aexists(f->id, name) > 0; }

enum status h5_get_i64(const struct h5 *f, const char *name, int64_t *out) { return get_number(f, name, H5T_STD_I64LE, out); }
enum status h5_get_f64(const struct h5 *f, const char *name, double *out) { return get_number(f, name, H5T_IEEE_F64LE, out); }

/* Fixed-length text of a scalar attribute into out, which has `size` bytes and is zeroed. */
static bool read_text(hid_t attribute, hid_t type, char *out, size_t size)
{
    if (!is_scalar(attribute) || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0) return false;
    const size_t bytes = H5Tget_size(type);
    return bytes >= 1 && bytes <= size && H5Aread(attribute, type, out) >= 0;
}

enum status h5_get_text(const struct h5 *f, const char *name, char *out, size_t size)
{
    hid_t attribute;
    TRY(open_attribute(f, name, &attribute));
    memset(out, 0, size);
    const hid_t type = H5Aget_type(attribute);
    const bool good = type >= 0 && read_text(attribute, type, out, size) && memchr(out, '\0', size) != NULL;
    if (type >= 0) (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    if (!good) FAIL(f->bad, "%s: the attribute %s is not a fixed-length text below %zu bytes", f->path, name, size);
    return ST_OK;
}
