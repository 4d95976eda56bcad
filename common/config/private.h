/* private.h: what the files of this folder share. The way of a value: tree (text with a place) -> bind (which key, from
 * where) -> field (text to number) -> cross (do the values fit each other) -> walk (every value in order) -> write. */
#ifndef LAMINA_CONFIG_PRIVATE_H
#define LAMINA_CONFIG_PRIVATE_H
#ifndef LAMINA_CONFIG_INSIDE
#error "private.h belongs to common/config"
#endif

#include "common/config/config.h"
#include "common/config/tree.h"

/* ---- problem.c, with the path of the node before the sentence ---- */

/* "optimizer.rules.head.lr: SENTENCE" at the node; nothing when the node's problem is told already. */
void complain(struct problems *problems, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same where the key stands, for a value that lacks something. */
void complain_key(struct problems *problems, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
/* "; did you mean 'width'?" or "", in a buffer. */
enum { HINT_MAX = 128 };
const char *nearest_hint(const char *word, const char *const *candidates, int n, char buffer[HINT_MAX]);

/* ---- field.c ---- */

/* Read a value into base + row->offset, or tell what is wrong with it and leave zero there. */
bool field_read(struct problems *problems, const struct field *row, const struct node *node, void *base);
/* The value as YAML that reads back to the same. */
void field_write(const struct field *row, const void *base, struct text *out);
/* "an integer from 1 to 64, or 'all'" */
void field_expected(const struct field *row, struct text *out);
/* A text as YAML inside [] and {}, in quotes where it needs them. */
void write_word(const char *word, struct text *out);
const struct field *field_find(const struct field *rows, const char *key);

/* ---- bind.c ---- */

struct bind_table {
    const struct field *rows; /* NULL: none */
    void *base;
};

struct binder {
    struct problems *problems;
    struct arena *scratch; /* trees, defaults: gone when the configuration is read */
    struct arena *arena;   /* what the configuration keeps */
    const struct config_tables *tables;
    struct config *config;
    const struct node *root;
};

/* Fill every row of every table from map, else from the preset, else from the row's default; tell each one that is missing.
 * Of rows with the same key the first counts. Keys that no row knows are bind_unknown's. */
void bind_rows(struct binder *b, const struct node *map, const struct bind_table tables[], int n_tables, const char *const *preset);

/* Tell every key of map that is neither in `extra` (NULL-terminated) nor in the tables, with the nearest that is.
 * variants: where else the key might belong; chosen: the one whose keys these are; both may be NULL. */
void bind_unknown(struct binder *b, const struct node *map, const char *const *extra, const struct bind_table tables[], int n_tables,
                  const struct variant *const *variants, const struct variant *chosen);

/* The variant that map names under key; NULL after telling why not. */
const struct variant *bind_variant(struct binder *b, const struct node *map, const char *key, const struct variant *const *variants);
const struct variant *variant_find(const struct variant *const *variants, const char *name);
/* The preset value of a key; *lacks when the variant says that it has no such key. */
const char *preset_value(const char *const *preset, const char *key, bool *lacks);

/* The node where a key stands, or the deepest one on the way to it: where to point at. Path as in node_path. */
const struct node *node_near(const struct node *root, const char *path);

/* False after telling that node is not a list of at most `most` rows, or not a map. */
bool bind_is_list(struct binder *b, const struct node *node, int most);
bool bind_is_map(struct binder *b, const struct node *node);
/* The `name` of a row, unlike the names of the rows before it; NULL after a complaint. */
const char *bind_name(struct binder *b, const struct node *row);
/* False after telling that a word is no name: letters, digits, - and _, so that overrides can name the row. */
bool bind_is_name(struct binder *b, const struct node *node, const char *word, struct place place);

/* ---- schema.c: every key ---- */

struct section {
    const char *key, *help;
    size_t offset; /* into struct config */
    const struct field *rows;
};
extern const struct section config_sections[]; /* the plain ones, in the order of the resolved file; ends with key NULL */
extern const struct field root_fields[];       /* tokenizer, in struct config */
extern const struct field data_fields[];       /* of struct data_config, beside the lists */
extern const struct field train_fields[];      /* a row of data.train, but for its name */
extern const struct field valid_fields[];      /* of data.valid */
extern const struct field optimizer_fields[];  /* optimizer.clip, in struct config */
extern const struct field rule_fields[];       /* struct rule_common */
extern const struct field freeze_fields[];     /* a row of optimizer.freeze */
extern const char *const root_keys[],
    *const data_keys[], *const optimizer_keys[], *const source_keys[], *const rule_keys[], *const freeze_keys[], *const match_keys[],
                                                                                                                     *const schedule_keys[];
extern const char *const run_rule_keys[];  /* of rule_fields: those without a meaning outside a run */
enum { GROUP_WORLD = 0, GROUP_NODE = -1 }; /* parallel.group's words */

/* ---- match.c ---- */
void match_read(struct binder *b, const struct node *map, struct match_config *match);
void match_write(const struct match_config *match, struct text *out);

/* ---- optimizer.c, cross.c, override.c ---- */
void bind_optimizer(struct binder *b);
/* b->root as the settings of one rule (config_parse_rule); b->config is not used. */
void bind_lone_rule(struct binder *b, const struct variant *optimizer, struct rule_config *out);
void cross_check(struct binder *b);
/* Apply the index-th (from 1) "key.path=value" to the tree, or tell why not. */
void override_apply(struct node *root, const char *override, int index, struct arena *arena, struct problems *problems);

/* ---- walk.c ---- */

enum shape { SHAPE_BLOCK, SHAPE_ROWS, SHAPE_FLOW }; /* a map of lines, a list of flow rows, a map in one line */
struct visitor {
    void *self;
    void (*open)(void *self, const char *key, enum shape shape); /* key NULL: a row that has no name */
    void (*value)(void *self, const char *key, const char *text, bool trajectory);
    void (*close)(void *self);
};
/* Every value of the configuration, in the order of the resolved file. The row of a list opens under its name, and gives it. */
void config_walk(const struct config *config, const struct config_tables *tables, const struct visitor *visitor);
/* True when the length of the run enters the numbers before its end: a schedule in use depends on it. */
bool steps_matter(const struct config *config);

#endif
