#define LAMINA_DATA
#include "tokens.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/store/folder.h"
#include "common/store/h5.h"
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- opening ----------------------------------------------------------------------------------------------------------- */

static enum status read_digest(const struct h5 *f, const char *name, struct digest128 *out)
{
    char hex[DIGEST_HEX];
    TRY(h5_get_text(f, name, hex, sizeof hex));
    if (digest_parse(hex, out)) FAIL(ST_DATA, "%s: the attribute %s is not a digest", f->path, name);
    return ST_OK;
}

static enum status read_report(const struct h5 *f, struct token_report *report)
{
    for (const struct token_report_row *row = token_report_rows; row->name != NULL; row++) {
        int64_t value = -1;
        if (h5_has(f, row->name)) TRY(h5_get_i64(f, row->name, &value));
        if (value < 0) value = -1;
        memcpy((char *)report + row->offset, &value, sizeof value);
    }
    return ST_OK;
}

/* Files from before there was a choice say nothing: their only tokenizer ended documents with its last token. */
static enum status read_end(const struct h5 *f, struct tokens *t)
{
    int64_t end = t->vocab - 1;
    if (h5_has(f, "end_of_document")) TRY(h5_get_i64(f, "end_of_document", &end));
    if (end < 0 || end >= t->vocab)
        FAIL(ST_DATA, "%s: claims that token %lld of %lld ends a document", f->path, (long long)end, (long long)t->vocab);
    t->end_of_document = (int32_t)end;
    return ST_OK;
}

static enum status read_attributes(const struct h5 *f, struct tokens *t)
{
    char format[32];
    int64_t version;
    TRY(h5_get_text(f, "format", format, sizeof format));
    TRY(h5_get_i64(f, "version", &version));
    if (strcmp(format, TOKENS_FORMAT) != 0 || version != TOKENS_VERSION)
        FAIL(ST_DATA, "%s: is '%s' version %lld, and a token file ('%s' version %d) is expected; make one with lamina data build", f->path,
             format, (long long)version, TOKENS_FORMAT, TOKENS_VERSION);
    TRY(h5_get_text(f, "tokenizer", t->tokenizer, sizeof t->tokenizer));
    TRY(read_digest(f, "tokenizer_digest", &t->tokenizer_digest));
    TRY(read_digest(f, "content_digest", &t->content_digest));
    TRY(h5_get_i64(f, "vocab", &t->vocab));
    TRY(h5_get_i64(f, "text_bytes", &t->text_bytes));
    TRY(h5_get_f64(f, "entropy0", &t->entropy0));
    TRY(h5_get_f64(f, "entropy1", &t->entropy1));
    if (t->vocab < 1 || t->vocab > INT32_MAX || t->text_bytes < 0)
        FAIL(ST_DATA, "%s: claims a vocabulary of %lld and %lld bytes of text", f->path, (long long)t->vocab, (long long)t->text_bytes);
    TRY(read_end(f, t));
    return read_report(f, &t->report);
}

static enum status read_datasets(const struct h5 *f, struct tokens *t, struct h5_dataset *starts)
{
    struct h5_dataset tokens;
    TRY(h5_find(f, TOKENS_DATASET, &tokens));
    TRY(h5_find(f, TOKENS_DOCUMENTS, starts));
    const enum stored expected = t->vocab <= tokens_u16_vocab ? STORED_U16 : STORED_U32;
    if (tokens.type != expected || tokens.n_dims != 1)
        FAIL(ST_DATA, "%s: tokens must be a one-dimensional %s dataset for a vocabulary of %lld", f->path, stored_name(expected),
             (long long)t->vocab);
    if (starts->type != STORED_I64 || starts->n_dims != 1 || starts->dim[0] > tokens.dim[0])
        FAIL(ST_DATA, "%s: document_starts must be one-dimensional int64, and no longer than tokens", f->path);
    t->dtype = expected == STORED_U16 ? DT_U16 : DT_I32;
    t->n_tokens = tokens.dim[0];
    t->n_documents = starts->dim[0];
    t->data_offset = tokens.offset;
    t->starts_offset = starts->offset;
    return ST_OK;
}

static enum status read_headers(const char *path, struct tokens *t, struct h5_dataset *starts)
{
    struct h5 f;
    TRY(h5_open(path, ST_DATA, &f));
    enum status s = read_attributes(&f, t);
    if (!s) s = read_datasets(&f, t, starts);
    if (!s) t->fd = h5_keep_descriptor(&f);
    h5_drop(&f);
    return s;
}

static enum status digest_range(const struct tokens *t, struct digest_stream *stream, int64_t offset, int64_t bytes)
{
    enum { PART = 1 << 16 };
    unsigned char part[PART];
    for (int64_t done = 0; done < bytes; done += PART) {
        const size_t n = (size_t)min_i64(PART, bytes - done);
        TRY(file_read_at(t->fd, t->path, ST_DATA, offset + done, part, n));
        digest_add(stream, part, n);
    }
    return ST_OK;
}

static enum status verify_content(const struct tokens *t, const struct h5_dataset *starts)
{
    struct digest_stream *const stream = digest_begin();
    enum status s = digest_range(t, stream, t->data_offset, t->n_tokens * (int64_t)dtype_bytes(t->dtype));
    if (!s) s = digest_range(t, stream, starts->offset, starts->bytes);
    const struct digest128 found = digest_end(stream);
    TRY(s);
    if (!digest_equal(found, t->content_digest)) FAIL(ST_DATA, "%s: is damaged: its content has another digest; build it again", t->path);
    return ST_OK;
}

enum status tokens_open(const char *path, bool verify, struct tokens *out)
{
    struct h5_dataset starts;
    *out = (struct tokens){ .fd = -1 };
    TRY(fault_here(FAULT_data_open));
    if ((size_t)snprintf(out->path, sizeof out->path, "%s", path) >= sizeof out->path)
        FAIL(ST_DATA, "the path %.60s... is longer than %zu bytes", path, sizeof out->path - 1);
    TRY(read_headers(path, out, &starts));
    const enum status s = verify ? verify_content(out, &starts) : ST_OK;
    if (s) tokens_close(out);
    return s;
}

void tokens_close(struct tokens *t)
{
    if (t->fd >= 0) (void)close(t->fd);
    t->fd = -1;
}

/* --- reading ----------------------------------------------------------------------------------------------------------- */

enum status tokens_read(const struct tokens *t, int64_t first, int64_t n, int32_t *out)
{
    CHECK(n >= 0);
    if (first < 0 || first > t->n_tokens - n)
        FAIL(ST_DATA, "%s: holds %lld tokens, and %lld from %lld on are asked for", t->path, (long long)t->n_tokens, (long long)n,
             (long long)first);
    const size_t width = dtype_bytes(t->dtype);
    /* Narrow tokens land in the upper half of out and widen downwards: the one written never passes the one read. */
    unsigned char *const raw = (unsigned char *)out + (sizeof *out - width) * (size_t)n;
    TRY(file_read_at(t->fd, t->path, ST_DATA, t->data_offset + first * (int64_t)width, raw, (size_t)n * width));
    for (int64_t i = 0; i < n; i++) {
        uint32_t id = 0;
        memcpy(&id, raw + (size_t)i * width, width);
        if (id >= (uint32_t)t->vocab)
            FAIL(ST_DATA, "%s: token %lld is %u and the vocabulary has %lld; the file is damaged", t->path, (long long)(first + i), id,
                 (long long)t->vocab);
        out[i] = (int32_t)id;
    }
    return ST_OK;
}

static enum status check_starts(const struct tokens *t, const int64_t *starts)
{
    if (starts[0] != 0) FAIL(ST_DATA, "%s: document 0 begins at token %lld, and the first token is 0", t->path, (long long)starts[0]);
    for (int64_t d = 1; d < t->n_documents; d++)
        if (starts[d] <= starts[d - 1] || starts[d] >= t->n_tokens)
            FAIL(ST_DATA, "%s: document %lld begins at token %lld: behind %lld, where the one before begins, and below %lld is expected",
                 t->path, (long long)d, (long long)starts[d], (long long)starts[d - 1], (long long)t->n_tokens);
    return ST_OK;
}

enum status tokens_starts(const struct tokens *t, int64_t **out)
{
    if (t->n_documents == 0 || t->n_tokens == 0) FAIL(ST_DATA, "%s: holds no document", t->path);
    const size_t bytes = (size_t)t->n_documents * sizeof **out;
    int64_t *const starts = malloc(bytes);
    if (starts == NULL) FAIL(ST_IO, "%s: no memory for where its %lld documents begin", t->path, (long long)t->n_documents);
    enum status s = file_read_at(t->fd, t->path, ST_DATA, t->starts_offset, starts, bytes);
    if (!s) s = check_starts(t, starts);
    if (s)
        free(starts);
    else
        *out = starts;
    return s;
}
