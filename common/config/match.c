/* match.c: which tensors a rule takes: `all`, or any of role, glob and layers. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A text or a list of texts. */
static int read_globs(struct binder *b, const struct node *node, const char *globs[CONFIG_MAX_MATCH])
{
    int n = 0;
    if (node == NULL || (node->kind == NODE_LIST && !bind_is_list(b, node, CONFIG_MAX_MATCH))) return 0;
    if (node->kind == NODE_MAP) complain(b->problems, node, "expected a text or a list of texts, not a map");
    if (node->kind == NODE_LIST && node->n_children == 0) complain(b->problems, node, "the list is empty and would match nothing");
    for (const struct node *item = node->kind == NODE_SCALAR ? node : node->first; item != NULL && node->kind != NODE_MAP;
         item = item->next) {
        if (item->kind != NODE_SCALAR)
            complain(b->problems, item, "expected a text, not %s", node_kind_words(item));
        else if (item->text[0] == '\0')
            complain(b->problems, item, "expected a text, but nothing is given");
        else
            globs[n++] = arena_strdup(b->arena, item->text);
        if (node->kind == NODE_SCALAR) break; /* its siblings are other keys */
    }
    return n;
}

/* 3, or "0-1". */
static void read_layers(struct binder *b, const struct node *node, struct match_config *match)
{
    match->layer_low = match->layer_high = -1;
    if (node == NULL) return;
    if (node->kind != NODE_SCALAR) {
        complain(b->problems, node, "expected a layer (3) or a range of layers (\"0-1\"), not %s", node_kind_words(node));
        return;
    }
    char low[24] = "", high[24] = "", junk;
    const int n = sscanf(node->text, "%20[0-9]-%20[0-9]%c", low, high, &junk);
    int64_t from = 0, to = 0;
    const bool single = n == 1 && strlen(low) == strlen(node->text);
    if ((!single && n != 2) || str_to_i64(low, &from) != ST_OK || str_to_i64(single ? low : high, &to) != ST_OK) {
        complain(b->problems, node, "expected a layer (3) or a range of layers (\"0-1\"), not '%.60s'", node->text);
        return;
    }
    const int64_t layers = b->config->model.layers;
    if (from > to)
        complain(b->problems, node, "the range ends before it begins; write \"%" PRId64 "-%" PRId64 "\"", to, from);
    else if (layers > 0 && to >= layers)
        complain(b->problems, node, "the model has layers 0 to %" PRId64 ", not %" PRId64, layers - 1, to);
    match->layer_low = from;
    match->layer_high = to;
}

void match_read(struct binder *b, const struct node *map, struct match_config *match)
{
    *match = (struct match_config){ .layer_low = -1, .layer_high = -1 };
    const struct node *node = node_get(map, "match");
    if (node == NULL) {
        complain_key(b->problems, map, "match must be given: all, or a map of role, glob and layers");
        return;
    }
    if (node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0) {
        match->all = true;
        return;
    }
    if (node->kind != NODE_MAP || node->n_children == 0) {
        complain(b->problems, node, "expected all, or a map of role, glob and layers");
        return;
    }
    bind_unknown(b, node, match_keys, NULL, 0, NULL, NULL);
    match->n_roles = read_globs(b, node_get(node, "role"), match->roles);
    match->n_globs = read_globs(b, node_get(node, "glob"), match->globs);
    read_layers(b, node_get(node, "layers"), match);
}

static void write_globs(const char *key, const char *const *globs, int n, const char **comma, struct text *out)
{
    if (n == 0) return;
    text_add(out, "%s%s: [", *comma, key);
    for (int i = 0; i < n; i++) {
        text_add(out, i == 0 ? "" : ", ");
        write_word(globs[i], out);
    }
    text_add(out, "]");
    *comma = ", ";
}

void match_write(const struct match_config *match, struct text *out)
{
    const char *comma = "";
    if (match->all) {
        text_add(out, "all");
        return;
    }
    text_add(out, "{");
    write_globs("role", match->roles, match->n_roles, &comma, out);
    write_globs("glob", match->globs, match->n_globs, &comma, out);
    if (match->layer_low >= 0) text_add(out, "%slayers: \"%" PRId64 "-%" PRId64 "\"", comma, match->layer_low, match->layer_high);
    text_add(out, "}");
}
