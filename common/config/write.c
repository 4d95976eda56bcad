/* write.c: a configuration as the resolved file, as the lines that its digest covers, and as the difference of two. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the resolved file: sections in blocks, rows in one line each ---- */

enum { NESTING_MAX = 8 };

struct yaml_writer {
    struct text *out;
    int depth;
    enum shape shape[NESTING_MAX];
    int n[NESTING_MAX]; /* what was written inside so far */
};

static bool in_flow(const struct yaml_writer *w) { return w->depth > 0 && w->shape[w->depth - 1] == SHAPE_FLOW; }

/* A block's head ends only when its first child comes, for an empty one must say so. */
static void begin_child(struct yaml_writer *w)
{
    if (w->depth == 0) return;
    const bool first = w->n[w->depth - 1]++ == 0;
    if (in_flow(w))
        text_add(w->out, "%s", first ? "" : ", ");
    else
        text_add(w->out, "%s%*s", first ? "\n" : "", 2 * w->depth, "");
}

static void yaml_open(void *self, const char *key, enum shape shape)
{
    struct yaml_writer *w = self;
    const bool row = w->depth > 0 && w->shape[w->depth - 1] == SHAPE_ROWS;
    CHECK(w->depth < NESTING_MAX);
    begin_child(w);
    if (row)
        text_add(w->out, "- ");
    else
        text_add(w->out, "%s:", key);
    if (shape == SHAPE_FLOW) text_add(w->out, row ? "{" : " {");
    w->shape[w->depth] = shape;
    w->n[w->depth++] = 0;
}

static void yaml_value(void *self, const char *key, const char *text, bool trajectory)
{
    struct yaml_writer *w = self;
    begin_child(w);
    text_add(w->out, "%s: %s%s", key, text, in_flow(w) ? "" : "\n");
}

static void yaml_close(void *self)
{
    struct yaml_writer *w = self;
    w->depth--;
    if (w->shape[w->depth] == SHAPE_FLOW)
        text_add(w->out, "}\n");
    else if (w->n[w->depth] == 0)
        text_add(w->out, w->shape[w->depth] == SHAPE_ROWS ? " []\n" : " {}\n");
}

void config_write(const struct config *config, const struct config_tables *tables, struct text *out)
{
    struct yaml_writer writer = { .out = out };
    const struct visitor visitor = { &writer, yaml_open, yaml_value, yaml_close };
    config_walk(config, tables, &visitor);
}

/* ---- what affects the trajectory: "path: value" lines ---- */

struct line_writer {
    struct text *out;
    bool with_steps;
    char path[NODE_PATH_MAX + CONFIG_NAME_MAX * 4];
    int depth;
    size_t length[NESTING_MAX]; /* of the path before this container */
    enum shape shape[NESTING_MAX];
    struct text order; /* names of the rows of the list that is open */
    int n_rows;
    bool counts; /* one of its values does */
};

static void push_word(struct line_writer *w, const char *word)
{
    const size_t used = strlen(w->path);
    const int n = snprintf(w->path + used, sizeof w->path - used, "%s%s", used > 0 ? "." : "", word);
    CHECK(n >= 0 && (size_t)n < sizeof w->path - used);
}

static void lines_open(void *self, const char *key, enum shape shape)
{
    struct line_writer *w = self;
    char number[16];
    CHECK(w->depth < NESTING_MAX);
    w->length[w->depth] = strlen(w->path);
    w->shape[w->depth++] = shape;
    if (shape == SHAPE_ROWS) {
        w->order.length = 0;
        w->n_rows = 0;
        w->counts = false;
    }
    snprintf(number, sizeof number, "%d", w->n_rows);
    if (key == NULL) key = number;
    push_word(w, key);
    if (w->depth >= 2 && w->shape[w->depth - 2] == SHAPE_ROWS) text_add(&w->order, "%s%s", w->n_rows++ == 0 ? "" : ", ", key);
}

static void lines_value(void *self, const char *key, const char *text, bool trajectory)
{
    struct line_writer *w = self;
    const size_t used = strlen(w->path);
    if (!trajectory) return;
    w->counts = true;
    push_word(w, key);
    if (w->with_steps || strcmp(w->path, "run.steps") != 0) text_add(w->out, "%s: %s\n", w->path, text);
    w->path[used] = '\0';
}

/* First match wins and samples are drawn by row, so the order of a list counts like its values. */
static void lines_close(void *self)
{
    struct line_writer *w = self;
    w->depth--;
    if (w->shape[w->depth] == SHAPE_ROWS && w->counts) text_add(w->out, "%s: %s\n", w->path, w->order.data);
    w->path[w->length[w->depth]] = '\0';
}

static void write_trajectory(const struct config *config, const struct config_tables *tables, bool with_steps, struct text *out)
{
    struct line_writer writer = { .out = out, .with_steps = with_steps };
    const struct visitor visitor = { &writer, lines_open, lines_value, lines_close };
    config_walk(config, tables, &visitor);
    text_free(&writer.order);
}

struct digest128 config_digest(const struct config *config, const struct config_tables *tables)
{
    struct text lines = { 0 };
    write_trajectory(config, tables, steps_matter(config), &lines);
    const struct digest128 digest = digest_bytes(lines.data, lines.length);
    text_free(&lines);
    return digest;
}

/* ---- the difference ---- */

/* The value of a path among lines, and its length; NULL when it is not there. */
static const char *value_of(const struct text *lines, const char *path, size_t n_path, size_t *n)
{
    for (const char *line = lines->data; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        if (strncmp(line, path, n_path) == 0 && line[n_path] == ':' && line[n_path + 1] == ' ') {
            *n = (size_t)(end - line) - n_path - 2;
            return line + n_path + 2;
        }
        line = end + 1;
    }
    return NULL;
}

/* "optimizer.rules" allows all that stands below it. */
static bool is_allowed(const char *path, size_t n, const char *const allowed[], int n_allowed)
{
    for (int i = 0; i < n_allowed; i++) {
        const size_t length = strlen(allowed[i]);
        if (length <= n && strncmp(path, allowed[i], length) == 0 && (length == n || path[length] == '.')) return true;
    }
    return false;
}

/* Lines of `from` that differ in `to`; with only_missing those alone that `to` lacks, and then the arrow points the other way. */
static int add_differences(const struct text *from, const struct text *to, bool only_missing, const char *const allowed[], int n_allowed,
                           struct text *out)
{
    int count = 0;
    for (const char *line = from->data; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        const size_t n_path = (size_t)(strstr(line, ": ") - line), n_old = strcspn(line + n_path + 2, "\n");
        const char *old = line + n_path + 2, *none = "(none)";
        size_t n_new = 0;
        const char *new = value_of(to, line, n_path, &n_new);
        if (is_allowed(line, n_path, allowed, n_allowed) ||
            (new != NULL && (only_missing || (n_old == n_new && memcmp(old, new, n_old) == 0))))
            continue;
        if (only_missing)
            text_add(out, "%.*s: %s -> %.*s\n", (int)n_path, line, none, (int)n_old, old);
        else
            text_add(out, "%.*s: %.*s -> %.*s\n", (int)n_path, line, (int)n_old, old, new != NULL ? (int)n_new : (int)strlen(none),
                     new != NULL ? new : none);
        count++;
    }
    return count;
}

int config_compare(const struct config *before, const struct config *after, const struct config_tables *tables, const char *const allowed[],
                   int n_allowed, struct text *out)
{
    struct text old = { 0 }, new = { 0 };
    const bool with_steps = steps_matter(before) || steps_matter(after) || after->run.steps < before->run.steps;
    write_trajectory(before, tables, with_steps, &old);
    write_trajectory(after, tables, with_steps, &new);
    const int changed = add_differences(&old, &new, false, allowed, n_allowed, out);
    const int added = add_differences(&new, &old, true, allowed, n_allowed, out);
    text_free(&old);
    text_free(&new);
    return changed + added;
}
