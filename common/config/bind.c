/* bind.c: maps of the tree to structs by tables of rows: which key, from where, and what about the keys that nobody knows. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include "common/base/check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 128 };

/* ---- complaints ---- */

static void complain_at(struct problems *problems, const struct node *node, struct place place, const char *format, va_list arguments)
{
    char path[NODE_PATH_MAX], sentence[1024];
    if (node->bad) return;
    vsnprintf(sentence, sizeof sentence, format, arguments);
    node_path(node, path);
    problem_add(problems, place, "%s%s%s", path, path[0] != '\0' ? ": " : "", sentence);
}

void complain(struct problems *problems, const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_at(problems, node, node->place, format, arguments);
    va_end(arguments);
}

void complain_key(struct problems *problems, const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_at(problems, node, node->key != NULL ? node->key_place : node->place, format, arguments);
    va_end(arguments);
}

const char *nearest_hint(const char *word, const char *const *candidates, int n, char buffer[HINT_MAX])
{
    const char *nearest = str_nearest(word, candidates, (size_t)n);
    buffer[0] = '\0';
    if (nearest != NULL) snprintf(buffer, HINT_MAX, "; did you mean '%s'?", nearest);
    return buffer;
}

/* ---- presets and variants ---- */

const char *preset_value(const char *const *preset, const char *key, bool *lacks)
{
    *lacks = false;
    for (; preset != NULL && preset[0] != NULL; preset += 2) {
        if (strcmp(preset[0], key) != 0) continue;
        *lacks = preset[1] == NULL;
        return preset[1];
    }
    return NULL;
}

const struct variant *variant_find(const struct variant *const *variants, const char *name)
{
    for (; *variants != NULL; variants++)
        if (strcmp((*variants)->name, name) == 0) return *variants;
    return NULL;
}

const struct variant *bind_variant(struct binder *b, const struct node *map, const char *key, const struct variant *const *variants)
{
    const struct node *node = node_get(map, key);
    const char *names[KEYS_MAX];
    struct text list = { 0 };
    int n = 0;
    for (; variants[n] != NULL && n < KEYS_MAX; n++) {
        names[n] = variants[n]->name;
        text_add(&list, "%s%s", n == 0 ? "" : ", ", names[n]);
    }
    const struct variant *variant = NULL;
    char hint[HINT_MAX];
    if (node == NULL)
        complain_key(b->problems, map, "%s must be given: one of %s", key, list.data);
    else if (node->kind != NODE_SCALAR)
        complain(b->problems, node, "expected one of %s, not %s", list.data, node_kind_words(node));
    else if ((variant = variant_find(variants, node->text)) == NULL)
        complain(b->problems, node, "expected one of %s, not '%.60s'%s", list.data, node->text, nearest_hint(node->text, names, n, hint));
    text_free(&list);
    return variant;
}

/* ---- values ---- */

/* A default is read by the same code as the user's text, so that both mean the same; it must be right. */
static void read_default(struct binder *b, const struct field *row, const char *text, void *base)
{
    struct source *source = arena_place(b->scratch, sizeof *source);
    *source = (struct source){ .name = "default", .text = text, .n = strlen(text) };
    const int before = problems_count(b->problems);
    const struct node *node = tree_read(source, 0, b->scratch, b->problems);
    CHECK(node != NULL && field_read(b->problems, row, node, base) && problems_count(b->problems) == before);
}

/* "heads", "4*width", "8/3*width"; the key is a row of the same table. */
static bool is_derived(const struct field *row, const char *text, const char **key)
{
    if (row->type != FIELD_I64) return false;
    for (int i = 0; row->words != NULL && row->words[i] != NULL; i++)
        if (strcmp(row->words[i], text) == 0) return false;
    const char *star = strchr(text, '*');
    *key = star != NULL ? star + 1 : text;
    return isalpha((unsigned char)**key) != 0;
}

static int64_t derive(const char *text, int64_t value)
{
    enum { ROUND_TO = 16 }; /* keeps rows of whole vectors; exact for the usual widths */
    if (strchr(text, '*') == NULL) return value;
    char *end = NULL;
    const int64_t numerator = strtoll(text, &end, 10), denominator = *end == '/' ? strtoll(end + 1, NULL, 10) : 1;
    CHECK(numerator > 0 && denominator > 0);
    const int64_t exact = ceil_div(numerator * value, denominator);
    return denominator == 1 ? exact : ceil_div(exact, ROUND_TO) * ROUND_TO;
}

static const struct bind_table *table_of(const struct bind_table tables[], int n_tables, const char *key, const struct field **row)
{
    for (int t = 0; t < n_tables; t++)
        if ((*row = field_find(tables[t].rows, key)) != NULL) return &tables[t];
    return NULL;
}

static void bind_row(struct binder *b, const struct node *map, const struct field *row, void *base, const char *const *preset)
{
    bool lacks = false;
    const char *text = preset_value(preset, row->key, &lacks), *ignored = NULL;
    if (text == NULL) text = row->value;
    const struct node *node = node_get(map, row->key);
    if (node != NULL && !lacks) {
        (void)field_read(b->problems, row, node, base);
    } else if (text == NULL && lacks) {
        return; /* stays zero */
    } else if (text == NULL) {
        struct text expected = { 0 };
        field_expected(row, &expected);
        complain_key(b->problems, map, "%s must be given: %s", row->key, expected.data);
        text_free(&expected);
    } else if (!is_derived(row, text, &ignored)) {
        read_default(b, row, text, base);
    }
}

void bind_rows(struct binder *b, const struct node *map, const struct bind_table tables[], int n_tables, const char *const *preset)
{
    for (int pass = 0; pass < 2; pass++) /* derived defaults need the other values first */
        for (int t = 0; t < n_tables; t++)
            for (const struct field *row = tables[t].rows; row != NULL && row->key != NULL; row++) {
                const struct field *first = NULL, *from = NULL;
                if (table_of(tables, n_tables, row->key, &first) != &tables[t]) continue;
                if (pass == 0) {
                    bind_row(b, map, row, tables[t].base, preset);
                    continue;
                }
                bool lacks = false;
                const char *text = preset_value(preset, row->key, &lacks), *key = NULL;
                if (text == NULL) text = row->value;
                if ((node_get(map, row->key) != NULL && !lacks) || text == NULL || !is_derived(row, text, &key)) continue;
                const struct bind_table *source = table_of(tables, n_tables, key, &from);
                CHECK(source != NULL && from->type == FIELD_I64);
                *(int64_t *)((char *)tables[t].base + row->offset) = derive(text, *(int64_t *)((char *)source->base + from->offset));
            }
}

/* ---- keys that nobody knows ---- */

static int collect_keys(const char *const *extra, const struct bind_table tables[], int n_tables, const struct variant *chosen,
                        const char *keys[KEYS_MAX])
{
    int n = 0;
    bool lacks = false;
    for (; extra != NULL && *extra != NULL && n < KEYS_MAX; extra++) keys[n++] = *extra;
    for (int t = 0; t < n_tables; t++)
        for (const struct field *row = tables[t].rows; row != NULL && row->key != NULL && n < KEYS_MAX; row++) {
            (void)preset_value(chosen != NULL ? chosen->preset : NULL, row->key, &lacks);
            if (!lacks) keys[n++] = row->key;
        }
    return n;
}

/* "adamw has no such key; adalayer and lion have it", or false when no other variant has it either. */
static bool complain_foreign(struct binder *b, const struct node *child, const struct bind_table tables[], int n_tables,
                             const struct variant *const *variants, const struct variant *chosen)
{
    const struct field *row = NULL;
    const bool common = table_of(tables, n_tables, child->key, &row) != NULL;
    struct text owners = { 0 };
    int n = 0;
    for (; variants != NULL && *variants != NULL; variants++) {
        bool lacks = false;
        (void)preset_value((*variants)->preset, child->key, &lacks);
        if (*variants == chosen || lacks || (!common && field_find((*variants)->fields, child->key) == NULL)) continue;
        text_add(&owners, "%s%s", n++ == 0 ? "" : ", ", (*variants)->name);
    }
    if (n > 0 && chosen != NULL)
        complain_key(b->problems, child, "'%s' has no such key; %s %s it", chosen->name, owners.data, n == 1 ? "has" : "have");
    text_free(&owners);
    return n > 0 && chosen != NULL;
}

/* "; it is one of 'run'" where another section has the key, or "". */
static void elsewhere_hint(const char *key, char hint[HINT_MAX])
{
    hint[0] = '\0';
    for (const struct section *section = config_sections; section->key != NULL; section++)
        if (field_find(section->rows, key) != NULL) snprintf(hint, HINT_MAX, "; it is one of '%s'", section->key);
}

void bind_unknown(struct binder *b, const struct node *map, const char *const *extra, const struct bind_table tables[], int n_tables,
                  const struct variant *const *variants, const struct variant *chosen)
{
    if (map == NULL || map->kind != NODE_MAP) return;
    const char *keys[KEYS_MAX];
    const int n = collect_keys(extra, tables, n_tables, chosen, keys);
    for (const struct node *child = map->first; child != NULL; child = child->next) {
        int i = 0;
        while (i < n && strcmp(keys[i], child->key) != 0) i++;
        if (i < n || complain_foreign(b, child, tables, n_tables, variants, chosen)) continue;
        char hint[HINT_MAX];
        elsewhere_hint(child->key, hint);
        if (strchr(child->key, ':') != NULL)
            snprintf(hint, sizeof hint, "; a space must follow the colon");
        else if (hint[0] == '\0' && !problems_full(b->problems))
            (void)nearest_hint(child->key, keys, n, hint);
        complain_key(b->problems, child, "there is no such key%s", hint);
    }
}

/* ---- shapes and names ---- */

const struct node *node_near(const struct node *root, const char *path)
{
    while (*path != '\0') {
        char key[NODE_PATH_MAX];
        const size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        const struct node *child = root->kind == NODE_LIST ? node_row(root, key) : node_get(root, key);
        if (child == NULL) return root;
        root = child;
        path += n + (path[n] == '.');
    }
    return root;
}

bool bind_is_list(struct binder *b, const struct node *node, int most)
{
    if (node->kind != NODE_LIST)
        complain(b->problems, node, "expected a list, not %s", node_kind_words(node));
    else if (node->n_children > most)
        complain(b->problems, node, "at most %d rows, not %d", most, node->n_children);
    else
        return true;
    return false;
}

bool bind_is_map(struct binder *b, const struct node *node)
{
    if (node->kind == NODE_MAP) return true;
    if (node->kind == NODE_SCALAR && node->text[0] == '\0')
        complain(b->problems, node, "expected a map of keys, but nothing is given");
    else
        complain(b->problems, node, "expected a map of keys, not %s", node_kind_words(node));
    return false;
}

bool bind_is_name(struct binder *b, const struct node *node, const char *word, struct place place)
{
    size_t n = 0;
    while (isalnum((unsigned char)word[n]) || word[n] == '-' || word[n] == '_') n++;
    if (n > 0 && n < CONFIG_NAME_MAX && word[n] == '\0') return true;
    if (!node->bad)
        problem_add(b->problems, place, "'%.80s' is no name: use at most %d letters, digits, '-' and '_'", word, CONFIG_NAME_MAX - 1);
    return false;
}

const char *bind_name(struct binder *b, const struct node *row)
{
    const struct node *name = node_get(row, "name");
    if (name == NULL) {
        complain_key(b->problems, row, "name must be given");
        return NULL;
    }
    if (name->kind != NODE_SCALAR) {
        complain(b->problems, name, "expected a name, not %s", node_kind_words(name));
        return NULL;
    }
    if (!bind_is_name(b, name, name->text, name->place)) return NULL;
    const struct node *first = node_row(row->parent, name->text);
    if (first != row) {
        complain(b->problems, name, "the name '%s' is given twice; line %d has it", name->text, node_get(first, "name")->place.line);
        return NULL;
    }
    return name->text;
}
