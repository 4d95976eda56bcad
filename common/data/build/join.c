#define LAMINA_DATA
#include "join.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/comm/agree.h"
#include "common/data/private.h"
#include "common/store/folder.h"
#include "duplicates.h"
#include "segment.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 1300 };

/* A segment, and how many tokens and documents of each side stand before it. */
struct piece {
    int64_t unit, k;
    struct segment_head head;
    int64_t tokens_before[SIDES], documents_before[SIDES];
};
struct join {
    const struct setting *setting;
    const struct units *units;
    struct piece *piece;
    int64_t n, cap;
    struct token_layout layout[SIDES];
    struct token_places places[SIDES];
    char path[SIDES][PATH_BYTES], temporary[SIDES][PATH_BYTES];
};

static struct digest128 key_of(const struct join *j, const struct piece *p) { return j->units->unit[p->unit].key; }

/* --- what there is ------------------------------------------------------------------------------------------------------ */

/* What another host has written, a shared file system may show late. */
static enum status look(const struct join *j, int64_t unit, int64_t k, struct segment_head *head)
{
    const struct timespec pause = { .tv_nsec = 100000000 };
    bool found = false;
    for (int tries = 0; tries < 300; tries++) {
        segment_look(j->setting, j->units->unit[unit].key, k, head, &found);
        if (found) return ST_OK;
        (void)nanosleep(&pause, NULL);
    }
    FAIL(ST_IO, "%s: a part that was encoded is not to be seen: do all ranks share this folder?", j->setting->folder);
}

static enum status list_pieces(struct join *j)
{
    int64_t tokens[SIDES] = { 0 }, documents[SIDES] = { 0 };
    for (int64_t u = 0; u < j->units->n; u++) {
        bool last = false;
        for (int64_t k = 0; !last; k++) {
            if (j->n == j->cap) {
                j->cap = max_i64(64, 2 * j->cap);
                j->piece = realloc(j->piece, (size_t)j->cap * sizeof *j->piece);
                CHECK(j->piece != NULL);
            }
            struct piece *const p = &j->piece[j->n++];
            *p = (struct piece){ .unit = u, .k = k };
            TRY(look(j, u, k, &p->head));
            for (int i = 0; i < SIDES; i++) {
                p->tokens_before[i] = tokens[i];
                p->documents_before[i] = documents[i];
                tokens[i] += p->head.side[i].n_tokens;
                documents[i] += p->head.side[i].n_documents;
            }
            last = p->head.last != 0;
        }
    }
    return ST_OK;
}

/* --- facts -------------------------------------------------------------------------------------------------------------- */

/* The sums that heads alone give. */
static void sum_heads(struct join *j, struct data_built *result)
{
    const struct setting *const s = j->setting;
    int64_t empty = 0, skipped = 0;
    const struct piece *longest = NULL;
    const struct segment_side *longest_side = NULL;
    for (int i = 0; i < SIDES; i++) j->layout[i].written.report = (struct token_report){ 0 };
    for (int64_t n = 0; n < j->n; n++) {
        const struct piece *const p = &j->piece[n];
        const int64_t first = j->units->unit[p->unit].first;
        char place[1200];
        if (p->head.skipped > 0 && skipped == 0)
            (void)snprintf(result->skipped, sizeof result->skipped, "%s: %s",
                           setting_place(s, first + p->head.skipped_file, p->head.skipped_place, place, sizeof place), p->head.skipped_why);
        empty += p->head.empty;
        skipped += p->head.skipped;
        for (int i = 0; i < s->n_sides; i++) {
            const struct segment_side *const side = &p->head.side[i];
            struct tokens_written *const w = &j->layout[i].written;
            if (side->n_documents > 0 && (longest_side == NULL || side->longest_tokens > longest_side->longest_tokens)) {
                longest = p;
                longest_side = side;
            }
            if (side->longest_tokens > w->report.longest_tokens) {
                w->report.longest_tokens = side->longest_tokens;
                w->report.longest_bytes = side->longest_bytes;
            }
            w->n_tokens += side->n_tokens;
            w->n_documents += side->n_documents;
            w->text_bytes += side->text_bytes;
            w->report.bad_utf8 += side->bad_utf8;
            w->report.bad_utf8_documents += side->bad_utf8_documents;
        }
    }
    for (int i = 0; i < s->n_sides; i++) {
        j->layout[i].written.report.empty_documents = empty;
        j->layout[i].written.report.skipped_records = skipped;
    }
    if (longest != NULL)
        (void)setting_place(s, j->units->unit[longest->unit].first + longest_side->longest_file, longest_side->longest_place,
                            result->longest, sizeof result->longest);
}

static enum status check_sides(const struct join *j)
{
    const struct setting *const s = j->setting;
    for (int i = 0; i < s->n_sides; i++)
        if (j->layout[i].written.n_documents == 0)
            FAIL(ST_DATA, "%s: would be empty: %lld documents went to the other side%s", j->path[i],
                 (long long)(s->n_sides > 1 ? j->layout[1 - i].written.n_documents : 0),
                 s->options->document_start == NULL ? "; without --document-start each text file is one document"
                                                    : "; give more text or another share");
    return ST_OK;
}

static enum status judge(struct join *j)
{
    struct byte_counts *const counts = calloc(SIDES, sizeof *counts);
    CHECK(counts != NULL);
    enum status status = ST_OK;
    for (int64_t n = 0; n < j->n; n++)
        for (int i = 0; i < j->setting->n_sides && !status; i++)
            status = segment_counts(j->setting, key_of(j, &j->piece[n]), j->piece[n].k, &j->piece[n].head, i, &counts[i]);
    for (int i = 0; i < j->setting->n_sides; i++) {
        j->layout[i].written.entropy0 = byte_counts_bits(&counts[TRAIN], &counts[i], 0);
        j->layout[i].written.entropy1 = byte_counts_bits(&counts[TRAIN], &counts[i], 1);
    }
    free(counts);
    return status;
}

static enum status add_to_digest(void *context, const unsigned char *bytes, size_t n)
{
    digest_add(context, bytes, n);
    return ST_OK;
}

/* Starts of the documents of a piece, as they stand in the file, in place of its list of documents, which shrinks. */
static int64_t *starts_of(const struct piece *p, int side, struct segment_document *document)
{
    int64_t *const starts = (int64_t *)(void *)document, at = p->tokens_before[side];
    for (int64_t i = 0; i < p->head.side[side].n_documents; i++) {
        const int64_t n = document[i].n_tokens;
        starts[i] = at; /* never behind what is still to be read: 8 bytes of 32 */
        at += n;
    }
    return starts;
}

static enum status digest_documents(struct join *j, int side, struct duplicates *seen, struct digest_stream *content)
{
    struct token_report *const report = &j->layout[side].written.report;
    for (int64_t n = 0; n < j->n; n++) {
        const struct piece *const p = &j->piece[n];
        struct segment_document *document;
        TRY(segment_documents(j->setting, key_of(j, p), p->k, &p->head, side, &document));
        const int64_t count = p->head.side[side].n_documents;
        for (int64_t i = 0; i < count; i++) {
            if (!duplicates_add(seen, document[i].text)) continue;
            report->duplicate_documents++;
            report->duplicate_bytes += document[i].text_bytes;
        }
        digest_add(content, starts_of(p, side, document), (size_t)count * sizeof(int64_t));
        free(document);
    }
    return ST_OK;
}

/* The digest of a side's content, as it will stand in the file; and its duplicates, as the documents pass by. */
static enum status digest_side(struct join *j, int side)
{
    struct digest_stream *const content = digest_begin();
    struct duplicates *seen = NULL;
    enum status status = ST_OK;
    for (int64_t n = 0; n < j->n && !status; n++)
        status = segment_tokens(j->setting, key_of(j, &j->piece[n]), j->piece[n].k, &j->piece[n].head, side, add_to_digest, content);
    if (!status) status = duplicates_open(j->layout[side].written.n_documents, &seen);
    if (!status) status = digest_documents(j, side, seen, content);
    duplicates_close(seen);
    j->layout[side].content_digest = digest_end(content);
    return status;
}

/* --- files -------------------------------------------------------------------------------------------------------------- */

/* Rank 0: everything that one process does best. */
static enum status lay_out(struct join *j)
{
    TRY(judge(j));
    for (int i = 0; i < j->setting->n_sides; i++) {
        TRY(digest_side(j, i));
        (void)unlink(j->temporary[i]); /* of a build that was killed here */
        TRY(tokens_lay_out(j->temporary[i], &j->layout[i], &j->places[i]));
    }
    return ST_OK;
}

struct copy {
    int fd;
    const char *path;
    int64_t offset;
};

static enum status copy_tokens(void *context, const unsigned char *bytes, size_t n)
{
    struct copy *const c = context;
    TRY(fault_here(FAULT_build_join));
    TRY(file_write_at(c->fd, c->path, c->offset, bytes, n));
    c->offset += (int64_t)n;
    return ST_OK;
}

static enum status copy_piece(const struct join *j, const struct piece *p, int side, int fd)
{
    struct copy c = { fd, j->temporary[side], j->places[side].tokens + p->tokens_before[side] * (int64_t)j->setting->width };
    struct segment_document *document;
    TRY(segment_tokens(j->setting, key_of(j, p), p->k, &p->head, side, copy_tokens, &c));
    TRY(segment_documents(j->setting, key_of(j, p), p->k, &p->head, side, &document));
    const int64_t at = j->places[side].starts + p->documents_before[side] * (int64_t)sizeof(int64_t);
    const size_t n = (size_t)p->head.side[side].n_documents * sizeof(int64_t);
    const enum status status = file_write_at(fd, j->temporary[side], at, starts_of(p, side, document), n);
    free(document);
    return status;
}

static enum status copy_share(const struct join *j, int rank, int ranks)
{
    for (int side = 0; side < j->setting->n_sides; side++) {
        const char *const path = j->temporary[side];
        const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
        enum status status = ST_OK;
        for (int64_t n = rank; n < j->n && !status; n += ranks) status = copy_piece(j, &j->piece[n], side, fd);
        if (close(fd) != 0 && !status) status = status_fail(ST_IO, __FILE__, __LINE__, "%s: cannot be written: %s", path, strerror(errno));
        if (!status) status = file_sync(path);
        TRY(status);
    }
    return ST_OK;
}

/* Validation first: whoever sees the training file sees both. */
static enum status name_files(const struct join *j)
{
    for (int i = j->setting->n_sides - 1; i >= 0; i--) {
        char folder[PATH_BYTES];
        TRY(fault_here(FAULT_build_publish));
        if (rename(j->temporary[i], j->path[i]) != 0)
            FAIL(ST_IO, "%s: cannot be renamed to %s: %s", j->temporary[i], j->path[i], strerror(errno));
        TRY(file_sync(folder_of(j->path[i], folder, sizeof folder)));
    }
    return ST_OK;
}

static enum status join(const struct comm *world, struct join *j, struct data_built *result)
{
    const bool zero = comm_rank(world) == 0;
    TRY_ALL(world, list_pieces(j));
    sum_heads(j, result);
    TRY(check_sides(j)); /* all see the same */
    TRY_ALL(world, zero ? lay_out(j) : ST_OK);
    TRY(comm_broadcast(world, COMM_DATA, j->places, sizeof j->places, 0));
    TRY_ALL(world, copy_share(j, comm_rank(world), comm_size(world)));
    TRY_ALL(world, zero ? name_files(j) : ST_OK);
    result->train = j->layout[TRAIN].written;
    result->valid = j->layout[VALID].written;
    return ST_OK;
}

enum status join_segments(const struct comm *world, const struct setting *s, const struct units *units, struct data_built *result)
{
    struct join *const j = calloc(1, sizeof *j);
    CHECK(j != NULL);
    j->setting = s;
    j->units = units;
    for (int i = 0; i < s->n_sides; i++) {
        const char *const path = i == TRAIN ? s->options->out : s->options->valid_out;
        (void)snprintf(j->path[i], PATH_BYTES, "%s", path);
        (void)snprintf(j->temporary[i], PATH_BYTES, "%s.tmp", path);
        j->layout[i] = (struct token_layout){ .tokenizer = s->tokenizer.name,
                                              .tokenizer_digest = s->tokenizer.digest,
                                              .vocab = s->tokenizer.vocab,
                                              .end_of_document = s->tokenizer.end_of_document };
    }
    const enum status status = join(world, j, result);
    for (int i = 0; i < s->n_sides && status != ST_OK && comm_rank(world) == 0; i++) (void)unlink(j->temporary[i]);
    free(j->piece);
    free(j);
    return status;
}
