#include "bpe_file_write.h"
#include "common/base/check.h"
#include "common/data/tokenizers/byte_letters.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A letter in UTF-8, of which none is longer than two bytes. */
static size_t write_letter(unsigned char byte, char *out)
{
    const uint32_t letter = byte_letter(byte);
    if (letter < 0x80) {
        *out = (char)letter;
        return 1;
    }
    out[0] = (char)(0xc0 | letter >> 6);
    out[1] = (char)(0x80 | (letter & 0x3f));
    return 2;
}

/* How each symbol is spelled: symbol i is text[begin[i]] to text[begin[i + 1]]. */
struct spelling {
    char *text;
    size_t *begin;
};

static size_t spelled(const struct spelling *s, int32_t id) { return s->begin[id + 1] - s->begin[id]; }

static void spell_all(const struct learned *l, struct spelling *s)
{
    char letter[2];
    size_t at = 0;
    s->begin = malloc((size_t)(LEARN_BYTES + l->n_merges + 1) * sizeof *s->begin);
    CHECK(s->begin != NULL);
    for (int32_t i = 0; i < LEARN_BYTES; i++) {
        s->begin[i] = at;
        at += write_letter(learn_byte(i), letter);
    }
    for (int64_t i = 0; i < l->n_merges; i++) {
        s->begin[LEARN_BYTES + i] = at;
        at += spelled(s, l->merge[i].left) + spelled(s, l->merge[i].right);
    }
    s->begin[LEARN_BYTES + l->n_merges] = at;
    s->text = malloc(at + 1);
    CHECK(s->text != NULL);
    for (int32_t i = 0; i < LEARN_BYTES; i++) (void)write_letter(learn_byte(i), s->text + s->begin[i]);
    for (int64_t i = 0; i < l->n_merges; i++) {
        const int32_t left = l->merge[i].left, right = l->merge[i].right;
        char *const to = s->text + s->begin[LEARN_BYTES + i];
        memcpy(to, s->text + s->begin[left], spelled(s, left));
        memcpy(to + spelled(s, left), s->text + s->begin[right], spelled(s, right));
    }
}

static void add_quoted(struct text *out, const char *bytes, size_t n)
{
    json_t *const value = json_stringn(bytes, n);
    char *const quoted = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    CHECK(quoted != NULL);
    text_add(out, "%s", quoted);
    free(quoted);
    json_decref(value);
}

static void add_special(const struct bpe_file_write *what, struct text *out)
{
    text_add(out, "  \"added_tokens\": [");
    for (int i = 0; i < what->n_special; i++) {
        text_add(out, "%s\n    {\"id\": %lld, \"content\": ", i > 0 ? "," : "", (long long)(LEARN_BYTES + what->learned->n_merges + i));
        add_quoted(out, what->special[i], strlen(what->special[i]));
        text_add(out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}");
    }
    text_add(out, "\n  ],\n");
}

static void add_byte_level(struct text *out, bool use_regex)
{
    text_add(out, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": %s}",
             use_regex ? "true" : "false");
}

static void add_pre_tokenizer(const struct bpe_file_write *what, struct text *out)
{
    text_add(out, "  \"pre_tokenizer\": ");
    if (what->pattern != NULL) {
        text_add(out, "{\"type\": \"Sequence\", \"pretokenizers\": [\n    {\"type\": \"Split\", \"pattern\": {\"Regex\": ");
        add_quoted(out, what->pattern, strlen(what->pattern));
        text_add(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n    ");
    }
    add_byte_level(out, what->pattern == NULL);
    text_add(out, what->pattern != NULL ? "\n  ]},\n" : ",\n");
}

static void add_model(const struct learned *l, struct text *out)
{
    struct spelling s = { 0 };
    spell_all(l, &s);
    text_add(out, "  \"model\": {\n    \"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
                  "\"end_of_word_suffix\": null,\n    \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false,\n"
                  "    \"vocab\": {");
    for (int64_t i = 0; i < LEARN_BYTES + l->n_merges; i++) {
        text_add(out, "%s\n      ", i > 0 ? "," : "");
        add_quoted(out, s.text + s.begin[i], spelled(&s, (int32_t)i));
        text_add(out, ": %lld", (long long)i);
    }
    text_add(out, "\n    },\n    \"merges\": [");
    for (int64_t i = 0; i < l->n_merges; i++) { /* "left right": no symbol holds a space; older readers know no other form */
        const int32_t left = l->merge[i].left, right = l->merge[i].right;
        struct text both = { 0 };
        text_add_bytes(&both, s.text + s.begin[left], spelled(&s, left));
        text_add_bytes(&both, " ", 1);
        text_add_bytes(&both, s.text + s.begin[right], spelled(&s, right));
        text_add(out, "%s\n      ", i > 0 ? "," : "");
        add_quoted(out, both.data, both.length);
        text_free(&both);
    }
    text_add(out, "\n    ]\n  }\n");
    free(s.begin);
    free(s.text);
}

void bpe_file_write(const struct bpe_file_write *what, struct text *out)
{
    text_add(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
    add_special(what, out);
    text_add(out, "  \"normalizer\": null,\n");
    add_pre_tokenizer(what, out);
    text_add(out, "  \"post_processor\": null,\n  \"decoder\": ");
    add_byte_level(out, true);
    text_add(out, ",\n");
    add_model(what->learned, out);
    text_add(out, "}\n");
}
