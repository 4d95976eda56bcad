#include "expression.h"
#include "common/base/libraries.h"
#include "rewrite.h"
#include <stdlib.h>

#ifdef LAMINA_HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* An expression of somebody's file must not stop the program. Matches are short, but backtracking over a run of n spaces is honest work of
 * n steps: so the bound is this, and some for each byte. */
enum { MATCH_LIMIT = 1000000, MATCH_LIMIT_PER_BYTE = 8, DEPTH_LIMIT = 1000, HEAP_LIMIT_KIB = 64 << 10 };
enum { JIT_STACK_FIRST = 32 << 10, JIT_STACK_MOST = 8 << 20 };

struct expression {
    pcre2_code *code;
    bool jit;
};

struct matcher {
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
};

static enum status compile(const char *pattern, struct expression *e)
{
    struct text text = { 0 };
    int error;
    PCRE2_SIZE place;
    uint32_t can_be_empty = 0;
    const enum status s = rewrite_expression(pattern, &text);
    if (s == ST_OK)
        e->code = pcre2_compile((PCRE2_SPTR)(text.data != NULL ? text.data : ""), text.length,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &place, NULL);
    text_free(&text);
    TRY(s);
    if (e->code == NULL) {
        PCRE2_UCHAR why[200] = "";
        (void)pcre2_get_error_message(error, why, sizeof why);
        FAIL(ST_DATA, "the expression '%.300s' does not read: %s", pattern, (const char *)why);
    }
    (void)pcre2_pattern_info(e->code, PCRE2_INFO_MATCHEMPTY, &can_be_empty);
    if (can_be_empty) FAIL(ST_DATA, "the expression '%.300s' can match nothing at all, which divides no text", pattern);
    e->jit = pcre2_jit_compile(e->code, PCRE2_JIT_COMPLETE) == 0; /* where there is none, the interpreter finds the same */
    return ST_OK;
}

enum status expression_open(const char *pattern, struct expression **out)
{
    *out = NULL;
    struct expression *const e = calloc(1, sizeof *e);
    if (e == NULL) FAIL(ST_IO, "no memory for an expression");
    const enum status s = compile(pattern, e);
    if (s) expression_close(e);
    TRY(s);
    *out = e;
    return ST_OK;
}

void expression_close(struct expression *e)
{
    if (e == NULL) return;
    pcre2_code_free(e->code);
    free(e);
}

enum status matcher_open(struct matcher **out)
{
    *out = NULL;
    struct matcher *const m = calloc(1, sizeof *m);
    if (m == NULL) FAIL(ST_IO, "no memory for a matcher");
    *m = (struct matcher){ .match = pcre2_match_data_create(1, NULL),
                           .limits = pcre2_match_context_create(NULL),
                           .stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL) }; /* NULL where there is no JIT */
    if (m->match == NULL || m->limits == NULL) {
        matcher_close(m);
        FAIL(ST_IO, "no memory for a matcher");
    }
    (void)pcre2_set_depth_limit(m->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(m->limits, HEAP_LIMIT_KIB);
    pcre2_jit_stack_assign(m->limits, NULL, m->stack);
    *out = m;
    return ST_OK;
}

void matcher_close(struct matcher *m)
{
    if (m == NULL) return;
    pcre2_jit_stack_free(m->stack);
    pcre2_match_context_free(m->limits);
    pcre2_match_data_free(m->match);
    free(m);
}

enum status expression_find(const struct expression *e, struct matcher *m, const unsigned char *text, size_t n, size_t from,
                            struct found *out)
{
    const uint64_t limit = MATCH_LIMIT + (uint64_t)MATCH_LIMIT_PER_BYTE * n;
    (void)pcre2_set_match_limit(m->limits, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    const int found = e->jit ? pcre2_jit_match(e->code, text, n, from, PCRE2_NO_UTF_CHECK, m->match, m->limits)
                             : pcre2_match(e->code, text, n, from, PCRE2_NO_UTF_CHECK, m->match, m->limits);
    *out = (struct found){ .any = found >= 0 };
    if (found >= 0) {
        const PCRE2_SIZE *const place = pcre2_get_ovector_pointer(m->match);
        out->begin = place[0];
        out->end = place[1];
        if (out->begin >= from && out->end > out->begin) return ST_OK;
        FAIL(ST_DATA, "the expression matches backwards or nothing at byte %zu, which divides no text", from);
    }
    if (found == PCRE2_ERROR_NOMATCH) return ST_OK;
    PCRE2_UCHAR why[200] = "";
    (void)pcre2_get_error_message(found, why, sizeof why);
    FAIL(ST_DATA, "%s at byte %zu of %zu: the tokenizer's expression is too slow for this text", (const char *)why, from, n);
}

const char *library_pcre2(void)
{
    static _Thread_local char version[32];
    return pcre2_config(PCRE2_CONFIG_VERSION, version) > 0 ? version : "of unknown version";
}

#else

struct expression {
    int unused;
};

struct matcher {
    int unused;
};

enum status expression_open(const char *pattern, struct expression **out)
{
    *out = NULL;
    FAIL(ST_LAUNCH,
         "the tokenizer's expression '%.100s' needs PCRE2, and this lamina was built without it: install libpcre2-dev and build again",
         pattern);
}

void expression_close(struct expression *e) {}

enum status matcher_open(struct matcher **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) FAIL(ST_IO, "no memory for a matcher");
    return ST_OK;
}

void matcher_close(struct matcher *m) { free(m); }

enum status expression_find(const struct expression *e, struct matcher *m, const unsigned char *text, size_t n, size_t from,
                            struct found *out)
{
    *out = (struct found){ 0 };
    FAIL(ST_BUG, "an expression without PCRE2");
}

const char *library_pcre2(void) { return NULL; }

#endif
