#include "tokenizer.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

const struct tokenizer_desc *const tokenizer_table[] = { &tokenizer_bytes, &tokenizer_bpe, NULL };

enum status tokenizer_open(struct arena *arena, const char *name, struct tokenizer *out)
{
    for (const struct tokenizer_desc *const *row = tokenizer_table; *row != NULL; row++)
        if ((*row)->accepts(name)) return (*row)->open(arena, name, out);
    FAIL(ST_CONFIG, "there is no tokenizer '%.200s'; give bytes, or the path of a tokenizer.json (it ends in .json)", name);
}

bool tokenizer_of_file(const char *name)
{
    for (const struct tokenizer_desc *const *row = tokenizer_table; *row != NULL; row++)
        if ((*row)->accepts(name)) return (*row)->of_file;
    return false;
}

void tokenizer_close(struct tokenizer *t)
{
    if (t->desc != NULL && t->desc->close != NULL) t->desc->close(t);
    *t = (struct tokenizer){ 0 };
}

int64_t tokenizer_cut(const struct tokenizer *t, const unsigned char *bytes, int64_t n)
{
    if (n <= 1) return 0;
    return t->desc->cut != NULL ? t->desc->cut(t, bytes, n) : n - 1;
}

/* --- a list of ids ------------------------------------------------------------------------------------------------------- */

enum status ids_reserve(struct ids *ids, int64_t more)
{
    if (ids->cap - ids->n >= more) return ST_OK;
    const int64_t cap = max_i64(ids->n + more, 2 * ids->cap);
    int32_t *const grown = realloc(ids->id, (size_t)cap * sizeof *grown);
    if (grown == NULL) FAIL(ST_IO, "no memory for %lld tokens", (long long)cap);
    ids->id = grown;
    ids->cap = cap;
    return ST_OK;
}

enum status ids_add(struct ids *ids, int32_t id)
{
    TRY(ids_reserve(ids, 1));
    ids->id[ids->n++] = id;
    return ST_OK;
}

void ids_close(struct ids *ids)
{
    free(ids->id);
    *ids = (struct ids){ 0 };
}

/* --- encoding and decoding ------------------------------------------------------------------------------------------------ */

struct encoder {
    const struct tokenizer *tokenizer;
    void *state;
};

enum status encoder_open(const struct tokenizer *t, struct encoder **out)
{
    *out = NULL;
    struct encoder *const e = calloc(1, sizeof *e);
    if (e == NULL) FAIL(ST_IO, "no memory for an encoder");
    e->tokenizer = t;
    const enum status s = t->desc->encoder_open != NULL ? t->desc->encoder_open(t, &e->state) : ST_OK;
    if (s) encoder_close(e);
    TRY(s);
    *out = e;
    return ST_OK;
}

enum status encoder_add(struct encoder *e, const unsigned char *bytes, int64_t n, struct ids *out)
{
    return e->tokenizer->desc->encode(e->tokenizer, e->state, bytes, n, out);
}

void encoder_close(struct encoder *e)
{
    if (e == NULL) return;
    if (e->state != NULL) e->tokenizer->desc->encoder_close(e->state);
    free(e);
}

static void decode_end(struct decoder *d, struct text *out)
{
    const struct tokenizer *const t = d->tokenizer;
    const char *const end = d->ends_too && t->desc->end_text != NULL ? t->desc->end_text(t) : NULL;
    if (end != NULL) text_add_bytes(out, end, strlen(end));
    d->inside = end != NULL;
}

enum status decoder_add(struct decoder *d, const int32_t *ids, int64_t n, struct text *out)
{
    const struct tokenizer *const t = d->tokenizer;
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->vocab)
            FAIL(ST_DATA, "%d is no token of %s: they are 0 to %lld", ids[i], t->name, (long long)t->vocab - 1);
        if (ids[i] == t->end_of_document) {
            decode_end(d, out);
            continue;
        }
        TRY(t->desc->decode(t, !d->inside, ids[i], out));
        d->inside = true;
    }
    return ST_OK;
}
