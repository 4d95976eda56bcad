#include "cutter.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

#ifdef LAMINA_HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A pattern of the user must not stop the program: these bounds refuse runaway backtracking within a fraction of a second. */
enum { MATCH_LIMIT = 1000000, DEPTH_LIMIT = 1000, HEAP_LIMIT_KIB = 64 << 10 };

struct cutter {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

enum status cutter_open(const char *pattern, struct cutter **out)
{
    *out = NULL;
    if (pattern == NULL) return ST_OK;
    int error;
    PCRE2_SIZE place;
    pcre2_code *const code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                           PCRE2_ANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &place, NULL);
    if (code == NULL) {
        PCRE2_UCHAR why[200] = "";
        (void)pcre2_get_error_message(error, why, sizeof why);
        FAIL(ST_USAGE, "--document-start '%.200s': %s at character %zu", pattern, (const char *)why, (size_t)place);
    }
    struct cutter *const c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    *c = (struct cutter){ .code = code,
                          .match = pcre2_match_data_create_from_pattern(code, NULL),
                          .limits = pcre2_match_context_create(NULL) };
    CHECK(c->match != NULL && c->limits != NULL);
    (void)pcre2_set_match_limit(c->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(c->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(c->limits, HEAP_LIMIT_KIB);
    *out = c;
    return ST_OK;
}

void cutter_close(struct cutter *c)
{
    if (c == NULL) return;
    pcre2_match_context_free(c->limits);
    pcre2_match_data_free(c->match);
    pcre2_code_free(c->code);
    free(c);
}

enum status cutter_matches(const struct cutter *c, const unsigned char *line, size_t n, bool *begins)
{
    const int found = pcre2_match(c->code, line, n, 0, 0, c->match, c->limits);
    *begins = found >= 0;
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH) return ST_OK;
    PCRE2_UCHAR why[200] = "";
    (void)pcre2_get_error_message(found, why, sizeof why);
    FAIL(ST_DATA, "--document-start: %s on a line of %zu bytes: the expression is too slow for this text", (const char *)why, n);
}

#else

struct cutter {
    int unused;
};

enum status cutter_open(const char *pattern, struct cutter **out)
{
    *out = NULL;
    if (pattern != NULL)
        FAIL(ST_LAUNCH, "--document-start needs PCRE2, and this lamina was built without it: install libpcre2-dev and build again");
    return ST_OK;
}

void cutter_close(struct cutter *c) {}

enum status cutter_matches(const struct cutter *c, const unsigned char *line, size_t n, bool *begins)
{
    *begins = false;
    return ST_OK;
}

#endif
