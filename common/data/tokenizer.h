/* tokenizer.h: between bytes and token ids. One file per kind in tokenizers/, one row in the table. */
#ifndef LAMINA_DATA_TOKENIZER_H
#define LAMINA_DATA_TOKENIZER_H

#include "common/base/arena.h"
#include "common/base/digest.h"
#include "common/base/str.h"

struct tokenizer {
    const struct tokenizer_desc *desc;
    const char *name; /* "bytes", or the path it was read from */
    int64_t vocab;
    int32_t end_of_document;
    struct digest128 digest;
    void *state;
};

struct tokenizer_desc {
    const char *name, *summary;
    /* Does this kind read the thing that `tokenizer:` names? */
    bool (*accepts)(const char *name);
    enum status (*open)(struct arena *arena, const char *name, struct tokenizer *out);
    /* At most n + 1 ids for n bytes; returns how many were written. Documents only: the end mark is the caller's. */
    int64_t (*encode)(const struct tokenizer *t, const unsigned char *bytes, int64_t n, int32_t *ids);
    void (*decode)(const struct tokenizer *t, const int32_t *ids, int64_t n, struct text *out); /* end of document decodes to nothing */
};

extern const struct tokenizer_desc tokenizer_bytes;          /* 256 byte values and the end of a document */
extern const struct tokenizer_desc *const tokenizer_table[]; /* NULL-terminated */

/* Owns: state lives in arena. Fails: ST_CONFIG for a name no kind accepts. */
enum status tokenizer_open(struct arena *arena, const char *name, struct tokenizer *out) MUST_USE;

#endif
