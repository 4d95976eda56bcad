#include "split.h"
#include "common/base/str.h"
#include "common/base/utf8.h"
#include "expression.h"
#include <stdlib.h>
#include <string.h>

const struct split_pattern split_patterns[] = {
    { "gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      "words, numbers and signs, each with the space before it" },
    { "llama3",
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
      "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      "like gpt2, with up to three digits in a piece, and line ends with what stands before them" },
    { "qwen2",
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      "like llama3, with each digit by itself" },
    { NULL, NULL, NULL },
};

const char *const split_behaviour_names[SPLIT_BEHAVIOURS] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };

const struct split_pattern *split_pattern_named(const char *name)
{
    for (const struct split_pattern *p = split_patterns; p->name != NULL; p++)
        if (strcmp(p->name, name) == 0) return p;
    return NULL;
}

const struct split_pattern *split_pattern_like(const char *expression)
{
    for (const struct split_pattern *p = split_patterns; p->name != NULL; p++)
        if (strcmp(p->expression, expression) == 0) return p;
    return NULL;
}

/* --- Opening --------------------------------------------------------------------------------------------------------------- */

struct step {
    enum split_kind kind;
    struct expression *expression; /* SPLIT_MATCH, or */
    char *literal;
    size_t literal_bytes;
    bool invert;
    enum split_behaviour behaviour;
    enum split_prepend prepend;
};

struct split {
    int n_steps;
    bool known; /* where it may be cut is known: split_cut */
    struct step step[SPLIT_STEPS_MOST];
};

static enum status open_step(const struct split_step *from, struct step *to)
{
    *to = (struct step){ .kind = from->kind, .invert = from->invert, .behaviour = from->behaviour, .prepend = from->prepend };
    if (from->kind != SPLIT_MATCH) return ST_OK;
    if (from->literal) {
        to->literal_bytes = strlen(from->pattern);
        to->literal = strdup(from->pattern);
        if (to->literal == NULL) FAIL(ST_IO, "no memory for a pattern");
        if (to->literal_bytes == 0) FAIL(ST_DATA, "an empty text divides no text");
        return ST_OK;
    }
    const struct split_pattern *const named = split_pattern_named(from->pattern);
    return expression_open(named != NULL ? named->expression : from->pattern, &to->expression);
}

static bool knows_its_cuts(const struct split_step *steps, int n_steps)
{
    const struct split_step *const s = steps;
    return n_steps == 1 && s->kind == SPLIT_MATCH && !s->literal && !s->invert && s->behaviour == SPLIT_ISOLATED &&
           (split_pattern_named(s->pattern) != NULL || split_pattern_like(s->pattern) != NULL);
}

enum status split_open(const struct split_step *steps, int n_steps, struct split **out)
{
    *out = NULL;
    if (n_steps > SPLIT_STEPS_MOST) FAIL(ST_DATA, "more than %d steps of pre-tokenization", SPLIT_STEPS_MOST);
    struct split *const s = calloc(1, sizeof *s);
    if (s == NULL) FAIL(ST_IO, "no memory for the steps of pre-tokenization");
    enum status result = ST_OK;
    for (int i = 0; i < n_steps && result == ST_OK; i++, s->n_steps++) result = open_step(&steps[i], &s->step[i]);
    if (result) split_close(s);
    TRY(result);
    s->known = knows_its_cuts(steps, n_steps);
    *out = s;
    return ST_OK;
}

void split_close(struct split *s)
{
    if (s == NULL) return;
    for (int i = 0; i < s->n_steps; i++) {
        expression_close(s->step[i].expression);
        free(s->step[i].literal);
    }
    free(s);
}

struct splitter {
    const struct split *split;
    struct matcher *matcher;
    struct text changed[SPLIT_STEPS_MOST]; /* the piece as a step made it */
    split_take_fn take;
    void *context;
};

enum status splitter_open(const struct split *s, struct splitter **out)
{
    *out = NULL;
    struct splitter *const w = calloc(1, sizeof *w);
    if (w == NULL) FAIL(ST_IO, "no memory for pre-tokenization");
    w->split = s;
    const enum status result = matcher_open(&w->matcher);
    if (result) splitter_close(w);
    TRY(result);
    *out = w;
    return ST_OK;
}

void splitter_close(struct splitter *w)
{
    if (w == NULL) return;
    for (int i = 0; i < SPLIT_STEPS_MOST; i++) text_free(&w->changed[i]);
    matcher_close(w->matcher);
    free(w);
}

/* --- Steps ------------------------------------------------------------------------------------------------------------------ */

static enum status run_step(struct splitter *w, int k, const unsigned char *text, int64_t n, bool first);

/* The segments of one text under one step: matches and what is between them, joined as the behaviour says. */
struct segments {
    struct splitter *w;
    int next; /* step */
    enum split_behaviour behaviour;
    const unsigned char *text;
    int64_t begin, end; /* of what waits for the segment behind it; begin == end: nothing waits */
    bool match, first;  /* it is (or for MERGED_WITH_PREVIOUS, ends in) a match */
};

static enum status hand_on(struct segments *s, int64_t begin, int64_t end)
{
    return run_step(s->w, s->next, s->text + begin, end - begin, s->first && begin == 0);
}

static enum status flush(struct segments *s)
{
    const int64_t begin = s->begin, end = s->end;
    s->begin = s->end = 0;
    return end > begin ? hand_on(s, begin, end) : ST_OK;
}

static enum status segment(struct segments *s, int64_t begin, int64_t end, bool match)
{
    if (begin == end) return ST_OK;
    const bool waits = s->end > s->begin;
    bool joins = false;
    switch (s->behaviour) {
    case SPLIT_ISOLATED: return hand_on(s, begin, end);
    case SPLIT_REMOVED: return match ? ST_OK : hand_on(s, begin, end);
    case SPLIT_MERGED_WITH_PREVIOUS: joins = waits && match && !s->match; break;
    case SPLIT_MERGED_WITH_NEXT: joins = waits && !match && s->match; break;
    default: joins = waits && match == s->match; /* SPLIT_CONTIGUOUS */
    }
    if (!joins) {
        TRY(flush(s));
        s->begin = begin;
    }
    s->end = end;
    s->match = match;
    return ST_OK;
}

static enum status find(const struct step *step, struct matcher *m, const unsigned char *text, int64_t n, int64_t from, struct found *out)
{
    if (step->expression != NULL) return expression_find(step->expression, m, text, (size_t)n, (size_t)from, out);
    const unsigned char *const at = memmem(text + from, (size_t)(n - from), step->literal, step->literal_bytes);
    *out = (struct found){ .any = at != NULL };
    if (at == NULL) return ST_OK;
    out->begin = (size_t)(at - text);
    out->end = out->begin + step->literal_bytes;
    return ST_OK;
}

static enum status run_match(struct splitter *w, int k, const unsigned char *text, int64_t n, bool first)
{
    const struct step *const step = &w->split->step[k];
    struct segments s = { .w = w, .next = k + 1, .behaviour = step->behaviour, .text = text, .first = first };
    int64_t at = 0;
    while (at < n) {
        struct found found;
        TRY(find(step, w->matcher, text, n, at, &found));
        const int64_t begin = found.any ? (int64_t)found.begin : n;
        TRY(segment(&s, at, begin, step->invert));
        if (found.any) TRY(segment(&s, begin, (int64_t)found.end, !step->invert));
        at = found.any ? (int64_t)found.end : n;
    }
    return flush(&s);
}

static enum status run_prefix_space(struct splitter *w, int k, const unsigned char *text, int64_t n, bool first)
{
    struct text *const out = &w->changed[k];
    if (text[0] == ' ') return run_step(w, k + 1, text, n, first);
    out->length = 0;
    text_add_bytes(out, " ", 1);
    text_add_bytes(out, (const char *)text, (size_t)n);
    return run_step(w, k + 1, (const unsigned char *)out->data, (int64_t)out->length, first);
}

static const char mark[] = "\xe2\x96\x81"; /* U+2581 */
enum { MARK_BYTES = 3 };

static enum status run_metaspace(struct splitter *w, int k, const unsigned char *text, int64_t n, bool first)
{
    const enum split_prepend prepend = w->split->step[k].prepend;
    const bool stands = text[0] == ' ' || (n >= MARK_BYTES && memcmp(text, mark, MARK_BYTES) == 0);
    struct text *const out = &w->changed[k];
    out->length = 0;
    if (!stands && (prepend == PREPEND_ALWAYS || (prepend == PREPEND_FIRST && first))) text_add_bytes(out, mark, MARK_BYTES);
    for (int64_t i = 0; i < n;) {
        const unsigned char *const space = memchr(text + i, ' ', (size_t)(n - i));
        const int64_t end = space != NULL ? space - text : n;
        text_add_bytes(out, (const char *)text + i, (size_t)(end - i));
        if (space != NULL) text_add_bytes(out, mark, MARK_BYTES);
        i = end + 1;
    }
    return run_step(w, k + 1, (const unsigned char *)out->data, (int64_t)out->length, first);
}

static enum status run_step(struct splitter *w, int k, const unsigned char *text, int64_t n, bool first)
{
    static enum status (*const run[])(struct splitter *, int, const unsigned char *, int64_t, bool) = {
        [SPLIT_MATCH] = run_match, [SPLIT_PREFIX_SPACE] = run_prefix_space, [SPLIT_METASPACE] = run_metaspace
    };
    if (k == w->split->n_steps) return w->take(w->context, text, n);
    return run[w->split->step[k].kind](w, k, text, n, first);
}

/* Bytes from the beginning that are not UTF-8. */
static int64_t bad_run(const unsigned char *text, int64_t n)
{
    int64_t i = 0;
    uint32_t character;
    while (i < n && utf8_read(text + i, (size_t)(n - i), &character) == 0) i += character;
    return i;
}

enum status splitter_pieces(struct splitter *w, const unsigned char *text, int64_t n, bool first, split_take_fn take, void *context)
{
    w->take = take;
    w->context = context;
    for (int64_t i = 0; i < n;) {
        const int64_t good = utf8_run(text + i, n - i);
        if (good > 0) TRY(run_step(w, 0, text + i, good, first && i == 0));
        i += good;
        const int64_t bad = bad_run(text + i, n - i);
        if (bad > 0) TRY(take(context, text + i, bad));
        i += bad;
    }
    return ST_OK;
}

/* --- Cutting ----------------------------------------------------------------------------------------------------------------- */

static bool ascii_letter(unsigned char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/* All named patterns end a piece behind a letter that a space or line end follows, whatever the text before; a space goes with the letter
 * behind it, and a line end that has no other space around it is a piece. */
int64_t split_cut(const struct split *s, const unsigned char *text, int64_t n)
{
    if (!s->known) return 0;
    for (int64_t i = n - 2; i > 0; i--)
        if ((text[i] == ' ' || text[i] == '\n') && ascii_letter(text[i - 1]) && ascii_letter(text[i + 1])) return i;
    return 0;
}
