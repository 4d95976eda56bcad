#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/data/packed.h"
#include <string.h>

/* RFC 8878. A frame's checksum is optional (the program zstd writes one): without it, damage that still unpacks stays unseen. A frame
 * that wants a window above 128 MiB, which `zstd --long=28` and above make, is refused by the library. */

#ifdef LAMINA_HAVE_ZSTD

#include <zstd.h>

/* A frame, or one of the sixteen kinds that are to be passed over; pzstd begins its files with one. */
static bool zstd_begins(const unsigned char *bytes, size_t n)
{
    static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd }, pass_over[] = { 0x2a, 0x4d, 0x18 };
    return n >= 4 && (memcmp(bytes, frame, 4) == 0 || (bytes[0] >> 4 == 5 && memcmp(bytes + 1, pass_over, 3) == 0));
}

static enum status zstd_open(void **state)
{
    *state = ZSTD_createDStream();
    if (*state == NULL) FAIL(ST_IO, "zstd does not start: no memory?");
    return ST_OK;
}

static enum packed_turn zstd_unpack(void *state, struct packed_work *w, const char **why)
{
    ZSTD_inBuffer in = { .src = w->in, .size = w->n_in };
    ZSTD_outBuffer out = { .dst = w->out, .size = w->n_out };
    const size_t left = ZSTD_decompressStream(state, &out, &in);
    w->in += in.pos;
    w->n_in -= in.pos;
    w->out += out.pos;
    w->n_out -= out.pos;
    if (ZSTD_isError(left)) {
        *why = ZSTD_getErrorName(left);
        return PACKED_BROKEN;
    }
    return left == 0 ? PACKED_MEMBER_ENDS : PACKED_GOES_ON;
}

static enum status zstd_again(void *state)
{
    CHECK(!ZSTD_isError(ZSTD_DCtx_reset(state, ZSTD_reset_session_only)));
    return ST_OK;
}

static void zstd_close(void *state) { (void)ZSTD_freeDStream(state); }

const char *library_zstd(void) { return ZSTD_versionString(); }

#else

const char *library_zstd(void) { return NULL; }

#endif

const struct packed_desc packed_zstd = { .name = "zstd",
                                         .summary = "Zstandard",
                                         .endings = { ".zst", NULL },
#ifdef LAMINA_HAVE_ZSTD
                                         .begins = zstd_begins,
                                         .open = zstd_open,
                                         .unpack = zstd_unpack,
                                         .again = zstd_again,
                                         .close = zstd_close
#else
                                         .lacking = "libzstd-dev"
#endif
};
