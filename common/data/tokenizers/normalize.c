#include "normalize.h"
#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/base/str.h"
#include "common/base/utf8.h"
#include "expression.h"
#include "later.h"
#include <stdlib.h>
#include <string.h>

#ifdef LAMINA_HAVE_UTF8PROC
#include <utf8proc.h>
const char *library_utf8proc(void) { return utf8proc_version(); }
#else
const char *library_utf8proc(void) { return NULL; }
#endif

static const size_t text_most = (size_t)4 << 30; /* a replacement may be longer than what it replaces */

struct step {
    struct normalize_step is; /* its texts are copies */
    struct expression *expression;
};

struct normalizer {
    int n_steps;
    struct step step[NORMALIZE_STEPS_MOST];
};

struct normalizing {
    const struct normalizer *normalizer;
    struct matcher *matcher;
    struct text text[2]; /* what a step reads, and what it writes */
    int32_t *characters; /* of a stretch that is normalized */
    size_t cap_characters;
};

/* --- Steps: each appends what becomes of a run of whole characters ---------------------------------------------------------- */

#ifdef LAMINA_HAVE_UTF8PROC

static enum status room(struct normalizing *w, size_t n)
{
    if (n <= w->cap_characters) return ST_OK;
    int32_t *const more = realloc(w->characters, 2 * n * sizeof *more);
    if (more == NULL) FAIL(ST_IO, "no memory to normalize %zu characters", n);
    w->characters = more;
    w->cap_characters = 2 * n;
    return ST_OK;
}

static void add_character(struct text *out, int32_t c)
{
    unsigned char bytes[4];
    text_add_bytes(out, (const char *)bytes, (size_t)utf8proc_encode_char(c, bytes));
}

static enum status compose(struct normalizing *w, utf8proc_option_t form, const unsigned char *run, int64_t n, struct text *out)
{
    TRY(room(w, (size_t)n));
    utf8proc_ssize_t made = utf8proc_decompose(run, n, w->characters, (utf8proc_ssize_t)w->cap_characters, form);
    if (made > (utf8proc_ssize_t)w->cap_characters) {
        TRY(room(w, (size_t)made));
        made = utf8proc_decompose(run, n, w->characters, (utf8proc_ssize_t)w->cap_characters, form);
    }
    CHECK(made >= 0); /* the run is UTF-8 */
    made = utf8proc_normalize_utf32(w->characters, made, form);
    CHECK(made >= 0);
    for (utf8proc_ssize_t i = 0; i < made; i++) add_character(out, w->characters[i]);
    return ST_OK;
}

/* A stretch that begins with a character which is not ASCII, or is before one that is not. */
static enum status compose_stretch(struct normalizing *w, utf8proc_option_t form, const unsigned char *run, int64_t n, struct text *out)
{
    int64_t done = 0;
    for (int64_t i = 0, length; i < n; i += length) {
        uint32_t c;
        length = (int64_t)utf8_read(run + i, (size_t)(n - i), &c);
        if (!later_than_forms(c)) continue;
        if (i > done) TRY(compose(w, form, run + done, i - done, out));
        text_add_bytes(out, (const char *)run + i, (size_t)length); /* and nothing is ordered or composed across it */
        done = i + length;
    }
    return n > done ? compose(w, form, run + done, n - done, out) : ST_OK;
}

/* ASCII is in every form already, but for the character before a mark: so a stretch begins with the last ASCII character before it. */
static enum status unicode_form(struct normalizing *w, const struct step *step, const unsigned char *run, int64_t n, struct text *out)
{
    static const int forms[] = { [NORMALIZE_NFC] = UTF8PROC_COMPOSE,
                                 [NORMALIZE_NFD] = UTF8PROC_DECOMPOSE,
                                 [NORMALIZE_NFKC] = UTF8PROC_COMPAT | UTF8PROC_COMPOSE,
                                 [NORMALIZE_NFKD] = UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE };
    const utf8proc_option_t form = (utf8proc_option_t)(UTF8PROC_STABLE | forms[step->is.kind]);
    for (int64_t i = 0; i < n;) {
        int64_t end = i;
        while (end < n && run[end] < 0x80) end++;
        const int64_t stretch = end == n ? n : max_i64(i, end - 1);
        text_add_bytes(out, (const char *)run + i, (size_t)(stretch - i));
        while (end < n && run[end] >= 0x80) end++;
        if (end > stretch) TRY(compose_stretch(w, form, run + stretch, end - stretch, out));
        i = end;
    }
    return ST_OK;
}

/* Character by character, without regard to where in a word it stands. U+0130 is the only one that becomes two. */
static enum status lowercase(struct normalizing *w, const struct step *step, const unsigned char *run, int64_t n, struct text *out)
{
    for (int64_t i = 0; i < n;) {
        uint32_t c;
        i += (int64_t)utf8_read(run + i, (size_t)(n - i), &c);
        add_character(out, c == 0x130 ? 'i' : utf8proc_tolower((int32_t)c));
        if (c == 0x130) add_character(out, 0x307);
    }
    return ST_OK;
}

static enum status unicode_there(void) { return ST_OK; }

#else

static enum status unicode_form(struct normalizing *w, const struct step *step, const unsigned char *run, int64_t n, struct text *out)
{
    FAIL(ST_BUG, "a Unicode form without utf8proc");
}

static enum status lowercase(struct normalizing *w, const struct step *step, const unsigned char *run, int64_t n, struct text *out)
{
    FAIL(ST_BUG, "lower case without utf8proc");
}

static enum status unicode_there(void)
{
    FAIL(ST_LAUNCH, "this tokenizer normalizes Unicode, which needs utf8proc, and this lamina was built without it: install "
                    "libutf8proc-dev and build again");
}

#endif

static enum status replace(struct normalizing *w, const struct step *step, const unsigned char *run, int64_t n, struct text *out)
{
    const size_t pattern = strlen(step->is.pattern), content = strlen(step->is.content);
    for (int64_t i = 0; i < n;) {
        struct found found = { 0 };
        if (step->is.literal) {
            const unsigned char *const at = memmem(run + i, (size_t)(n - i), step->is.pattern, pattern);
            if (at != NULL) found = (struct found){ .any = true, .begin = (size_t)(at - run), .end = (size_t)(at - run) + pattern };
        } else {
            TRY(expression_find(step->expression, w->matcher, run, (size_t)n, (size_t)i, &found));
        }
        text_add_bytes(out, (const char *)run + i, (found.any ? found.begin : (size_t)n) - (size_t)i);
        if (found.any) text_add_bytes(out, step->is.content, content);
        i = found.any ? (int64_t)found.end : n;
        if (out->length > text_most) FAIL(ST_DATA, "replacing '%.60s' makes more than 4 GiB of the text", step->is.pattern);
    }
    return ST_OK;
}

/* What each kind does; NULL: it does not go by runs. */
static enum status (*const of_run[])(struct normalizing *, const struct step *, const unsigned char *, int64_t, struct text *) = {
    [NORMALIZE_NFC] = unicode_form,    [NORMALIZE_NFD] = unicode_form, [NORMALIZE_NFKC] = unicode_form, [NORMALIZE_NFKD] = unicode_form,
    [NORMALIZE_LOWERCASE] = lowercase, [NORMALIZE_REPLACE] = replace,  [NORMALIZE_PREPEND] = NULL
};

static enum status by_runs(struct normalizing *w, const struct step *step, const unsigned char *text, int64_t n, struct text *out)
{
    for (int64_t i = 0; i < n;) {
        const int64_t good = utf8_run(text + i, n - i);
        if (good > 0) TRY(of_run[step->is.kind](w, step, text + i, good, out));
        i += good;
        if (i < n) text_add_bytes(out, (const char *)text + i++, 1); /* a byte that is none, or of none */
    }
    return ST_OK;
}

static bool changes_nothing(const struct step *step, const unsigned char *text, int64_t n)
{
    if (step->is.kind == NORMALIZE_REPLACE || step->is.kind == NORMALIZE_PREPEND || step->is.kind == NORMALIZE_LOWERCASE) return false;
    for (int64_t i = 0; i < n; i++)
        if (text[i] >= 0x80) return false;
    return true;
}

enum status normalize_text(struct normalizing *w, const unsigned char *text, int64_t n, const unsigned char **out, int64_t *out_n)
{
    for (int k = 0; k < w->normalizer->n_steps && n > 0; k++) {
        const struct step *const step = &w->normalizer->step[k];
        if (changes_nothing(step, text, n)) continue;
        struct text *const made = &w->text[text == (const unsigned char *)w->text[0].data];
        made->length = 0;
        if (step->is.kind == NORMALIZE_PREPEND) {
            text_add_bytes(made, step->is.content, strlen(step->is.content));
            text_add_bytes(made, (const char *)text, (size_t)n);
        } else {
            TRY(by_runs(w, step, text, n, made));
        }
        text = (const unsigned char *)made->data;
        n = (int64_t)made->length;
    }
    *out = text;
    *out_n = n;
    return ST_OK;
}

/* --- Opening ------------------------------------------------------------------------------------------------------------------ */

static enum status open_step(const struct normalize_step *from, struct step *to)
{
    to->is = *from;
    to->is.pattern = to->is.content = NULL;
    if ((from->pattern != NULL && (to->is.pattern = strdup(from->pattern)) == NULL) ||
        (from->content != NULL && (to->is.content = strdup(from->content)) == NULL))
        FAIL(ST_IO, "no memory for a normalizer");
    if (from->kind <= NORMALIZE_LOWERCASE) return unicode_there();
    if (from->kind != NORMALIZE_REPLACE) return ST_OK;
    if (from->literal && from->pattern[0] == '\0') FAIL(ST_DATA, "an empty text cannot be replaced");
    return from->literal ? ST_OK : expression_open(from->pattern, &to->expression);
}

enum status normalizer_open(const struct normalize_step *steps, int n_steps, struct normalizer **out)
{
    *out = NULL;
    if (n_steps > NORMALIZE_STEPS_MOST) FAIL(ST_DATA, "more than %d steps of normalization", NORMALIZE_STEPS_MOST);
    struct normalizer *const n = calloc(1, sizeof *n);
    if (n == NULL) FAIL(ST_IO, "no memory for a normalizer");
    enum status s = ST_OK;
    for (int i = 0; i < n_steps && s == ST_OK; i++, n->n_steps++) s = open_step(&steps[i], &n->step[i]);
    if (s) normalizer_close(n);
    TRY(s);
    *out = n;
    return ST_OK;
}

void normalizer_close(struct normalizer *n)
{
    if (n == NULL) return;
    for (int i = 0; i < n->n_steps; i++) {
        expression_close(n->step[i].expression);
        free((void *)(uintptr_t)n->step[i].is.pattern);
        free((void *)(uintptr_t)n->step[i].is.content);
    }
    free(n);
}

enum status normalizing_open(const struct normalizer *n, struct normalizing **out)
{
    *out = NULL;
    struct normalizing *const w = calloc(1, sizeof *w);
    if (w == NULL) FAIL(ST_IO, "no memory for a normalizer");
    w->normalizer = n;
    const enum status s = matcher_open(&w->matcher);
    if (s) normalizing_close(w);
    TRY(s);
    *out = w;
    return ST_OK;
}

void normalizing_close(struct normalizing *w)
{
    if (w == NULL) return;
    matcher_close(w->matcher);
    text_free(&w->text[0]);
    text_free(&w->text[1]);
    free(w->characters);
    free(w);
}
