#include "str.h"
#include "check.h"
#include "utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a text that grows ---- */

static void reserve(struct text *text, size_t more)
{
    size_t need = 0;
    CHECK(size_add(text->length, more, &need) == ST_OK && size_add(need, 1, &need) == ST_OK);
    if (need <= text->cap) return;
    size_t cap = text->cap < 64 ? 64 : text->cap;
    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    text->data = realloc(text->data, cap);
    CHECK(text->data != NULL);
    text->cap = cap;
}

void text_add_bytes(struct text *text, const char *bytes, size_t n)
{
    reserve(text, n);
    if (n > 0) memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(n >= 0);
    reserve(text, (size_t)n);
    (void)vsnprintf(text->data + text->length, (size_t)n + 1, format, again);
    va_end(again);
    text->length += (size_t)n;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){ 0 };
}

/* ---- names ---- */

enum { WORD_MAX = 63 }; /* longer words have no near neighbour worth naming */

/* Edit distance with transpositions of neighbours (optimal string alignment), row by row: d[i][j] for prefixes i of a, j of b. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++) above[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *const recycled = before;
        before = above, above = row, row = recycled;
    }
    return above[nb];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
    const size_t length = strlen(word);
    if (length > WORD_MAX) return NULL;
    size_t limit = length / 3 > 2 ? length / 3 : 2;
    if (limit >= length) limit = length > 0 ? length - 1 : 0; /* something of the word must be left */
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t nc = strlen(candidates[i]);
        if (nc > WORD_MAX) continue;
        const size_t d = distance(word, length, candidates[i], nc);
        if (d > limit || (nearest != NULL && d == limit)) continue;
        nearest = candidates[i];
        limit = d;
    }
    return nearest;
}

bool str_glob(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL; /* the last '*', and where its run ends in name */
    while (*name != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++, name++;
        } else if (star != NULL) { /* let the star take one more */
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

/* ---- numbers in ---- */

enum status str_to_i64(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || strspn(text, "+-0123456789") != strlen(text) || *end != '\0')
        FAIL(ST_USAGE, "'%.60s' is not a whole number", text);
    if (errno == ERANGE) FAIL(ST_USAGE, "'%.60s' does not fit 64 bits", text);
    *out = value;
    return ST_OK;
}

enum status str_to_f64(const char *text, double *out)
{
    char *end = NULL;
    const double value = strtod(text, &end); /* the locale is always "C": nothing here calls setlocale */
    if (text[0] == '\0' || strspn(text, "+-.0123456789eE") != strlen(text) || *end != '\0') FAIL(ST_USAGE, "'%.60s' is not a number", text);
    if (!isfinite(value)) FAIL(ST_USAGE, "'%.60s' is larger than any number kept here", text);
    *out = value;
    return ST_OK;
}

enum status str_to_bytes(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = { { "", 1 },      { "B", 1 },        { "kB", 1e3 },     { "MB", 1e6 },     { "GB", 1e9 },
                  { "TB", 1e12 }, { "KiB", 0x1p10 }, { "MiB", 0x1p20 }, { "GiB", 0x1p30 }, { "TiB", 0x1p40 } };
    const size_t digits = strspn(text, "0123456789.");
    const char *const unit = text + digits + strspn(text + digits, " ");
    char number[32];
    double value;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0 || digits == 0 || digits >= sizeof number) continue;
        (void)snprintf(number, sizeof number, "%.*s", (int)digits, text);
        TRY(str_to_f64(number, &value));
        value *= units[i].bytes;
        if (!(value >= 1 && value < 0x1p63)) break;
        *out = (int64_t)value;
        return ST_OK;
    }
    FAIL(ST_USAGE, "'%.40s' is not a size: give bytes, or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB", text);
}

/* ---- numbers out ---- */

char *str_bytes(char *buffer, size_t size, double bytes)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    const size_t n_units = sizeof unit / sizeof unit[0];
    size_t u = 0;
    while (u + 1 < n_units && fabs(bytes) >= 1023.5) bytes /= 1024, u++; /* 1023.5 would print as 1024 */
    (void)snprintf(buffer, size, "%.*f %s", u > 0 && fabs(bytes) < 99.95 ? 1 : 0, bytes, unit[u]);
    return buffer;
}

char *str_seconds(char *buffer, size_t size, double seconds)
{
    if (!(fabs(seconds) < 1e15)) {
        (void)snprintf(buffer, size, "unknown");
    } else if (fabs(seconds) < 9.95e-4) {
        (void)snprintf(buffer, size, "%.0f us", seconds * 1e6);
    } else if (fabs(seconds) < 0.9995) {
        (void)snprintf(buffer, size, "%.0f ms", seconds * 1e3);
    } else if (fabs(seconds) < 9.95) {
        (void)snprintf(buffer, size, "%.1f s", seconds);
    } else {
        const char *const sign = seconds < 0 ? "-" : "";
        const int64_t s = (int64_t)(fabs(seconds) + 0.5);
        const int64_t d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;
        if (d > 0)
            (void)snprintf(buffer, size, "%s%" PRId64 " d %" PRId64 " h", sign, d, h);
        else if (h > 0)
            (void)snprintf(buffer, size, "%s%" PRId64 " h %" PRId64 " min", sign, h, m);
        else if (m > 0)
            (void)snprintf(buffer, size, "%s%" PRId64 " min %" PRId64 " s", sign, m, s % 60);
        else
            (void)snprintf(buffer, size, "%s%" PRId64 " s", sign, s);
    }
    return buffer;
}

char *str_count(char *buffer, size_t size, int64_t n)
{
    char reversed[32]; /* 19 digits, 6 commas, a sign */
    size_t length = 0, digits = 0;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        if (digits > 0 && digits % 3 == 0) reversed[length++] = ',';
        reversed[length++] = (char)('0' + rest % 10);
        digits++;
        rest /= 10;
    } while (rest > 0);
    if (n < 0) reversed[length++] = '-';
    size_t at = 0;
    while (at + 1 < size && length > 0) buffer[at++] = reversed[--length];
    if (size > 0) buffer[at] = '\0';
    return buffer;
}

/* ---- bytes of others ---- */

static bool harmless(uint32_t c)
{
    if (c == '\n' || c == '\t') return true;
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return false; /* C0, DEL, C1 */
    /* marks that reorder or break what is shown around them */
    return !(c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff);
}

int64_t str_characters(const char *text, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

void text_add_printable(struct text *text, const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        const size_t length = utf8_read(s + i, n - i, &c);
        if (length > 0 && harmless(c)) {
            text_add_bytes(text, bytes + i, length);
        } else {
            for (size_t k = 0; k < (length > 0 ? length : 1); k++) text_add(text, "\\x%02x", s[i + k]);
        }
        i += length > 0 ? length : 1;
    }
}
