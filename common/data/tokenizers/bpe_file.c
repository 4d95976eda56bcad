#include "bpe_file.h"
#include "bpe_parts.h"
#include "common/base/check.h"
#include "common/base/str.h"
#include <stdlib.h>
#include <string.h>

static const size_t file_most = (size_t)512 << 20; /* the largest published vocabularies take 40 MB */
/* Ids may have holes, but a vocabulary is a table: a few tokens with ids of billions are refused, not allocated. */
enum { HOLES_PER_TOKEN = 4, HOLES_MORE = 1 << 16 };

const char *const bpe_end_names[] = { "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", NULL };

/* --- vocabulary --------------------------------------------------------------------------------------------------------------------- */

static enum status place_token(struct place p, int64_t id, const char *text, bool added_only, char **store, struct bpe_model *m)
{
    if (m->token[id].text != NULL)
        return place_refuse(p, "'%.60s' and '%.60s' have the same id, %lld", m->token[id].text, text, (long long)id);
    const size_t bytes = strlen(text);
    memcpy(*store, text, bytes + 1);
    m->token[id] = (struct bpe_token){ .text = *store, .bytes = (int64_t)bytes, .added_only = added_only };
    *store += bytes + 1;
    return ST_OK;
}

static enum status note_id(struct place p, const char *text, const json_t *id, int64_t *largest)
{
    if (!json_is_integer(id)) return place_refuse(p, "'%.60s' has no whole number as its id", text);
    const int64_t value = json_integer_value(id);
    if (value < 0 || value >= INT32_MAX)
        return place_refuse(p, "the id of '%.60s', %lld, is not between 0 and %d", text, (long long)value, INT32_MAX - 1);
    *largest = max_i64(*largest, value);
    return ST_OK;
}

/* The table is made for all ids, those of added tokens too. */
static enum status read_vocabulary(struct place vocab, struct place added, struct bpe_model *m)
{
    const char *text;
    json_t *id;
    size_t n_added = json_array_size(added.value), bytes = 0;
    int64_t largest = -1;
    json_t *const object = (json_t *)(uintptr_t)vocab.value;
    if (!json_is_object(vocab.value)) return place_refuse(vocab, "an object of tokens and their ids is expected here");
    json_object_foreach(object, text, id)
    {
        TRY(note_id(vocab, text, id, &largest));
        bytes += strlen(text) + 1;
    }
    for (size_t i = 0; i < n_added; i++) {
        const json_t *const each = json_array_get(added.value, i), *const content = json_object_get(each, "content");
        if (!json_is_string(content) || json_string_value(content)[0] == '\0')
            return place_refuse(place_element(added, i), "an object with content, which is not empty, is expected here");
        TRY(note_id(place_element(added, i), json_string_value(content), json_object_get(each, "id"), &largest));
        bytes += json_string_length(content) + 1;
    }
    const int64_t n = (int64_t)(json_object_size(vocab.value) + n_added);
    if (largest >= HOLES_PER_TOKEN * n + HOLES_MORE)
        return place_refuse(vocab, "the largest id is %lld, and there are %lld tokens: that many ids without a token are not read",
                            (long long)largest, (long long)n);
    m->vocab = largest + 1;
    m->token = arena_place_n(vocab.arena, (size_t)m->vocab, sizeof *m->token);
    char *store = arena_place(vocab.arena, bytes);
    json_object_foreach(object, text, id) TRY(place_token(vocab, json_integer_value(id), text, false, &store, m));
    for (size_t i = 0; i < n_added; i++) {
        const json_t *const each = json_array_get(added.value, i);
        const char *const content = json_string_value(json_object_get(each, "content"));
        const int64_t wanted = json_integer_value(json_object_get(each, "id"));
        const json_t *const known = json_object_get(object, content);
        if (known == NULL)
            TRY(place_token(place_element(added, i), wanted, content, true, &store, m));
        else if (json_integer_value(known) != wanted)
            return place_refuse(place_element(added, i), "'%.60s' has the id %lld here and %lld in model.vocab", content, (long long)wanted,
                                (long long)json_integer_value(known));
    }
    return ST_OK;
}

static enum status read_added(struct place p, struct bpe_added *a)
{
    int64_t id;
    TRY(place_keys(p, (const char *const[]){ "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special", NULL }));
    TRY(place_integer(place_member(p, "id"), 0, INT32_MAX - 1, &id));
    TRY(place_text(place_member(p, "content"), &a->content));
    TRY(place_bool(place_member(p, "single_word"), false, &a->single_word));
    TRY(place_bool(place_member(p, "lstrip"), false, &a->lstrip));
    TRY(place_bool(place_member(p, "rstrip"), false, &a->rstrip));
    TRY(place_bool(place_member(p, "special"), false, &a->special));
    TRY(place_bool(place_member(p, "normalized"), !a->special, &a->normalized));
    a->id = (int32_t)id;
    return ST_OK;
}

/* Contents are all different: an id has one text, and read_vocabulary has seen to it that two ids do not share one. */
static enum status read_all_added(struct place added, struct bpe_model *m)
{
    m->end_of_document = -1;
    m->n_added = (int64_t)json_array_size(added.value);
    m->added = arena_place_n(added.arena, (size_t)m->n_added, sizeof *m->added);
    bool *const seen = arena_place(added.arena, (size_t)m->vocab);
    for (int64_t i = 0; i < m->n_added; i++) {
        struct bpe_added *const a = &m->added[i];
        TRY(read_added(place_element(added, (size_t)i), a));
        if (seen[a->id]) return place_refuse(place_element(added, (size_t)i), "'%.60s' is given twice", a->content);
        seen[a->id] = true;
        a->content = m->token[a->id].text;
    }
    for (const char *const *name = bpe_end_names; *name != NULL && m->end_of_document < 0; name++)
        for (int64_t i = 0; i < m->n_added; i++)
            if (strcmp(m->added[i].content, *name) == 0) m->end_of_document = m->added[i].id;
    int64_t only = -1, n_special = 0;
    for (int64_t i = 0; i < m->n_added; i++)
        if (m->added[i].special) only = m->added[i].id, n_special++;
    if (m->end_of_document < 0 && n_special == 1) m->end_of_document = (int32_t)only;
    if (m->end_of_document >= 0) return ST_OK;
    return place_refuse(
        added, "which token ends documents is not known: one of <|endoftext|>, <|end_of_text|>, </s>, <eos>, or a single special token, "
               "is expected among them");
}

/* --- merges ------------------------------------------------------------------------------------------------------------------------- */

/* The two parts of a merge, in memory of the JSON value or of `pair`. */
static enum status parts_of(struct place merges, size_t i, struct text *pair, const char **left, const char **right)
{
    const json_t *const value = json_array_get(merges.value, i);
    if (json_is_array(value) && json_array_size(value) == 2) {
        *left = json_string_value(json_array_get(value, 0));
        *right = json_string_value(json_array_get(value, 1));
        if (*left != NULL && *right != NULL) return ST_OK;
    } else if (json_is_string(value)) {
        pair->length = 0;
        text_add_bytes(pair, json_string_value(value), json_string_length(value) + 1);
        char *const space = strchr(pair->data, ' ');
        if (space != NULL && strchr(space + 1, ' ') == NULL) {
            *space = '\0';
            *left = pair->data;
            *right = space + 1;
            return ST_OK;
        }
    }
    return place_refuse(place_element(merges, i), "two tokens are expected here: \"a b\" or [\"a\", \"b\"]");
}

static enum status find_part(struct place merges, size_t i, struct place vocab, const char *text, int32_t *id)
{
    const json_t *const found = json_object_get(vocab.value, text);
    if (found == NULL) return place_refuse(place_element(merges, i), "'%.60s' is not in model.vocab", text);
    if (text[0] == '\0') return place_refuse(place_element(merges, i), "merges with an empty token, which never ends");
    *id = (int32_t)json_integer_value(found);
    return ST_OK;
}

static enum status read_merges_into(struct place merges, struct place vocab, struct text *pair, struct text *whole, struct bpe_model *m)
{
    for (size_t i = 0; i < (size_t)m->n_merges; i++) {
        const char *left = "", *right = "";
        TRY(parts_of(merges, i, pair, &left, &right));
        whole->length = 0;
        text_add(whole, "%s%s", left, right);
        TRY(find_part(merges, i, vocab, left, &m->merge[i].left));
        TRY(find_part(merges, i, vocab, right, &m->merge[i].right));
        TRY(find_part(merges, i, vocab, whole->data, &m->merge[i].result));
    }
    return ST_OK;
}

static enum status read_merges(struct place merges, struct place vocab, struct bpe_model *m)
{
    size_t n;
    struct text pair = { 0 }, whole = { 0 };
    TRY(place_array(merges, &n));
    m->n_merges = (int64_t)n;
    m->merge = arena_place_n(merges.arena, n, sizeof *m->merge);
    const enum status s = read_merges_into(merges, vocab, &pair, &whole, m);
    text_free(&pair);
    text_free(&whole);
    return s;
}

/* --- model -------------------------------------------------------------------------------------------------------------------------- */

static enum status must_be_none(struct place p)
{
    if (place_none(p) || (json_is_string(p.value) && json_string_length(p.value) == 0)) return ST_OK;
    return place_refuse(p, "is not read: it must be null");
}

static enum status read_unknown(struct place p, struct place vocab, struct bpe_model *m)
{
    const char *text;
    m->unknown = -1;
    if (place_none(p)) return ST_OK;
    TRY(place_text(p, &text));
    const json_t *const id = json_object_get(vocab.value, text);
    if (id == NULL) return place_refuse(p, "'%.60s' is not in model.vocab", text);
    m->unknown = (int32_t)json_integer_value(id);
    return ST_OK;
}

static enum status check_fallback(struct place vocab, const struct bpe_model *m)
{
    for (int byte = 0; byte < 256 && m->byte_fallback; byte++) {
        char name[8];
        (void)snprintf(name, sizeof name, "<0x%02X>", byte);
        if (json_object_get(vocab.value, name) == NULL)
            return place_refuse(vocab, "%s is not among the tokens, and model.byte_fallback needs all 256 of them", name);
    }
    return ST_OK;
}

static enum status read_model(struct place model, struct place added, struct bpe_model *m)
{
    static const char *const keys[] = {
        "type",  "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
        "vocab", "merges",  NULL
    };
    const struct place type = place_member(model, "type"), vocab = place_member(model, "vocab");
    const char *name = "BPE"; /* files of 2019 do not say it */
    if (type.value != NULL) TRY(place_text(type, &name));
    if (strcmp(name, "BPE") != 0) return place_refuse(type, "the model '%.60s' is not read; known is BPE", name);
    TRY(place_keys(model, keys));
    TRY(must_be_none(place_member(model, "dropout")));
    TRY(must_be_none(place_member(model, "continuing_subword_prefix")));
    TRY(must_be_none(place_member(model, "end_of_word_suffix")));
    TRY(place_bool(place_member(model, "fuse_unk"), false, &m->fuse_unknown));
    TRY(place_bool(place_member(model, "byte_fallback"), false, &m->byte_fallback));
    TRY(place_bool(place_member(model, "ignore_merges"), false, &m->ignore_merges));
    TRY(read_vocabulary(vocab, added, m));
    TRY(read_unknown(place_member(model, "unk_token"), vocab, m));
    TRY(check_fallback(vocab, m));
    return read_merges(place_member(model, "merges"), vocab, m);
}

static enum status read_file(struct place file, struct bpe_model *m)
{
    static const char *const keys[] = { "version",       "truncation",     "padding", "added_tokens", "normalizer",
                                        "pre_tokenizer", "post_processor", "decoder", "model",        NULL };
    struct place added = place_member(file, "added_tokens");
    TRY(place_keys(file, keys));
    if (!place_none(place_member(file, "truncation")))
        return place_refuse(place_member(file, "truncation"), "would cut documents, which is not done: it must be null");
    if (!place_none(place_member(file, "padding")))
        return place_refuse(place_member(file, "padding"), "would lengthen documents, which is not done: it must be null");
    if (!place_none(added) && !json_is_array(added.value)) return place_refuse(added, "a list is expected here");
    if (!json_is_object(place_member(file, "model").value)) return place_refuse(place_member(file, "model"), "an object is expected here");
    TRY(read_model(place_member(file, "model"), added, m));
    TRY(read_all_added(added, m));
    return bpe_parts_read(file, m);
}

enum status bpe_file_read(struct arena *arena, const char *path, struct bpe_model *out)
{
    json_t *root;
    struct place file;
    *out = (struct bpe_model){ 0 };
    TRY(place_open(arena, path, file_most, &root, &file));
    const enum status s = read_file(file, out);
    json_decref(root);
    return s;
}

/* --- digest ----------------------------------------------------------------------------------------------------------------------------
 */

static void add_number(struct digest_stream *d, int64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
    digest_add(d, bytes, sizeof bytes);
}

static void add_text(struct digest_stream *d, const char *text, int64_t bytes)
{
    add_number(d, text != NULL ? bytes : -1);
    if (text != NULL) digest_add(d, text, (size_t)bytes);
}

static void add_string(struct digest_stream *d, const char *text) { add_text(d, text, text != NULL ? (int64_t)strlen(text) : 0); }

static int compare_added(const void *a, const void *b)
{
    const int32_t left = ((const struct bpe_added *)a)->id, right = ((const struct bpe_added *)b)->id;
    return (left > right) - (left < right);
}

/* Their order in the file decides nothing. */
static void add_added(struct digest_stream *d, const struct bpe_model *m)
{
    struct bpe_added *const sorted = malloc((size_t)max_i64(m->n_added, 1) * sizeof *sorted);
    CHECK(sorted != NULL);
    memcpy(sorted, m->added, (size_t)m->n_added * sizeof *sorted);
    qsort(sorted, (size_t)m->n_added, sizeof *sorted, compare_added);
    add_number(d, m->n_added);
    for (int64_t i = 0; i < m->n_added; i++) {
        const struct bpe_added *const a = &sorted[i];
        add_number(d, a->id);
        add_number(d, a->normalized << 3 | a->lstrip << 2 | a->rstrip << 1 | a->single_word);
    }
    free(sorted);
}

/* A named pattern and its expression are the same. */
static void add_split_step(struct digest_stream *d, const struct split_step *s)
{
    const struct split_pattern *const named = s->pattern != NULL && !s->literal ? split_pattern_named(s->pattern) : NULL;
    add_number(d, s->kind);
    add_string(d, named != NULL ? named->expression : s->pattern);
    add_number(d, s->literal << 1 | s->invert);
    add_number(d, s->behaviour);
    add_number(d, s->prepend);
}

struct digest128 bpe_model_digest(const struct bpe_model *m)
{
    struct digest_stream *const d = digest_begin();
    add_string(d, "lamina tokenizer bpe 1");
    add_number(d, m->vocab);
    for (int64_t i = 0; i < m->vocab; i++) add_text(d, m->token[i].text, m->token[i].bytes);
    add_number(d, m->n_merges);
    for (int64_t i = 0; i < m->n_merges; i++) {
        add_number(d, m->merge[i].left);
        add_number(d, m->merge[i].right);
    }
    add_added(d, m);
    add_number(d, m->n_normalizer);
    for (int i = 0; i < m->n_normalizer; i++) {
        add_number(d, m->normalizer[i].kind);
        add_string(d, m->normalizer[i].pattern);
        add_number(d, m->normalizer[i].literal);
        add_string(d, m->normalizer[i].content);
    }
    add_number(d, m->n_split);
    for (int i = 0; i < m->n_split; i++) add_split_step(d, &m->split[i]);
    add_number(d, m->byte_level << 3 | m->byte_fallback << 2 | m->fuse_unknown << 1 | m->ignore_merges);
    add_number(d, m->unknown);
    add_number(d, m->end_of_document);
    return digest_end(d);
}
