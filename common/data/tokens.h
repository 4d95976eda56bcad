/* tokens.h: token files (HDF5, contiguous; layout in common/store/FORMAT.md) and reading them without HDF5 in the step. */
#ifndef LAMINA_DATA_TOKENS_H
#define LAMINA_DATA_TOKENS_H

#include "common/base/arena.h"
#include "common/base/digest.h"
#include "common/base/str.h"
#include "common/tensor/tensor.h"

/* What a build found in its text; -1: unknown (files of older builds, and those not made from text). */
struct token_report {
    int64_t longest_tokens, longest_bytes;        /* the document with the most tokens, without its end mark, and its text */
    int64_t duplicate_documents, duplicate_bytes; /* documents whose text came before, by digest */
    int64_t bad_utf8, bad_utf8_documents;         /* parts of the text that are not UTF-8 (common/base/utf8.h), and documents with such */
    int64_t empty_documents, skipped_records;     /* left out by the build, whichever file they would have gone to */
};

struct tokens {
    char path[1024];
    int fd; /* plain file descriptor: windows are read with pread at data_offset */
    int64_t n_tokens, n_documents, text_bytes, vocab;
    enum dtype dtype;        /* DT_U16 or DT_I32 (stored uint16, uint32) */
    int64_t data_offset;     /* byte offset of token 0 in the file */
    int64_t starts_offset;   /* and of document_starts */
    int32_t end_of_document; /* the token that ends each document; files that do not say: vocab - 1 */
    char tokenizer[64];      /* name, or the last part of a long path */
    struct digest128 tokenizer_digest, content_digest;
    double entropy0, entropy1; /* bits per byte of order-0 and order-1 byte counts (byte_counts.h), for orientation; NAN if unknown */
    struct token_report report;
};

/* Checks names, types, shapes, layout (contiguous, no external storage, no links) and sizes against the file; refuses what is not ours.
 * verify also reads all and compares the content digest. Owns: the descriptor until tokens_close.
 * Fails: ST_DATA with the path and what was expected. */
enum status tokens_open(const char *path, bool verify, struct tokens *out) MUST_USE;
void tokens_close(struct tokens *t);
/* n tokens from `first` as int32. Fails: ST_DATA on a short read or a token >= vocab. */
enum status tokens_read(const struct tokens *t, int64_t first, int64_t n, int32_t *out) MUST_USE;
/* The first token of each document, [n_documents]. Owns: until free(). Fails: ST_DATA where there is no document, the first does not begin
 * with the file, or one does not begin behind the one before; ST_IO (no memory). */
enum status tokens_starts(const struct tokens *t, int64_t **out) MUST_USE;
/* The facts of the file, for people (lines) or for programs (one JSON object). packing: of its documents; NULL: not asked for. */
struct pack;
void tokens_print(const struct tokens *t, const struct pack *packing, bool json, struct text *out);

/* Writing by one process, for what is not a build: tests, random tokens. The end mark is vocab - 1. Append documents; publish renames a
 * finished file into place (never a half file under the final name; an older file of that name is replaced). Needs twice the tokens' space
 * until then: an HDF5 file must know its size before it is laid out. Owns: until tokens_publish or tokens_abandon. Fails: ST_IO. */
struct tokens_writer;
enum status tokens_create(const char *path, const char *tokenizer, struct digest128 tokenizer_digest, int64_t vocab,
                          struct tokens_writer **out) MUST_USE;
/* One document: its tokens, the end mark included, and the text they stand for (NULL: unknown, which leaves the entropies unknown). */
enum status tokens_append(struct tokens_writer *w, const int32_t *tokens, int64_t n, const unsigned char *text,
                          int64_t text_bytes) MUST_USE;
/* The entropies of w's file are those of its text under the byte counts of `train` (held out), instead of its own. Before tokens_seal. */
void tokens_judge(struct tokens_writer *w, const struct tokens_writer *train);
/* Everything that can fail for want of space; for publishing several files together. tokens_publish does it where it was not done. */
enum status tokens_seal(struct tokens_writer *w) MUST_USE;
enum status tokens_publish(struct tokens_writer *w) MUST_USE; /* w is gone, also on failure */
void tokens_abandon(struct tokens_writer *w);                 /* legal on NULL */

/* What was written so far. */
struct tokens_written {
    int64_t n_tokens, n_documents, text_bytes;
    double entropy0, entropy1; /* known from tokens_seal on */
    struct token_report report;
};
struct tokens_written tokens_written(const struct tokens_writer *w);

#endif
