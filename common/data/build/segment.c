#include "segment.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/store/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1300, PART_BYTES = 1 << 20 };
static const char *const magic = "lamina-seg-1";
static const char *const side_names[SIDES] = { "train", "valid" };

/* One pair that occurs, of the byte counts. */
struct count {
    int32_t before, symbol;
    int64_t n;
};

static char *path_of(const struct setting *s, struct digest128 key, int64_t k, const char *ending, char out[PATH_BYTES])
{
    char hex[DIGEST_HEX];
    (void)snprintf(out, PATH_BYTES, "%s/%s-%06lld.%s", s->folder, digest_hex(key, hex), (long long)k, ending);
    return out;
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

struct segment_writer {
    const struct setting *setting;
    struct digest128 key;
    int64_t k;
    struct segment_head head;
    struct {
        int fd;
        struct digest_stream *digest;
        struct segment_document *document;
        int64_t cap;
    } side[SIDES];
};

enum status segment_create(const struct setting *s, struct digest128 key, int64_t k, struct segment_writer **out)
{
    struct segment_writer *const w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    *out = w;
    w->setting = s;
    w->key = key;
    w->k = k;
    (void)snprintf(w->head.magic, sizeof w->head.magic, "%s", magic);
    for (int i = 0; i < SIDES; i++) w->side[i].fd = -1;
    for (int i = 0; i < s->n_sides; i++) {
        char path[PATH_BYTES];
        w->side[i].digest = digest_begin();
        w->side[i].fd = open(path_of(s, key, k, side_names[i], path), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (w->side[i].fd < 0) FAIL(ST_IO, "%s: cannot be created: %s", path, strerror(errno));
    }
    return ST_OK;
}

struct segment_head *segment_counters(struct segment_writer *w) { return &w->head; }

enum status segment_add(struct segment_writer *w, int side, const unsigned char *tokens, size_t token_bytes,
                        const struct segment_document *document, int64_t n_documents)
{
    struct segment_side *const head = &w->head.side[side];
    char path[PATH_BYTES];
    if (n_documents == 0) return ST_OK;
    while (head->n_documents + n_documents > w->side[side].cap) {
        w->side[side].cap = max_i64(1024, 2 * w->side[side].cap);
        w->side[side].document = realloc(w->side[side].document, (size_t)w->side[side].cap * sizeof *document);
        CHECK(w->side[side].document != NULL);
    }
    memcpy(w->side[side].document + head->n_documents, document, (size_t)n_documents * sizeof *document);
    head->n_documents += n_documents;
    head->n_tokens += (int64_t)(token_bytes / w->setting->width);
    digest_add(w->side[side].digest, tokens, token_bytes);
    TRY(fault_here(FAULT_build_write));
    return file_write(w->side[side].fd, path_of(w->setting, w->key, w->k, side_names[side], path), tokens, token_bytes);
}

static struct count *list_counts(const struct byte_counts *counts, int64_t *n)
{
    struct count *const list = malloc(sizeof *list * BYTE_SYMBOLS * BYTE_SYMBOLS);
    CHECK(list != NULL);
    *n = 0;
    for (int b = 0; b < BYTE_SYMBOLS; b++)
        for (int c = 0; c < BYTE_SYMBOLS; c++)
            if (counts->pair[b][c] > 0) list[(*n)++] = (struct count){ b, c, counts->pair[b][c] };
    return list;
}

/* The .seg file under its temporary name. */
static enum status write_facts(struct segment_writer *w, struct count *const list[SIDES], const char *path)
{
    struct digest_stream *const rest = digest_begin();
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    enum status s = fd >= 0 ? ST_OK : status_fail(ST_IO, __FILE__, __LINE__, "%s: cannot be created: %s", path, strerror(errno));
    int64_t offset = sizeof w->head;
    for (int i = 0; i < w->setting->n_sides && !s; i++) {
        const size_t documents = (size_t)w->head.side[i].n_documents * sizeof *w->side[i].document;
        const size_t counts = (size_t)w->head.side[i].n_counts * sizeof *list[i];
        digest_add(rest, w->side[i].document, documents);
        digest_add(rest, list[i], counts);
        s = file_write_at(fd, path, offset, w->side[i].document, documents);
        if (!s) s = file_write_at(fd, path, offset + (int64_t)documents, list[i], counts);
        offset += (int64_t)(documents + counts);
    }
    w->head.rest = digest_end(rest);
    if (!s) s = file_write_at(fd, path, 0, &w->head, sizeof w->head);
    if (fd >= 0) (void)close(fd);
    return s;
}

static enum status publish(struct segment_writer *w, struct byte_counts *const counts[SIDES])
{
    char temporary[PATH_BYTES], final[PATH_BYTES];
    struct count *list[SIDES] = { NULL };
    for (int i = 0; i < w->setting->n_sides; i++) {
        const int closed = close(w->side[i].fd);
        w->side[i].fd = -1;
        w->head.side[i].tokens = digest_end(w->side[i].digest);
        w->side[i].digest = NULL;
        if (closed != 0) FAIL(ST_IO, "%s: cannot be written: %s", path_of(w->setting, w->key, w->k, side_names[i], final), strerror(errno));
    }
    for (int i = 0; i < w->setting->n_sides; i++) list[i] = list_counts(counts[i], &w->head.side[i].n_counts);
    (void)path_of(w->setting, w->key, w->k, "seg.tmp", temporary);
    (void)path_of(w->setting, w->key, w->k, "seg", final);
    const enum status s = write_facts(w, list, temporary);
    for (int i = 0; i < SIDES; i++) free(list[i]);
    TRY(s);
    TRY(fault_here(FAULT_build_segment));
    if (rename(temporary, final) != 0) FAIL(ST_IO, "%s: cannot be renamed: %s", temporary, strerror(errno));
    return ST_OK;
}

enum status segment_finish(struct segment_writer *w, struct byte_counts *const counts[SIDES])
{
    const enum status s = publish(w, counts);
    segment_abandon(w);
    return s;
}

void segment_abandon(struct segment_writer *w)
{
    if (w == NULL) return;
    for (int i = 0; i < SIDES; i++) {
        if (w->side[i].fd >= 0) (void)close(w->side[i].fd);
        if (w->side[i].digest != NULL) (void)digest_end(w->side[i].digest);
        free(w->side[i].document);
    }
    free(w);
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static int open_to_read(const char *path) { return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC); }

/* Where the documents of a side stand in the .seg file; its counts follow. */
static int64_t offset_of(const struct segment_head *h, int side)
{
    int64_t offset = sizeof *h;
    for (int i = 0; i < side; i++)
        offset += h->side[i].n_documents * (int64_t)sizeof(struct segment_document) + h->side[i].n_counts * (int64_t)sizeof(struct count);
    return offset;
}

/* What other machines or a disk error may have left must not be believed. */
static bool plausible(const struct segment_head *h, int64_t bytes)
{
    if (strncmp(h->magic, magic, sizeof h->magic) != 0) return false;
    for (int i = 0; i < SIDES; i++) {
        const struct segment_side *const side = &h->side[i];
        if (side->n_documents < 0 || side->n_documents > bytes || side->n_counts < 0 || side->n_counts > bytes) return false;
        if (side->n_tokens < side->n_documents || side->n_tokens > INT64_MAX / 8) return false;
    }
    return offset_of(h, SIDES) == bytes;
}

void segment_look(const struct setting *s, struct digest128 key, int64_t k, struct segment_head *head, bool *found)
{
    char path[PATH_BYTES];
    struct stat info;
    *found = false;
    const int fd = open_to_read(path_of(s, key, k, "seg", path));
    if (fd < 0) return;
    *found = fstat(fd, &info) == 0 && pread(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head && plausible(head, (int64_t)info.st_size);
    (void)close(fd);
}

static enum status read_part(const struct setting *s, struct digest128 key, int64_t k, const char *ending, int64_t offset, void *out,
                             size_t n)
{
    char path[PATH_BYTES];
    const int fd = open_to_read(path_of(s, key, k, ending, path));
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const enum status status = file_read_at(fd, path, ST_IO, offset, out, n);
    (void)close(fd);
    return status;
}

enum status segment_documents(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                              struct segment_document **out)
{
    const size_t bytes = (size_t)head->side[side].n_documents * sizeof **out;
    *out = malloc(bytes + 1);
    if (*out == NULL) FAIL(ST_IO, "no memory for the list of %lld documents", (long long)head->side[side].n_documents);
    const enum status status = read_part(s, key, k, "seg", offset_of(head, side), *out, bytes);
    if (status) {
        free(*out);
        *out = NULL;
    }
    return status;
}

enum status segment_counts(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                           struct byte_counts *sum)
{
    const int64_t n = head->side[side].n_counts;
    struct count *const list = malloc((size_t)n * sizeof *list + 1);
    CHECK(list != NULL);
    const int64_t offset = offset_of(head, side) + head->side[side].n_documents * (int64_t)sizeof(struct segment_document);
    const enum status status = read_part(s, key, k, "seg", offset, list, (size_t)n * sizeof *list);
    for (int64_t i = 0; i < n && !status; i++)
        if (list[i].before >= 0 && list[i].before < BYTE_SYMBOLS && list[i].symbol >= 0 && list[i].symbol < BYTE_SYMBOLS)
            sum->pair[list[i].before][list[i].symbol] += list[i].n;
    sum->bytes += head->side[side].text_bytes;
    free(list);
    return status;
}

static enum status read_tokens(const struct setting *s, int fd, const char *path, int64_t bytes, segment_take_fn take, void *context)
{
    unsigned char *const part = malloc(PART_BYTES);
    CHECK(part != NULL);
    enum status status = ST_OK;
    for (int64_t done = 0; done < bytes && !status; done += PART_BYTES) {
        const size_t n = (size_t)min_i64(PART_BYTES, bytes - done);
        status = file_read_at(fd, path, ST_IO, done, part, n);
        if (!status) status = take(context, part, n);
    }
    free(part);
    return status;
}

enum status segment_tokens(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                           segment_take_fn take, void *context)
{
    char path[PATH_BYTES];
    const int fd = open_to_read(path_of(s, key, k, side_names[side], path));
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const enum status status = read_tokens(s, fd, path, head->side[side].n_tokens * (int64_t)s->width, take, context);
    (void)close(fd);
    return status;
}

/* --- verifying ---------------------------------------------------------------------------------------------------------- */

static enum status add_to_digest(void *context, const unsigned char *bytes, size_t n)
{
    digest_add(context, bytes, n);
    return ST_OK;
}

static bool facts_hold(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head)
{
    const size_t n = (size_t)(offset_of(head, SIDES) - (int64_t)sizeof *head);
    void *const rest = malloc(n + 1);
    const bool holds =
        rest != NULL && read_part(s, key, k, "seg", sizeof *head, rest, n) == ST_OK && digest_equal(digest_bytes(rest, n), head->rest);
    free(rest);
    return holds;
}

bool segment_verify(const struct setting *s, struct digest128 key, int64_t k)
{
    struct segment_head head;
    bool holds;
    segment_look(s, key, k, &head, &holds);
    if (holds) holds = facts_hold(s, key, k, &head);
    for (int i = 0; i < s->n_sides && holds; i++) {
        struct digest_stream *const d = digest_begin();
        holds = segment_tokens(s, key, k, &head, i, add_to_digest, d) == ST_OK;
        holds = digest_equal(digest_end(d), head.side[i].tokens) && holds;
    }
    status_clear();
    return holds;
}
