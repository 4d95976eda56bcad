#define LAMINA_DATA
#include "common/base/check.h"
#include "common/store/folder.h"
#include "common/store/h5.h"
#include "private.h"
#include <string.h>

#define REPORT_ROW(name)                                                                                                                   \
    {                                                                                                                                      \
#name, offsetof(struct token_report, name)                                                                                         \
    }
const struct token_report_row token_report_rows[] = {
    REPORT_ROW(longest_tokens),  REPORT_ROW(longest_bytes),   REPORT_ROW(duplicate_documents),
    REPORT_ROW(duplicate_bytes), REPORT_ROW(bad_utf8),        REPORT_ROW(bad_utf8_documents),
    REPORT_ROW(empty_documents), REPORT_ROW(skipped_records), { 0 }
};

/* What fits into the file's 63 bytes: the name, the last part of a path, or the beginning of that. */
static void short_name(const char *name, char out[64])
{
    const char *const slash = strlen(name) > 63 ? strrchr(name, '/') : NULL;
    const char *const kept = slash != NULL && slash[1] != '\0' ? slash + 1 : name;
    const size_t n = strlen(kept) < 63 ? strlen(kept) : 63;
    memcpy(out, kept, n);
    out[n] = '\0';
}

static enum status write_report(const struct h5 *f, const struct token_report *report)
{
    for (const struct token_report_row *row = token_report_rows; row->name != NULL; row++) {
        int64_t value;
        memcpy(&value, (const char *)report + row->offset, sizeof value);
        if (value >= 0) TRY(h5_set_i64(f, row->name, value));
    }
    return ST_OK;
}

static enum status write_attributes(const struct h5 *f, const struct token_layout *l)
{
    char hex[DIGEST_HEX], name[64];
    short_name(l->tokenizer, name);
    TRY(h5_set_text(f, "format", TOKENS_FORMAT));
    TRY(h5_set_i64(f, "version", TOKENS_VERSION));
    TRY(h5_set_text(f, "tokenizer", name));
    TRY(h5_set_text(f, "tokenizer_digest", digest_hex(l->tokenizer_digest, hex)));
    TRY(h5_set_text(f, "content_digest", digest_hex(l->content_digest, hex)));
    TRY(h5_set_i64(f, "vocab", l->vocab));
    TRY(h5_set_i64(f, "end_of_document", l->end_of_document));
    TRY(h5_set_i64(f, "text_bytes", l->written.text_bytes));
    TRY(h5_set_f64(f, "entropy0", l->written.entropy0));
    TRY(h5_set_f64(f, "entropy1", l->written.entropy1));
    return write_report(f, &l->written.report);
}

static enum status make_dataset(const struct h5 *f, const char *name, enum stored type, int64_t n)
{
    struct h5_dataset d = { .type = type, .n_dims = 1, .dim = { n, 1 } };
    int64_t handle;
    memcpy(d.name, name, strlen(name) + 1);
    TRY(h5_make(f, &d, &handle));
    h5_release(handle);
    return ST_OK;
}

static enum status fill(const struct h5 *f, const struct token_layout *l)
{
    TRY(make_dataset(f, TOKENS_DOCUMENTS, STORED_I64, l->written.n_documents));
    TRY(make_dataset(f, TOKENS_DATASET, tokens_width(l->vocab) == 2 ? STORED_U16 : STORED_U32, l->written.n_tokens));
    return write_attributes(f, l);
}

static enum status find(const char *path, struct token_places *out, int64_t *bytes)
{
    struct h5 f;
    struct h5_dataset tokens = { 0 }, starts = { 0 };
    TRY(h5_open(path, ST_IO, &f));
    enum status s = h5_find(&f, TOKENS_DATASET, &tokens);
    if (!s) s = h5_find(&f, TOKENS_DOCUMENTS, &starts);
    *bytes = h5_end(&f);
    h5_drop(&f);
    *out = (struct token_places){ .tokens = tokens.offset, .starts = starts.offset };
    return s;
}

enum status tokens_lay_out(const char *path, const struct token_layout *layout, struct token_places *out)
{
    struct h5 f;
    int64_t bytes = 0;
    bool checked_only;
    TRY(file_make(path));
    TRY(h5_create(path, NULL, &f));
    const enum status s = fill(&f, layout);
    if (s)
        h5_drop(&f);
    else
        TRY(h5_close(&f));
    TRY(s);
    TRY(find(path, out, &bytes));
    return file_reserve(path, bytes, &checked_only);
}
