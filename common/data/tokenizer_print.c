#include "common/base/check.h"
#include "tokenizer.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *facts_of(const struct tokenizer *t)
{
    char hex[DIGEST_HEX];
    json_t *const facts = json_object();
    const char *const end = t->desc->end_text != NULL ? t->desc->end_text(t) : NULL;
    CHECK(json_object_set_new(facts, "name", json_string(t->name)) == 0);
    CHECK(json_object_set_new(facts, "kind", json_string(t->desc->name)) == 0);
    CHECK(json_object_set_new(facts, "vocabulary", json_integer(t->vocab)) == 0);
    CHECK(json_object_set_new(facts, "end_of_document", json_integer(t->end_of_document)) == 0);
    CHECK(json_object_set_new(facts, "end_text", end != NULL ? json_string(end) : json_null()) == 0);
    CHECK(json_object_set_new(facts, "digest", json_string(digest_hex(t->digest, hex))) == 0);
    if (t->desc->describe != NULL) t->desc->describe(t, facts);
    return facts;
}

static void print_value(const json_t *value, struct text *out)
{
    if (json_is_string(value)) text_add_printable(out, json_string_value(value), json_string_length(value));
    if (json_is_integer(value)) text_add(out, "%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value)) text_add(out, "%s", json_is_true(value) ? "yes" : "no");
    if (json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0)) text_add(out, "none");
    for (size_t i = 0; i < json_array_size(value); i++) {
        text_add(out, "%s", i > 0 ? ", " : "");
        print_value(json_array_get(value, i), out);
    }
}

void tokenizer_print(const struct tokenizer *t, bool json, struct text *out)
{
    const char *key;
    json_t *value;
    json_t *const facts = facts_of(t);
    if (json) {
        char *const line = json_dumps(facts, JSON_COMPACT);
        CHECK(line != NULL);
        text_add(out, "%s\n", line);
        free(line);
    } else {
        json_object_foreach(facts, key, value)
        {
            text_add(out, "%s", key);
            for (size_t n = strlen(key); n < 18; n++) text_add(out, " ");
            print_value(value, out);
            text_add(out, "\n");
        }
    }
    json_decref(facts);
}
