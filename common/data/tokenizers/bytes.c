#include "common/data/tokenizer.h"
#include <string.h>

/* Token = byte; 256 ends a document. Nothing is learned, nothing can be unknown. */
enum { BYTES = 256, VOCAB = 257 };

static bool bytes_accepts(const char *name) { return strcmp(name, "bytes") == 0; }

static enum status bytes_open(struct arena *arena, const char *name, struct tokenizer *out)
{
    static const char definition[] = "lamina tokenizer bytes 1: 256 bytes, 256 = end of document";
    *out = (struct tokenizer){ .desc = &tokenizer_bytes,
                               .name = arena_strdup(arena, name),
                               .vocab = VOCAB,
                               .end_of_document = BYTES,
                               .digest = digest_bytes(definition, sizeof definition - 1) };
    return ST_OK;
}

static enum status bytes_encode(const struct tokenizer *t, void *state, const unsigned char *bytes, int64_t n, struct ids *out)
{
    TRY(ids_reserve(out, n));
    int32_t *const id = out->id + out->n;
    for (int64_t i = 0; i < n; i++) id[i] = bytes[i];
    out->n += n;
    return ST_OK;
}

static enum status bytes_decode(const struct tokenizer *t, bool first, int32_t id, struct text *out)
{
    const char byte = (char)(unsigned char)id;
    text_add_bytes(out, &byte, 1);
    return ST_OK;
}

const struct tokenizer_desc tokenizer_bytes = {
    .name = "bytes",
    .summary = "256 byte values and the end of a document",
    .accepts = bytes_accepts,
    .open = bytes_open,
    .encode = bytes_encode,
    .decode = bytes_decode,
};
