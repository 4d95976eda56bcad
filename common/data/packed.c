#include "packed.h"
#include "common/base/check.h"
#include "common/base/str.h"
#include "common/store/folder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 18, PATH_BYTES = 4096 };

const struct packed_desc *const packed_table[] = { &packed_plain, &packed_gzip, &packed_zstd, &packed_bzip2, &packed_xz, NULL };

struct packed {
    char path[PATH_BYTES];
    const struct packed_desc *kind;
    void *state;
    int fd;
    int64_t size, most, unpacked, fetched; /* bytes: of the file, may come, came, read from the file */
    unsigned char *buffer;
    const unsigned char *next; /* the n_next bytes of the buffer that nobody has taken */
    size_t n_next;
    bool at_end, inside; /* the file is read; a member has begun and not ended */
};

const struct packed_desc *packed_kind(const char *path, size_t *stem)
{
    const size_t n = strlen(path);
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++) {
        for (const char *const *ending = (*row)->endings; *ending != NULL; ending++) {
            const size_t length = strlen(*ending);
            if (n <= length || strcmp(path + n - length, *ending) != 0) continue;
            *stem = n - length;
            return *row;
        }
    }
    *stem = n;
    return &packed_plain;
}

int64_t packed_most(int64_t file_bytes)
{
    const int64_t least = (int64_t)1 << 30;
    return file_bytes > (INT64_MAX - least) / 100 ? INT64_MAX : least + 100 * file_bytes;
}

/* --- input ------------------------------------------------------------------------------------------------------------- */

static enum status read_some(struct packed *p, unsigned char *to, size_t n, size_t *got)
{
    ssize_t count;
    do count = read(p->fd, to, n);
    while (count < 0 && errno == EINTR);
    if (count < 0) FAIL(ST_DATA, "%s: cannot be read at byte %lld: %s", p->path, (long long)p->fetched, strerror(errno));
    *got = (size_t)count;
    p->fetched += count;
    p->at_end = count == 0;
    return ST_OK;
}

/* At least `least` bytes in the buffer, less at the end of the file only. */
static enum status fetch(struct packed *p, size_t least)
{
    if (p->n_next >= least || p->at_end) return ST_OK;
    memmove(p->buffer, p->next, p->n_next);
    p->next = p->buffer;
    while (p->n_next < least && !p->at_end) {
        size_t got = 0;
        TRY(read_some(p, p->buffer + p->n_next, BUFFER_BYTES - p->n_next, &got));
        p->n_next += got;
    }
    return ST_OK;
}

int64_t packed_position(const struct packed *p) { return p->fetched - (int64_t)p->n_next; }

/* --- members ----------------------------------------------------------------------------------------------------------- */

/* A plain file that is packed would be learned as noise. */
static enum status check_plain(struct packed *p)
{
    unsigned char head[PACKED_HEAD];
    const ssize_t n = pread(p->fd, head, sizeof head, 0);
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++)
        if (n == (ssize_t)sizeof head && (*row)->begins != NULL && (*row)->begins(head, sizeof head))
            FAIL(ST_DATA, "%s: is in %s format: name it %s", p->path, (*row)->name, (*row)->endings[0]);
    return ST_OK;
}

/* Between members: the next one begins here, or the file ends, after zeros that a tape or xz put there. */
static enum status next_member(struct packed *p, bool *ends)
{
    const bool first = p->fetched == 0;
    TRY(fetch(p, PACKED_HEAD));
    while (!first && p->n_next > 0 && *p->next == 0) {
        p->next++;
        p->n_next--;
        TRY(fetch(p, PACKED_HEAD));
    }
    *ends = p->n_next == 0 && !first;
    if (*ends) return ST_OK;
    if (first && p->n_next == 0) FAIL(ST_DATA, "%s: is empty, and not in %s format", p->path, p->kind->name);
    if (!p->kind->begins(p->next, p->n_next)) {
        if (first) FAIL(ST_DATA, "%s: is not in %s format", p->path, p->kind->name);
        FAIL(ST_DATA, "%s: is followed by something that is not in %s format, from byte %lld of %lld on", p->path, p->kind->name,
             (long long)packed_position(p), (long long)p->size);
    }
    p->inside = true;
    return first ? ST_OK : p->kind->again(p->state);
}

static enum status too_large(const struct packed *p)
{
    char most[32], size[32];
    FAIL(ST_DATA, "%s: its %s unpack to more than the limit of %s (byte %lld of the file): a zip bomb? --max-unpacked allows more", p->path,
         str_bytes(size, sizeof size, (double)p->size), str_bytes(most, sizeof most, (double)p->most), (long long)packed_position(p));
}

/* One turn of the kind; *filled grows. */
static enum status unpack(struct packed *p, unsigned char *out, size_t n, size_t *filled)
{
    const char *why = "the data contradicts itself";
    struct packed_work w = { .in = p->next, .n_in = p->n_next, .out = out + *filled, .n_out = n - *filled };
    const enum packed_turn turn = p->kind->unpack(p->state, &w, &why);
    const size_t came = n - *filled - w.n_out, taken = p->n_next - w.n_in;
    p->next = w.in;
    p->n_next = w.n_in;
    p->unpacked += (int64_t)came;
    *filled += came;
    if (turn == PACKED_BROKEN)
        FAIL(ST_DATA, "%s: is broken at byte %lld of %lld (%lld unpacked): %s", p->path, (long long)packed_position(p), (long long)p->size,
             (long long)p->unpacked, why);
    if (p->unpacked > p->most) return too_large(p);
    if (turn == PACKED_MEMBER_ENDS) {
        p->inside = false;
    } else if (came == 0 && taken == 0) { /* wants more, and there is none */
        if (p->n_next > 0) FAIL(ST_DATA, "%s: is broken at byte %lld: unpacking stands still", p->path, (long long)packed_position(p));
        if (p->at_end)
            FAIL(ST_DATA, "%s: ends too early, at byte %lld (%lld unpacked): part of it is missing", p->path, (long long)p->fetched,
                 (long long)p->unpacked);
    }
    return ST_OK;
}

/* --- public ------------------------------------------------------------------------------------------------------------ */

static enum status begin(struct packed *p, int64_t most)
{
    TRY(file_open(p->path, ST_DATA, &p->fd, &p->size));
    p->most = most > 0 ? most : packed_most(p->size);
    if (p->kind->begins == NULL) return check_plain(p);
    p->buffer = malloc(BUFFER_BYTES);
    CHECK(p->buffer != NULL);
    p->next = p->buffer;
    return p->kind->open(&p->state);
}

enum status packed_open(const char *path, int64_t most, struct packed **out)
{
    size_t stem;
    const struct packed_desc *const kind = packed_kind(path, &stem);
    *out = NULL;
    if (kind->lacking != NULL)
        FAIL(ST_LAUNCH, "%s: this lamina was built without what unpacks %s: install %s and build again", path, kind->name, kind->lacking);
    if (strlen(path) >= PATH_BYTES) FAIL(ST_DATA, "the path %.60s... is longer than %d bytes", path, PATH_BYTES - 1);
    struct packed *const p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    (void)snprintf(p->path, sizeof p->path, "%s", path);
    p->kind = kind;
    p->fd = -1;
    const enum status s = begin(p, most);
    if (s) packed_close(p);
    TRY(s);
    *out = p;
    return ST_OK;
}

enum status packed_read(struct packed *p, unsigned char *out, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n) {
        bool ends = false;
        size_t came = 0;
        if (p->kind->begins == NULL) {
            TRY(read_some(p, out + *got, n - *got, &came));
            *got += came;
            ends = p->at_end;
        } else {
            if (!p->inside) TRY(next_member(p, &ends));
            if (!ends) TRY(fetch(p, 1));
            if (!ends) TRY(unpack(p, out, n, got));
        }
        if (ends) break;
    }
    return ST_OK;
}

enum status packed_skip(struct packed *p, int64_t bytes, int64_t *passed)
{
    *passed = 0;
    if (p->kind->begins == NULL) {
        *passed = max_i64(0, min_i64(bytes, p->size - p->fetched));
        if (lseek(p->fd, (off_t)*passed, SEEK_CUR) < 0) FAIL(ST_DATA, "%s: cannot be read further: %s", p->path, strerror(errno));
        p->fetched += *passed;
        return ST_OK;
    }
    unsigned char *const part = malloc(BUFFER_BYTES);
    CHECK(part != NULL);
    enum status s = ST_OK;
    for (size_t got = 1; !s && got > 0 && *passed < bytes; *passed += (int64_t)got)
        s = packed_read(p, part, (size_t)min_i64(BUFFER_BYTES, bytes - *passed), &got);
    free(part);
    return s;
}

void packed_close(struct packed *p)
{
    if (p == NULL) return;
    if (p->state != NULL) p->kind->close(p->state);
    if (p->fd >= 0) (void)close(p->fd);
    free(p->buffer);
    free(p);
}
