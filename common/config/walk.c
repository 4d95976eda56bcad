/* walk.c: every value of a configuration in the order of the resolved file: one list for the file, the digest and the comparison. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include <string.h>

static void visit_rows(const struct visitor *v, const struct field *rows, const void *base, const char *const *preset, bool all_count)
{
    struct text text = { 0 };
    for (; rows != NULL && rows->key != NULL; rows++) {
        bool lacks = false;
        (void)preset_value(preset, rows->key, &lacks);
        if (lacks) continue;
        text.length = 0;
        field_write(rows, base, &text);
        v->value(v->self, rows->key, text.data, all_count || rows->trajectory);
    }
    text_free(&text);
}

static void visit_word(const struct visitor *v, const char *key, const char *word, bool trajectory)
{
    struct text text = { 0 };
    write_word(word, &text);
    v->value(v->self, key, text.data, trajectory);
    text_free(&text);
}

static void visit_match(const struct visitor *v, const struct match_config *match)
{
    struct text text = { 0 };
    match_write(match, &text);
    v->value(v->self, "match", text.data, true);
    text_free(&text);
}

static bool schedule_matters(const struct schedule_config *schedule)
{
    bool lacks = false;
    (void)preset_value(schedule->type->preset, "run.steps", &lacks);
    for (const struct field *row = schedule->type->fields; row != NULL && row->key != NULL && lacks; row++) {
        const struct share *share = (const void *)((const char *)schedule->fields + row->offset);
        if (row->type == FIELD_SHARE && share->percent && share->value > 0) return true;
    }
    return !lacks;
}

bool steps_matter(const struct config *config)
{
    for (int i = 0; i < config->n_rules; i++)
        if (schedule_matters(&config->schedules[config->rules[i].schedule])) return true;
    return false;
}

/* A family's rows come first and take the place of the common ones; those that the family lacks are left out. */
static void visit_section(const struct visitor *v, const struct section *section, const struct config *config, const struct variant *family)
{
    const void *base = (const char *)config + section->offset;
    v->open(v->self, section->key, SHAPE_BLOCK);
    for (const struct field *row = section->rows; row->key != NULL; row++) {
        const struct field one[2] = { *row };
        if (family == NULL || field_find(family->fields, row->key) == NULL)
            visit_rows(v, one, base, family != NULL ? family->preset : NULL, false);
    }
    if (family != NULL) visit_rows(v, family->fields, base, NULL, true);
    v->close(v->self);
}

static void visit_sources(const struct visitor *v, const char *key, const struct field *rows, const struct source_config *sources, int n)
{
    v->open(v->self, key, SHAPE_ROWS);
    for (int i = 0; i < n; i++) {
        v->open(v->self, sources[i].name, SHAPE_FLOW);
        visit_word(v, "name", sources[i].name, false);
        visit_rows(v, rows, &sources[i], NULL, false);
        v->close(v->self);
    }
    v->close(v->self);
}

static void visit_data(const struct visitor *v, const struct data_config *data)
{
    v->open(v->self, "data", SHAPE_BLOCK);
    visit_rows(v, data_fields, data, NULL, false);
    visit_sources(v, "train", train_fields, data->train, data->n_train);
    visit_sources(v, "valid", valid_fields, data->valid, data->n_valid);
    v->close(v->self);
}

static void visit_schedule(const struct visitor *v, const struct schedule_config *schedule)
{
    v->open(v->self, schedule->name, SHAPE_FLOW);
    visit_word(v, "type", schedule->type->name, true);
    visit_rows(v, schedule->type->fields, schedule->fields, NULL, true);
    v->close(v->self);
}

/* lr is written as it came out; lr_mult, which went into it, may not stand beside it. */
static void visit_rule(const struct visitor *v, const struct rule_config *rule)
{
    v->open(v->self, rule->name, SHAPE_FLOW);
    visit_word(v, "name", rule->name, false);
    visit_match(v, &rule->match);
    visit_word(v, "optimizer", rule->optimizer->name, true);
    for (const struct field *row = rule_fields; row->key != NULL; row++) {
        const struct field one[2] = { *row };
        if (strcmp(row->key, "lr_mult") != 0 && field_find(rule->optimizer->fields, row->key) == NULL)
            visit_rows(v, one, &rule->common, rule->optimizer->preset, true);
    }
    visit_rows(v, rule->optimizer->fields, rule->fields, NULL, true);
    v->close(v->self);
}

static void visit_optimizer(const struct visitor *v, const struct config *config)
{
    v->open(v->self, "optimizer", SHAPE_BLOCK);
    visit_rows(v, optimizer_fields, config, NULL, true);
    v->open(v->self, "schedules", SHAPE_BLOCK);
    for (int i = 0; i < config->n_schedules; i++) visit_schedule(v, &config->schedules[i]);
    v->close(v->self);
    v->open(v->self, "rules", SHAPE_ROWS);
    for (int i = 0; i < config->n_rules; i++) visit_rule(v, &config->rules[i]);
    v->close(v->self);
    v->open(v->self, "freeze", SHAPE_ROWS);
    for (int i = 0; i < config->n_freeze; i++) {
        v->open(v->self, NULL, SHAPE_FLOW);
        visit_match(v, &config->freeze[i].match);
        visit_rows(v, freeze_fields, &config->freeze[i], NULL, true);
        v->close(v->self);
    }
    v->close(v->self);
    v->close(v->self);
}

void config_walk(const struct config *config, const struct config_tables *tables, const struct visitor *v)
{
    for (const struct section *section = config_sections; section->key != NULL; section++) {
        const bool is_model = strcmp(section->key, "model") == 0;
        visit_section(v, section, config, is_model ? variant_find(tables->families, config->model.family) : NULL);
        if (is_model) {
            visit_rows(v, root_fields, config, NULL, false);
            visit_data(v, &config->data);
        }
        if (strcmp(section->key, "parallel") == 0) visit_optimizer(v, config);
    }
}
