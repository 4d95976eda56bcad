/* override.c: "key.path=value" from the command line, put into the tree before anything is read from it. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include <string.h>

/* The child of `at` by the word of a path; a map gets a missing one, a list cannot. NULL after a problem. */
static struct node *step_down(struct node *at, const char *word, struct place place, struct arena *arena, struct problems *problems)
{
    char path[NODE_PATH_MAX];
    if (at->kind == NODE_MAP) {
        struct node *child = node_get(at, word);
        if (child != NULL) return child;
        child = node_new(arena, NODE_MAP, place);
        node_put(at, word, place, child);
        return child;
    }
    if (at->kind == NODE_SCALAR) {
        problem_add(problems, place, "%s is a single value and has no key '%s'", node_path(at, path), word);
        return NULL;
    }
    struct node *row = node_row(at, word);
    if (row != NULL) return row;
    const char *names[TREE_MAX_CHILDREN];
    int n = 0;
    for (const struct node *other = at->first; other != NULL; other = other->next) {
        const struct node *name = node_get(other, "name");
        if (name != NULL && name->kind == NODE_SCALAR) names[n++] = name->text;
    }
    char hint[HINT_MAX];
    problem_add(problems, place, "%s has no row named '%s'%s", node_path(at, path), word, nearest_hint(word, names, n, hint));
    return NULL;
}

/* The first empty word of a path of n bytes, or NULL. */
static const char *empty_word(const char *path, size_t n)
{
    const char *const end = path + n;
    for (const char *word = path; word <= end; word++) { /* from a word to behind the dot that ends it */
        const char *const begin = word;
        while (word < end && *word != '.') word++;
        if (word == begin) return word;
    }
    return NULL;
}

/* Put value where the path (words between dots) says; place is that of its first word. */
static void put_at(struct node *root, char *word, struct node *value, struct place place, struct arena *arena, struct problems *problems)
{
    for (struct node *at = root;;) {
        const size_t n = strcspn(word, ".");
        const bool last = word[n] == '\0';
        word[n] = '\0';
        if (last && at->kind == NODE_MAP) {
            node_put(at, word, place, value);
            return;
        }
        at = step_down(at, word, place, arena, problems);
        if (at == NULL) return;
        if (last) {
            problem_add(problems, place, "'%s' is a row; set one of its keys", word);
            return;
        }
        place.column += (int)str_characters(word, n) + 1;
        word += n + 1;
    }
}

void override_apply(struct node *root, const char *override, int index, struct arena *arena, struct problems *problems)
{
    struct source *source = arena_place(arena, sizeof *source);
    *source = (struct source){ "command line", arena_strdup(arena, override), strlen(override), index };
    struct place place = { source, 1, 1 };
    const char *equals = strchr(override, '=');
    if (equals == NULL || equals == override) {
        problem_add(problems, place, "'%.80s' sets nothing; write key.path=value", override);
        return;
    }
    struct node *value = tree_read(source, (size_t)(equals - override) + 1, arena, problems);
    if (value == NULL) return;
    const char *empty = empty_word(override, (size_t)(equals - override));
    if (empty != NULL) {
        place.column += (int)str_characters(override, (size_t)(empty - override));
        problem_add(problems, place, "a word of the path is empty; write key.path=value");
        return;
    }
    char *path = arena_strdup(arena, override);
    path[equals - override] = '\0';
    put_at(root, path, value, place, arena, problems);
}
