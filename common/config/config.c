/* config.c: from the text of a run to struct config: read the tree, apply overrides, bind each section, cross-check, report. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include "common/base/check.h"
#include "common/base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- sections ---- */

/* Names what a missing section would have to say. */
static void tell_missing_section(struct binder *b, const struct section *section, const struct bind_table tables[], int n_tables)
{
    struct text keys = { 0 };
    for (int t = 0; t < n_tables; t++)
        for (const struct field *row = tables[t].rows; row != NULL && row->key != NULL; row++)
            if (row->value == NULL) text_add(&keys, "%s%s", keys.length == 0 ? "" : ", ", row->key);
    if (keys.length > 0) complain_key(b->problems, b->root, "%s must be given: a map of %s and more", section->key, keys.data);
    text_free(&keys);
}

static bool needs_nothing(const struct field *rows)
{
    for (; rows->key != NULL; rows++)
        if (rows->value == NULL) return false;
    return true;
}

static void bind_section(struct binder *b, const struct section *section)
{
    const struct node *map = node_get(b->root, section->key);
    void *base = (char *)b->config + section->offset;
    struct bind_table tables[2] = { { NULL, base }, { section->rows, base } };
    const bool is_model = strcmp(section->key, "model") == 0;
    if (map == NULL && !needs_nothing(section->rows)) {
        tell_missing_section(b, section, tables, 2);
        return;
    }
    if (map != NULL && !bind_is_map(b, map)) return;
    const struct variant *family = NULL;
    if (is_model) {
        family = bind_variant(b, map, "family", b->tables->families);
        if (family != NULL) tables[0].rows = family->fields;
        if (family == NULL && node_get(map, "family") == NULL) tables[1].rows++; /* told: family is the first row */
    }
    bind_rows(b, map, tables, 2, family != NULL ? family->preset : NULL);
    static const char *const family_key[] = { "family", NULL };
    bind_unknown(b, map, is_model ? family_key : NULL, tables, 2, is_model ? b->tables->families : NULL, family);
}

static int bind_sources(struct binder *b, const struct node *list, const struct field *rows,
                        struct source_config sources[CONFIG_MAX_SOURCES])
{
    int n = 0;
    if (!bind_is_list(b, list, CONFIG_MAX_SOURCES)) return 0;
    for (const struct node *row = list->first; row != NULL; row = row->next) {
        if (!bind_is_map(b, row)) continue;
        const struct bind_table table = { rows, &sources[n] };
        const char *name = bind_name(b, row);
        if (name != NULL) snprintf(sources[n].name, sizeof sources[n].name, "%s", name);
        bind_rows(b, row, &table, 1, NULL);
        bind_unknown(b, row, source_keys, &table, 1, NULL, NULL);
        n++;
    }
    return n;
}

static void bind_data(struct binder *b)
{
    const struct node *data = node_get(b->root, "data");
    struct data_config *to = &b->config->data;
    if (data == NULL) {
        complain_key(b->problems, b->root, "data must be given: a map of train and valid");
        return;
    }
    if (!bind_is_map(b, data)) return;
    const struct bind_table table = { data_fields, to };
    bind_rows(b, data, &table, 1, NULL);
    bind_unknown(b, data, data_keys, &table, 1, NULL, NULL);
    const struct node *train = node_get(data, "train"), *valid = node_get(data, "valid");
    if (train == NULL)
        complain_key(b->problems, data, "train must be given: a list of rows {name, path, ...}");
    else
        to->n_train = bind_sources(b, train, train_fields, to->train);
    if (train != NULL && train->kind == NODE_LIST && train->n_children == 0)
        complain(b->problems, train, "the list is empty; give at least one row {name, path, ...}");
    if (valid != NULL) to->n_valid = bind_sources(b, valid, valid_fields, to->valid);
}

static void bind_root(struct binder *b)
{
    if (!bind_is_map(b, b->root)) return;
    const struct bind_table table = { root_fields, b->config };
    bind_unknown(b, b->root, root_keys, NULL, 0, NULL, NULL);
    bind_rows(b, b->root, &table, 1, NULL);
    for (const struct section *section = config_sections; section->key != NULL; section++) bind_section(b, section);
    bind_data(b);
    bind_optimizer(b);
    cross_check(b);
}

/* ---- reading ---- */

/* A text while it is read: its tree, and what was found wrong so far. */
struct reading {
    struct arena scratch;
    struct problems *found;
    struct node *root; /* NULL: a problem that leaves no tree */
};

static void begin_reading(struct reading *r, const char *name, const char *yaml, size_t n)
{
    arena_open_growing(&r->scratch, "config");
    r->found = arena_place(&r->scratch, sizeof *r->found);
    r->found->arena = &r->scratch;
    struct source *source = arena_place(&r->scratch, sizeof *source);
    *source = (struct source){ .name = name, .text = yaml, .n = n };
    r->root = tree_read(source, 0, &r->scratch, r->found);
}

/* Returns how many problems there were. */
static int end_reading(struct reading *r, struct text *problems)
{
    const int count = problems_count(r->found);
    problems_print(r->found, problems);
    arena_close(&r->scratch);
    return count;
}

enum status config_parse(const char *name, const char *yaml, size_t n, const char *const overrides[], int n_overrides,
                         const struct config_tables *tables, struct arena *arena, struct config **out, struct text *problems)
{
    struct reading r;
    begin_reading(&r, name, yaml, n);
    struct config *config = arena_place(arena, sizeof *config);
    memset(config, 0, sizeof *config);
    config->file = arena_strdup(arena, name);
    for (int i = 0; r.root != NULL && r.root->kind == NODE_MAP && i < n_overrides; i++)
        override_apply(r.root, overrides[i], i + 1, &r.scratch, r.found);
    struct binder binder = { r.found, &r.scratch, arena, tables, config, r.root };
    if (r.root != NULL) bind_root(&binder);
    const int count = end_reading(&r, problems);
    if (count > 0) FAIL(ST_CONFIG, "%s: %d problem%s; nothing was started", name, count, count == 1 ? "" : "s");
    *out = config;
    return ST_OK;
}

enum status config_parse_rule(const char *name, const char *yaml, size_t n, const struct variant *optimizer,
                              const struct config_tables *tables, struct arena *arena, struct rule_config *out, struct text *problems)
{
    struct reading r;
    begin_reading(&r, name, yaml, n);
    struct binder binder = { r.found, &r.scratch, arena, tables, NULL, r.root };
    if (r.root != NULL) bind_lone_rule(&binder, optimizer, out);
    const int count = end_reading(&r, problems);
    if (count > 0) FAIL(ST_CONFIG, "%s: %d problem%s", name, count, count == 1 ? "" : "s");
    return ST_OK;
}

/* Up to one byte more than the limit, which is how tree_read learns that there are too many. Fails: ST_IO with errno's words. */
static enum status read_up_to_limit(int file, char *buffer, size_t cap, size_t *n)
{
    struct stat info;
    if (fstat(file, &info) != 0) FAIL(ST_IO, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode)) FAIL(ST_IO, "%s", S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file");
    for (*n = 0; *n < cap;) {
        const ssize_t got = read(file, buffer + *n, cap - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) FAIL(ST_IO, "%s", strerror(errno));
        if (got == 0) break;
        *n += (size_t)got;
    }
    return ST_OK;
}

enum status config_read(const char *path, const char *const overrides[], int n_overrides, const struct config_tables *tables,
                        struct arena *arena, struct config **out, struct text *problems)
{
    TRY(fault_here(FAULT_config_read));
    const size_t cap = TREE_MAX_BYTES + 1;
    struct arena scratch;
    arena_open_growing(&scratch, "config text");
    char *buffer = arena_place(&scratch, cap);
    size_t n = 0;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hang us */
    const char *reason = file < 0 ? strerror(errno) : read_up_to_limit(file, buffer, cap, &n) != ST_OK ? status_text() : NULL;
    enum status s;
    if (reason == NULL) {
        s = config_parse(path, buffer, n, overrides, n_overrides, tables, arena, out, problems);
    } else {
        text_add_printable(problems, path, strlen(path));
        text_add(problems, ": cannot be read: %s\n", reason);
        s = status_fail(ST_CONFIG, __FILE__, __LINE__, "%s: 1 problem; nothing was started", path);
    }
    if (file >= 0) close(file);
    arena_close(&scratch);
    return s;
}
