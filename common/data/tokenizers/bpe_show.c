#include "bpe.h"
#include "common/base/check.h"

static void set(json_t *facts, const char *key, json_t *value) { CHECK(json_object_set_new(facts, key, value) == 0); }

static void add(json_t *list, const struct text *row)
{
    CHECK(json_array_append_new(list, json_stringn(row->data != NULL ? row->data : "", row->length)) == 0);
}

static json_t *normalizers(const struct bpe_model *m)
{
    static const char *const names[] = { [NORMALIZE_NFC] = "NFC",
                                         [NORMALIZE_NFD] = "NFD",
                                         [NORMALIZE_NFKC] = "NFKC",
                                         [NORMALIZE_NFKD] = "NFKD",
                                         [NORMALIZE_LOWERCASE] = "Lowercase",
                                         [NORMALIZE_REPLACE] = "Replace",
                                         [NORMALIZE_PREPEND] = "Prepend" };
    json_t *const list = json_array();
    for (int i = 0; i < m->n_normalizer; i++) {
        const struct normalize_step *const s = &m->normalizer[i];
        struct text row = { 0 };
        text_add(&row, "%s", names[s->kind]);
        if (s->pattern != NULL) text_add(&row, " '%s' by", s->pattern);
        if (s->content != NULL) text_add(&row, " '%s'", s->content);
        add(list, &row);
        text_free(&row);
    }
    return list;
}

static json_t *steps(const struct bpe_model *m)
{
    json_t *const list = json_array();
    for (int i = 0; i < m->n_split; i++) {
        const struct split_step *const s = &m->split[i];
        const struct split_pattern *const like = s->pattern != NULL && !s->literal ? split_pattern_like(s->pattern) : NULL;
        struct text row = { 0 };
        if (s->kind == SPLIT_PREFIX_SPACE) text_add(&row, "a space first");
        if (s->kind == SPLIT_METASPACE) text_add(&row, "spaces to U+2581");
        if (s->kind == SPLIT_MATCH)
            text_add(&row, "%s%s '%s'", split_behaviour_names[s->behaviour], s->invert ? " (inverted)" : "",
                     like != NULL ? like->name : s->pattern);
        add(list, &row);
        text_free(&row);
    }
    return list;
}

static json_t *special(const struct bpe_model *m)
{
    json_t *const list = json_array();
    for (int64_t i = 0; i < m->n_added; i++) {
        struct text row = { 0 };
        text_add(&row, "%s", m->added[i].content);
        if (m->added[i].special) add(list, &row);
        text_free(&row);
    }
    return list;
}

void bpe_describe(const struct tokenizer *t, json_t *facts)
{
    const struct bpe *const b = t->state;
    const struct bpe_model *const m = &b->model;
    int64_t holes = 0;
    for (int64_t i = 0; i < m->vocab; i++) holes += m->token[i].text == NULL;
    set(facts, "ids_without_token", json_integer(holes));
    set(facts, "merges", json_integer(m->n_merges));
    set(facts, "added_tokens", json_integer(m->n_added));
    set(facts, "special_tokens", special(m));
    set(facts, "symbols", json_string(m->byte_level ? "bytes" : m->byte_fallback ? "characters, or bytes" : "characters"));
    set(facts, "normalizer", normalizers(m));
    set(facts, "pre_tokenizer", steps(m));
    set(facts, "ignore_merges", json_boolean(m->ignore_merges));
    set(facts, "streams", json_boolean(tokenizer_cut(t, (const unsigned char *)"a a", 3) > 0));
}
