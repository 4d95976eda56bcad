/* tree.h: a YAML text as a tree of nodes that know where they stand. Read after problem.h.
 * Every scalar stays text: types come from the schema (field.h), never from guessing. The corners of YAML by which a text
 * can mean something else than it seems to (anchors, aliases, tags, duplicate keys, second documents) are refused. */
#ifndef LAMINA_CONFIG_TREE_H
#define LAMINA_CONFIG_TREE_H

#include "common/config/problem.h"

enum { TREE_MAX_BYTES = 1 << 20, TREE_MAX_DEPTH = 64, TREE_MAX_CHILDREN = 1000, TREE_MAX_VALUES = 1 << 16 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain; /* a scalar without quotes */
    bool bad;   /* its problem is told: readers say no more about it */
    struct place place, key_place;
    const char *key;  /* in a map, else NULL */
    const char *text; /* of a scalar; no control characters */
    struct node *parent, *first, *last, *next;
    int n_children;
};

/* The tree of source->text from byte `begin` on; NULL after a problem that leaves no tree (syntax, encoding, limits).
 * Problems that leave the tree readable (an anchor, a duplicate key, ...) are told and reading goes on.
 * An empty text is an empty scalar. */
struct node *tree_read(const struct source *source, size_t begin, struct arena *arena, struct problems *problems);

/* The value of a key; NULL when map is NULL, no map, or has no such key. */
struct node *node_get(const struct node *map, const char *key);
/* Put value under key, in place of the old one where there is one. */
void node_put(struct node *map, const char *key, struct place key_place, struct node *value);
/* A row of a list by the `name` that it gives. */
struct node *node_row(const struct node *list, const char *name);

struct node *node_new(struct arena *arena, enum node_kind kind, struct place place);
void node_append(struct node *parent, struct node *child);

/* "optimizer.rules.head.lr": the words by which an override names this node; a row without a name is its index.
 * Returns buffer. */
enum { NODE_PATH_MAX = 256 };
char *node_path(const struct node *node, char buffer[NODE_PATH_MAX]);
const char *node_kind_words(const struct node *node); /* "a list" */

#endif
