/* Pieces of HDF5 headers, as bytes: inside the file, no more of them than a file of this size can have, with the right checksum. */
#define LAMINA_STORE
#include "folder.h"
#include "private.h"
#include <ctype.h>
#include <string.h>

bool h5_is_name(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)name[i];
        const bool first = i == 0 || name[i - 1] == '/';
        if (c >= 0x80 || (!isalnum(c) && (c == '\0' || strchr("._-/", c) == NULL))) return false;
        if (first && (c == '.' || c == '/')) return false;
    }
    return n > 0 && n < H5_NAME && name[n - 1] != '/';
}

uint64_t h5_take(struct h5_bytes *b, size_t width)
{
    uint64_t value = 0;
    const unsigned char *const from = h5_take_bytes(b, width);
    if (from != NULL) memcpy(&value, from, width);
    return value;
}

const unsigned char *h5_take_bytes(struct h5_bytes *b, size_t n)
{
    const unsigned char *const from = b->at;
    if (b->over || n > b->left) {
        b->over = true;
        return NULL;
    }
    b->at += n;
    b->left -= n;
    return from;
}

/* --- Jenkins, lookup3 "hashlittle", 2006, which the file format prescribes ----------------------------------------------- */

static uint32_t turned(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void mix(uint32_t h[3])
{
    static const int by[6] = { 4, 6, 8, 16, 19, 4 };
    for (int i = 0; i < 6; i++) {
        uint32_t *const a = &h[i % 3], *const b = &h[(i + 1) % 3], *const c = &h[(i + 2) % 3];
        *a -= *c;
        *a ^= turned(*c, by[i]);
        *c += *b;
    }
}

static uint32_t finish(uint32_t h[3])
{
    static const int by[7] = { 14, 11, 25, 16, 4, 14, 24 };
    for (int i = 0; i < 7; i++) { /* c with b, a with c, b with a, ... */
        uint32_t *const to = &h[(i + 2) % 3], from = h[(i + 1) % 3];
        *to ^= from;
        *to -= turned(from, by[i]);
    }
    return h[2];
}

uint32_t h5_checksum(const unsigned char *bytes, size_t n)
{
    uint32_t h[3] = { 0xdeadbeefu + (uint32_t)n, 0xdeadbeefu + (uint32_t)n, 0xdeadbeefu + (uint32_t)n }, k[3];
    for (; n > sizeof k; bytes += sizeof k, n -= sizeof k) {
        memcpy(k, bytes, sizeof k);
        for (int i = 0; i < 3; i++) h[i] += k[i];
        mix(h);
    }
    if (n == 0) return h[2];
    memset(k, 0, sizeof k);
    memcpy(k, bytes, n);
    for (int i = 0; i < 3; i++) h[i] += k[i];
    return finish(h);
}

/* --- from the file ------------------------------------------------------------------------------------------------------- */

enum status h5_fetch(struct h5_source *s, const char *what, uint64_t at, uint64_t n, unsigned char *out)
{
    if (at > (uint64_t)s->end || n > (uint64_t)s->end - at)
        FAIL(s->bad, "%s: %s: a part of it is said to be at byte %llu, outside the file", s->path, what, (unsigned long long)at);
    if (n > (uint64_t)s->left) FAIL(s->bad, "%s: %s: its headers are larger than they can be, or lead in a circle", s->path, what);
    s->left -= (int64_t)n;
    return file_read_at(s->fd, s->path, s->bad, (int64_t)at, out, (size_t)n);
}

enum status h5_fetch_piece(struct h5_source *s, const char *what, const char *sign, uint64_t at, uint64_t n, unsigned char *out)
{
    uint32_t sum;
    TRY(h5_fetch(s, what, at, n, out));
    if (n < 8 || memcmp(out, sign, 4) != 0)
        FAIL(s->bad, "%s: %s: '%s' is expected at byte %llu; the file is damaged", s->path, what, sign, (unsigned long long)at);
    memcpy(&sum, out + n - 4, 4);
    if (sum != h5_checksum(out, (size_t)n - 4))
        FAIL(s->bad, "%s: %s: the checksum of its headers at byte %llu is another; the file is damaged", s->path, what,
             (unsigned long long)at);
    return ST_OK;
}
