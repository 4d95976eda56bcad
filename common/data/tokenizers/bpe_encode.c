#include "bpe.h"
#include "common/base/check.h"
#include "common/base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* Text repeats its words: the ids of short pieces are kept, each in the one row that its hash names. A row is a cache line. */
enum { CACHE_ROWS = 1 << 15, CACHE_KEY = 30, CACHE_IDS = 8 };
struct row {
    unsigned char length, n_ids, key[CACHE_KEY];
    int32_t id[CACHE_IDS];
};

struct encoding {
    const struct tokenizer *tokenizer;
    const struct bpe *b;
    struct splitter *splitter;
    struct normalizing *normalizing;
    struct matcher *matcher; /* of `word` */
    struct merger merger;
    struct row *cache;
    int32_t *symbol;
    int64_t cap_symbols;
    struct ids *out;
};

/* --- One piece --------------------------------------------------------------------------------------------------------------- */

static enum status unknown(struct encoding *e, const unsigned char *at, int64_t bytes, int64_t *n, bool *fusing)
{
    const struct bpe_model *const m = &e->b->model;
    uint32_t c = 0;
    if (m->unknown < 0) {
        const bool whole = bytes > 1 && utf8_read(at, (size_t)bytes, &c) > 0;
        if (whole || (!m->byte_level && at[0] < 0x80))
            FAIL(ST_DATA, "%s: has no token for the character U+%04X, nor one for what is unknown", e->tokenizer->name, whole ? c : at[0]);
        FAIL(ST_DATA, "%s: has no token for the byte 0x%02X, nor one for what is unknown", e->tokenizer->name, at[0]);
    }
    if (!*fusing || !m->fuse_unknown) e->symbol[(*n)++] = m->unknown;
    *fusing = true;
    return ST_OK;
}

static enum status byte_symbols(struct encoding *e, const unsigned char *piece, int64_t bytes, int64_t *n)
{
    bool fusing = false;
    for (int64_t i = 0; i < bytes; i++) {
        const int32_t id = e->b->byte_id[piece[i]];
        if (id < 0) {
            TRY(unknown(e, piece + i, 1, n, &fusing));
            continue;
        }
        e->symbol[(*n)++] = id;
        fusing = false;
    }
    return ST_OK;
}

static enum status character_symbols(struct encoding *e, const unsigned char *piece, int64_t bytes, int64_t *n)
{
    const struct bpe *const b = e->b;
    bool fusing = false;
    for (int64_t i = 0; i < bytes;) {
        uint32_t c;
        const size_t length = utf8_read(piece + i, (size_t)(bytes - i), &c);
        const int64_t step = length > 0 ? (int64_t)length : 1; /* a byte that is no character stands for itself */
        const int32_t id = length > 0 ? b->character_id[c] - 1 : -1;
        if (id >= 0) {
            e->symbol[(*n)++] = id;
            fusing = false;
        } else if (b->model.byte_fallback) {
            for (int64_t k = 0; k < step; k++) e->symbol[(*n)++] = b->byte_id[piece[i + k]];
        } else {
            TRY(unknown(e, piece + i, step, n, &fusing));
        }
        i += step;
    }
    return ST_OK;
}

static enum status merge_piece(struct encoding *e, const unsigned char *piece, int64_t bytes)
{
    const struct bpe *const b = e->b;
    int64_t n = 0;
    const int32_t whole = b->whole != NULL ? bpe_whole(b, piece, bytes) : -1;
    if (whole >= 0) return ids_add(e->out, whole);
    if (bytes > e->cap_symbols) {
        int32_t *const more = realloc(e->symbol, (size_t)(2 * bytes) * sizeof *more);
        if (more == NULL) FAIL(ST_IO, "no memory for a piece of %lld bytes", (long long)bytes);
        e->symbol = more;
        e->cap_symbols = 2 * bytes;
    }
    TRY(b->character_id == NULL ? byte_symbols(e, piece, bytes, &n) : character_symbols(e, piece, bytes, &n));
    TRY(merge_symbols(&b->merges, &e->merger, e->symbol, &n));
    TRY(ids_reserve(e->out, n));
    memcpy(e->out->id + e->out->n, e->symbol, (size_t)n * sizeof *e->symbol);
    e->out->n += n;
    return ST_OK;
}

static enum status encode_piece(struct encoding *e, const unsigned char *piece, int64_t bytes)
{
    if (bytes > CACHE_KEY) return merge_piece(e, piece, bytes);
    struct row *const row = &e->cache[bpe_hash(piece, bytes) % CACHE_ROWS];
    if (row->length == bytes && memcmp(row->key, piece, (size_t)bytes) == 0) {
        TRY(ids_reserve(e->out, CACHE_IDS));
        memcpy(e->out->id + e->out->n, row->id, sizeof row->id);
        e->out->n += row->n_ids;
        return ST_OK;
    }
    const int64_t before = e->out->n;
    TRY(merge_piece(e, piece, bytes));
    const int64_t n = e->out->n - before;
    if (n > CACHE_IDS) return ST_OK;
    row->length = (unsigned char)bytes;
    row->n_ids = (unsigned char)n;
    memcpy(row->key, piece, (size_t)bytes);
    memcpy(row->id, e->out->id + before, (size_t)n * sizeof *row->id);
    return ST_OK;
}

/* Without a pre-tokenizer a piece is a document, but merges join few characters: between two that no merge joins a piece may be divided,
 * and no id changes. So words are short again, and known. Unknown ones that become one token stay together. */
static enum status encode_divided(struct encoding *e, const unsigned char *piece, int64_t bytes)
{
    const struct bpe *const b = e->b;
    const bool fuses = b->model.fuse_unknown && !b->model.byte_fallback;
    uint32_t before = 0;
    int64_t begin = 0;
    for (int64_t i = 0; i < bytes;) {
        uint32_t c;
        const size_t length = utf8_read(piece + i, (size_t)(bytes - i), &c);
        if (length == 0) return encode_piece(e, piece, bytes); /* pieces are UTF-8 or not at all */
        if (i > begin && !bpe_joins(b, before, c) && !(fuses && b->character_id[before] == 0 && b->character_id[c] == 0)) {
            TRY(encode_piece(e, piece + begin, i - begin));
            begin = i;
        }
        before = c;
        i += (int64_t)length;
    }
    return encode_piece(e, piece + begin, bytes - begin);
}

static enum status take_piece(void *context, const unsigned char *piece, int64_t n)
{
    struct encoding *const e = context;
    return e->b->joins != NULL ? encode_divided(e, piece, n) : encode_piece(e, piece, n);
}

/* --- Added tokens --------------------------------------------------------------------------------------------------------------- */

/* White_Space of Unicode: the 25 characters. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The character that ends at `end`; its length, 0: there is none. */
static int64_t character_before(const unsigned char *text, int64_t end, uint32_t *c)
{
    for (int64_t length = 1; length <= 4 && length <= end; length++)
        if (utf8_read(text + end - length, (size_t)length, c) == (size_t)length) return length;
    return 0;
}

static enum status is_word(struct encoding *e, const unsigned char *at, int64_t n, bool *word)
{
    struct found found = { 0 };
    uint32_t c;
    if (n > 0 && utf8_read(at, (size_t)n, &c) > 0) TRY(expression_find(e->b->word, e->matcher, at, (size_t)n, 0, &found));
    *word = found.any;
    return ST_OK;
}

static enum status stands_alone(struct encoding *e, const unsigned char *text, int64_t n, struct finding f, bool *alone)
{
    uint32_t c;
    bool before = false, behind = false;
    const int64_t length = character_before(text, f.begin, &c);
    TRY(is_word(e, text + f.begin - length, length, &before));
    const int64_t next = f.end < n ? (int64_t)utf8_read(text + f.end, (size_t)(n - f.end), &c) : 0;
    TRY(is_word(e, text + f.end, next, &behind));
    *alone = !before && !behind;
    return ST_OK;
}

static void take_spaces(const struct bpe_added *a, const unsigned char *text, int64_t n, int64_t from, struct finding *f)
{
    uint32_t c;
    if (a->lstrip)
        for (int64_t length; f->begin > from && (length = character_before(text, f->begin, &c)) > 0 && is_space(c);) f->begin -= length;
    if (a->rstrip)
        for (size_t length; f->end < n && (length = utf8_read(text + f->end, (size_t)(n - f->end), &c)) > 0 && is_space(c);)
            f->end += (int64_t)length;
}

typedef enum status (*between_fn)(struct encoding *e, const unsigned char *text, int64_t n, bool first);

/* Added tokens become their ids, what is between them goes on. `first`: the text begins a document. */
static enum status find_added(struct encoding *e, const struct finder *finder, const unsigned char *text, int64_t n, bool first,
                              between_fn between)
{
    int64_t done = 0;
    for (int64_t from = 0; from < n;) {
        struct finding f = finder_next(finder, text, n, from);
        if (f.what < 0) break;
        const struct bpe_added *const a = &e->b->model.added[f.what];
        bool alone = true;
        from = f.end;
        if (a->single_word) TRY(stands_alone(e, text, n, f, &alone));
        if (!alone) continue;
        take_spaces(a, text, n, done, &f);
        if (f.begin > done) TRY(between(e, text + done, f.begin - done, first && done == 0));
        TRY(ids_add(e->out, a->id));
        done = f.end;
    }
    return done < n ? between(e, text + done, n - done, first && done == 0) : ST_OK;
}

static enum status split_text(struct encoding *e, const unsigned char *text, int64_t n, bool first)
{
    return splitter_pieces(e->splitter, text, n, first, take_piece, e);
}

static enum status normalize_between(struct encoding *e, const unsigned char *text, int64_t n, bool first)
{
    if (e->normalizing != NULL) TRY(normalize_text(e->normalizing, text, n, &text, &n));
    return find_added(e, &e->b->normalized, text, n, first, split_text);
}

enum status bpe_encode(const struct tokenizer *t, void *state, const unsigned char *bytes, int64_t n, struct ids *out)
{
    struct encoding *const e = state;
    e->out = out;
    return find_added(e, &e->b->raw, bytes, n, true, normalize_between);
}

/* --- Opening ---------------------------------------------------------------------------------------------------------------------- */

static enum status open_parts(struct encoding *e)
{
    e->cache = calloc(CACHE_ROWS, sizeof *e->cache);
    if (e->cache == NULL) FAIL(ST_IO, "no memory for an encoder");
    TRY(splitter_open(e->b->split, &e->splitter));
    if (e->b->normalizer != NULL) TRY(normalizing_open(e->b->normalizer, &e->normalizing));
    return e->b->word != NULL ? matcher_open(&e->matcher) : ST_OK;
}

enum status bpe_encoder_open(const struct tokenizer *t, void **state)
{
    struct encoding *const e = calloc(1, sizeof *e);
    if (e == NULL) FAIL(ST_IO, "no memory for an encoder");
    e->tokenizer = t;
    e->b = t->state;
    *state = e; /* encoder_open closes it after a failure */
    return open_parts(e);
}

void bpe_encoder_close(void *state)
{
    struct encoding *const e = state;
    splitter_close(e->splitter);
    normalizing_close(e->normalizing);
    matcher_close(e->matcher);
    merger_close(&e->merger);
    free(e->cache);
    free(e->symbol);
    free(e);
}
