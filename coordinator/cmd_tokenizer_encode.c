/* lamina tokenizer encode: text to ids. */
#include "coordinator/private.h"
#include "coordinator/tokenizer_files.h"
#include <stdlib.h>
#include <string.h>

static const struct option_row encode_options[] = {
    TOKENIZER_ROW,
    { .name = "lines", .type = OPTION_FLAG, .help = "each line, without its end, is a document; else a file is one" },
    { .name = "json", .type = OPTION_FLAG, .help = "print each document's ids as a JSON list" },
    { 0 },
};

enum { PART_BYTES = 1 << 20, WRITE_BYTES = 1 << 16 };
static const size_t document_most = (size_t)1 << 30;

/* Text that was read and not yet encoded, and the line of its document as far as it is known. */
struct encode {
    const struct tokenizer *tokenizer;
    const char *name;
    bool lines, json, begun; /* begun: the document has ids on its line already */
    struct encoder *encoder;
    unsigned char *text;
    size_t used, cap;
    struct ids ids;
    struct text out;
};

/* By hand: ids are most of what this command does. */
static void add_id(struct text *out, char before, int32_t id)
{
    char digits[12], *at = digits + sizeof digits;
    do *--at = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    if (before != '\0') *--at = before;
    text_add_bytes(out, at, (size_t)(digits + sizeof digits - at));
}

static enum status add_ids(struct encode *e, const unsigned char *text, size_t n)
{
    e->ids.n = 0;
    TRY(encoder_add(e->encoder, text, (int64_t)n, &e->ids));
    for (int64_t i = 0; i < e->ids.n; i++) {
        add_id(&e->out, e->begun ? e->json ? ',' : ' ' : e->json ? '[' : '\0', e->ids.id[i]);
        e->begun = true;
        if (e->out.length >= WRITE_BYTES) TRY(tokenizer_write(&e->out));
    }
    return ST_OK;
}

static enum status end_document(struct encode *e, const unsigned char *text, size_t n)
{
    TRY(add_ids(e, text, n));
    text_add(&e->out, "%s\n", e->json ? e->begun ? "]" : "[]" : "");
    e->begun = false;
    return ST_OK;
}

static void drop(struct encode *e, size_t n)
{
    if (n > 0) memmove(e->text, e->text + n, e->used - n);
    e->used -= n;
}

static enum status take_lines(struct encode *e)
{
    size_t done = 0;
    for (const unsigned char *end; done < e->used && (end = memchr(e->text + done, '\n', e->used - done)) != NULL;) {
        TRY(end_document(e, e->text + done, (size_t)(end - e->text) - done));
        done = (size_t)(end - e->text) + 1;
    }
    drop(e, done);
    return ST_OK;
}

/* As much as cannot change whatever follows. */
static enum status take_beginning(struct encode *e)
{
    const int64_t cut = tokenizer_cut(e->tokenizer, e->text, (int64_t)e->used);
    if (cut == 0) return ST_OK;
    TRY(add_ids(e, e->text, (size_t)cut));
    drop(e, (size_t)cut);
    return ST_OK;
}

/* Where nothing can be taken the part grows twofold, so that looking for a place costs time in proportion to the text. */
static enum status encode_all(struct encode *e, FILE *file)
{
    size_t wanted = PART_BYTES;
    bool any = false;
    for (;;) {
        if (e->used + wanted > document_most) FAIL(ST_DATA, "%s: a document of more than 1 GiB cannot be encoded as a whole", e->name);
        if (e->used + wanted > e->cap) {
            unsigned char *const more = realloc(e->text, e->used + wanted);
            if (more == NULL) FAIL(ST_IO, "%s: no memory for a document of %zu bytes", e->name, e->used);
            e->text = more;
            e->cap = e->used + wanted;
        }
        const size_t n = fread(e->text + e->used, 1, wanted, file), before = e->used + n;
        e->used += n;
        any = any || n > 0;
        if (n < wanted) break;
        TRY(e->lines ? take_lines(e) : take_beginning(e));
        wanted = e->used == before ? before : PART_BYTES;
    }
    if (e->lines) TRY(take_lines(e));
    if (e->lines ? e->used > 0 : any) TRY(end_document(e, e->text, e->used));
    return tokenizer_write(&e->out);
}

static enum status encode_file(const struct options *options, const struct tokenizer *t, FILE *file, const char *name)
{
    struct encode e = { .tokenizer = t, .name = name, .lines = option_flag(options, "lines"), .json = option_flag(options, "json") };
    TRY(encoder_open(t, &e.encoder));
    const enum status s = encode_all(&e, file);
    encoder_close(e.encoder);
    ids_close(&e.ids);
    text_free(&e.out);
    free(e.text);
    return s;
}

static enum status encode_run(const struct options *options) { return tokenizer_files(options, encode_file); }

const struct command command_tokenizer_encode = {
    .name = "tokenizer encode",
    .group = "things",
    .summary = "Turn text into token ids",
    .rules = { .rows = encode_options, .least = 0, .most = -1, .usage = "[FILE ...] [options]" },
    .notes = "Without a FILE, or for -, stdin is read. Each document gives a line of ids, without the id that ends documents. Special "
             "tokens in\n"
             "the text become their ids; none are added. Text streams where the pre-tokenizer says where it may be cut (see streams in\n"
             "lamina tokenizer show), else a document is in memory as a whole, at most 1 GiB.",
    .example = "lamina tokenizer encode --tokenizer tokenizer.json --lines notes.txt",
    .local = encode_run,
};
