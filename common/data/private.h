/* private.h: the inside of a token file, for its reader and its writers. */
#ifndef LAMINA_DATA_PRIVATE_H
#define LAMINA_DATA_PRIVATE_H

#ifndef LAMINA_DATA
#error "common/data/private.h belongs to common/data; include tokens.h"
#endif

#include "tokens.h"
#include <stddef.h>
#include <stdint.h>

#define TOKENS_FORMAT    "lamina-tokens"
#define TOKENS_DATASET   "tokens"
#define TOKENS_DOCUMENTS "document_starts"
enum { TOKENS_VERSION = 1 };
static const int64_t tokens_u16_vocab = 65536; /* above it tokens are uint32 */

static inline size_t tokens_width(int64_t vocab) { return vocab <= tokens_u16_vocab ? sizeof(uint16_t) : sizeof(uint32_t); }

/* All that a token file says beside its datasets. */
struct token_layout {
    const char *tokenizer; /* of a path too long for the file its last part is kept: the digest decides */
    struct digest128 tokenizer_digest, content_digest;
    int64_t vocab;
    int32_t end_of_document;
    struct tokens_written written;
};
/* Where the datasets stand in the file, for pwrite. */
struct token_places {
    int64_t tokens, starts;
};
/* The attributes of the report, name and place in struct token_report. */
struct token_report_row {
    const char *name;
    size_t offset;
};
extern const struct token_report_row token_report_rows[]; /* ends with a NULL name */

/* A new file at path, complete but for what stands in its datasets, with its blocks reserved on the disk. Fails: ST_IO; then path may be
 * left, for the caller to remove. */
enum status tokens_lay_out(const char *path, const struct token_layout *layout, struct token_places *out) MUST_USE;

#endif
