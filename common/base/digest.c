#include "digest.h"
#include "check.h"
#include "libraries.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { READ_BYTES = 1 << 20 };

const char *library_xxhash(void)
{
    static _Thread_local char version[32];
    const unsigned n = XXH_versionNumber();
    (void)snprintf(version, sizeof version, "%u.%u.%u", n / 10000, n / 100 % 100, n % 100);
    return version;
}

struct digest_stream {
    XXH3_state_t *xxh;
};

static struct digest128 from_xxh(XXH128_hash_t h) { return (struct digest128){ .high = h.high64, .low = h.low64 }; }

struct digest128 digest_bytes(const void *bytes, size_t n) { return from_xxh(XXH3_128bits(bytes, n)); }

bool digest_equal(struct digest128 a, struct digest128 b) { return a.high == b.high && a.low == b.low; }

char *digest_hex(struct digest128 d, char out[DIGEST_HEX])
{
    (void)snprintf(out, DIGEST_HEX, "%016" PRIx64 "%016" PRIx64, d.high, d.low); /* the order of xxh128sum */
    return out;
}

static uint64_t hex_u64(const char digits[16])
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) {
        const int c = tolower((unsigned char)digits[i]);
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

enum status digest_parse(const char *text, struct digest128 *out)
{
    const size_t n = strlen(text);
    if (n != DIGEST_HEX - 1 || strspn(text, "0123456789abcdefABCDEF") != n)
        FAIL(ST_DATA, "'%.40s' is not a digest: 32 hex digits are expected", text);
    *out = (struct digest128){ .high = hex_u64(text), .low = hex_u64(text + 16) };
    return ST_OK;
}

struct digest_stream *digest_begin(void)
{
    struct digest_stream *stream = malloc(sizeof *stream);
    CHECK(stream != NULL);
    stream->xxh = XXH3_createState();
    CHECK(stream->xxh != NULL);
    (void)XXH3_128bits_reset(stream->xxh);
    return stream;
}

void digest_add(struct digest_stream *stream, const void *bytes, size_t n) { (void)XXH3_128bits_update(stream->xxh, bytes, n); }

struct digest128 digest_end(struct digest_stream *stream)
{
    const struct digest128 digest = from_xxh(XXH3_128bits_digest(stream->xxh));
    (void)XXH3_freeState(stream->xxh);
    free(stream);
    return digest;
}

static enum status add_file(struct digest_stream *stream, int fd, const char *path, void *buffer)
{
    for (;;) {
        const ssize_t n = read(fd, buffer, READ_BYTES);
        if (n == 0) return ST_OK;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) FAIL(ST_IO, "%s: cannot be read: %s", path, strerror(errno));
        digest_add(stream, buffer, (size_t)n);
    }
}

enum status digest_file(const char *path, struct digest128 *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    void *buffer = malloc(READ_BYTES);
    CHECK(buffer != NULL);
    struct digest_stream *stream = digest_begin();
    const enum status s = add_file(stream, fd, path, buffer);
    const struct digest128 digest = digest_end(stream);
    free(buffer);
    (void)close(fd);
    TRY(s);
    *out = digest;
    return ST_OK;
}
