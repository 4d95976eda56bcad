/* private.h: HDF5 as the files of common/store share it: the library for writing, and the pieces of our own reader. */
#ifndef LAMINA_STORE_PRIVATE_H
#define LAMINA_STORE_PRIVATE_H

#ifndef LAMINA_STORE
#error "common/store/private.h belongs to common/store; include h5.h"
#endif

#include "common/tensor/tensor.h"
#include "h5.h"
#include <hdf5.h>

/* The type as HDF5 object; the caller closes it. Negative: HDF5 failed. */
hid_t h5_type(enum stored type);

/* Types in memory and in files. dtype_of: false for uint32, which no tensor has. */
enum stored stored_of(enum dtype dtype);
bool dtype_of(enum stored stored, enum dtype *out);

/* The sentence of HDF5's error stack of the last call: the call of ours and the innermost reason. */
enum { H5_WHY = 400 };
const char *h5_why(char out[H5_WHY]);

/* --- Reading: h5_pieces, h5_object, h5_links, h5_facts, h5_read: each stands on those before ------------------------------- */

struct h5_object {
    unsigned char *bytes; /* the contents of its messages, one after the other */
    size_t n_bytes, cap_bytes;
    struct h5_message *message;
    int n, cap;
};

/* An open file. What is read of its headers is counted: a file that leads in circles runs out of it. */
struct h5_source {
    char path[H5_PATH];
    enum status bad;
    int fd;
    int64_t bytes, end;  /* of the file; and where it says that it ends */
    int64_t left, names; /* bytes of headers and links that may still be read */
    uint64_t root_address;
    struct h5_object root; /* the root group, with the attributes */
};

/* Numbers out of a piece, little-endian. Past its end they are 0, and `over` stays set. */
struct h5_bytes {
    const unsigned char *at;
    size_t left;
    bool over;
};
uint64_t h5_take(struct h5_bytes *b, size_t width);               /* width 1 to 8 */
const unsigned char *h5_take_bytes(struct h5_bytes *b, size_t n); /* NULL past the end */
uint32_t h5_checksum(const unsigned char *bytes, size_t n);       /* Jenkins, lookup3, 2006 */
static const uint64_t h5_nowhere = UINT64_MAX;                    /* the address of what is not there */

/* n bytes of headers at `at` into out. what: for messages, "the root group". */
enum status h5_fetch(struct h5_source *s, const char *what, uint64_t at, uint64_t n, unsigned char *out) MUST_USE;
/* A piece that begins with `sign` and ends with its checksum. */
enum status h5_fetch_piece(struct h5_source *s, const char *what, const char *sign, uint64_t at, uint64_t n, unsigned char *out) MUST_USE;

/* What an object header is made of; other kinds are refused. */
enum h5_kind {
    H5_DATASPACE = 0x01,
    H5_LINK_INFO = 0x02,
    H5_DATATYPE = 0x03,
    H5_LINK = 0x06,
    H5_EXTERNAL = 0x07,
    H5_LAYOUT = 0x08,
    H5_FILTERS = 0x0b,
    H5_ATTRIBUTE = 0x0c,
    H5_ATTRIBUTE_INFO = 0x15,
};
struct h5_message {
    int kind;
    size_t at, length; /* in the object's bytes */
};
/* All messages of the object at this address. Owns: until h5_object_free, also after a failure. */
enum status h5_object_read(struct h5_source *s, const char *what, uint64_t address, struct h5_object *out) MUST_USE;
void h5_object_free(struct h5_object *o);
/* The first message of this kind; false where there is none. */
bool h5_object_find(const struct h5_object *o, int kind, struct h5_bytes *out);
struct h5_bytes h5_object_message(const struct h5_object *o, int index);

struct h5_link {
    char name[H5_NAME]; /* of one level: letters, digits, '.', '_' and '-' */
    uint64_t address;   /* of the object it leads to */
};
/* The links of a group, in order of name; other links than hard ones are refused. Owns: *out until free(), also after a failure. */
enum status h5_links_read(struct h5_source *s, const char *what, const struct h5_object *group, struct h5_link **out, int *n) MUST_USE;

/* Type, shape and place of a dataset, whose name is in out already. */
enum status h5_facts(const struct h5_source *s, const struct h5_object *o, struct h5_dataset *out) MUST_USE;
bool h5_read_type(struct h5_bytes b, enum stored *out);   /* false: none of ours */
bool h5_read_text_type(struct h5_bytes b, size_t *bytes); /* of fixed length; false: another type */
bool h5_is_scalar(struct h5_bytes space);

#endif
