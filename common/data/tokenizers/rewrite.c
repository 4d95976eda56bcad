#include "rewrite.h"
#include "later.h"
#include <string.h>

/* What a shorthand stands for, as items of a [set]. */
static const char space_items[] = "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
static const char other_items[] = "\\x{0}-\\x{8}\\x{E}-\\x{1F}!-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}"
                                  "\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}";

static const char *const categories[] = { "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl", "No",
                                          "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So" };
/* ASCII first: a set answers for it from a bitmap. */
static const struct {
    const char *category, *ascii;
} ascii_part[] = { { "L", "A-Za-z" }, { "Lu", "A-Z" }, { "Ll", "a-z" }, { "N", "0-9" }, { "Nd", "0-9" } };

static void add_category(struct text *out, const char *name)
{
    for (size_t i = 0; i < sizeof ascii_part / sizeof *ascii_part; i++)
        if (strcmp(ascii_part[i].category, name) == 0) text_add(out, "%s", ascii_part[i].ascii);
    text_add(out, "\\p{%s}", name);
    for (const struct later *l = later_characters; l->category != NULL; l++)
        if (strncmp(l->category, name, strlen(name)) == 0) text_add(out, "\\x{%X}-\\x{%X}", l->first, l->last);
}

struct rewrite {
    const char *pattern, *at;
    struct text *out;
    bool in_set;
};

static enum status refuse(const struct rewrite *w, const char *at, int n, const char *why)
{
    FAIL(ST_DATA, "the expression '%.300s' has '%.*s' at character %zu: %s", w->pattern, n, at, (size_t)(at - w->pattern) + 1, why);
}

/* \p{NAME}, \P{NAME}, \p{^NAME}; at stands on the p. */
static enum status property(struct rewrite *w)
{
    const char *const begin = w->at - 1, *name = w->at + 2;
    bool negated = w->at[0] == 'P';
    const char *const end = w->at[1] == '{' ? strchr(w->at, '}') : NULL;
    if (end == NULL) return refuse(w, begin, 2, "a property is written \\p{L}");
    if (name[0] == '^') negated = !negated, name++;
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        if ((size_t)(end - name) != strlen(categories[i]) || strncmp(name, categories[i], (size_t)(end - name)) != 0) continue;
        if (negated && w->in_set) return refuse(w, begin, (int)(end + 1 - begin), "a negated property inside [] is not read");
        if (!w->in_set) text_add(w->out, negated ? "[^" : "[");
        add_category(w->out, categories[i]);
        if (!w->in_set) text_add(w->out, "]");
        w->at = end + 1;
        return ST_OK;
    }
    return refuse(w, begin, (int)(end + 1 - begin),
                  "of properties, the general categories of letters, marks, numbers, punctuation and symbols are read");
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \xHH, \x{H...}, \uHHHH; at stands on the letter. */
static enum status character(struct rewrite *w)
{
    const char *const begin = w->at - 1;
    const bool braces = w->at[0] == 'x' && w->at[1] == '{';
    const int least = braces ? 1 : w->at[0] == 'x' ? 2 : 4, most = braces ? 6 : least;
    const char *p = w->at + (braces ? 2 : 1);
    uint32_t value = 0;
    int n = 0;
    for (; n < most && hex_digit(*p) >= 0; n++) value = value << 4 | (uint32_t)hex_digit(*p++);
    if (n < least || (braces && *p++ != '}')) return refuse(w, begin, 2, "a character is written \\x0A, \\x{3000} or \\u3000");
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000) || (!braces && w->at[0] == 'x' && value > 0x7f))
        return refuse(w, begin, (int)(p - begin), "is no character");
    text_add(w->out, "\\x{%X}", value);
    w->at = p;
    return ST_OK;
}

static enum status escape(struct rewrite *w)
{
    const char c = *++w->at;
    const struct {
        char letter;
        const char *items;
        bool negated; /* outside of a set */
    } shorthand[] = { { 's', space_items, false }, { 'S', w->in_set ? other_items : space_items, true } };
    for (size_t i = 0; i < sizeof shorthand / sizeof *shorthand; i++) {
        if (c != shorthand[i].letter) continue;
        text_add(w->out, w->in_set ? "%s" : shorthand[i].negated ? "[^%s]" : "[%s]", shorthand[i].items);
        w->at++;
        return ST_OK;
    }
    if (c == 'p' || c == 'P') return property(w);
    if (c == 'x' || c == 'u') return character(w);
    if (c == 'd' || (c == 'D' && !w->in_set)) {
        if (!w->in_set) text_add(w->out, c == 'D' ? "[^" : "[");
        add_category(w->out, "Nd");
        if (!w->in_set) text_add(w->out, "]");
        w->at++;
        return ST_OK;
    }
    if (c == 'v') {
        text_add(w->out, "\\x{B}"); /* to PCRE2 it is any vertical space */
        w->at++;
        return ST_OK;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '\0' || (letter && strchr("rntfae", c) == NULL)) return refuse(w, w->at - 1, 2, "is not read");
    if ((unsigned char)c >= 0x80) return refuse(w, w->at - 1, 1, "stands before a character that needs none");
    text_add_bytes(w->out, w->at - 1, 2);
    w->at++;
    return ST_OK;
}

/* [...]; at stands on the bracket. */
static enum status set(struct rewrite *w)
{
    const char *const begin = w->at++;
    text_add(w->out, "[");
    if (*w->at == '^') text_add_bytes(w->out, w->at++, 1);
    if (*w->at == ']') return refuse(w, begin, 2, "a ] that belongs to a set is written \\]");
    w->in_set = true;
    while (*w->at != ']') {
        if (*w->at == '\0') return refuse(w, begin, 1, "has no ]");
        if (*w->at == '[') return refuse(w, w->at, 1, "a set inside a set, or a [:name:], is not read; a [ itself is written \\[");
        if (w->at[0] == '&' && w->at[1] == '&') return refuse(w, w->at, 2, "an intersection of sets is not read");
        if (*w->at == '\\')
            TRY(escape(w));
        else
            text_add_bytes(w->out, w->at++, 1);
    }
    text_add_bytes(w->out, w->at++, 1);
    w->in_set = false;
    return ST_OK;
}

/* (, (?:, (?i:, (?=, (?!, (?<=, (?<!, (?>; at stands on the bracket. */
static enum status group(struct rewrite *w)
{
    static const char *const known[] = { "?:", "?i:", "?-i:", "?=", "?!", "?<=", "?<!", "?>" };
    if (w->at[1] == '*') return refuse(w, w->at, 2, "is not read");
    if (w->at[1] != '?') {
        text_add_bytes(w->out, w->at++, 1);
        return ST_OK;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(w->at + 1, known[i], strlen(known[i])) != 0) continue;
        text_add(w->out, "(%s", known[i]);
        w->at += 1 + strlen(known[i]);
        return ST_OK;
    }
    return refuse(w, w->at, 3, "of groups, (?: (?i: (?-i: (?= (?! (?<= (?<! and (?> are read");
}

/* {n}, {n,}, {,m}, {n,m}, which Ruby's {n}+ repeats and Perl's {n}+ makes possessive; any other { is itself. */
static enum status interval(struct rewrite *w)
{
    const size_t digits = strspn(w->at + 1, "0123456789");
    const char *p = w->at + 1 + digits;
    const bool comma = *p == ',';
    const size_t more = comma ? strspn(++p, "0123456789") : 0;
    p += more;
    if (*p != '}' || digits + more == 0) {
        text_add(w->out, "\\{");
        w->at++;
        return ST_OK;
    }
    if (p[1] == '+') return refuse(w, w->at, (int)(p + 2 - w->at), "is not read: write (?:...{n})+ or (?>...{n})");
    text_add(w->out, "{%.*s", digits > 0 ? (int)digits : 1, digits > 0 ? w->at + 1 : "0");
    text_add_bytes(w->out, w->at + 1 + digits, (size_t)(p + 1 - (w->at + 1 + digits)));
    w->at = p + 1;
    return ST_OK;
}

enum status rewrite_expression(const char *pattern, struct text *out)
{
    struct rewrite w = { .pattern = pattern, .at = pattern, .out = out };
    while (*w.at != '\0') {
        switch (*w.at) {
        case '\\': TRY(escape(&w)); break;
        case '[': TRY(set(&w)); break;
        case '(': TRY(group(&w)); break;
        case '{': TRY(interval(&w)); break;
        default: text_add_bytes(out, w.at++, 1);
        }
    }
    return ST_OK;
}
