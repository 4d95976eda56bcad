#include "source.h"
#include "common/base/check.h"
#include "common/data/packed.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PART_BYTES = 1 << 20 };
static const size_t document_most = (size_t)1 << 30;

/* --- files ------------------------------------------------------------------------------------------------------------- */

/* "neither .txt nor .gz nor ...", from the table. */
static enum status refuse_name(const char *path)
{
    char known[256] = "";
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++)
        for (const char *const *ending = (*row)->endings; *ending != NULL; ending++)
            (void)snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", known[0] != '\0' ? " nor " : "", *ending);
    FAIL(ST_DATA, "%s: is neither %s", path, known);
}

enum status source_size(const char *path, int64_t *bytes)
{
    struct stat info;
    size_t stem;
    (void)packed_kind(path, &stem);
    if (path[stem] == '\0') return refuse_name(path);
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

static enum status read_all(struct packed *f, const char *path, struct scan *s, source_progress_fn progress)
{
    for (;;) {
        size_t n;
        TRY(grow(s, path));
        TRY(packed_read(f, s->bytes + s->used, PART_BYTES, &n));
        s->used += n;
        if (progress != NULL) progress(s->context, packed_position(f));
        TRY(cut(s, n < PART_BYTES));
        if (n < PART_BYTES) return ST_OK;
    }
}

enum status source_read(const char *path, int64_t most, const struct cutter *cutter, source_take_fn take, source_progress_fn progress,
                        void *context)
{
    int64_t bytes;
    struct packed *f;
    TRY(source_size(path, &bytes));
    TRY(packed_open(path, most, &f));
    struct scan s = { .cutter = cutter, .take = take, .context = context };
    const enum status done = read_all(f, path, &s, progress);
    packed_close(f);
    free(s.bytes);
    return done;
}
