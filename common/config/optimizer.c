/* optimizer.c: the section `optimizer`: schedules, defaults, and rules that inherit from them.
 * A rule inherits by nodes, not by values: its map is completed with the defaults' nodes, then read as if it had been
 * written out, so a wrong default is told where it stands. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

/* ---- maps that inherit ---- */

static struct node *copy_of_map(struct arena *arena, const struct node *map)
{
    struct node *copy = node_new(arena, NODE_MAP, map->place);
    *copy = *map;
    copy->first = copy->last = copy->next = NULL;
    copy->n_children = 0;
    return copy;
}

/* Add a copy of a node that knows where it comes from, unless the map has the key. */
static void inherit_node(struct arena *arena, struct node *map, const struct node *from)
{
    if (from == NULL || node_get(map, from->key) != NULL) return;
    struct node *copy = node_new(arena, from->kind, from->place);
    *copy = *from;
    node_append(map, copy);
    copy->parent = from->parent;
}

static void inherit_all(struct arena *arena, struct node *map, const struct node *from)
{
    for (const struct node *child = from->first; child != NULL; child = child->next) inherit_node(arena, map, child);
}

/* A value that the user did not write, so that reading finds the key: a word, or (NULL) one whose problem is told. */
static void supply(struct arena *arena, struct node *map, const char *key, const char *word)
{
    struct node *node = node_new(arena, NODE_SCALAR, map->place);
    node->plain = true;
    node->bad = word == NULL;
    if (word != NULL) node->text = word;
    node_put(map, key, map->place, node);
}

/* ---- schedules ---- */

static void add_schedule(struct binder *b, const char *name, const struct variant *type, const struct node *map)
{
    struct config *config = b->config;
    void *fields = NULL;
    if (type != NULL) {
        fields = arena_place(b->arena, type->bytes);
        bind_rows(b, map, (struct bind_table[]){ { type->fields, fields } }, 1, type->preset);
    }
    config->schedules[config->n_schedules++] = (struct schedule_config){ arena_strdup(b->arena, name), type, fields };
}

static void bind_schedules(struct binder *b, const struct node *schedules)
{
    if (schedules == NULL) {
        const struct variant *constant = variant_find(b->tables->schedules, "constant");
        CHECK(constant != NULL);
        add_schedule(b, constant->name, constant, NULL);
        return;
    }
    if (!bind_is_map(b, schedules)) return;
    if (schedules->n_children > CONFIG_MAX_SCHEDULES) {
        complain(b->problems, schedules, "at most %d schedules, not %d", CONFIG_MAX_SCHEDULES, schedules->n_children);
        return;
    }
    if (schedules->n_children == 0)
        complain(b->problems, schedules, "expected at least one schedule; leave the key out for a constant rate");
    for (const struct node *map = schedules->first; map != NULL; map = map->next) {
        if (!bind_is_name(b, map, map->key, map->key_place)) continue;
        const struct variant *type = bind_is_map(b, map) ? bind_variant(b, map, "type", b->tables->schedules) : NULL;
        const struct bind_table table = { type != NULL ? type->fields : NULL, NULL };
        if (type != NULL) bind_unknown(b, map, schedule_keys, &table, 1, b->tables->schedules, type);
        add_schedule(b, map->key, type, map);
    }
}

/* Index of the schedule that a completed map names, 0 after telling that there is none. */
static int find_schedule(struct binder *b, const struct node *map)
{
    const struct config *config = b->config;
    const struct node *node = node_get(map, "schedule");
    const char *names[CONFIG_MAX_SCHEDULES];
    for (int i = 0; i < config->n_schedules; i++) {
        names[i] = config->schedules[i].name;
        if (node->kind == NODE_SCALAR && strcmp(names[i], node->text) == 0) return i;
    }
    char hint[HINT_MAX];
    if (node->kind == NODE_SCALAR && node->text[0] != '\0' && config->n_schedules > 0)
        complain(b->problems, node, "there is no schedule '%.60s'%s", node->text,
                 nearest_hint(node->text, names, config->n_schedules, hint));
    return 0;
}

/* A rule that names no schedule follows the only one. */
static void supply_schedule(struct binder *b, struct node *map)
{
    const struct config *config = b->config;
    if (node_get(map, "schedule") != NULL) return;
    if (config->n_schedules == 1) {
        supply(b->scratch, map, "schedule", config->schedules[0].name);
        return;
    }
    if (config->n_schedules > 1) complain_key(b->problems, map, "schedule must be given: one of the %d schedules", config->n_schedules);
    supply(b->scratch, map, "schedule", NULL);
}

/* ---- defaults and rules ---- */

struct defaults {
    const struct node *map; /* NULL: none are given */
    const struct variant *optimizer;
    const struct node *decay_mode; /* optimizer.decay_mode, for all rules; NULL: not given */
};

static bool has_own_rate(const struct variant *optimizer)
{
    bool lacks = false;
    return preset_value(optimizer->preset, "lr", &lacks) != NULL || lacks;
}

static void bind_values(struct binder *b, const struct node *map, const struct variant *optimizer, struct rule_common *common, void *fields)
{
    const struct bind_table tables[] = { { optimizer->fields, fields }, { rule_fields, common } };
    bind_rows(b, map, tables, 2, optimizer->preset);
}

/* extra: keys beside those of the optimizer and of every rule. */
static void tell_unknown(struct binder *b, const struct node *map, const char *const *extra, const struct variant *optimizer)
{
    const struct bind_table tables[] = { { optimizer->fields, NULL }, { rule_fields, NULL } };
    bind_unknown(b, map, extra, tables, 2, b->tables->optimizers, optimizer);
}

/* Check the defaults by themselves, so that they are right even where no rule uses them. */
static void bind_defaults(struct binder *b, struct defaults *defaults, const struct node *map)
{
    if (map == NULL || !bind_is_map(b, map)) return;
    static const char *const of_rules[] = { "name", "match", "lr_mult" };
    defaults->map = map;
    defaults->optimizer = bind_variant(b, map, "optimizer", b->tables->optimizers);
    if (defaults->optimizer == NULL) return;
    tell_unknown(b, map, rule_keys, defaults->optimizer);
    for (size_t i = 0; i < sizeof of_rules / sizeof of_rules[0]; i++)
        if (node_get(map, of_rules[i]) != NULL) complain_key(b->problems, node_get(map, of_rules[i]), "this key belongs to a rule");
    struct node *own = copy_of_map(b->scratch, map);
    inherit_all(b->scratch, own, map);
    inherit_node(b->scratch, own, defaults->decay_mode);
    if (node_get(own, "schedule") == NULL)
        supply(b->scratch, own, "schedule", NULL); /* a matter of the rules */
    else
        (void)find_schedule(b, own);
    struct rule_common common = { 0 };
    bind_values(b, own, defaults->optimizer, &common, arena_place(b->scratch, defaults->optimizer->bytes));
}

/* The rule's map with all that it inherits. */
static struct node *complete_rule(struct binder *b, const struct node *row, const struct defaults *defaults,
                                  const struct variant *optimizer)
{
    static const char *const carried[] = { "schedule", "weight_decay", "clip" }; /* what means the same to any optimizer */
    struct node *map = copy_of_map(b->scratch, row);
    inherit_all(b->scratch, map, row);
    const bool same = defaults->map != NULL && optimizer == defaults->optimizer;
    const struct node *rate = node_get(row, "lr"), *mult = node_get(row, "lr_mult");
    if (rate != NULL && mult != NULL)
        complain_key(b->problems, mult, "lr and lr_mult exclude each other: lr_mult multiplies the defaults' lr");
    if (same)
        inherit_all(b->scratch, map, defaults->map);
    else
        for (size_t i = 0; i < sizeof carried / sizeof carried[0]; i++) inherit_node(b->scratch, map, node_get(defaults->map, carried[i]));
    inherit_node(b->scratch, map, defaults->decay_mode);

    bool told = same && node_get(map, "lr") == NULL && !has_own_rate(optimizer); /* told where the defaults stand */
    if (defaults->optimizer != NULL && !same && rate == NULL) {
        complain_key(b->problems, row, "lr must be given: a rate for %s is not one for %s", defaults->optimizer->name, optimizer->name);
        told = true;
    }
    if (told) supply(b->scratch, map, "lr", NULL);
    supply_schedule(b, map);
    return map;
}

static const struct variant *optimizer_of(struct binder *b, const struct node *row, const struct defaults *defaults)
{
    if (node_get(row, "optimizer") != NULL) return bind_variant(b, row, "optimizer", b->tables->optimizers);
    if (defaults->map == NULL) complain_key(b->problems, row, "optimizer must be given, for there are no defaults");
    return defaults->optimizer;
}

static void bind_values_of_rule(struct binder *b, const struct node *row, const struct defaults *defaults, struct rule_config *rule)
{
    rule->optimizer = optimizer_of(b, row, defaults);
    if (rule->optimizer == NULL) return;
    const struct node *map = complete_rule(b, row, defaults, rule->optimizer);
    void *fields = arena_place(b->arena, rule->optimizer->bytes);
    bind_values(b, map, rule->optimizer, &rule->common, fields);
    rule->fields = fields;
    rule->schedule = find_schedule(b, map);
    if (node_get(row, "lr_mult") != NULL && rule->common.lr != RATE_NONE) rule->common.lr *= rule->common.lr_mult;
    rule->common.lr_mult = 1; /* it has done its work: what is written out says the product */
}

/* The text goes when it is read; what messages of later need of it stays. */
static struct config_place keep_place(struct binder *b, struct place place)
{
    struct text before = { 0 }, below = { 0 };
    place_print(place, &before);
    place_print_line(place, &below);
    const struct config_place kept = { arena_strdup(b->arena, before.data), arena_strdup(b->arena, below.data != NULL ? below.data : "") };
    text_free(&before);
    text_free(&below);
    return kept;
}

static struct rule_config *add_rule(struct binder *b, const char *name, struct place place)
{
    struct rule_config *rule = &b->config->rules[b->config->n_rules++];
    *rule = (struct rule_config){ .name = arena_strdup(b->arena, name) };
    rule->place = keep_place(b, place);
    return rule;
}

static void bind_rule(struct binder *b, const struct node *row, const struct defaults *defaults)
{
    if (!bind_is_map(b, row)) return;
    const char *name = bind_name(b, row);
    struct rule_config *rule = add_rule(b, name != NULL ? name : "", row->place);
    match_read(b, row, &rule->match);
    bind_values_of_rule(b, row, defaults, rule);
    if (rule->optimizer != NULL) tell_unknown(b, row, rule_keys, rule->optimizer);
}

static void bind_rules(struct binder *b, const struct node *section, const struct defaults *defaults)
{
    const struct node *rules = node_get(section, "rules");
    if (rules != NULL && !bind_is_list(b, rules, CONFIG_MAX_RULES)) return;
    if (rules != NULL && rules->n_children > 0) {
        for (const struct node *row = rules->first; row != NULL; row = row->next) bind_rule(b, row, defaults);
        return;
    }
    if (defaults->map == NULL) {
        if (node_get(section, "defaults") == NULL) complain_key(b->problems, section, "defaults or rules must be given");
        return;
    }
    struct rule_config *rule = add_rule(b, "rest", defaults->map->place);
    rule->match = (struct match_config){ .all = true, .layer_low = -1, .layer_high = -1 };
    bind_values_of_rule(b, defaults->map, defaults, rule);
}

void bind_lone_rule(struct binder *b, const struct variant *optimizer, struct rule_config *out)
{
    *out = (struct rule_config){ .name = optimizer->name, .optimizer = optimizer, .schedule = -1 };
    out->place = keep_place(b, b->root->place);
    out->match = (struct match_config){ .all = true, .layer_low = -1, .layer_high = -1 };
    if (!bind_is_map(b, b->root)) return;
    tell_unknown(b, b->root, NULL, optimizer);
    struct node *map = copy_of_map(b->scratch, b->root);
    inherit_all(b->scratch, map, b->root);
    for (const char *const *key = run_rule_keys; *key != NULL; key++) {
        const struct node *given = node_get(b->root, *key);
        if (given == NULL) continue;
        complain_key(b->problems, given, "this key belongs to a rule of a run, with its layers, its schedules and its norms");
        supply(b->scratch, map, *key, NULL);
    }
    if (node_get(map, "schedule") == NULL) supply(b->scratch, map, "schedule", NULL);
    void *fields = arena_place(b->arena, optimizer->bytes);
    bind_values(b, map, optimizer, &out->common, fields);
    out->fields = fields;
    out->common.lr_mult = 1;
}

static void bind_freeze(struct binder *b, const struct node *freeze)
{
    if (freeze == NULL || !bind_is_list(b, freeze, CONFIG_MAX_RULES)) return;
    for (const struct node *row = freeze->first; row != NULL; row = row->next) {
        if (!bind_is_map(b, row)) continue;
        struct freeze_config *to = &b->config->freeze[b->config->n_freeze++];
        const struct bind_table table = { freeze_fields, to };
        to->place = keep_place(b, row->place);
        match_read(b, row, &to->match);
        bind_rows(b, row, &table, 1, NULL);
        bind_unknown(b, row, freeze_keys, &table, 1, NULL, NULL);
    }
}

void bind_optimizer(struct binder *b)
{
    const struct node *section = node_get(b->root, "optimizer");
    if (section == NULL) {
        complain_key(b->problems, b->root, "optimizer must be given, with defaults or rules");
        return;
    }
    if (!bind_is_map(b, section)) return;
    const struct bind_table table = { optimizer_fields, b->config };
    struct defaults defaults = { .decay_mode = node_get(section, "decay_mode") };
    bind_rows(b, section, &table, 1, NULL);
    bind_unknown(b, section, optimizer_keys, &table, 1, NULL, NULL);
    bind_schedules(b, node_get(section, "schedules"));
    bind_defaults(b, &defaults, node_get(section, "defaults"));
    bind_rules(b, section, &defaults);
    bind_freeze(b, node_get(section, "freeze"));
}
