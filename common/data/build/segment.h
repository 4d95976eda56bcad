/* segment.h: one shard, encoded: files in the build's folder until the token file is laid out. KEY-K.train and KEY-K.valid are tokens as
 * they will stand in the token file; KEY-K.seg, which appears last and whole, says that they are complete and holds all else. Not for other
 * machines or versions: a build that finds something else there begins anew. */
#ifndef LAMINA_DATA_BUILD_SEGMENT_H
#define LAMINA_DATA_BUILD_SEGMENT_H

#include "common/data/byte_counts.h"
#include "setting.h"

struct segment_document {
    struct digest128 text;
    int64_t text_bytes, n_tokens; /* the end mark included */
};
struct segment_side {
    int64_t n_tokens, n_documents, text_bytes, bad_utf8, bad_utf8_documents;
    int64_t longest_tokens, longest_bytes, longest_file,
        longest_place; /* file: from the first one of the unit; tokens without the end mark */
    int64_t n_counts;  /* entries of the byte counts */
    struct digest128 tokens;
};
struct segment_head {
    char magic[16];
    int64_t last; /* no shard of this unit follows */
    int64_t empty, skipped, skipped_file, skipped_place;
    char skipped_why[200]; /* the first one */
    struct segment_side side[SIDES];
    struct digest128 rest; /* of what follows the head: documents, then counts, of each side */
};

/* Writing. Owns: until segment_finish or segment_abandon. Fails: ST_IO. */
struct segment_writer;
enum status segment_create(const struct setting *s, struct digest128 key, int64_t k, struct segment_writer **out) MUST_USE;
/* The head that is being written, for its counters; n_tokens, n_documents, n_counts and digests are filled in here. */
struct segment_head *segment_counters(struct segment_writer *w);
enum status segment_add(struct segment_writer *w, int side, const unsigned char *tokens, size_t token_bytes,
                        const struct segment_document *document, int64_t n_documents) MUST_USE;
enum status segment_finish(struct segment_writer *w, struct byte_counts *const counts[SIDES]) MUST_USE; /* w is gone, also on failure */
void segment_abandon(struct segment_writer *w);                                                         /* legal on NULL */

/* Reading. */
/* *found: false where it is missing or not whole. Reads the head alone. */
void segment_look(const struct setting *s, struct digest128 key, int64_t k, struct segment_head *head, bool *found);
/* Are its bytes still those that were written? Reads all of it. */
bool segment_verify(const struct setting *s, struct digest128 key, int64_t k);
/* All documents of a side. Owns: *out, to be freed. Fails: ST_IO. */
enum status segment_documents(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                              struct segment_document **out) MUST_USE;
/* Adds its byte counts. Fails: ST_IO. */
enum status segment_counts(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                           struct byte_counts *sum) MUST_USE;
/* Hands out its tokens in parts. Fails: ST_IO; what take returns. */
typedef enum status (*segment_take_fn)(void *context, const unsigned char *bytes, size_t n);
enum status segment_tokens(const struct setting *s, struct digest128 key, int64_t k, const struct segment_head *head, int side,
                           segment_take_fn take, void *context) MUST_USE;

#endif
