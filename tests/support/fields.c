#include "fields.h"
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

static void read_numbers(const char *text, double *out, int n)
{
    for (int i = 0; i < n; i++) {
        text += strcspn(text, "-+.0123456789");
        char *end;
        out[i] = strtod(text, &end);
        CHECK(end != text);
        text = end;
    }
}

static int word_index(const char *const *words, const char *text)
{
    int i = 0;
    while (words[i] != NULL && strcmp(words[i], text) != 0) i++;
    CHECK(words[i] != NULL);
    return i;
}

/* "none", or "[4,4,9]" */
static void set_counts(const char *text, struct counts *out)
{
    *out = (struct counts){ 0 };
    if (text[0] != '[') return;
    for (const char *at = text; *at == '[' || *at == ','; at += 1 + strcspn(at + 1, ",]")) {
        CHECK(out->n < COUNTS_MAX);
        out->value[out->n++] = strtoll(at + 1, NULL, 10);
    }
}

static bool is_word(const struct field *f, const char *text) { return f->words != NULL && (text[0] >= 'a' && text[0] <= 'z'); }

static void set(const struct field *f, const char *text, void *base)
{
    char *at = (char *)base + f->offset;
    switch (f->type) {
    case FIELD_BOOL: *(bool *)(void *)at = strcmp(text, "true") == 0; return;
    case FIELD_I64: *(int64_t *)(void *)at = is_word(f, text) ? -word_index(f->words, text) : strtoll(text, NULL, 10); return;
    case FIELD_F64:
    case FIELD_F64x2:
        for (int i = 0; is_word(f, text) && i < (f->type == FIELD_F64 ? 1 : 2); i++)
            ((double *)(void *)at)[i] = -word_index(f->words, text);
        if (!is_word(f, text)) read_numbers(text, (double *)(void *)at, f->type == FIELD_F64 ? 1 : 2);
        return;
    case FIELD_F64x3: read_numbers(text, (double *)(void *)at, 3); return;
    case FIELD_ENUM: *(int *)(void *)at = word_index(f->words, text); return;
    case FIELD_SHARE: *(struct share *)(void *)at = (struct share){ strtod(text, NULL), strchr(text, '%') != NULL }; return;
    case FIELD_MOMENTUM:
        *(struct momentum *)(void *)at = (struct momentum){ .beta = strtod(text, NULL),
                                                            .form = strstr(text, ":ema") != NULL ? MOMENTUM_EMA : MOMENTUM_HEAVY,
                                                            .debias = strstr(text, ":debias") != NULL };
        return;
    case FIELD_COUNTS: set_counts(text, (struct counts *)(void *)at); return;
    case FIELD_STORAGE:
    case FIELD_TEXT: break;
    }
    CHECK(!"a type that optimizers and schedules use");
}

void fields_fill(const struct variant *variant, const char *settings, void *out)
{
    memset(out, 0, variant->bytes);
    const struct field *rows = variant->fields;
    for (const struct field *f = rows; f != NULL && f->key != NULL; f++)
        if (f->value != NULL) set(f, f->value, out);
    char copy[512], *rest = copy;
    CHECK(strlen(settings) < sizeof copy);
    memcpy(copy, settings, strlen(settings) + 1);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        CHECK(value != NULL);
        *value++ = '\0';
        const struct field *f = rows;
        while (f->key != NULL && strcmp(f->key, word) != 0) f++;
        CHECK(f->key != NULL);
        set(f, value, out);
    }
}
