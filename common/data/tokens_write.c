#define LAMINA_DATA
#include "byte_counts.h"
#include "common/base/check.h"
#include "common/store/folder.h"
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
    char path[PATH_BYTES], sealed_path[PATH_BYTES], tokenizer[PATH_BYTES];
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
    int fd;
    TRY(open_nameless(path, &fd));
    struct tokens_writer *const w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(w->sealed_path, sizeof w->sealed_path, "%s.tmp-%ld", path, (long)getpid());
    (void)snprintf(w->tokenizer, sizeof w->tokenizer, "%s", tokenizer);
    w->tokenizer_digest = tokenizer_digest;
    w->vocab = vocab;
    w->width = tokens_width(vocab);
    w->fd = fd;
    w->text_known = true;
    w->done = (struct tokens_written){ .entropy0 = NAN, .entropy1 = NAN, .report = { -1, -1, -1, -1, -1, -1, -1, -1 } };
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

/* Starts and tokens go to the places that HDF5 gave them. */
static enum status fill(struct tokens_writer *w, const struct token_places *places)
{
    const int64_t bytes = w->done.n_tokens * (int64_t)w->width;
    const int fd = open(w->sealed_path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", w->sealed_path, strerror(errno));
    enum status s = file_write_at(fd, w->sealed_path, places->starts, w->starts, (size_t)w->done.n_documents * sizeof *w->starts);
    for (int64_t done = 0; done < bytes && !s; done += BUFFER_BYTES) {
        const size_t n = (size_t)min_i64(BUFFER_BYTES, bytes - done);
        s = file_read_at(w->fd, w->path, ST_IO, done, w->buffer, n);
        if (!s) s = file_write_at(fd, w->sealed_path, places->tokens + done, w->buffer, n);
    }
    (void)close(fd);
    return s;
}

static enum status seal(struct tokens_writer *w)
{
    struct token_places places;
    TRY(flush(w));
    digest_add(w->digest, w->starts, (size_t)w->done.n_documents * sizeof *w->starts);
    const struct token_layout layout = { .tokenizer = w->tokenizer,
                                         .tokenizer_digest = w->tokenizer_digest,
                                         .content_digest = digest_end(w->digest),
                                         .vocab = w->vocab,
                                         .end_of_document = (int32_t)(w->vocab - 1),
                                         .written = w->done };
    w->digest = NULL;
    (void)unlink(w->sealed_path); /* of a dead process with our number */
    w->sealed = true;
    TRY(tokens_lay_out(w->sealed_path, &layout, &places));
    TRY(fill(w, &places));
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
