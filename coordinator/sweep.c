#include "sweep.h"
#include "common/base/check.h"
#include "common/base/digest.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Numbers as text ------------------------------------------------------------------------------------------------------ */

static const char zeros[] = "000000000000000";
enum { PLAIN_MOST = sizeof zeros - 1 }; /* powers of ten beyond are written with an exponent */

void sweep_number(double value, int digits, bool exponent, char out[SWEEP_NUMBER])
{
    char text[SWEEP_NUMBER], mantissa[SWEEP_NUMBER], *end = mantissa;
    CHECK(isfinite(value) && digits >= 1 && digits <= 17);
    (void)snprintf(text, sizeof text, "%.*e", digits - 1, fabs(value)); /* "5.623e-04" */
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at != '.') *end++ = *at;
    while (end > mantissa + 1 && end[-1] == '0') end--;
    *end = '\0';
    const int n = (int)(end - mantissa), power = (int)strtol(at + 1, NULL, 10);
    const char *sign = value < 0 ? "-" : "";
    char plain[2 * SWEEP_NUMBER] = "";
    if (power >= 0 && power < PLAIN_MOST && power >= n - 1)
        (void)snprintf(plain, sizeof plain, "%s%s%.*s", sign, mantissa, power - n + 1, zeros);
    else if (power >= 0 && power < PLAIN_MOST)
        (void)snprintf(plain, sizeof plain, "%s%.*s.%s", sign, power + 1, mantissa, mantissa + power + 1);
    else if (power < 0 && power > -PLAIN_MOST)
        (void)snprintf(plain, sizeof plain, "%s0.%.*s%s", sign, -power - 1, zeros, mantissa);
    (void)snprintf(text, sizeof text, "%s%c%s%.17se%d", sign, mantissa[0], n > 1 ? "." : "", mantissa + 1, power);
    const bool use = plain[0] == '\0' || (power < 0 && (exponent || strlen(text) < strlen(plain)));
    (void)snprintf(out, SWEEP_NUMBER, "%.*s", SWEEP_NUMBER - 1, use ? text : plain);
}

static bool is_number(const char *text, double *out)
{
    const bool yes = str_to_f64(text, out) == ST_OK;
    if (!yes) status_clear();
    return yes;
}

/* --- Ranges --------------------------------------------------------------------------------------------------------------- */

struct range {
    const char *low_text, *high_text;
    double low, high;
    int n;
    enum sweep_scale scale;
};

static enum status read_count(const char *key, const char *text, struct range *r)
{
    static const struct {
        const char *word;
        enum sweep_scale scale;
    } suffixes[] = { { "lin", SCALE_LINEAR }, { "log", SCALE_GEOMETRIC } };
    const size_t digits = strspn(text, "0123456789");
    const long n = digits > 0 && digits < 6 ? strtol(text, NULL, 10) : 0;
    const char *suffix = text + digits;
    if (n < 2 || n > SWEEP_POINTS)
        FAIL(ST_USAGE, "--over %s: the number of values behind @ must be 2 to %d, not \"%s\"", key, SWEEP_POINTS, text);
    r->n = (int)n;
    r->scale = r->low > 0 && r->high > 0 ? SCALE_GEOMETRIC : SCALE_LINEAR;
    if (suffix[0] == '\0') return ST_OK;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(suffix, suffixes[i].word) != 0) continue;
        r->scale = suffixes[i].scale;
        return ST_OK;
    }
    FAIL(ST_USAGE, "--over %s: \"%s\" behind @%ld is neither lin (equal steps) nor log (equal ratios)", key, suffix, n);
}

/* text is LOW..HIGH@N, and LOW is known to be a number that ends at dots. */
static enum status read_range(struct arena *arena, const char *key, const char *text, const char *dots, struct range *r)
{
    const char *at = strchr(dots, '@');
    if (at == NULL) FAIL(ST_USAGE, "--over %s: how many values? Write %s=%s@5", key, key, text);
    r->low_text = arena_printf(arena, "%.*s", (int)(dots - text), text);
    r->high_text = arena_printf(arena, "%.*s", (int)(at - dots - 2), dots + 2);
    CHECK(is_number(r->low_text, &r->low));
    if (!is_number(r->high_text, &r->high)) FAIL(ST_USAGE, "--over %s: the high end \"%s\" is not a number", key, r->high_text);
    if (!(r->low < r->high))
        FAIL(ST_USAGE, "--over %s: the low end comes first and differs: %s is not below %s", key, r->low_text, r->high_text);
    TRY(read_count(key, at + 1, r));
    if (r->scale == SCALE_GEOMETRIC && r->low <= 0)
        FAIL(ST_USAGE, "--over %s: equal ratios need a low end above 0; write @%dlin for equal steps", key, r->n);
    return ST_OK;
}

static double range_at(const struct range *r, int i)
{
    const double share = (double)i / (r->n - 1);
    if (r->scale == SCALE_LINEAR) return r->low + (r->high - r->low) * share;
    return exp(log(r->low) + (log(r->high) - log(r->low)) * share);
}

/* Does this rounding leave every value within a hundredth of its distance to the one before? */
static bool digits_suffice(const struct range *r, int digits)
{
    for (int i = 1; i < r->n - 1; i++) {
        char text[SWEEP_NUMBER];
        double rounded = 0;
        const double exact = range_at(r, i);
        sweep_number(exact, digits, true, text);
        if (!is_number(text, &rounded) || !(fabs(rounded - exact) <= 0.01 * (exact - range_at(r, i - 1)))) return false;
    }
    return true;
}

enum { FEW_DIGITS = 4, ALL_DIGITS = 17 };

static enum status range_values(struct arena *arena, const char *key, const struct range *r, const char **value)
{
    const bool exponent = strpbrk(r->low_text, "eE") != NULL || strpbrk(r->high_text, "eE") != NULL; /* as the ends are written */
    int digits = FEW_DIGITS;
    while (digits < ALL_DIGITS && !digits_suffice(r, digits)) digits++;
    value[0] = r->low_text;
    value[r->n - 1] = r->high_text;
    for (int i = 1; i < r->n - 1; i++) {
        char text[SWEEP_NUMBER];
        double x = range_at(r, i);
        if (r->scale == SCALE_LINEAR && fabs(x) < 1e-9 * (r->high - r->low)) x = 0; /* -1..1 passes 0, whatever was rounded on the way */
        sweep_number(x, digits, exponent, text);
        value[i] = arena_strdup(arena, text);
        if (strcmp(value[i], value[i - 1]) == 0) FAIL(ST_USAGE, "--over %s: %d values do not fit between the ends", key, r->n);
    }
    return ST_OK;
}

/* --- Lists ---------------------------------------------------------------------------------------------------------------- */

/* Where the value ends that begins at text: at a comma outside of brackets, braces and quotes, or at the end. */
static const char *value_end(const char *text)
{
    int depth = 0;
    char quote = '\0';
    for (; *text != '\0'; text++) {
        if (quote != '\0')
            quote = *text == quote ? '\0' : quote;
        else if (*text == '"' || *text == '\'')
            quote = *text;
        else if (*text == '[' || *text == '{')
            depth++;
        else if (*text == ']' || *text == '}')
            depth--;
        else if (*text == ',' && depth <= 0)
            break;
    }
    return text;
}

static enum status read_list(struct arena *arena, const char *key, const char *text, struct sweep_axis *out)
{
    const char **value = arena_place_n(arena, strlen(text) / 2 + 1, sizeof *value); /* each takes a character and a comma */
    for (const char *at = text, *end;; at = end + 1) {
        end = value_end(at);
        const char *first = at, *last = end;
        while (first < last && *first == ' ') first++;
        while (last > first && last[-1] == ' ') last--;
        if (first == last) FAIL(ST_USAGE, "--over %s: a value is empty in \"%s\"", key, text);
        value[out->n++] = arena_printf(arena, "%.*s", (int)(last - first), first);
        if (out->n > SWEEP_POINTS) FAIL(ST_USAGE, "--over %s: more than %d values", key, SWEEP_POINTS);
        if (*end == '\0') break;
    }
    out->value = value;
    return ST_OK;
}

/* --- Axes ----------------------------------------------------------------------------------------------------------------- */

static enum status refuse_twice(const struct sweep_axis *a)
{
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(a->value[i], a->value[j]) == 0) FAIL(ST_USAGE, "--over %s: the value %s stands twice", a->key, a->value[i]);
    return ST_OK;
}

enum status sweep_axis_read(struct arena *arena, const char *over, struct sweep_axis *out)
{
    const char *equals = over;
    while (isalnum((unsigned char)*equals) || *equals == '_' || *equals == '-' || *equals == '.') equals++;
    if (equals == over || *equals != '=') FAIL(ST_USAGE, "--over takes KEY=LOW..HIGH@N or KEY=a,b,c, not \"%s\"", over);
    const char *text = equals + 1, *dots = strstr(text, "..");
    *out = (struct sweep_axis){ .key = arena_printf(arena, "%.*s", (int)(equals - over), over) };
    double low = 0;
    if (dots == NULL || !is_number(arena_printf(arena, "%.*s", (int)(dots - text), text), &low)) {
        TRY(read_list(arena, out->key, text, out));
        return refuse_twice(out);
    }
    struct range range = { 0 };
    TRY(read_range(arena, out->key, text, dots, &range));
    const char **value = arena_place_n(arena, (size_t)range.n, sizeof *value);
    TRY(range_values(arena, out->key, &range, value));
    out->n = range.n;
    out->scale = range.scale;
    out->value = value;
    return ST_OK;
}

/* The last `words` words of a dotted key; all of it where it has no more. */
static const char *key_end(const char *key, int words)
{
    const char *at = key + strlen(key);
    while (at > key && !(at[-1] == '.' && --words == 0)) at--;
    return at;
}

static void choose_label(struct sweep *s, int axis)
{
    struct sweep_axis *a = &s->axis[axis];
    for (int words = 1;; words++) {
        a->label = key_end(a->key, words);
        bool alone = true;
        for (int other = 0; other < s->n_axes; other++) alone &= other == axis || strcmp(key_end(s->axis[other].key, words), a->label) != 0;
        if (alone || a->label == a->key) return;
    }
}

enum status sweep_read(struct arena *arena, const char *const over[], int n, struct sweep *out)
{
    *out = (struct sweep){ .n_axes = n, .n_points = 1 };
    if (n == 0) FAIL(ST_USAGE, "nothing to go over: give --over KEY=LOW..HIGH@N or --over KEY=a,b,c");
    if (n > SWEEP_AXES) FAIL(ST_USAGE, "%d axes, and %d are the most", n, SWEEP_AXES);
    for (int i = 0; i < n; i++) {
        struct sweep_axis *a = &out->axis[i];
        TRY(sweep_axis_read(arena, over[i], a));
        if (strcmp(a->key, "run.name") == 0) FAIL(ST_USAGE, "--over run.name: sweep gives every point a name of its own");
        for (int j = 0; j < i; j++)
            if (strcmp(a->key, out->axis[j].key) == 0) FAIL(ST_USAGE, "--over %s is given twice: one list can hold all values", a->key);
        if (a->n > SWEEP_POINTS / out->n_points) FAIL(ST_USAGE, "the grid has more than %d points", SWEEP_POINTS);
        out->n_points *= a->n;
    }
    for (int i = 0; i < n; i++) choose_label(out, i);
    return ST_OK;
}

const char *sweep_value(const struct sweep *s, int point, int axis)
{
    for (int later = s->n_axes - 1; later > axis; later--) point /= s->axis[later].n;
    return s->axis[axis].value[point % s->axis[axis].n];
}

/* --- Names ---------------------------------------------------------------------------------------------------------------- */

static bool may_stand_in_name(char c) { return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-'; }

void sweep_name(const struct sweep *s, const char *base, int point, char out[CONFIG_NAME_MAX])
{
    enum { DIGITS = 8 };
    struct text name = { 0 }, whole = { 0 };
    bool exact = true;
    text_add(&name, "%s", base);
    text_add(&whole, "%s", base);
    for (int axis = 0; axis < s->n_axes; axis++) {
        text_add(&name, "-%s", s->axis[axis].label);
        text_add(&whole, "\n%s=%s", s->axis[axis].key, sweep_value(s, point, axis));
        for (const char *c = sweep_value(s, point, axis); *c != '\0'; c++) {
            const bool fits = may_stand_in_name(*c);
            exact &= fits;
            if (fits)
                text_add(&name, "%c", *c);
            else if (may_stand_in_name(c[1])) /* one for a run of them, none at the end */
                text_add(&name, "_");
        }
    }
    if (exact && name.length < CONFIG_NAME_MAX) {
        (void)snprintf(out, CONFIG_NAME_MAX, "%s", name.data);
    } else {
        char hex[DIGEST_HEX];
        (void)digest_hex(digest_bytes(whole.data, whole.length), hex);
        (void)snprintf(out, CONFIG_NAME_MAX, "%.*s-%.*s", CONFIG_NAME_MAX - 2 - DIGITS, name.data, DIGITS, hex);
    }
    text_free(&name);
    text_free(&whole);
}
