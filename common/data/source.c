#include "source.h"
#include "common/data/reader.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum status find(const char *path, struct input *out)
{
    struct stat info;
    char known[256];
    *out = (struct input){ .path = path, .format = format_of(path, NULL) };
    if (out->format == NULL) FAIL(ST_DATA, "%s: is none of %s", path, format_names(known, sizeof known));
    if (stat(path, &info) != 0) FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) FAIL(ST_DATA, "%s: is not a plain file", path);
    out->bytes = (int64_t)info.st_size;
    return ST_OK;
}

enum status source_size(const char *path, int64_t *bytes)
{
    struct input file;
    TRY(find(path, &file));
    *bytes = file.bytes;
    return ST_OK;
}

static enum status hand_out(const struct input *file, const struct record *r, struct text *scratch, source_take_fn take, void *context)
{
    const unsigned char *text;
    int64_t n;
    scratch->length = 0;
    if (file->format->text("text", r->bytes, r->n, scratch, &text, &n)) {
        char why[STATUS_TEXT_BYTES];
        (void)snprintf(why, sizeof why, "%s", status_text());
        FAIL(ST_DATA, "%s, byte %lld: %s", file->path, (long long)r->place, why);
    }
    return n > 0 ? take(context, text, n) : ST_OK;
}

enum status source_read(const char *path, int64_t most, const struct cutter *cutter, source_take_fn take, source_progress_fn progress,
                        void *context)
{
    struct input file;
    struct reader *reader;
    struct text scratch = { 0 };
    bool found = true;
    int64_t told = -1;
    TRY(find(path, &file));
    TRY(reader_open(&file, cutter, most, &reader));
    enum status s = ST_OK;
    while (!s && found) {
        struct record record;
        s = reader_next(reader, &record, &found);
        if (!s && progress != NULL && reader_position(reader) != told) progress(context, told = reader_position(reader));
        if (!s && found) s = hand_out(&file, &record, &scratch, take, context);
    }
    reader_close(reader);
    text_free(&scratch);
    return s;
}
