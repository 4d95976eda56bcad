#include "source.h"
#include "common/data/reader.h"
#include <stdio.h>
#include <string.h>

static enum status hand_out(const struct source *s, const struct record *r, struct text *scratch, source_take_fn take, void *context)
{
    const unsigned char *text;
    int64_t n;
    scratch->length = 0;
    if (s->file->format->text(s->field, r->bytes, r->n, scratch, &text, &n)) {
        char why[STATUS_TEXT_BYTES];
        (void)snprintf(why, sizeof why, "%s", status_text());
        const long long line = reader_line(s->file->path, s->max_unpacked, r->place);
        FAIL(ST_DATA, "%s, %s %lld: %s", s->file->path, line > 0 ? "line" : "byte", line > 0 ? line : (long long)r->place, why);
    }
    return n > 0 ? take(context, text, n) : ST_OK;
}

enum status source_read(const struct source *source, source_take_fn take, source_progress_fn progress, void *context)
{
    struct reader *reader;
    struct text scratch = { 0 };
    bool found = true;
    int64_t told = -1;
    TRY(reader_open(source->file, source->cutter, source->max_unpacked, &reader));
    enum status s = ST_OK;
    while (!s && found) {
        struct record record;
        s = reader_next(reader, &record, &found);
        if (!s && progress != NULL && reader_position(reader) != told) progress(context, told = reader_position(reader));
        if (!s && found) s = hand_out(source, &record, &scratch, take, context);
    }
    reader_close(reader);
    text_free(&scratch);
    return s;
}
