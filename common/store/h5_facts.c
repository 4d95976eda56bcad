/* What a dataset is: type, shape and place, from the messages of its header. */
#define LAMINA_STORE
#include "private.h"
#include <string.h>

/* --- types --------------------------------------------------------------------------------------------------------------- */

enum { CLASS_INTEGER = 0, CLASS_FLOAT = 1, CLASS_TEXT = 3 };

/* A datatype as the format spells it: class and three bytes of flags, size, then (of numbers) what its bits mean. */
struct spelling {
    unsigned class;
    unsigned char flags[3];
    unsigned n_meaning;
    unsigned char meaning[12]; /* first bit, bits; of floats also exponent at, bits, mantissa at, bits, bias */
};
static const struct spelling spellings[STORED_COUNT] = {
    [STORED_U8] = { CLASS_INTEGER, { 0, 0, 0 }, 4, { 0, 0, 8, 0 } },
    [STORED_U16] = { CLASS_INTEGER, { 0, 0, 0 }, 4, { 0, 0, 16, 0 } },
    [STORED_U32] = { CLASS_INTEGER, { 0, 0, 0 }, 4, { 0, 0, 32, 0 } },
    [STORED_I32] = { CLASS_INTEGER, { 8, 0, 0 }, 4, { 0, 0, 32, 0 } }, /* 8: signed */
    [STORED_I64] = { CLASS_INTEGER, { 8, 0, 0 }, 4, { 0, 0, 64, 0 } },
    [STORED_BF16] = { CLASS_FLOAT,
                      { 0x20, 15, 0 },
                      12,
                      { 0, 0, 16, 0, 7, 8, 0, 7, 127, 0, 0, 0 } }, /* 0x20: leading bit implied; sign's place */
    [STORED_F32] = { CLASS_FLOAT, { 0x20, 31, 0 }, 12, { 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0 } },
    [STORED_F64] = { CLASS_FLOAT, { 0x20, 63, 0 }, 12, { 0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0 } },
};

/* The version is in the upper half of the first byte: 1 to 3 spell numbers and text alike. */
static bool take_class(struct h5_bytes *b, unsigned *class)
{
    const unsigned first = (unsigned)h5_take(b, 1);
    *class = first & 15;
    return first >> 4 >= 1 && first >> 4 <= 3;
}

bool h5_read_type(struct h5_bytes b, enum stored *out)
{
    unsigned class;
    const bool known = take_class(&b, &class);
    const unsigned char *const flags = h5_take_bytes(&b, 3);
    const uint64_t size = h5_take(&b, 4);
    for (int k = 0; known && !b.over && k < STORED_COUNT; k++) {
        const struct spelling *const t = &spellings[k];
        if (class != t->class || size != stored_bytes((enum stored)k) || memcmp(flags, t->flags, 3) != 0) continue;
        if (b.left < t->n_meaning || memcmp(b.at, t->meaning, t->n_meaning) != 0) continue;
        *out = (enum stored)k;
        return true;
    }
    return false;
}

bool h5_read_text_type(struct h5_bytes b, size_t *bytes)
{
    unsigned class;
    const bool known = take_class(&b, &class);
    const unsigned char *const flags = h5_take_bytes(&b, 3);
    *bytes = (size_t)h5_take(&b, 4);
    return known && !b.over && class == CLASS_TEXT && (flags[0] & 15) <= 1 && *bytes >= 1; /* ends in a zero, or is filled up with them */
}

/* --- shapes -------------------------------------------------------------------------------------------------------------- */

enum { SPACE_SCALAR = 0, SPACE_SIMPLE = 1 };

static bool read_space(struct h5_bytes b, unsigned *type, unsigned *n_dims, uint64_t dim[2])
{
    const bool known = h5_take(&b, 1) == 2;
    *n_dims = (unsigned)h5_take(&b, 1);
    const unsigned with_most = (unsigned)h5_take(&b, 1);
    *type = (unsigned)h5_take(&b, 1);
    if (!known || with_most > 1 || *n_dims > 2) return known && !b.over && *n_dims > 2; /* told as a wrong number of dimensions */
    for (unsigned i = 0; i < *n_dims; i++) dim[i] = h5_take(&b, 8);
    for (unsigned i = 0; with_most && i < *n_dims; i++)
        if (h5_take(&b, 8) != dim[i]) return false; /* could grow: none of ours can */
    return !b.over;
}

bool h5_is_scalar(struct h5_bytes b)
{
    uint64_t dim[2];
    unsigned type, n;
    return read_space(b, &type, &n, dim) && type == SPACE_SCALAR && n == 0;
}

static enum status read_shape(const struct h5_source *s, const struct h5_object *o, struct h5_dataset *out)
{
    struct h5_bytes b;
    unsigned type = SPACE_SCALAR, n = 0;
    uint64_t dim[2] = { 1, 1 }, bytes = 0;
    if (!h5_object_find(o, H5_DATASPACE, &b) || !read_space(b, &type, &n, dim))
        FAIL(s->bad, "%s: %s has no readable shape", s->path, out->name);
    if (type != SPACE_SIMPLE || n < 1 || n > 2) FAIL(s->bad, "%s: %s has neither one nor two dimensions", s->path, out->name);
    const bool none = dim[0] == 0 || dim[1] == 0; /* also then neither may be larger than the file */
    if (__builtin_mul_overflow(dim[0] > 0 ? dim[0] : 1, dim[1] > 0 ? dim[1] : 1, &bytes) ||
        __builtin_mul_overflow(bytes, stored_bytes(out->type), &bytes) || bytes > (uint64_t)s->bytes)
        FAIL(s->bad, "%s: %s claims more elements than the file can hold", s->path, out->name);
    out->n_dims = (int)n;
    out->dim[0] = (int64_t)dim[0];
    out->dim[1] = (int64_t)dim[1];
    out->bytes = none ? 0 : (int64_t)bytes;
    return ST_OK;
}

/* --- datasets ------------------------------------------------------------------------------------------------------------ */

static enum status read_place(const struct h5_source *s, const struct h5_object *o, struct h5_dataset *out)
{
    enum { LAYOUT_VERSION = 3, CONTIGUOUS = 1 };
    struct h5_bytes b, ignored;
    const bool there = h5_object_find(o, H5_LAYOUT, &b);
    if (!there || h5_take(&b, 1) != LAYOUT_VERSION || h5_take(&b, 1) != CONTIGUOUS || h5_object_find(o, H5_EXTERNAL, &ignored) ||
        h5_object_find(o, H5_FILTERS, &ignored))
        FAIL(s->bad, "%s: %s is not stored in one plain piece inside the file", s->path, out->name);
    const uint64_t offset = h5_take(&b, 8), bytes = h5_take(&b, 8);
    if (out->bytes == 0) return ST_OK;
    if (b.over || offset > (uint64_t)s->end || bytes != (uint64_t)out->bytes || bytes > (uint64_t)s->end - offset)
        FAIL(s->bad, "%s: %s does not lie inside the file with the size of its shape", s->path, out->name);
    out->offset = (int64_t)offset;
    return ST_OK;
}

enum status h5_facts(const struct h5_source *s, const struct h5_object *o, struct h5_dataset *out)
{
    struct h5_bytes b;
    if (!h5_object_find(o, H5_DATATYPE, &b) || !h5_read_type(b, &out->type))
        FAIL(s->bad, "%s: %s has a type that Lamina does not write", s->path, out->name);
    TRY(read_shape(s, o, out));
    return read_place(s, o, out);
}
