#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/data/packed.h"
#include <stdlib.h>
#include <string.h>

/* Every block has a CRC-32, and the stream one over those. */

#ifdef LAMINA_HAVE_BZIP2

#include <bzlib.h>

/* "BZh", the size of blocks, and the first digits of pi, where a block follows, or of its root, where none does. */
static bool bzip2_begins(const unsigned char *bytes, size_t n)
{
    static const unsigned char block[] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 }, end[] = { 0x17, 0x72, 0x45, 0x38, 0x50, 0x90 };
    if (n < 4 || memcmp(bytes, "BZh", 3) != 0 || bytes[3] < '1' || bytes[3] > '9') return false;
    const size_t seen = n - 4 < sizeof block ? n - 4 : sizeof block;
    return memcmp(bytes + 4, block, seen) == 0 || memcmp(bytes + 4, end, seen) == 0;
}

static enum status bzip2_open(void **state)
{
    bz_stream *const z = calloc(1, sizeof *z);
    CHECK(z != NULL);
    if (BZ2_bzDecompressInit(z, 0, 0) != BZ_OK) {
        free(z);
        FAIL(ST_IO, "bzip2 does not start: no memory?");
    }
    *state = z;
    return ST_OK;
}

static enum packed_turn bzip2_unpack(void *state, struct packed_work *w, const char **why)
{
    enum { MOST = 1 << 30 }; /* the library counts in unsigned int */
    bz_stream *const z = state;
    const unsigned in = (unsigned)(w->n_in < MOST ? w->n_in : MOST), out = (unsigned)(w->n_out < MOST ? w->n_out : MOST);
    z->next_in = (char *)(uintptr_t)w->in; /* the library's field lacks a const */
    z->avail_in = in;
    z->next_out = (char *)w->out;
    z->avail_out = out;
    const int code = BZ2_bzDecompress(z);
    w->in += in - z->avail_in;
    w->n_in -= in - z->avail_in;
    w->out += out - z->avail_out;
    w->n_out -= out - z->avail_out;
    if (code == BZ_STREAM_END) return PACKED_MEMBER_ENDS;
    if (code == BZ_OK) return PACKED_GOES_ON;
    *why = code == BZ_DATA_ERROR_MAGIC ? "a block does not begin as one" : code == BZ_MEM_ERROR ? "no memory" : "a checksum does not fit";
    return PACKED_BROKEN;
}

static enum status bzip2_again(void *state)
{
    (void)BZ2_bzDecompressEnd(state);
    memset(state, 0, sizeof(bz_stream));
    if (BZ2_bzDecompressInit(state, 0, 0) != BZ_OK) FAIL(ST_IO, "bzip2 does not start again: no memory?");
    return ST_OK;
}

static void bzip2_close(void *state)
{
    (void)BZ2_bzDecompressEnd(state);
    free(state);
}

const char *library_bzip2(void) { return BZ2_bzlibVersion(); }

#else

const char *library_bzip2(void) { return NULL; }

#endif

const struct packed_desc packed_bzip2 = { .name = "bzip2",
                                          .summary = "bzip2",
                                          .endings = { ".bz2", NULL },
#ifdef LAMINA_HAVE_BZIP2
                                          .begins = bzip2_begins,
                                          .open = bzip2_open,
                                          .unpack = bzip2_unpack,
                                          .again = bzip2_again,
                                          .close = bzip2_close
#else
                                          .lacking = "libbz2-dev"
#endif
};
