/* field.c: one value: text to number and back, and the words for what was expected. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include "common/base/check.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const form_words[] = { "heavy", "ema", NULL };
static const struct field momentum_fields[] = {
    { "beta", FIELD_F64, offsetof(struct momentum, beta), NULL, 0, 1, NULL, "", "decay of the stored gradient", true },
    { "form", FIELD_ENUM, offsetof(struct momentum, form), "heavy", 0, 0, form_words, "", "m = beta m + g, or + (1 - beta) g", true },
    { "debias", FIELD_BOOL, offsetof(struct momentum, debias), "false", 0, 0, NULL, "", "divide by 1 - beta^t", true },
    { 0 }
};
static const char *const storage_words[] = { "fp32", "bf16", "q8", NULL };
static const struct field storage_fields[] = {
    { "dtype", FIELD_ENUM, offsetof(struct storage, dtype), NULL, 0, 0, storage_words, "", "type of stored optimizer state", true },
    { "block", FIELD_I64, offsetof(struct storage, block), "256", 8, 65536, NULL, "", "elements that share a scale", true },
    { "min_size", FIELD_I64, offsetof(struct storage, min_size), "4096", 0, 1e15, NULL, "", "smaller tensors stay fp32", true },
    { 0 }
};

int64_t share_steps(struct share share, int64_t n_steps)
{
    return share.percent ? (int64_t)floor(share.value * (double)n_steps / 100 + 0.5) : (int64_t)share.value;
}

const struct field *field_find(const struct field *rows, const char *key)
{
    for (; rows != NULL && rows->key != NULL; rows++)
        if (strcmp(rows->key, key) == 0) return rows;
    return NULL;
}

static int word_count(const char *const *words)
{
    int n = 0;
    while (words != NULL && words[n] != NULL) n++;
    return n;
}

static int word_index(const char *const *words, const char *word)
{
    for (int i = 0; words != NULL && words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

/* ---- what was expected ---- */

static bool has_bounds(const struct field *row) { return row->low != 0 || row->high != 0; }

static void add_bounds(const struct field *row, struct text *out)
{
    if (!has_bounds(row)) return;
    if (row->high >= 1e15)
        text_add(out, " of at least %g", row->low);
    else
        text_add(out, row->type == FIELD_I64 ? " from %.0f to %.0f" : " from %g to %g", row->low, row->high);
}

/* a, b or c */
static void add_words(const char *const *words, const char *quote, struct text *out)
{
    const int n = word_count(words), first = n > 0 && words[0][0] == '\0' ? 1 : 0;
    for (int i = first; i < n; i++) text_add(out, "%s%s%s%s", i == first ? "" : i + 1 == n ? " or " : ", ", quote, words[i], quote);
}

void field_expected(const struct field *row, struct text *out)
{
    static const char *const truth[] = { "false", "true", NULL };
    switch (row->type) {
    case FIELD_BOOL: add_words(row->words != NULL ? row->words : truth, "", out); return;
    case FIELD_ENUM: add_words(row->words, "", out); return;
    case FIELD_TEXT: text_add(out, "a text of at most %d bytes", FIELD_TEXT_MAX - 1); return;
    case FIELD_I64: text_add(out, "an integer"); break;
    case FIELD_F64: text_add(out, "a number"); break;
    case FIELD_F64x2: text_add(out, "a list of 2 numbers"); break;
    case FIELD_F64x3: text_add(out, "a list of 3 numbers"); break;
    case FIELD_SHARE: text_add(out, "a number of steps, or N%% of the run"); return;
    case FIELD_MOMENTUM: text_add(out, "a number from 0 to 1, or a map of beta, form and debias"); return;
    case FIELD_COUNTS: text_add(out, "a list of at most %d integers", COUNTS_MAX); break;
    case FIELD_STORAGE: text_add(out, "fp32, bf16 or q8, or a map of dtype, block and min_size"); return;
    }
    add_bounds(row, out);
    if (row->words != NULL) {
        text_add(out, ", or ");
        add_words(row->words, "'", out);
    }
}

/* "expected ..., REASON" */
static bool wrong(struct problems *problems, const struct field *row, const struct node *node, const char *reason, const char *hint)
{
    struct text expected = { 0 };
    field_expected(row, &expected);
    complain(problems, node, "expected %s, %s%s", expected.data, reason, hint);
    text_free(&expected);
    return false;
}

static bool wrong_text(struct problems *problems, const struct field *row, const struct node *node, const char *hint)
{
    char reason[128];
    snprintf(reason, sizeof reason, "not '%.80s'", node->text);
    return wrong(problems, row, node, reason, hint);
}

/* ---- numbers ---- */

static size_t skip_digits(const char *text)
{
    size_t n = 0;
    while (isdigit((unsigned char)text[n])) n++;
    return n;
}

/* -?(0|[1-9][0-9]*): what every reader of YAML takes for the same number. */
static bool is_integer(const char *text)
{
    if (*text == '-') text++;
    const size_t n = skip_digits(text);
    return n > 0 && text[n] == '\0' && (text[0] != '0' || n == 1);
}

/* [-+]? digits with at most one point, then an exponent or none; no inf, nan or hexadecimal. */
static bool is_decimal(const char *text)
{
    if (*text == '-' || *text == '+') text++;
    const size_t whole = skip_digits(text);
    text += whole;
    size_t fraction = 0;
    if (*text == '.') fraction = skip_digits(++text);
    text += fraction;
    if (whole + fraction == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+') text++;
        const size_t n = skip_digits(text);
        if (n == 0) return false;
        text += n;
    }
    return *text == '\0';
}

/* What to write instead of a text that looks like an integer to a person. */
static const char *integer_hint(const char *text)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    const size_t n = skip_digits(digits);
    if (n == 0) return "";
    if (n == 1 && *digits == '0' && digits[1] != '\0' && strchr("xXoObB", digits[1]) != NULL) return ": write it in decimal digits";
    if (*digits == '0' && n > 1 && digits[n] == '\0') return ": write it without the leading 0, which some readers take for octal";
    if (digits[n] == '_' || digits[n] == ',') return ": write the digits without separators";
    if (*text == '+' && digits[n] == '\0') return ": write it without the +";
    if (is_decimal(text)) return ": write all digits, without point or exponent";
    return "";
}

static bool in_bounds(const struct field *row, double value) { return !has_bounds(row) || (value >= row->low && value <= row->high); }

/* A single value, not a list or map; numbers stand without quotes. */
static bool is_single(struct problems *problems, const struct field *row, const struct node *node, bool number)
{
    if (node->kind != NODE_SCALAR) {
        char reason[32];
        snprintf(reason, sizeof reason, "not %s", node_kind_words(node));
        return wrong(problems, row, node, reason, "");
    }
    if (node->text[0] == '\0') return wrong(problems, row, node, "but nothing is given", "");
    if (number && !node->plain) return wrong_text(problems, row, node, ": write it without quotes");
    return true;
}

static bool read_i64(struct problems *problems, const struct field *row, const struct node *node, int64_t *out)
{
    if (!is_single(problems, row, node, true)) return false;
    const int word = word_index(row->words, node->text);
    if (word >= 0) {
        *out = -word;
        return true;
    }
    int64_t value = 0;
    char hint[HINT_MAX];
    if (!is_integer(node->text)) {
        const char *how = integer_hint(node->text);
        if (*how == '\0') how = nearest_hint(node->text, row->words, word_count(row->words), hint);
        return wrong_text(problems, row, node, how);
    }
    if (str_to_i64(node->text, &value) != ST_OK || !in_bounds(row, (double)value)) return wrong_text(problems, row, node, "");
    *out = value;
    return true;
}

static bool read_f64(struct problems *problems, const struct field *row, const struct node *node, double *out)
{
    if (!is_single(problems, row, node, true)) return false;
    const int word = word_index(row->words, node->text);
    if (word >= 0) {
        *out = -word;
        return true;
    }
    double value = 0;
    char hint[HINT_MAX];
    if (!is_decimal(node->text)) return wrong_text(problems, row, node, nearest_hint(node->text, row->words, word_count(row->words), hint));
    if (str_to_f64(node->text, &value) != ST_OK || !in_bounds(row, value)) return wrong_text(problems, row, node, "");
    *out = value + 0.0; /* -0 is 0: one value, one text */
    return true;
}

static bool read_numbers(struct problems *problems, const struct field *row, const struct node *node, double *out, int n)
{
    const int word = node->kind == NODE_SCALAR ? word_index(row->words, node->text) : -1;
    if (word >= 0) {
        for (int i = 0; i < n; i++) out[i] = -word;
        return true;
    }
    if (node->kind != NODE_LIST || node->n_children != n) {
        char reason[64];
        snprintf(reason, sizeof reason, node->kind == NODE_LIST ? "not %d" : "not a single one", node->n_children);
        return wrong(problems, row, node, reason, "");
    }
    const struct field one = { .key = row->key, .type = FIELD_F64, .low = row->low, .high = row->high };
    bool fine = true;
    for (const struct node *item = node->first; item != NULL; item = item->next) fine &= read_f64(problems, &one, item, out++);
    return fine;
}

static bool read_share(struct problems *problems, const struct field *row, const struct node *node, struct share *out)
{
    if (!is_single(problems, row, node, true)) return false;
    const size_t n = strlen(node->text);
    char number[64];
    double value = 0;
    if (node->text[n - 1] == '%') {
        if (n > sizeof number) return wrong_text(problems, row, node, "");
        snprintf(number, sizeof number, "%.*s", (int)(n - 1), node->text);
        if (!is_decimal(number) || str_to_f64(number, &value) != ST_OK || value < 0) return wrong_text(problems, row, node, "");
        if (value > 100) return wrong_text(problems, row, node, ": a share is at most 100%");
        *out = (struct share){ value + 0.0, true };
        return true;
    }
    const struct field steps = { .key = row->key, .type = FIELD_I64, .low = 0, .high = 1e15 };
    int64_t count = 0;
    if (!is_integer(node->text)) return wrong_text(problems, row, node, integer_hint(node->text));
    if (!read_i64(problems, &steps, node, &count)) return false;
    *out = (struct share){ (double)count, false };
    return true;
}

static bool read_counts(struct problems *problems, const struct field *row, const struct node *node, struct counts *out)
{
    out->n = 0;
    if (node->kind == NODE_SCALAR && word_index(row->words, node->text) == 0) return true;
    if (node->kind != NODE_LIST || node->n_children < 1 || node->n_children > COUNTS_MAX)
        return wrong(problems, row, node, node->kind == NODE_LIST ? "not of this length" : "not a single value", "");
    const struct field one = { .key = row->key, .type = FIELD_I64, .low = row->low, .high = row->high };
    bool fine = true;
    for (const struct node *item = node->first; item != NULL; item = item->next)
        fine &= read_i64(problems, &one, item, &out->value[out->n++]);
    return fine;
}

/* A map whose keys are rows of a table of its own, of which the first must be given. */
static bool read_parts(struct problems *problems, const struct field *row, const struct node *node, const struct field *parts, void *out)
{
    if (node->kind == NODE_LIST) return wrong(problems, row, node, "not a list", "");
    bool fine = true;
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        if (field_find(parts, child->key) != NULL) continue;
        struct text list = { 0 };
        for (const struct field *part = parts; part->key != NULL; part++)
            text_add(&list, "%s%s", part == parts ? "" : part[1].key == NULL ? " and " : ", ", part->key);
        complain_key(problems, child, "%s has no such key; it has %s", row->key, list.data);
        text_free(&list);
        fine = false;
    }
    for (const struct field *part = parts; part->key != NULL; part++) {
        const struct node *child = node_get(node, part->key);
        if (child != NULL) fine &= field_read(problems, part, child, out);
    }
    if (node_get(node, parts[0].key) == NULL) complain(problems, node, "%s must be given", parts[0].key);
    return fine && node_get(node, parts[0].key) != NULL;
}

static bool read_momentum(struct problems *problems, const struct field *row, const struct node *node, struct momentum *out)
{
    if (node->kind == NODE_SCALAR) return read_f64(problems, &momentum_fields[0], node, &out->beta);
    return read_parts(problems, row, node, momentum_fields, out);
}

static bool read_word(struct problems *problems, const struct field *row, const struct node *node, const char *const *words, int *out);

static bool read_storage(struct problems *problems, const struct field *row, const struct node *node, struct storage *out)
{
    *out = (struct storage){ .block = 256, .min_size = 4096 };
    if (node->kind == NODE_SCALAR) return read_word(problems, row, node, storage_words, &out->dtype);
    return read_parts(problems, row, node, storage_fields, out);
}

static bool read_word(struct problems *problems, const struct field *row, const struct node *node, const char *const *words, int *out)
{
    char hint[HINT_MAX];
    if (!is_single(problems, row, node, row->type == FIELD_BOOL && row->words == NULL)) return false;
    const int index = word_index(words, node->text);
    if (index < 0) return wrong_text(problems, row, node, nearest_hint(node->text, words, word_count(words), hint));
    *out = index;
    return true;
}

bool field_read(struct problems *problems, const struct field *row, const struct node *node, void *base)
{
    static const char *const truth[] = { "false", "true", NULL };
    if (node->bad) return false;
    void *at = (char *)base + row->offset;
    int index = 0;
    switch (row->type) {
    case FIELD_I64: return read_i64(problems, row, node, at);
    case FIELD_F64: return read_f64(problems, row, node, at);
    case FIELD_F64x2: return read_numbers(problems, row, node, at, 2);
    case FIELD_F64x3: return read_numbers(problems, row, node, at, 3);
    case FIELD_SHARE: return read_share(problems, row, node, at);
    case FIELD_MOMENTUM: return read_momentum(problems, row, node, at);
    case FIELD_COUNTS: return read_counts(problems, row, node, at);
    case FIELD_STORAGE: return read_storage(problems, row, node, at);
    case FIELD_ENUM: return read_word(problems, row, node, row->words, at);
    case FIELD_BOOL:
        if (!read_word(problems, row, node, row->words != NULL ? row->words : truth, &index)) return false;
        *(bool *)at = index == 1;
        return true;
    case FIELD_TEXT:
        if (!is_single(problems, row, node, false)) return false;
        if (strlen(node->text) >= FIELD_TEXT_MAX) return wrong_text(problems, row, node, "...");
        snprintf(at, FIELD_TEXT_MAX, "%s", node->text);
        return true;
    }
    return false;
}

/* ---- back to text ---- */

/* The shortest decimal that reads back to the same double. */
static void write_f64(double value, struct text *out)
{
    char buffer[32];
    for (int digits = 15; digits <= 17; digits++) {
        double again = 0;
        snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (str_to_f64(buffer, &again) == ST_OK && again == value) break;
    }
    text_add(out, "%s", buffer);
}

static bool needs_quotes(const char *word)
{
    static const char *const taken[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" }; /* to other readers of YAML */
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcasecmp(word, taken[i]) == 0) return true;
    if (!isalpha((unsigned char)word[0]) && word[0] != '/') return true;
    for (; *word != '\0'; word++)
        if (!isalnum((unsigned char)*word) && strchr("/._-", *word) == NULL) return true;
    return false;
}

void write_word(const char *word, struct text *out)
{
    if (!needs_quotes(word)) {
        text_add(out, "%s", word);
        return;
    }
    text_add(out, "\"");
    for (; *word != '\0'; word++) text_add(out, "%s%c", *word == '"' || *word == '\\' ? "\\" : "", *word);
    text_add(out, "\"");
}

static void write_numbers(const double *values, int n, struct text *out)
{
    for (int i = 0; i < n; i++) {
        text_add(out, i == 0 ? "[" : ", ");
        write_f64(values[i], out);
    }
    text_add(out, "]");
}

/* The word for a number that stands for one; NULL when it is a number. */
static const char *word_of(const struct field *row, double value)
{
    const char *word = value <= 0 && -value < word_count(row->words) ? row->words[(int)-value] : NULL;
    return word != NULL && word[0] != '\0' && value == floor(value) ? word : NULL;
}

void field_write(const struct field *row, const void *base, struct text *out)
{
    const void *at = (const char *)base + row->offset;
    const struct share *share = at;
    const struct momentum *momentum = at;
    const struct counts *counts = at;
    const struct storage *storage = at;
    const int64_t *integer = at;
    const double *number = at;
    const char *word = NULL;
    switch (row->type) {
    case FIELD_BOOL: text_add(out, "%s", row->words != NULL ? row->words[*(const bool *)at] : *(const bool *)at ? "true" : "false"); return;
    case FIELD_ENUM: text_add(out, "%s", row->words[*(const int *)at]); return;
    case FIELD_TEXT: write_word(at, out); return;
    case FIELD_I64:
        word = word_of(row, (double)*integer);
        if (word != NULL)
            text_add(out, "%s", word);
        else
            text_add(out, "%" PRId64, *integer);
        return;
    case FIELD_F64:
        word = word_of(row, *number);
        if (word != NULL)
            text_add(out, "%s", word);
        else
            write_f64(*number, out);
        return;
    case FIELD_F64x2:
        word = number[0] == number[1] ? word_of(row, number[0]) : NULL;
        if (word != NULL)
            text_add(out, "%s", word);
        else
            write_numbers(number, 2, out);
        return;
    case FIELD_F64x3: write_numbers(number, 3, out); return;
    case FIELD_SHARE:
        write_f64(share->value, out);
        text_add(out, "%s", share->percent ? "%" : "");
        return;
    case FIELD_MOMENTUM:
        text_add(out, "{beta: ");
        write_f64(momentum->beta, out);
        text_add(out, ", form: %s, debias: %s}", form_words[momentum->form], momentum->debias ? "true" : "false");
        return;
    case FIELD_COUNTS:
        if (counts->n == 0) text_add(out, "%s", row->words[0]);
        for (int i = 0; i < counts->n; i++)
            text_add(out, "%s%" PRId64 "%s", i == 0 ? "[" : ", ", counts->value[i], i + 1 == counts->n ? "]" : "");
        return;
    case FIELD_STORAGE:
        if (storage->dtype != STORAGE_Q8)
            text_add(out, "%s", storage_words[storage->dtype]);
        else
            text_add(out, "{dtype: q8, block: %" PRId64 ", min_size: %" PRId64 "}", storage->block, storage->min_size);
        return;
    }
}
