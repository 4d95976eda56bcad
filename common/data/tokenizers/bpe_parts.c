#include "bpe_parts.h"
#include "common/base/str.h"
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81"; /* U+2581 */
enum { NESTING_MOST = 8 };

/* What a part of one type does: reads its other keys into m. */
struct part {
    const char *type;
    enum status (*read)(struct place p, int depth, struct bpe_model *m);
};

/* An object {"type": ..., ...} by the row of its type. */
static enum status read_part(struct place p, const struct part *parts, const char *what, int depth, struct bpe_model *m)
{
    const char *type, *names[16];
    struct text list = { 0 };
    size_t n = 0;
    if (!json_is_object(p.value)) return place_refuse(p, "an object is expected here");
    if (depth > NESTING_MOST) return place_refuse(p, "sequences are nested more than %d deep", NESTING_MOST);
    TRY(place_text(place_member(p, "type"), &type));
    for (; parts[n].type != NULL; n++)
        if (strcmp(type, parts[n].type) == 0) return parts[n].read(p, depth, m);
    for (size_t i = 0; i < n; i++) {
        names[i] = parts[i].type;
        text_add(&list, "%s%s", i == 0 ? "" : ", ", parts[i].type);
    }
    const char *const near = str_nearest(type, names, n);
    const enum status s = place_refuse(place_member(p, "type"), "%s '%.60s' is not read%s%s%s; known are %s", what, type,
                                       near != NULL ? " (near: " : "", near != NULL ? near : "", near != NULL ? ")" : "", list.data);
    text_free(&list);
    return s;
}

static enum status read_sequence(struct place p, const char *list, const struct part *parts, const char *what, int depth,
                                 struct bpe_model *m)
{
    size_t n;
    TRY(place_keys(p, (const char *const[]){ "type", list, NULL }));
    TRY(place_array(place_member(p, list), &n));
    for (size_t i = 0; i < n; i++) TRY(read_part(place_element(place_member(p, list), i), parts, what, depth + 1, m));
    return ST_OK;
}

/* {"String": ...} or {"Regex": ...} */
static enum status read_pattern(struct place p, const char **pattern, bool *literal)
{
    TRY(place_keys(p, (const char *const[]){ "String", "Regex", NULL }));
    if (json_object_size(p.value) != 1) return place_refuse(p, "either String or Regex must be given");
    *literal = json_object_get(p.value, "String") != NULL;
    TRY(place_text(place_member(p, *literal ? "String" : "Regex"), pattern));
    if ((*pattern)[0] == '\0') return place_refuse(p, "an empty pattern is found nowhere");
    *pattern = arena_strdup(p.arena, *pattern);
    return ST_OK;
}

static enum status plain(struct place p) { return place_keys(p, (const char *const[]){ "type", NULL }); }

/* --- normalizer --------------------------------------------------------------------------------------------------------------- */

static enum status add_normalizer(struct place p, struct normalize_step step, struct bpe_model *m)
{
    if (m->n_normalizer == NORMALIZE_STEPS_MOST) return place_refuse(p, "more than %d normalizers", NORMALIZE_STEPS_MOST);
    m->normalizer[m->n_normalizer++] = step;
    return ST_OK;
}

static enum status add_plain(struct place p, enum normalize_kind kind, struct bpe_model *m)
{
    TRY(plain(p));
    return add_normalizer(p, (struct normalize_step){ .kind = kind }, m);
}

static enum status read_nfc(struct place p, int depth, struct bpe_model *m) { return add_plain(p, NORMALIZE_NFC, m); }
static enum status read_nfd(struct place p, int depth, struct bpe_model *m) { return add_plain(p, NORMALIZE_NFD, m); }
static enum status read_nfkc(struct place p, int depth, struct bpe_model *m) { return add_plain(p, NORMALIZE_NFKC, m); }
static enum status read_nfkd(struct place p, int depth, struct bpe_model *m) { return add_plain(p, NORMALIZE_NFKD, m); }
static enum status read_lowercase(struct place p, int depth, struct bpe_model *m) { return add_plain(p, NORMALIZE_LOWERCASE, m); }

static enum status read_replace(struct place p, int depth, struct bpe_model *m)
{
    struct normalize_step step = { .kind = NORMALIZE_REPLACE };
    TRY(place_keys(p, (const char *const[]){ "type", "pattern", "content", NULL }));
    TRY(read_pattern(place_member(p, "pattern"), &step.pattern, &step.literal));
    TRY(place_text(place_member(p, "content"), &step.content));
    step.content = arena_strdup(p.arena, step.content);
    return add_normalizer(p, step, m);
}

static enum status read_prepend(struct place p, int depth, struct bpe_model *m)
{
    struct normalize_step step = { .kind = NORMALIZE_PREPEND };
    TRY(place_keys(p, (const char *const[]){ "type", "prepend", NULL }));
    TRY(place_text(place_member(p, "prepend"), &step.content));
    step.content = arena_strdup(p.arena, step.content);
    return add_normalizer(p, step, m);
}

static enum status read_normalizers(struct place p, int depth, struct bpe_model *m);
static const struct part normalizers[] = {
    { "NFC", read_nfc },
    { "NFD", read_nfd },
    { "NFKC", read_nfkc },
    { "NFKD", read_nfkd },
    { "Lowercase", read_lowercase },
    { "Replace", read_replace },
    { "Prepend", read_prepend },
    { "Sequence", read_normalizers },
    { NULL, NULL },
};
static enum status read_normalizers(struct place p, int depth, struct bpe_model *m)
{
    return read_sequence(p, "normalizers", normalizers, "the normalizer", depth, m);
}

/* --- pre_tokenizer -------------------------------------------------------------------------------------------------------------- */

static enum status add_split(struct place p, struct split_step step, struct bpe_model *m)
{
    if (m->n_split == SPLIT_STEPS_MOST) return place_refuse(p, "more than %d steps", SPLIT_STEPS_MOST);
    if (m->byte_level) return place_refuse(p, "nothing may follow ByteLevel: it would see byte letters in place of the text");
    m->split[m->n_split++] = step;
    return ST_OK;
}

static enum status read_split(struct place p, int depth, struct bpe_model *m)
{
    struct split_step step = { .kind = SPLIT_MATCH };
    const char *behaviour;
    int i = 0;
    TRY(place_keys(p, (const char *const[]){ "type", "pattern", "behavior", "invert", NULL }));
    TRY(read_pattern(place_member(p, "pattern"), &step.pattern, &step.literal));
    TRY(place_bool(place_member(p, "invert"), false, &step.invert));
    TRY(place_text(place_member(p, "behavior"), &behaviour));
    while (i < SPLIT_BEHAVIOURS && strcmp(behaviour, split_behaviour_names[i]) != 0) i++;
    if (i == SPLIT_BEHAVIOURS)
        return place_refuse(place_member(p, "behavior"),
                            "'%.60s' is none of Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous", behaviour);
    step.behaviour = (enum split_behaviour)i;
    return add_split(p, step, m);
}

static enum status read_byte_level(struct place p, int depth, struct bpe_model *m)
{
    bool prefix, trim, regex;
    TRY(place_keys(p, (const char *const[]){ "type", "add_prefix_space", "trim_offsets", "use_regex", NULL }));
    TRY(place_bool(place_member(p, "add_prefix_space"), true, &prefix));
    TRY(place_bool(place_member(p, "trim_offsets"), true, &trim)); /* of places in the text, which are not asked for */
    TRY(place_bool(place_member(p, "use_regex"), true, &regex));
    if (prefix) TRY(add_split(p, (struct split_step){ .kind = SPLIT_PREFIX_SPACE }, m));
    if (regex) TRY(add_split(p, (struct split_step){ .kind = SPLIT_MATCH, .pattern = "gpt2" }, m));
    if (m->byte_level) return place_refuse(p, "nothing may follow ByteLevel: it would see byte letters in place of the text");
    m->byte_level = true;
    return ST_OK;
}

static enum status read_digits(struct place p, int depth, struct bpe_model *m)
{
    struct split_step step = { .kind = SPLIT_MATCH, .pattern = "\\p{N}" };
    bool each;
    TRY(place_keys(p, (const char *const[]){ "type", "individual_digits", NULL }));
    TRY(place_bool(place_member(p, "individual_digits"), false, &each));
    step.behaviour = each ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return add_split(p, step, m);
}

/* The keys that Metaspace has as pre-tokenizer and as decoder. add_prefix_space is what prepend_scheme was before it. */
static enum status read_metaspace_keys(struct place p, enum split_prepend *prepend, bool *split)
{
    static const char *const schemes[] = { [PREPEND_NEVER] = "never", [PREPEND_FIRST] = "first", [PREPEND_ALWAYS] = "always" };
    const struct place scheme = place_member(p, "prepend_scheme");
    const char *mark, *word = "always";
    bool prefix;
    int i = 0;
    TRY(place_keys(p, (const char *const[]){ "type", "replacement", "add_prefix_space", "prepend_scheme", "split", NULL }));
    TRY(place_text(place_member(p, "replacement"), &mark));
    if (strcmp(mark, space_mark) != 0) return place_refuse(place_member(p, "replacement"), "only U+2581 is read");
    if (!place_none(scheme)) TRY(place_text(scheme, &word));
    while (i < 3 && strcmp(word, schemes[i]) != 0) i++;
    if (i == 3) return place_refuse(scheme, "'%.60s' is none of always, first, never", word);
    *prepend = (enum split_prepend)i;
    TRY(place_bool(place_member(p, "add_prefix_space"), *prepend != PREPEND_NEVER, &prefix));
    if (prefix != (*prepend != PREPEND_NEVER)) return place_refuse(place_member(p, "add_prefix_space"), "contradicts prepend_scheme");
    return place_bool(place_member(p, "split"), true, split);
}

static enum status read_metaspace(struct place p, int depth, struct bpe_model *m)
{
    struct split_step step = { .kind = SPLIT_METASPACE };
    bool split;
    TRY(read_metaspace_keys(p, &step.prepend, &split));
    TRY(add_split(p, step, m));
    if (!split) return ST_OK;
    return add_split(p, (struct split_step){ .pattern = space_mark, .literal = true, .behaviour = SPLIT_MERGED_WITH_NEXT }, m);
}

static enum status read_pre_tokenizers(struct place p, int depth, struct bpe_model *m);
static const struct part pre_tokenizers[] = {
    { "Split", read_split },         { "ByteLevel", read_byte_level },    { "Digits", read_digits },
    { "Metaspace", read_metaspace }, { "Sequence", read_pre_tokenizers }, { NULL, NULL },
};
static enum status read_pre_tokenizers(struct place p, int depth, struct bpe_model *m)
{
    return read_sequence(p, "pretokenizers", pre_tokenizers, "the pre-tokenizer", depth, m);
}

/* --- post_processor: which special tokens are put around a text, and where tokens are in it: nothing that is asked for here ------- */

static enum status without_effect(struct place p, int depth, struct bpe_model *m) { return ST_OK; }

static enum status read_post_processors(struct place p, int depth, struct bpe_model *m);
static const struct part post_processors[] = {
    { "ByteLevel", without_effect },         { "TemplateProcessing", without_effect }, { "BertProcessing", without_effect },
    { "RobertaProcessing", without_effect }, { "Sequence", read_post_processors },     { NULL, NULL },
};
static enum status read_post_processors(struct place p, int depth, struct bpe_model *m)
{
    return read_sequence(p, "processors", post_processors, "the post-processor", depth, m);
}

/* --- decoder ------------------------------------------------------------------------------------------------------------------- */

static enum status decode_byte_level(struct place p, int depth, struct bpe_model *m)
{
    TRY(place_keys(p, (const char *const[]){ "type", "add_prefix_space", "trim_offsets", "use_regex", NULL })); /* without effect here */
    m->decoder.byte_level = true;
    return ST_OK;
}

static enum status decode_replace(struct place p, int depth, struct bpe_model *m)
{
    const char *pattern, *content;
    bool literal;
    TRY(place_keys(p, (const char *const[]){ "type", "pattern", "content", NULL }));
    TRY(read_pattern(place_member(p, "pattern"), &pattern, &literal));
    TRY(place_text(place_member(p, "content"), &content));
    if (!literal || strcmp(pattern, space_mark) != 0 || strcmp(content, " ") != 0)
        return place_refuse(p, "only the replacement of U+2581 by a space is read");
    m->decoder.marks = true;
    return ST_OK;
}

static enum status decode_fallback(struct place p, int depth, struct bpe_model *m)
{
    m->decoder.byte_fallback = true;
    return plain(p);
}

static enum status decode_fuse(struct place p, int depth, struct bpe_model *m) { return plain(p); } /* tokens become one text anyway */

static enum status decode_strip(struct place p, int depth, struct bpe_model *m)
{
    const char *content;
    int64_t start, stop;
    TRY(place_keys(p, (const char *const[]){ "type", "content", "start", "stop", NULL }));
    TRY(place_text(place_member(p, "content"), &content));
    TRY(place_integer(place_member(p, "start"), 0, 1, &start));
    TRY(place_integer(place_member(p, "stop"), 0, 0, &stop));
    if (strcmp(content, " ") != 0) return place_refuse(place_member(p, "content"), "only a space is stripped");
    if (start > 0) m->decoder.spaces = SPACES_STRIPPED;
    return ST_OK;
}

static enum status decode_metaspace(struct place p, int depth, struct bpe_model *m)
{
    enum split_prepend prepend;
    bool split;
    TRY(read_metaspace_keys(p, &prepend, &split));
    m->decoder.marks = true;
    m->decoder.spaces = prepend == PREPEND_NEVER ? SPACES_KEPT : SPACES_DROPPED;
    return ST_OK;
}

static enum status decode_sequence(struct place p, int depth, struct bpe_model *m);
static const struct part decoders[] = {
    { "ByteLevel", decode_byte_level }, { "Replace", decode_replace },     { "ByteFallback", decode_fallback }, { "Fuse", decode_fuse },
    { "Strip", decode_strip },          { "Metaspace", decode_metaspace }, { "Sequence", decode_sequence },     { NULL, NULL },
};
/* The order decides: Strip before Fuse would strip each token, Replace after ByteFallback would see bytes. */
static enum status decode_sequence(struct place p, int depth, struct bpe_model *m)
{
    static const char *const order[] = { "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip" };
    const struct place list = place_member(p, "decoders");
    size_t n, next = 0;
    bool fused = false;
    TRY(place_array(list, &n));
    for (size_t i = 0; i < n && n > 1; i++) {
        const struct place each = place_element(list, i);
        const char *type;
        TRY(place_text(place_member(each, "type"), &type));
        size_t k = 0;
        while (k < 5 && strcmp(order[k], type) != 0) k++;
        if (k < 5 && k < next) return place_refuse(each, "%s after %s is not read", type, order[next - 1]);
        if (k == 5 && (strcmp(type, "ByteLevel") == 0 || strcmp(type, "Sequence") == 0))
            return place_refuse(each, "%s among other decoders is not read", type);
        fused = fused || k == 3;
        if (k == 4 && !fused) return place_refuse(each, "Strip without Fuse before it is not read: it would strip each token");
        if (k < 5) next = k + 1;
    }
    return read_sequence(p, "decoders", decoders, "the decoder", depth, m);
}

/* --- all of them ------------------------------------------------------------------------------------------------------------------ */

/* What one part makes of a text another must undo. */
static enum status check_decoder(struct place decoder, const struct bpe_model *m)
{
    if (place_none(decoder)) return place_refuse(decoder, "is not given: tokens could not become text again");
    if (m->byte_level && !m->decoder.byte_level) return place_refuse(decoder, "ByteLevel is expected, for the pre-tokenizer is ByteLevel");
    if (!m->byte_level && m->decoder.byte_level) return place_refuse(decoder, "is ByteLevel, and the pre-tokenizer is not");
    if (m->byte_level && m->byte_fallback) return place_refuse(decoder, "ByteLevel and model.byte_fallback contradict each other");
    if (m->byte_fallback && !m->decoder.byte_fallback)
        return place_refuse(decoder, "ByteFallback is expected, for model.byte_fallback is true");
    return ST_OK;
}

enum status bpe_parts_read(struct place file, struct bpe_model *m)
{
    const struct place normalizer = place_member(file, "normalizer"), pre_tokenizer = place_member(file, "pre_tokenizer"),
                       post_processor = place_member(file, "post_processor"), decoder = place_member(file, "decoder");
    if (!place_none(normalizer)) TRY(read_part(normalizer, normalizers, "the normalizer", 0, m));
    if (!place_none(pre_tokenizer)) TRY(read_part(pre_tokenizer, pre_tokenizers, "the pre-tokenizer", 0, m));
    if (!place_none(post_processor)) TRY(read_part(post_processor, post_processors, "the post-processor", 0, m));
    if (!place_none(decoder)) TRY(read_part(decoder, decoders, "the decoder", 0, m));
    return check_decoder(decoder, m);
}
