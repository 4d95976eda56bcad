#include "common/data/format.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* One JSON object per line, of which one field is the text. The field "a.b" is b of the object a, unless a key is spelled like that.
 * jansson bounds the depth (2048) and takes UTF-8 alone; the length of a line bounds the memory, as "[[],[],..." costs some thirty times
 * its bytes. */

static const json_t *find(const json_t *object, const char *field)
{
    const json_t *const whole = json_object_get(object, field);
    if (whole != NULL) return whole;
    for (const char *dot = strchr(field, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        const json_t *const inner = json_object_getn(object, field, (size_t)(dot - field));
        const json_t *const found = json_is_object(inner) ? find(inner, dot + 1) : NULL;
        if (found != NULL) return found;
    }
    return NULL;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null"
    };
    return names[json_typeof(value)];
}

static enum status missing(const json_t *object, const char *field)
{
    const char *keys[64], *key;
    size_t n = 0;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) if (n < sizeof keys / sizeof *keys) keys[n++] = key;
    const char *near = str_nearest(field, keys, n);
    if (near != NULL) FAIL(ST_DATA, "the record has no field \"%.100s\"; did you mean --field %.100s?", field, near);
    if (n > 0) FAIL(ST_DATA, "the record has no field \"%.100s\" (--field); its first one is \"%.100s\"", field, keys[0]);
    FAIL(ST_DATA, "the record has no field \"%.100s\" (--field); it is empty", field);
}

static enum status take(const json_t *root, const char *field, struct text *scratch)
{
    if (!json_is_object(root)) FAIL(ST_DATA, "the line is %s, and an object is expected", type_name(root));
    const json_t *const value = find(root, field);
    if (value == NULL) return missing(root, field);
    if (!json_is_string(value)) FAIL(ST_DATA, "the field \"%.100s\" is %s, and a string is expected", field, type_name(value));
    text_add_bytes(scratch, json_string_value(value), json_string_length(value));
    return ST_OK;
}

static enum status jsonl_text(const char *field, const unsigned char *record, int64_t n, struct text *scratch, const unsigned char **text,
                              int64_t *text_bytes)
{
    json_error_t error;
    json_t *const root = json_loadb((const char *)record, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (root == NULL) FAIL(ST_DATA, "the line is not JSON: %s (column %d)", error.text, error.column);
    const enum status s = take(root, field, scratch);
    json_decref(root);
    TRY(s);
    *text = (const unsigned char *)(scratch->data != NULL ? scratch->data : "");
    *text_bytes = (int64_t)scratch->length;
    return ST_OK;
}

const struct format_desc format_jsonl = { .name = "jsonl",
                                          .summary = "a JSON object per line, of which --field is the text",
                                          .endings = { ".jsonl", ".ndjson", NULL },
                                          .lines = true,
                                          .record_most = (int64_t)64 << 20,
                                          .text = jsonl_text };
