#define LAMINA_DATA
#include "byte_counts.h"
#include "common/base/check.h"
#include "common/store/folder.h"
#include "common/store/h5.h"
#include "private.h"
#include "tokens.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, PATH_BYTES = 1100 };

struct tokens_writer {
    char path[PATH_BYTES], sealed_path[PATH_BYTES], tokenizer[64];
    struct digest128 tokenizer_digest;
    int64_t vocab;
    size_t width;
    bool sealed;
    int fd; /* the tokens so far, in a file without a name: nothing is left when the process is killed */
    struct digest_stream *digest;
    unsigned char *buffer;
    size_t used;
    int64_t *starts, cap_documents;
    struct byte_counts counts;
    bool text_known, judged;
    struct tokens_written done;
};

/* --- collecting -------------------------------------------------------------------------------------------------------- */

/* A file in the target's folder that has no name: O_TMPFILE, or one that is unlinked at once. */
static enum status open_nameless(const char *path, int *fd)
{
    char folder[PATH_BYTES], name[PATH_BYTES + 16];
    (void)folder_of(path, folder, sizeof folder);
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0) return ST_OK;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) FAIL(ST_IO, "%s: cannot be written to: %s", folder, strerror(errno));
    (void)snprintf(name, sizeof name, "%s.raw-XXXXXX", path);
    *fd = mkostemp(name, O_CLOEXEC);
    if (*fd < 0) FAIL(ST_IO, "%s: cannot be created: %s", name, strerror(errno));
    (void)unlink(name);
    return ST_OK;
}

enum status tokens_create(const char *path, const char *tokenizer, struct digest128 tokenizer_digest, int64_t vocab,
                          struct tokens_writer **out)
{
    *out = NULL;
    if (strlen(path) + 32 > PATH_BYTES) FAIL(ST_IO, "the path %.60s... is too long", path);
    if (strlen(tokenizer) >= sizeof((struct tokens_writer *)0)->tokenizer)
        FAIL(ST_DATA, "the tokenizer's name '%.60s...' is longer than 63 bytes: name it by a shorter path", tokenizer);
    int fd;
    TRY(open_nameless(path, &fd));
    struct tokens_writer *const w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(w->sealed_path, sizeof w->sealed_path, "%s.tmp-%ld", path, (long)getpid());
    (void)snprintf(w->tokenizer, sizeof w->tokenizer, "%s", tokenizer);
    w->tokenizer_digest = tokenizer_digest;
    w->vocab = vocab;
    w->width = vocab <= tokens_u16_vocab ? sizeof(uint16_t) : sizeof(uint32_t);
    w->fd = fd;
    w->text_known = true;
    w->done.entropy0 = w->done.entropy1 = NAN;
    w->digest = digest_begin();
    w->buffer = malloc(BUFFER_BYTES);
    CHECK(w->buffer != NULL);
    *out = w;
    return ST_OK;
}

static enum status flush(struct tokens_writer *w)
{
    digest_add(w->digest, w->buffer, w->used);
    const size_t n = w->used;
    w->used = 0;
    return file_write(w->fd, w->path, w->buffer, n);
}

static void note_document(struct tokens_writer *w)
{
    if (w->done.n_documents == w->cap_documents) {
        w->cap_documents = max_i64(1024, 2 * w->cap_documents);
        w->starts = realloc(w->starts, (size_t)w->cap_documents * sizeof *w->starts);
        CHECK(w->starts != NULL);
    }
    w->starts[w->done.n_documents++] = w->done.n_tokens;
}

enum status tokens_append(struct tokens_writer *w, const int32_t *tokens, int64_t n, const unsigned char *text, int64_t text_bytes)
{
    CHECK(!w->sealed);
    note_document(w);
    for (int64_t i = 0; i < n; i++) {
        CHECK(tokens[i] >= 0 && tokens[i] < w->vocab);
        const uint32_t id = (uint32_t)tokens[i];
        if (w->used + w->width > BUFFER_BYTES) TRY(flush(w));
        memcpy(w->buffer + w->used, &id, w->width); /* little-endian: the low half comes first */
        w->used += w->width;
    }
    w->done.n_tokens += n;
    w->done.text_bytes += text_bytes;
    if (text == NULL)
        w->text_known = false;
    else
        byte_counts_add(&w->counts, text, text_bytes);
    return ST_OK;
}

static void judge(struct tokens_writer *w, const struct byte_counts *model)
{
    w->done.entropy0 = byte_counts_bits(model, &w->counts, 0);
    w->done.entropy1 = byte_counts_bits(model, &w->counts, 1);
    w->judged = true;
}

void tokens_judge(struct tokens_writer *w, const struct tokens_writer *train)
{
    if (w->text_known && train->text_known) judge(w, &train->counts);
    w->judged = true;
}

struct tokens_written tokens_written(const struct tokens_writer *w) { return w->done; }

/* --- the HDF5 file ----------------------------------------------------------------------------------------------------- */

static enum status write_attributes(const struct tokens_writer *w, const struct h5 *f, struct digest128 content)
{
    char hex[DIGEST_HEX];
    TRY(h5_set_text(f, "format", TOKENS_FORMAT));
    TRY(h5_set_i64(f, "version", TOKENS_VERSION));
    TRY(h5_set_text(f, "tokenizer", w->tokenizer));
    TRY(h5_set_text(f, "tokenizer_digest", digest_hex(w->tokenizer_digest, hex)));
    TRY(h5_set_text(f, "content_digest", digest_hex(content, hex)));
    TRY(h5_set_i64(f, "vocab", w->vocab));
    TRY(h5_set_i64(f, "text_bytes", w->done.text_bytes));
    TRY(h5_set_f64(f, "entropy0", w->done.entropy0));
    return h5_set_f64(f, "entropy1", w->done.entropy1);
}

static enum status lay_out(const struct tokens_writer *w, const struct h5 *f, struct digest128 content)
{
    const struct h5_dataset tokens = {
        .name = TOKENS_DATASET, .type = w->width == 2 ? STORED_U16 : STORED_U32, .n_dims = 1, .dim = { w->done.n_tokens, 1 }
    };
    const struct h5_dataset starts = { .name = TOKENS_DOCUMENTS, .type = STORED_I64, .n_dims = 1, .dim = { w->done.n_documents, 1 } };
    int64_t handle;
    TRY(h5_make(f, &starts, &handle));
    const enum status s = w->done.n_documents > 0 ? h5_write(f, handle, &starts, false, 0, w->done.n_documents, w->starts) : ST_OK;
    h5_release(handle);
    TRY(s);
    TRY(h5_make(f, &tokens, &handle));
    h5_release(handle);
    return write_attributes(w, f, content);
}

/* The tokens go to the place that HDF5 gave them. */
static enum status copy_tokens(struct tokens_writer *w)
{
    struct h5 f;
    struct h5_dataset tokens;
    TRY(h5_open(w->sealed_path, ST_IO, &f));
    const enum status found = h5_find(&f, TOKENS_DATASET, &tokens);
    h5_drop(&f);
    TRY(found);
    const int fd = open(w->sealed_path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", w->sealed_path, strerror(errno));
    enum status s = lseek(fd, (off_t)tokens.offset, SEEK_SET) < 0 ? ST_IO : ST_OK;
    for (int64_t done = 0; done < tokens.bytes && !s; done += BUFFER_BYTES) {
        const size_t n = (size_t)min_i64(BUFFER_BYTES, tokens.bytes - done);
        s = file_read_at(w->fd, w->path, ST_IO, done, w->buffer, n);
        if (!s) s = file_write(fd, w->sealed_path, w->buffer, n);
    }
    (void)close(fd);
    return s;
}

static enum status seal(struct tokens_writer *w)
{
    struct h5 f;
    TRY(flush(w));
    digest_add(w->digest, w->starts, (size_t)w->done.n_documents * sizeof *w->starts);
    const struct digest128 content = digest_end(w->digest);
    w->digest = NULL;
    (void)unlink(w->sealed_path); /* of a dead process with our number */
    TRY(file_make(w->sealed_path));
    w->sealed = true;
    TRY(h5_create(w->sealed_path, NULL, &f));
    const enum status s = lay_out(w, &f, content);
    if (s)
        h5_drop(&f);
    else
        TRY(h5_close(&f));
    TRY(s);
    TRY(copy_tokens(w));
    return file_sync(w->sealed_path);
}

enum status tokens_seal(struct tokens_writer *w)
{
    if (w->sealed) return ST_OK;
    if (!w->judged && w->text_known) judge(w, &w->counts);
    return seal(w);
}

static enum status rename_into_place(const struct tokens_writer *w)
{
    char folder[PATH_BYTES];
    if (rename(w->sealed_path, w->path) != 0) FAIL(ST_IO, "%s: cannot be renamed to %s: %s", w->sealed_path, w->path, strerror(errno));
    return file_sync(folder_of(w->path, folder, sizeof folder));
}

enum status tokens_publish(struct tokens_writer *w)
{
    enum status s = tokens_seal(w);
    if (!s) s = rename_into_place(w);
    tokens_abandon(w);
    return s;
}

void tokens_abandon(struct tokens_writer *w)
{
    if (w == NULL) return;
    if (w->sealed) (void)unlink(w->sealed_path); /* after publishing it has no such name any more */
    if (w->digest != NULL) (void)digest_end(w->digest);
    (void)close(w->fd);
    free(w->buffer);
    free(w->starts);
    free(w);
}
