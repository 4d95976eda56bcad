#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/data/packed.h"
#include <stdlib.h>
#include <zlib.h>

/* RFC 1952: each member ends with the CRC-32 and the length of what it unpacks to, and zlib compares both. dictzip's files (.dz) are gzip
 * with an index in the header. */
enum { GZIP_ALONE = 16 }; /* added to the window's bits: neither a bare zlib stream nor raw deflate */

static bool gzip_begins(const unsigned char *bytes, size_t n) { return n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

static enum status gzip_open(void **state)
{
    z_stream *const z = calloc(1, sizeof *z);
    CHECK(z != NULL);
    if (inflateInit2(z, MAX_WBITS + GZIP_ALONE) != Z_OK) {
        free(z);
        FAIL(ST_IO, "zlib does not start: no memory?");
    }
    *state = z;
    return ST_OK;
}

static enum packed_turn gzip_unpack(void *state, struct packed_work *w, const char **why)
{
    enum { MOST = 1 << 30 }; /* zlib counts in unsigned int */
    z_stream *const z = state;
    const uInt in = (uInt)(w->n_in < MOST ? w->n_in : MOST), out = (uInt)(w->n_out < MOST ? w->n_out : MOST);
    z->next_in = (z_const Bytef *)(uintptr_t)w->in; /* zlib's field lacks a const */
    z->avail_in = in;
    z->next_out = w->out;
    z->avail_out = out;
    const int code = inflate(z, Z_NO_FLUSH);
    w->in += in - z->avail_in;
    w->n_in -= in - z->avail_in;
    w->out += out - z->avail_out;
    w->n_out -= out - z->avail_out;
    if (code == Z_STREAM_END) return PACKED_MEMBER_ENDS;
    if (code == Z_OK || code == Z_BUF_ERROR) return PACKED_GOES_ON;
    *why = code == Z_NEED_DICT ? "it needs a dictionary" : z->msg != NULL ? z->msg : "zlib gives no reason";
    return PACKED_BROKEN;
}

static enum status gzip_again(void *state)
{
    CHECK(inflateReset(state) == Z_OK);
    return ST_OK;
}

static void gzip_close(void *state)
{
    (void)inflateEnd(state);
    free(state);
}

const char *library_zlib(void) { return zlibVersion(); }

const struct packed_desc packed_gzip = { .name = "gzip",
                                         .summary = "gzip and dictzip",
                                         .endings = { ".gz", ".dz", NULL },
                                         .begins = gzip_begins,
                                         .open = gzip_open,
                                         .unpack = gzip_unpack,
                                         .again = gzip_again,
                                         .close = gzip_close };
