#include "reader.h"
#include "common/base/check.h"
#include "common/data/packed.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PART_BYTES = 1 << 20 };
static const char *const bom = "\xef\xbb\xbf"; /* programs on Windows put it before a file; JSON does not know it */

/* bytes[0 .. used) are the unpacked file from `base` on. `line` is where a line begins that nobody has judged; before `searched` it has no
 * end. While a record is open it began at `begin`. */
struct reader {
    const struct input *file;
    const struct cutter *cutter;
    struct packed *packed;
    unsigned char *bytes;
    size_t used, cap, begin, line, searched;
    int64_t base, from, until;
    bool at_end; /* of the file: nothing stands behind `used` */
    bool open;   /* a record has begun */
    bool starts; /* the line at `line` was judged already: a record begins with it */
};

enum status reader_open(const struct input *file, const struct cutter *cutter, int64_t most, struct reader **out)
{
    struct packed *packed;
    *out = NULL;
    TRY(packed_open(file->path, most, &packed));
    struct reader *const r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    *r = (struct reader){ .file = file, .cutter = cutter, .packed = packed, .until = INT64_MAX };
    *out = r;
    return ST_OK;
}

void reader_close(struct reader *r)
{
    if (r == NULL) return;
    packed_close(r->packed);
    free(r->bytes);
    free(r);
}

int64_t reader_position(const struct reader *r) { return packed_position(r->packed); }

int64_t reader_bytes(const struct reader *r) { return r->at_end ? r->base + (int64_t)r->used : -1; }

/* --- bytes ------------------------------------------------------------------------------------------------------------- */

/* What nobody needs any more goes, what is there moves to the front, and a part of the file comes behind it. */
static enum status more(struct reader *r)
{
    const size_t keep = r->open ? r->begin : r->line;
    if (keep > 0) {
        memmove(r->bytes, r->bytes + keep, r->used - keep);
        r->used -= keep;
        r->begin -= r->open ? keep : 0;
        r->line -= keep;
        r->searched -= keep;
        r->base += (int64_t)keep;
    }
    if ((int64_t)r->used > r->file->format->record_most)
        FAIL(ST_DATA, "%s: the %s that begins at byte %lld is longer than %lld MiB%s", r->file->path,
             r->file->format->lines ? "line" : "document", (long long)r->base, (long long)(r->file->format->record_most >> 20),
             r->file->format->lines ? "" : ": say where documents begin (--document-start), or cut the file");
    if (r->cap - r->used < PART_BYTES) {
        r->cap = r->cap > 0 ? 2 * r->cap : 2 * (size_t)PART_BYTES;
        unsigned char *const larger = realloc(r->bytes, r->cap);
        if (larger == NULL) FAIL(ST_IO, "%s: no memory for a record of %zu bytes", r->file->path, r->used);
        r->bytes = larger;
    }
    size_t got;
    TRY(packed_read(r->packed, r->bytes + r->used, PART_BYTES, &got));
    r->used += got;
    r->at_end = got < PART_BYTES;
    return ST_OK;
}

/* The line at r->line as a whole: its length without and with its end; *exists false at the end of the file. */
static enum status whole_line(struct reader *r, size_t *length, size_t *with_end, bool *exists)
{
    for (;;) {
        const unsigned char *const end = r->searched < r->used ? memchr(r->bytes + r->searched, '\n', r->used - r->searched) : NULL;
        r->searched = end != NULL ? (size_t)(end - r->bytes) : r->used;
        *exists = end != NULL || (r->at_end && r->used > r->line);
        if (*exists) {
            *length = end != NULL ? (size_t)(end - r->bytes) - r->line : r->used - r->line;
            *with_end = *length + (end != NULL);
            return ST_OK;
        }
        if (r->at_end) return ST_OK;
        TRY(more(r));
    }
}

static void pass_line(struct reader *r, size_t with_end) { r->line = r->searched = r->line + with_end; }

/* --- ranges ------------------------------------------------------------------------------------------------------------- */

/* Forgets what is in memory and goes on to the byte at `to`, or to the end of the file. */
static enum status pass_over(struct reader *r, int64_t to)
{
    int64_t passed;
    const int64_t here = r->base + (int64_t)r->used;
    TRY(packed_skip(r->packed, to - here, &passed));
    r->base = here + passed;
    r->used = r->line = r->searched = 0;
    r->starts = false;
    if (here + passed < to) r->at_end = true;
    return ST_OK;
}

enum status reader_approach(struct reader *r, int64_t from, int64_t most, bool *there)
{
    const int64_t here = r->base + (int64_t)r->used;
    CHECK(!r->open);
    *there = r->at_end || from - 1 - here <= most;
    return *there ? ST_OK : pass_over(r, here + most);
}

enum status reader_range(struct reader *r, int64_t from, int64_t until)
{
    const int64_t line = r->base + (int64_t)r->line;
    CHECK(from <= until && !r->open);
    r->from = from;
    r->until = until;
    if (from <= line) return ST_OK; /* it is the first line from there on: the range before ended with it, or with what began before it */
    r->starts = false;
    const int64_t before = from - 1; /* a line begins at `from` where this byte ends one */
    if (before < r->base + (int64_t)r->used)
        r->line = r->searched = (size_t)(before - r->base);
    else
        TRY(pass_over(r, before));
    size_t length, with_end = 0;
    bool exists;
    TRY(whole_line(r, &length, &with_end, &exists));
    if (exists) pass_line(r, with_end);
    return ST_OK;
}

/* --- records ------------------------------------------------------------------------------------------------------------ */

static void hand_out(const struct reader *r, size_t begin, size_t n, struct record *out, bool *found)
{
    *out = (struct record){ .bytes = r->bytes + begin, .n = (int64_t)n, .place = r->base + (int64_t)begin };
    *found = true;
}

static bool blank(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isspace(bytes[i])) return false;
    return true;
}

static enum status next_line(struct reader *r, struct record *out, bool *found)
{
    for (;;) {
        size_t length, with_end = 0;
        bool exists;
        if (r->base + (int64_t)r->line >= r->until) return ST_OK;
        TRY(whole_line(r, &length, &with_end, &exists));
        if (!exists) return ST_OK;
        size_t begin = r->line;
        pass_line(r, with_end);
        if (r->base + (int64_t)begin == 0 && length >= 3 && memcmp(r->bytes, bom, 3) == 0) begin += 3, length -= 3;
        if (blank(r->bytes + begin, length)) continue;
        hand_out(r, begin, length, out, found);
        return ST_OK;
    }
}

static enum status next_cut(struct reader *r, struct record *out, bool *found)
{
    for (;;) {
        size_t length = 0, with_end = 0;
        bool exists;
        if (!r->open && r->base + (int64_t)r->line >= r->until) return ST_OK;
        TRY(whole_line(r, &length, &with_end, &exists));
        if (r->base + (int64_t)r->line == 0) r->starts = true;
        if (exists && !r->starts) TRY(cutter_matches(r->cutter, r->bytes + r->line, length, &r->starts));
        if (r->open && (!exists || r->starts)) {
            r->open = false;
            hand_out(r, r->begin, r->line - r->begin, out, found);
            return ST_OK;
        }
        if (!exists) return ST_OK;
        if (r->starts) {
            r->open = true;
            r->begin = r->line;
            r->starts = false;
        }
        pass_line(r, with_end);
    }
}

static enum status next_whole(struct reader *r, struct record *out, bool *found)
{
    if (r->from > 0 || r->base > 0 || r->line > 0) return ST_OK;
    while (!r->at_end) TRY(more(r));
    r->line = r->searched = r->used;
    if (r->used > 0) hand_out(r, 0, r->used, out, found);
    return ST_OK;
}

enum status reader_next(struct reader *r, struct record *out, bool *found)
{
    *found = false;
    if (r->file->format->lines) return next_line(r, out, found);
    return r->cutter != NULL ? next_cut(r, out, found) : next_whole(r, out, found);
}

enum status reader_ends(struct reader *r, bool *ends)
{
    if (!r->at_end && r->base + (int64_t)r->used <= r->until) TRY(more(r));
    *ends = r->at_end && r->base + (int64_t)r->used <= r->until;
    return ST_OK;
}

/* --- places ------------------------------------------------------------------------------------------------------------- */

int64_t reader_line(const char *path, int64_t most, int64_t place)
{
    struct packed *p;
    int64_t line = 1;
    if (packed_open(path, most, &p)) return 0;
    unsigned char *const part = malloc(PART_BYTES);
    CHECK(part != NULL);
    for (int64_t done = 0; done < place;) {
        size_t got;
        const size_t n = (size_t)min_i64(PART_BYTES, place - done);
        if (packed_read(p, part, n, &got) || got < n) {
            line = 0;
            break;
        }
        for (const unsigned char *at = part; (at = memchr(at, '\n', (size_t)(part + n - at))) != NULL; at++) line++;
        done += (int64_t)n;
    }
    free(part);
    packed_close(p);
    return line;
}
