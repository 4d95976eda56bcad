/* reference.c: configs/REFERENCE.md from the tables that the parser reads by, so it cannot be out of date. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include <string.h>

/* Inside a table of Markdown a bar would end the cell. */
static void add_cell(struct text *out, const char *text)
{
    text_add(out, " ");
    for (; text != NULL && *text != '\0'; text++) text_add(out, *text == '|' ? "\\%c" : "%c", *text);
    text_add(out, " |");
}

/* A row in words, with this default. */
static void describe(const struct field *row, const char *value, void (*take)(void *context, const struct config_key *key), void *context)
{
    static const char *const types[] = {
        [FIELD_BOOL] = "true or false",
        [FIELD_I64] = "integer",
        [FIELD_F64] = "number",
        [FIELD_F64x2] = "list of 2 numbers",
        [FIELD_F64x3] = "list of 3 numbers",
        [FIELD_TEXT] = "text",
        [FIELD_ENUM] = "word",
        [FIELD_SHARE] = "steps or share",
        [FIELD_MOMENTUM] = "momentum",
        [FIELD_COUNTS] = "list of integers",
        [FIELD_STORAGE] = "storage type",
    };
    struct text allowed = { 0 };
    field_expected(row, &allowed);
    take(context, &(struct config_key){ row->key, types[row->type], value, allowed.data, row->unit, row->help });
    text_free(&allowed);
}

void config_rule_keys(const struct variant *optimizer, void (*take)(void *context, const struct config_key *key), void *context)
{
    const struct field *const tables[] = { optimizer->fields, rule_fields };
    for (int t = 0; t < 2; t++)
        for (const struct field *row = tables[t]; row != NULL && row->key != NULL; row++) {
            bool lacks = false, of_run = false;
            const char *value = preset_value(optimizer->preset, row->key, &lacks);
            for (const char *const *key = run_rule_keys; *key != NULL; key++) of_run |= strcmp(*key, row->key) == 0;
            if (lacks || (t == 1 && (of_run || field_find(optimizer->fields, row->key) != NULL))) continue;
            describe(row, value != NULL ? value : row->value, take, context);
        }
}

static void add_key(void *context, const struct config_key *key)
{
    struct text *out = context;
    text_add(out, "| `%s` |", key->key);
    add_cell(out, key->type);
    if (key->value != NULL)
        text_add(out, " `%s` |", key->value);
    else
        text_add(out, " |");
    add_cell(out, key->allowed);
    add_cell(out, key->unit);
    add_cell(out, key->help);
    text_add(out, "\n");
}

static void add_table(const struct field *rows, struct text *out)
{
    if (rows == NULL || rows->key == NULL) return;
    text_add(out, "| key | type | default | allowed | unit | meaning |\n|---|---|---|---|---|---|\n");
    for (; rows->key != NULL; rows++) describe(rows, rows->value, add_key, out);
    text_add(out, "\n");
}

static void add_section(const char *level, const char *key, const char *help, const struct field *rows, struct text *out)
{
    text_add(out, "%s %s\n\n%s\n\n", level, key, help);
    add_table(rows, out);
}

static void add_variants(const char *title, const char *help, const struct variant *const *variants, struct text *out)
{
    add_section("##", title, help, NULL, out);
    for (; *variants != NULL; variants++) {
        const struct variant *v = *variants;
        text_add(out, "### %s\n\n%s.", v->name, v->summary);
        if (v->source != NULL && v->source[0] != '\0') text_add(out, " Source: %s.", v->source);
        text_add(out, "\n\n");
        for (const char *const *preset = v->preset; preset != NULL && preset[0] != NULL; preset += 2)
            if (preset[1] != NULL)
                text_add(out, "- `%s` is `%s` unless given\n", preset[0], preset[1]);
            else
                text_add(out, "- does not read `%s`\n", preset[0]);
        if (v->preset != NULL && v->preset[0] != NULL) text_add(out, "\n");
        add_table(v->fields, out);
    }
}

void config_write_reference(const struct config_tables *tables, struct text *out)
{
    text_add(
        out,
        "# Configuration reference\n\n"
        "Written by `lamina` from its own tables; do not edit. A key without a default must be given, unless its meaning says otherwise.\n"
        "A default like `4*width` is a multiple of another key; `8/3*width` is rounded up to a multiple of 16.\n"
        "Any key can be set on the command line: `run.steps=100`, rows of lists by name: `optimizer.rules.head.lr=3e-4`.\n\n");
    add_section("##", "top level", "Beside the sections below.", root_fields, out);
    for (const struct section *section = config_sections; section->key != NULL; section++)
        add_section("##", section->key, section->help, section->rows, out);
    add_section("##", "data", "`train` and `valid` are lists of rows `{name, path, ...}`; names are letters, digits, '-' and '_'.",
                data_fields, out);
    add_section(
        "###", "rows of data.train",
        "With several sources each sample is of one of them. Of the first n samples of a run a source has n times its share, to within\n"
        "one sample, for every n and every source; nothing is drawn at random. Each source is read in an order of its own, which "
        "adding\n"
        "or removing another does not alter.",
        train_fields, out);
    add_section("###", "rows of data.valid", "Each source is evaluated by itself.", valid_fields, out);
    add_section("##", "optimizer",
                "`schedules` maps names to `{type, ...}`; without it the rate is constant. `defaults` holds the keys of a rule.\n"
                "`rules` is a list, the first match wins; without it one rule `rest` takes every tensor. `decay_mode` here is the default "
                "of all rules.",
                optimizer_fields, out);
    add_section("###", "optimizer.defaults and rows of optimizer.rules",
                "A rule has `name`, `match` and, where it differs from the defaults, `optimizer`; beside them the keys below and those of "
                "its optimizer.\n"
                "With the optimizer of the defaults it inherits all of their keys. With another it inherits `schedule`, `weight_decay` and "
                "`clip` alone,\n"
                "and `lr` must be given.\n\n"
                "`match` is `all`, or a map of `role` (globs of roles), `glob` (globs of tensor names) and `layers` (`3` or `\"0-1\"`); "
                "all that are given must agree.",
                rule_fields, out);
    add_section("###", "rows of optimizer.freeze", "Frozen tensors have no gradient, state or decay; `match` as in a rule.", freeze_fields,
                out);
    add_variants("Optimizers", "The values of `optimizer`.", tables->optimizers, out);
    add_variants("Schedules", "The values of `type`.", tables->schedules, out);
    add_variants("Families", "The values of `model.family`.", tables->families, out);
}
