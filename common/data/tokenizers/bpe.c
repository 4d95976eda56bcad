#include "bpe.h"
#include "byte_letters.h"
#include "common/base/check.h"
#include "common/base/utf8.h"
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81"; /* U+2581 */
enum { MARK_BYTES = 3, ADDED_MOST = 1 << 16 };

static bool bpe_accepts(const char *name)
{
    const size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* --- Tables -------------------------------------------------------------------------------------------------------------------- */

uint64_t bpe_hash(const unsigned char *bytes, int64_t n)
{
    uint64_t h = (uint64_t)n, word;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, bytes + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    word = 0;
    for (int64_t k = 0; i + k < n; k++) word |= (uint64_t)bytes[i + k] << 8 * k;
    h = (h ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
    h ^= h >> 32;
    h *= UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 29;
}

static uint64_t table_of(int64_t n)
{
    uint64_t size = 16;
    while (size < 2 * (uint64_t)n) size *= 2;
    return size;
}

int32_t bpe_whole(const struct bpe *b, const unsigned char *piece, int64_t n)
{
    for (uint64_t i = bpe_hash(piece, n);; i++) {
        const int32_t id = b->whole[i & b->whole_mask] - 1;
        if (id < 0) return -1;
        if (b->text[id].bytes == n && memcmp(b->text[id].text, piece, (size_t)n) == 0) return id;
    }
}

static uint64_t mix(uint64_t pair) { return (pair * UINT64_C(0x9e3779b97f4a7c15)) >> 20; }

/* Pairs are stored with one added: 0 is an empty place. */
bool bpe_joins(const struct bpe *b, uint32_t left, uint32_t right)
{
    const uint64_t pair = ((uint64_t)left << 32 | right) + 1;
    for (uint64_t i = mix(pair);; i++) {
        const uint64_t there = b->joins[i & b->joins_mask];
        if (there == pair) return true;
        if (there == 0) return false;
    }
}

/* Is the token one character? */
static bool one_character(const struct bpe_token *t, uint32_t *c)
{
    return t->text != NULL && t->bytes > 0 && utf8_read((const unsigned char *)t->text, (size_t)t->bytes, c) == (size_t)t->bytes;
}

static void build_whole(struct arena *arena, struct bpe *b)
{
    const struct bpe_model *const m = &b->model;
    const uint64_t size = table_of(m->vocab);
    b->whole_mask = size - 1;
    b->whole = arena_place_n(arena, size, sizeof *b->whole);
    for (int64_t id = 0; id < m->vocab; id++) {
        if (m->token[id].text == NULL || m->token[id].added_only) continue;
        uint64_t i = bpe_hash((const unsigned char *)b->text[id].text, b->text[id].bytes);
        while (b->whole[i & b->whole_mask] != 0) i++;
        b->whole[i & b->whole_mask] = (int32_t)id + 1;
    }
}

static uint32_t last_character(const struct bpe_token *t)
{
    int64_t i = t->bytes - 1;
    uint32_t c = 0;
    while (i > 0 && ((unsigned char)t->text[i] & 0xc0) == 0x80) i--;
    (void)utf8_read((const unsigned char *)t->text + i, (size_t)(t->bytes - i), &c);
    return c;
}

static bool names_byte(const struct bpe_token *t, int *byte)
{
    unsigned value;
    char end;
    if (t->text == NULL || t->bytes != 6 || sscanf(t->text, "<0x%2X%c", &value, &end) != 2 || end != '>') return false;
    *byte = (int)value;
    return true;
}

static void build_joins(struct arena *arena, struct bpe *b)
{
    const struct bpe_model *const m = &b->model;
    const uint64_t size = table_of(m->n_merges);
    int byte;
    for (int64_t k = 0; k < m->n_merges; k++) { /* merges of symbols that are not their texts' characters: then nothing is known */
        const int32_t parts[2] = { m->merge[k].left, m->merge[k].right };
        for (int i = 0; i < 2; i++)
            if (parts[i] == m->unknown || (m->byte_fallback && names_byte(&m->token[parts[i]], &byte))) return;
    }
    b->joins_mask = size - 1;
    b->joins = arena_place_n(arena, size, sizeof *b->joins);
    for (int64_t k = 0; k < m->n_merges; k++) {
        const struct bpe_token *const left = &m->token[m->merge[k].left], *const right = &m->token[m->merge[k].right];
        uint32_t c = 0;
        (void)utf8_read((const unsigned char *)right->text, (size_t)right->bytes, &c);
        const uint64_t pair = ((uint64_t)last_character(left) << 32 | c) + 1;
        uint64_t i = mix(pair);
        while (b->joins[i & b->joins_mask] != 0 && b->joins[i & b->joins_mask] != pair) i++;
        b->joins[i & b->joins_mask] = pair;
    }
}

static void build_symbols(struct arena *arena, struct bpe *b)
{
    const struct bpe_model *const m = &b->model;
    for (int i = 0; i < 256; i++) b->byte_id[i] = -1;
    if (!m->byte_level) b->character_id = arena_place_n(arena, CHARACTERS, sizeof *b->character_id);
    for (int64_t id = 0; id < m->vocab; id++) {
        uint32_t c;
        int byte;
        if (m->token[id].added_only) continue;
        if (m->byte_fallback && names_byte(&m->token[id], &byte)) b->byte_id[byte] = (int32_t)id;
        if (!one_character(&m->token[id], &c)) continue;
        if (!m->byte_level)
            b->character_id[c] = (int32_t)id + 1;
        else if (byte_of_letter(c) >= 0)
            b->byte_id[byte_of_letter(c)] = (int32_t)id;
    }
}

/* What a token stands for, from its text; returns its bytes. */
static int64_t read_text(const struct bpe_model *m, const char *text, int64_t bytes, bool added, unsigned char *out)
{
    const struct bpe_token token = { .text = text, .bytes = bytes };
    int byte;
    if (m->byte_level && !added) {
        const int64_t n = byte_letters_read(text, bytes, out);
        if (n >= 0) return n;
    }
    if (m->decoder.byte_fallback && !added && names_byte(&token, &byte)) {
        out[0] = (unsigned char)byte;
        return 1;
    }
    int64_t n = 0;
    for (int64_t i = 0; i < bytes;) {
        const bool mark = m->decoder.marks && bytes - i >= MARK_BYTES && memcmp(text + i, space_mark, MARK_BYTES) == 0;
        out[n++] = mark ? ' ' : (unsigned char)text[i];
        i += mark ? MARK_BYTES : 1;
    }
    return n;
}

/* An added token stands for what is looked for in its place: of `found`. */
static void build_texts(struct arena *arena, struct bpe *b)
{
    const struct bpe_model *const m = &b->model;
    int64_t bytes = 1;
    for (int64_t id = 0; id < m->vocab; id++) bytes += m->token[id].bytes;
    for (int64_t k = 0; k < m->n_added; k++) bytes += b->found[k].bytes;
    unsigned char *store = arena_place(arena, (size_t)bytes);
    b->text = arena_place_n(arena, (size_t)m->vocab, sizeof *b->text);
    for (int64_t k = 0; k < m->n_added; k++) {
        const int64_t n = read_text(m, b->found[k].text, b->found[k].bytes, true, store);
        b->text[m->added[k].id] = (struct bpe_token){ .text = (const char *)store, .bytes = n };
        store += n;
    }
    for (int64_t id = 0; id < m->vocab; id++) {
        if (m->token[id].text == NULL || b->text[id].text != NULL) continue;
        const int64_t n = read_text(m, m->token[id].text, m->token[id].bytes, false, store);
        b->text[id] = (struct bpe_token){ .text = (const char *)store, .bytes = n };
        store += n;
    }
}

/* --- Added tokens ------------------------------------------------------------------------------------------------------------------ */

/* What is looked for: the content, for some as it is when normalized. */
static enum status build_found(struct arena *arena, const char *path, struct normalizing *w, struct bpe *b)
{
    const struct bpe_model *const m = &b->model;
    b->found = arena_place_n(arena, (size_t)m->n_added, sizeof *b->found);
    for (int64_t k = 0; k < m->n_added; k++) {
        const unsigned char *made = (const unsigned char *)m->added[k].content;
        int64_t n = (int64_t)strlen(m->added[k].content);
        if (w != NULL && m->added[k].normalized) TRY(normalize_text(w, made, n, &made, &n));
        if (n == 0 || n > ADDED_MOST)
            FAIL(ST_DATA, "%s: added_tokens[%lld]: '%.60s' has %lld bytes when it is normalized; 1 to %d are read", path, (long long)k,
                 m->added[k].content, (long long)n, ADDED_MOST);
        char *const kept = arena_place(arena, (size_t)n);
        memcpy(kept, made, (size_t)n);
        b->found[k] = (struct bpe_token){ .text = kept, .bytes = n };
    }
    return ST_OK;
}

static enum status build_finder(struct arena *arena, const char *path, struct bpe *b, bool normalized, struct finder *f)
{
    const struct bpe_model *const m = &b->model;
    int64_t bytes = 0;
    for (int64_t k = 0; k < m->n_added; k++) bytes += m->added[k].normalized == normalized ? b->found[k].bytes : 0;
    if (bytes >= INT32_MAX) FAIL(ST_DATA, "%s: added_tokens: their contents are %lld bytes together", path, (long long)bytes);
    finder_open(arena, bytes, f);
    for (int64_t k = 0; k < m->n_added; k++) {
        if (m->added[k].normalized != normalized) continue;
        if (!finder_add(f, (const unsigned char *)b->found[k].text, b->found[k].bytes, (int32_t)k))
            FAIL(ST_DATA, "%s: added_tokens[%lld]: '%.60s' is given twice", path, (long long)k, m->added[k].content);
    }
    return ST_OK;
}

static enum status build_finders(struct arena *arena, const char *path, struct bpe *b)
{
    static const char word[] =
        "[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
        "\\x{1F170}-\\x{1F189}]"; /* Alphabetic, marks, digits, connectors and joiners */
    struct normalizing *w = NULL;
    bool words = false;
    if (b->normalizer != NULL) TRY(normalizing_open(b->normalizer, &w));
    const enum status s = build_found(arena, path, w, b);
    normalizing_close(w);
    TRY(s);
    TRY(build_finder(arena, path, b, false, &b->raw));
    TRY(build_finder(arena, path, b, true, &b->normalized));
    for (int64_t k = 0; k < b->model.n_added; k++) words = words || b->model.added[k].single_word;
    return words ? expression_open(word, &b->word) : ST_OK;
}

/* --- Opening ------------------------------------------------------------------------------------------------------------------------ */

static bool letter(char c) { return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

/* tokenizer_cut cuts between a letter and a space: added tokens must not reach across, and normalizers must see no more than one side. */
static bool cuts_are_safe(const struct bpe_model *m)
{
    for (int i = 0; i < m->n_normalizer; i++)
        if (m->normalizer[i].kind == NORMALIZE_REPLACE || m->normalizer[i].kind == NORMALIZE_PREPEND) return false;
    for (int64_t k = 0; k < m->n_added; k++) {
        const struct bpe_added *const a = &m->added[k];
        if (a->rstrip && letter(a->content[strlen(a->content) - 1])) return false;
        for (const char *c = a->content; *c != '\0'; c++)
            if (letter(c[0]) && (c[1] == ' ' || c[1] == '\n')) return false;
    }
    return true;
}

static void bpe_close(struct tokenizer *t)
{
    struct bpe *const b = t->state;
    if (b == NULL) return;
    normalizer_close(b->normalizer);
    split_close(b->split);
    expression_close(b->word);
}

/* "FILE: " before what a part says of itself. */
static enum status name_file(enum status s, const char *path, const char *part)
{
    char why[STATUS_TEXT_BYTES];
    if (s == ST_OK) return ST_OK;
    (void)snprintf(why, sizeof why, "%s", status_text());
    FAIL(s, "%s: %s: %s", path, part, why);
}

static enum status build(struct arena *arena, const char *path, struct bpe *b)
{
    struct bpe_model *const m = &b->model;
    TRY(bpe_file_read(arena, path, m));
    const int64_t twice = merges_build(arena, m->merge, m->n_merges, &b->merges);
    if (twice >= 0)
        FAIL(ST_DATA, "%s: model.merges[%lld]: '%s' and '%s' were merged before", path, (long long)twice,
             m->token[m->merge[twice].left].text, m->token[m->merge[twice].right].text);
    if (m->n_normalizer > 0) TRY(name_file(normalizer_open(m->normalizer, m->n_normalizer, &b->normalizer), path, "normalizer"));
    TRY(name_file(split_open(m->split, m->n_split, &b->split), path, "pre_tokenizer"));
    TRY(build_finders(arena, path, b));
    build_texts(arena, b);
    build_symbols(arena, b);
    if (m->ignore_merges) build_whole(arena, b);
    if (!m->byte_level && !m->ignore_merges) build_joins(arena, b);
    b->cuts = cuts_are_safe(m);
    return ST_OK;
}

static enum status bpe_open(struct arena *arena, const char *name, struct tokenizer *out)
{
    struct bpe *const b = arena_place(arena, sizeof *b);
    *b = (struct bpe){ 0 };
    *out = (struct tokenizer){ .desc = &tokenizer_bpe, .name = arena_strdup(arena, name), .state = b };
    const enum status s = build(arena, name, b);
    if (s) tokenizer_close(out);
    TRY(s);
    out->vocab = b->model.vocab;
    out->end_of_document = b->model.end_of_document;
    out->digest = bpe_model_digest(&b->model);
    return ST_OK;
}

/* --- Decoding ------------------------------------------------------------------------------------------------------------------------- */

static enum status bpe_decode(const struct tokenizer *t, bool first, int32_t id, struct text *out)
{
    const struct bpe *const b = t->state;
    const struct bpe_token *const token = &b->text[id];
    if (token->text == NULL) FAIL(ST_DATA, "%d is no token of %s: its vocabulary has a hole there", id, t->name);
    const bool spaces = first && !b->model.decoder.byte_level;
    int64_t from = 0;
    if (spaces && b->model.decoder.spaces == SPACES_STRIPPED && token->bytes > 0 && token->text[0] == ' ') from = 1;
    if (spaces && b->model.decoder.spaces == SPACES_DROPPED) {
        for (int64_t i = 0; i < token->bytes; i++)
            if (token->text[i] != ' ') text_add_bytes(out, token->text + i, 1);
        return ST_OK;
    }
    text_add_bytes(out, token->text + from, (size_t)(token->bytes - from));
    return ST_OK;
}

static const char *bpe_end_text(const struct tokenizer *t)
{
    const struct bpe *const b = t->state;
    return b->model.token[t->end_of_document].text;
}

static int64_t bpe_cut(const struct tokenizer *t, const unsigned char *bytes, int64_t n)
{
    const struct bpe *const b = t->state;
    return b->cuts ? split_cut(b->split, bytes, n) : 0;
}

const struct tokenizer_desc tokenizer_bpe = {
    .name = "bpe",
    .summary = "byte-pair encoding from a Hugging Face tokenizer.json",
    .of_file = true,
    .accepts = bpe_accepts,
    .open = bpe_open,
    .close = bpe_close,
    .encoder_open = bpe_encoder_open,
    .encoder_close = bpe_encoder_close,
    .encode = bpe_encode,
    .decode = bpe_decode,
    .end_text = bpe_end_text,
    .cut = bpe_cut,
    .describe = bpe_describe,
};
