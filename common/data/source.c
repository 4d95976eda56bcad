#include "source.h"
#include "common/base/check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { PART_BYTES = 1 << 20 };
static const size_t document_most = (size_t)1 << 30;

/* --- files ------------------------------------------------------------------------------------------------------------- */

enum kind { KIND_TEXT, KIND_GZIP };
static const struct {
    const char *ending;
    enum kind kind;
} kinds[] = { { ".txt", KIND_TEXT }, { ".gz", KIND_GZIP }, { ".dz", KIND_GZIP } }; /* dictzip is gzip with an index in its header */

static enum status find_kind(const char *path, enum kind *out)
{
    const size_t n = strlen(path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t length = strlen(kinds[i].ending);
        if (n <= length || strcmp(path + n - length, kinds[i].ending) != 0) continue;
        *out = kinds[i].kind;
        return ST_OK;
    }
    FAIL(ST_DATA, "%s: is neither .txt nor .gz nor .dz", path);
}

enum status source_size(const char *path, int64_t *bytes)
{
    enum kind kind;
    struct stat info;
    TRY(find_kind(path, &kind));
    if (stat(path, &info) != 0) FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) FAIL(ST_DATA, "%s: is not a plain file", path);
    *bytes = (int64_t)info.st_size;
    return ST_OK;
}

/* --- cutting ----------------------------------------------------------------------------------------------------------- */

/* The document so far; lines below `scanned` have been tested. */
struct scan {
    const struct cutter *cutter;
    source_take_fn take;
    void *context;
    unsigned char *bytes;
    size_t used, cap, scanned;
};

static enum status grow(struct scan *s, const char *path)
{
    if (s->cap - s->used >= PART_BYTES) return ST_OK;
    if (s->used > document_most)
        FAIL(ST_DATA, "%s: holds a document of more than 1 GiB: say where documents begin (--document-start), or cut the file", path);
    s->cap = s->cap > 0 ? 2 * s->cap : 4 * (size_t)PART_BYTES;
    unsigned char *const more = realloc(s->bytes, s->cap);
    if (more == NULL) FAIL(ST_IO, "%s: no memory for a document of %zu bytes", path, s->used);
    s->bytes = more;
    return ST_OK;
}

/* Hands out every document that ends before a line that is complete, or (at the end of the file) the last line; moves the rest to the
 * front once. */
static enum status cut(struct scan *s, bool at_end)
{
    size_t begin = 0;
    while (s->cutter != NULL && s->scanned < s->used) {
        const unsigned char *const line = s->bytes + s->scanned, *const end = memchr(line, '\n', s->used - s->scanned);
        if (end == NULL && !at_end) break;
        const size_t length = end != NULL ? (size_t)(end - line) : s->used - s->scanned;
        bool begins;
        TRY(cutter_matches(s->cutter, line, length, &begins));
        if (begins && s->scanned > begin) {
            TRY(s->take(s->context, s->bytes + begin, (int64_t)(s->scanned - begin)));
            begin = s->scanned;
        }
        s->scanned += length + (end != NULL);
    }
    if (at_end && s->used > begin) return s->take(s->context, s->bytes + begin, (int64_t)(s->used - begin));
    if (begin > 0) memmove(s->bytes, s->bytes + begin, s->used - begin);
    s->used -= begin;
    s->scanned -= begin;
    return ST_OK;
}

static enum status check_gzip(gzFile f, const char *path, enum kind kind)
{
    int code = Z_OK;
    const char *const why = gzerror(f, &code);
    if (code != Z_OK && code != Z_STREAM_END)
        FAIL(ST_DATA, "%s: is broken: %s", path, code == Z_ERRNO ? strerror(errno) : why[0] ? why : "zlib gives no reason");
    if (kind == KIND_GZIP && gzdirect(f)) FAIL(ST_DATA, "%s: is not in gzip format", path);
    if (kind == KIND_TEXT && !gzdirect(f)) FAIL(ST_DATA, "%s: is in gzip format: name it .gz", path);
    return ST_OK;
}

static enum status read_all(gzFile f, const char *path, enum kind kind, struct scan *s, source_progress_fn progress)
{
    for (;;) {
        TRY(grow(s, path));
        const int n = gzread(f, s->bytes + s->used, PART_BYTES);
        TRY(check_gzip(f, path, kind)); /* also a file that ends too early, of which zlib gives the beginning */
        s->used += n > 0 ? (size_t)n : 0;
        if (progress != NULL) progress(s->context, (int64_t)gzoffset(f));
        TRY(cut(s, n <= 0));
        if (n <= 0) return ST_OK;
    }
}

enum status source_read(const char *path, const struct cutter *cutter, source_take_fn take, source_progress_fn progress, void *context)
{
    enum kind kind = KIND_TEXT;
    int64_t bytes;
    TRY(find_kind(path, &kind));
    TRY(source_size(path, &bytes));
    gzFile f = gzopen(path, "rb");
    if (f == NULL) FAIL(ST_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    (void)gzbuffer(f, 1 << 17);
    struct scan s = { .cutter = cutter, .take = take, .context = context };
    const enum status done = bytes > 0 ? read_all(f, path, kind, &s, progress) : ST_OK;
    (void)gzclose_r(f);
    free(s.bytes);
    return done;
}
