/* Object headers of HDF5's format 1.8 ("version 2"): a list of messages in one or several pieces. */
#define LAMINA_STORE
#include "common/base/check.h"
#include "private.h"
#include <stdlib.h>
#include <string.h>

enum { PIECES = 256, PIECE_MOST = 8 << 20, HEAD_MOST = 4 + 1 + 1 + 16 + 4 + 8 };

/* Flags of a header: two bits of log2 of the width of its size, and what else is in it. */
enum { WITH_ORDER = 4, WITH_PHASES = 16, WITH_TIMES = 32, KNOWN_FLAGS = 63 };
/* Kinds that say nothing we need: nil, fill values, group info, comment, more pieces, time, reference count. */
enum { NIL = 0x00, OLD_FILL = 0x04, FILL = 0x05, GROUP_INFO = 0x0a, COMMENT = 0x0d, CONTINUATION = 0x10, TIME = 0x12, COUNT = 0x16 };
enum { SHARED = 2, OLD_GROUP = 0x11 };

struct place {
    uint64_t at, length;
};
struct reading {
    struct h5_source *source;
    const char *what;
    struct h5_object *object;
    bool with_order;
    int n_pieces; /* of which the first is the header itself */
    struct place piece[PIECES];
};

static void keep(struct h5_object *o, int kind, const unsigned char *bytes, size_t n)
{
    while (o->cap_bytes - o->n_bytes < n || o->bytes == NULL) {
        o->cap_bytes = 2 * o->cap_bytes + 512;
        o->bytes = realloc(o->bytes, o->cap_bytes);
        CHECK(o->bytes != NULL);
    }
    if (o->n == o->cap) {
        o->cap = 2 * o->cap + 16;
        o->message = realloc(o->message, (size_t)o->cap * sizeof *o->message);
        CHECK(o->message != NULL);
    }
    if (n > 0) memcpy(o->bytes + o->n_bytes, bytes, n);
    o->message[o->n++] = (struct h5_message){ .kind = kind, .at = o->n_bytes, .length = n };
    o->n_bytes += n;
}

static enum status more_pieces(struct reading *r, struct h5_bytes b)
{
    const struct h5_source *const s = r->source;
    const struct place next = { .at = h5_take(&b, 8), .length = h5_take(&b, 8) };
    if (b.over || next.length < 8 || next.length > PIECE_MOST || r->n_pieces == PIECES)
        FAIL(s->bad, "%s: %s: its headers go on in a way that Lamina does not write", s->path, r->what);
    r->piece[r->n_pieces++] = next;
    return ST_OK;
}

static enum status take_message(struct reading *r, int kind, int flags, const unsigned char *bytes, size_t n)
{
    const struct h5_source *const s = r->source;
    switch (kind) {
    case CONTINUATION: return more_pieces(r, (struct h5_bytes){ bytes, n, false });
    case H5_DATASPACE:
    case H5_LINK_INFO:
    case H5_DATATYPE:
    case H5_LINK:
    case H5_EXTERNAL:
    case H5_LAYOUT:
    case H5_FILTERS:
    case H5_ATTRIBUTE:
    case H5_ATTRIBUTE_INFO:
        if (flags & SHARED) FAIL(s->bad, "%s: %s: a part of it is shared with other objects, which is refused", s->path, r->what);
        keep(r->object, kind, bytes, n);
        return ST_OK;
    case NIL:
    case OLD_FILL:
    case FILL:
    case GROUP_INFO:
    case COMMENT:
    case TIME:
    case COUNT: return ST_OK;
    case OLD_GROUP: FAIL(s->bad, "%s: %s: is a group in the format before HDF5 1.8, which Lamina does not write", s->path, r->what);
    default: FAIL(s->bad, "%s: %s: holds something of kind %d, which Lamina does not write", s->path, r->what, kind);
    }
}

static enum status take_messages(struct reading *r, struct h5_bytes b)
{
    const size_t head = r->with_order ? 6 : 4;
    while (b.left >= head) { /* fewer bytes are a gap */
        const int kind = (int)h5_take(&b, 1);
        const size_t length = (size_t)h5_take(&b, 2);
        const int flags = (int)h5_take(&b, 1);
        if (r->with_order) (void)h5_take(&b, 2);
        const unsigned char *const bytes = h5_take_bytes(&b, length);
        if (bytes == NULL) FAIL(r->source->bad, "%s: %s: a part of its header is longer than the header", r->source->path, r->what);
        TRY(take_message(r, kind, flags, bytes, length));
    }
    return ST_OK;
}

/* The piece's messages stand between `skip` bytes of head and the checksum. */
static enum status read_piece(struct reading *r, const char *sign, struct place p, size_t skip)
{
    unsigned char *const bytes = malloc((size_t)p.length);
    CHECK(bytes != NULL);
    enum status s = h5_fetch_piece(r->source, r->what, sign, p.at, p.length, bytes);
    if (!s) s = take_messages(r, (struct h5_bytes){ bytes + skip, (size_t)p.length - skip - 4, false });
    free(bytes);
    return s;
}

/* How long the first piece is, and where its messages begin. */
static enum status measure(struct reading *r, uint64_t address, size_t *skip)
{
    struct h5_source *const s = r->source;
    unsigned char head[HEAD_MOST] = { 0 };
    const uint64_t there = address < (uint64_t)s->end ? (uint64_t)s->end - address : 0;
    TRY(h5_fetch(s, r->what, address, there < sizeof head ? there : sizeof head, head));
    struct h5_bytes b = { head, sizeof head, false };
    if (memcmp(h5_take_bytes(&b, 4), "OHDR", 4) != 0 || h5_take(&b, 1) != 2)
        FAIL(s->bad, "%s: %s: no object header of HDF5's format 1.8 at byte %llu", s->path, r->what, (unsigned long long)address);
    const unsigned flags = (unsigned)h5_take(&b, 1);
    if (flags & WITH_TIMES) (void)h5_take_bytes(&b, 16);
    if (flags & WITH_PHASES) (void)h5_take_bytes(&b, 4);
    const uint64_t length = h5_take(&b, (size_t)1 << (flags & 3));
    *skip = sizeof head - b.left;
    if ((flags & ~(unsigned)KNOWN_FLAGS) != 0 || length > PIECE_MOST)
        FAIL(s->bad, "%s: %s: its header has flags or a size that Lamina does not write", s->path, r->what);
    r->with_order = (flags & WITH_ORDER) != 0;
    r->piece[r->n_pieces++] = (struct place){ .at = address, .length = *skip + length + 4 };
    return ST_OK;
}

enum status h5_object_read(struct h5_source *s, const char *what, uint64_t address, struct h5_object *out)
{
    struct reading r = { .source = s, .what = what, .object = out };
    size_t skip = 0;
    *out = (struct h5_object){ 0 };
    TRY(measure(&r, address, &skip));
    TRY(read_piece(&r, "OHDR", r.piece[0], skip));
    for (int i = 1; i < r.n_pieces; i++) TRY(read_piece(&r, "OCHK", r.piece[i], 4)); /* may find more */
    return ST_OK;
}

void h5_object_free(struct h5_object *o)
{
    free(o->bytes);
    free(o->message);
    *o = (struct h5_object){ 0 };
}

struct h5_bytes h5_object_message(const struct h5_object *o, int index)
{
    CHECK(index >= 0 && index < o->n);
    return (struct h5_bytes){ o->bytes + o->message[index].at, o->message[index].length, false };
}

bool h5_object_find(const struct h5_object *o, int kind, struct h5_bytes *out)
{
    for (int i = 0; i < o->n; i++)
        if (o->message[i].kind == kind) {
            *out = h5_object_message(o, i);
            return true;
        }
    return false;
}
