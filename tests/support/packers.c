#include "packers.h"
#include "common/base/check.h"
#include <string.h>
#include <zlib.h>
#ifdef LAMINA_HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef LAMINA_HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef LAMINA_HAVE_XZ
#include <lzma.h>
#endif

static size_t pack_plain(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    memcpy(out, in, n);
    return n;
}

static size_t pack_gzip(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    z_stream z = { 0 };
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&z);
    return z.total_out;
}

#ifdef LAMINA_HAVE_ZSTD
static size_t pack_zstd(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    ZSTD_CCtx *const c = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1); /* as the program zstd does */
    const size_t size = ZSTD_compress2(c, out, room, in, n);
    CHECK(!ZSTD_isError(size));
    (void)ZSTD_freeCCtx(c);
    return size;
}
#endif

#ifdef LAMINA_HAVE_BZIP2
static size_t pack_bzip2(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    unsigned size = (unsigned)room;
    CHECK(BZ2_bzBuffToBuffCompress((char *)out, &size, (char *)(uintptr_t)in, (unsigned)n, 1, 0, 0) == BZ_OK);
    return size;
}
#endif

#ifdef LAMINA_HAVE_XZ
static size_t pack_xz(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    size_t size = 0;
    CHECK(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, in, n, out, &size, room) == LZMA_OK);
    return size;
}
#endif

const struct packer packers[] = {
    { &packed_plain, pack_plain }, { &packed_gzip, pack_gzip },
#ifdef LAMINA_HAVE_ZSTD
    { &packed_zstd, pack_zstd },
#endif
#ifdef LAMINA_HAVE_BZIP2
    { &packed_bzip2, pack_bzip2 },
#endif
#ifdef LAMINA_HAVE_XZ
    { &packed_xz, pack_xz },
#endif
};
const int packers_count = (int)(sizeof packers / sizeof *packers);
