#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/data/packed.h"
#include <stdlib.h>
#include <string.h>

/* Blocks and index have checksums; CRC-64 unless the writer chose another, and one that this library cannot compare is refused. */

#ifdef LAMINA_HAVE_XZ

#include <lzma.h>

/* xz -9 needs 65 MiB to unpack; a file that asks for gigabytes is not a text. */
static const uint64_t memory_most = (uint64_t)512 << 20;

static bool xz_begins(const unsigned char *bytes, size_t n)
{
    static const unsigned char head[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
    return n >= sizeof head && memcmp(bytes, head, sizeof head) == 0;
}

static enum status begin(lzma_stream *z)
{
    if (lzma_stream_decoder(z, memory_most, LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK) FAIL(ST_IO, "xz does not start: no memory?");
    return ST_OK;
}

static enum status xz_open(void **state)
{
    static const lzma_stream fresh = LZMA_STREAM_INIT;
    lzma_stream *const z = malloc(sizeof *z);
    CHECK(z != NULL);
    *z = fresh;
    *state = z; /* closed by the caller also where this fails */
    return begin(z);
}

static const char *reason(lzma_ret code)
{
    switch (code) {
    case LZMA_MEM_ERROR: return "no memory";
    case LZMA_MEMLIMIT_ERROR: return "it asks for more than 512 MiB to be unpacked";
    case LZMA_OPTIONS_ERROR: return "it uses options that this liblzma does not know";
    case LZMA_UNSUPPORTED_CHECK: return "it has a checksum that this liblzma cannot compare";
    case LZMA_FORMAT_ERROR: return "it does not begin as xz";
    default: return "the data or a checksum does not fit";
    }
}

static enum packed_turn xz_unpack(void *state, struct packed_work *w, const char **why)
{
    lzma_stream *const z = state;
    z->next_in = w->in;
    z->avail_in = w->n_in;
    z->next_out = w->out;
    z->avail_out = w->n_out;
    const lzma_ret code = lzma_code(z, LZMA_RUN);
    w->in = z->next_in;
    w->n_in = z->avail_in;
    w->out = z->next_out;
    w->n_out = z->avail_out;
    if (code == LZMA_STREAM_END) return PACKED_MEMBER_ENDS;
    if (code == LZMA_OK || code == LZMA_BUF_ERROR) return PACKED_GOES_ON;
    *why = reason(code);
    return PACKED_BROKEN;
}

static enum status xz_again(void *state) { return begin(state); }

static void xz_close(void *state)
{
    lzma_end(state);
    free(state);
}

const char *library_xz(void) { return lzma_version_string(); }

#else

const char *library_xz(void) { return NULL; }

#endif

const struct packed_desc packed_xz = { .name = "xz",
                                       .summary = "xz",
                                       .endings = { ".xz", NULL },
#ifdef LAMINA_HAVE_XZ
                                       .begins = xz_begins,
                                       .open = xz_open,
                                       .unpack = xz_unpack,
                                       .again = xz_again,
                                       .close = xz_close
#else
                                       .lacking = "liblzma-dev"
#endif
};
