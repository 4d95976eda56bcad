#include "common/base/check.h"
#include "coordinator/metrics_file.h"
#include "optim_facts.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 32 };

static const char *extent_words(enum extent extent)
{
    switch (extent) {
    case EXTENT_NONE: return "none";
    case PER_ELEMENT: return "per element";
    case PER_ROW: return "per row";
    case PER_BLOCK: return "per block of rows";
    case PER_COL: return "per column";
    case PER_TENSOR: return "per tensor";
    case AT_OWNER: return "whole, at the owner of the matrix";
    }
    return "";
}

/* How many numbers of a slot a tensor has, and for what each stands. */
static int64_t slot_values(const struct optim_facts *f, int slot, const struct optim_cost *on, const char **extent)
{
    *extent = "";
    if (on->refused != NULL) return 0;
    const struct opt_rule rule = optim_rule(f);
    const struct opt_stored stored = opt_stored(&rule, slot, &on->shape);
    *extent = extent_words(stored.extent);
    return stored.extent == EXTENT_NONE ? 0 : stored.rows * stored.cols;
}

/* ---- for people ---- */

/* Each line of a text, indented. */
static void add_lines(const char *lines, struct text *out)
{
    for (const char *line = lines; line != NULL && *line != '\0';) {
        const int n = (int)strcspn(line, "\n");
        text_add(out, "  %.*s\n", n, line);
        line += n + (line[n] == '\n');
    }
}

static void print_key(void *context, const struct config_key *key)
{
    struct text *out = context;
    if (key->value != NULL)
        text_add(out, "  %s: %s\n", key->key, key->value);
    else
        text_add(out, "  %s (must be given)\n", key->key);
    text_add(out, "      %s%s%s: %s\n", key->allowed, key->unit[0] != '\0' ? ", " : "", key->unit, key->help);
}

static void print_slots(const struct optim_facts *f, struct text *out)
{
    bool any = false;
    for (int k = 0; k < f->opt->n_slots; k++) {
        const char *on_matrix, *on_vector;
        char a[CELL], b[CELL];
        const int64_t matrix = slot_values(f, k, &f->matrix, &on_matrix), vector = slot_values(f, k, &f->vector, &on_vector);
        if (matrix == 0 && vector == 0) continue;
        any = true;
        text_add(out, "  %-14s %12s %-20s %8s %s\n", f->opt->slots[k].name, str_count(a, CELL, matrix), matrix > 0 ? on_matrix : "",
                 str_count(b, CELL, vector), vector > 0 ? on_vector : "");
    }
    if (!any) text_add(out, "  none\n");
}

static void print_cost(const char *name, const struct optim_cost *c, struct text *out)
{
    char bytes[CELL];
    if (c->refused != NULL) {
        text_add(out, "  %-12s %s\n", name, c->refused);
        return;
    }
    text_add(out, "  %-12s %10.4g  %9d  %s\n", name, c->state_bytes, c->exchanges, str_count(bytes, CELL, c->bytes));
}

void optim_print(const struct optim_facts *f, struct text *out)
{
    char matrix[CELL], vector[CELL];
    const struct variant *v = &f->opt->variant;
    text_add(out, "%s: %s\n\nsource  %s\nclass   %s\ndecay   %s\n\na step\n", v->name, v->summary, v->source, f->class, f->decay);
    add_lines(f->opt->equations, out);
    text_add(out, "\nkeys and defaults\n");
    config_rule_keys(v, print_key, out);
    (void)snprintf(matrix, sizeof matrix, "%d x %d", OPTIM_MATRIX_ROWS, OPTIM_MATRIX_COLS);
    (void)snprintf(vector, sizeof vector, "%d", OPTIM_VECTOR);
    text_add(out, "\nstate with these defaults: numbers on a tensor of %s, and of %s\n", matrix, vector);
    print_slots(f, out);
    text_add(out, "\n  %-12s %10s  %9s  %s\n", "tensor", "state B/el", "exchanges", "bytes in them per step");
    print_cost(matrix, &f->matrix, out);
    print_cost(vector, &f->vector, out);
}

/* ---- JSON ---- */

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }
static void append(json_t *array, json_t *value) { CHECK(json_array_append_new(array, value) == 0); }

static void append_key(void *context, const struct config_key *key)
{
    json_t *o = json_object();
    set(o, "key", json_string(key->key));
    set(o, "type", json_string(key->type));
    set(o, "default", key->value != NULL ? json_string(key->value) : json_null());
    set(o, "allowed", json_string(key->allowed));
    set(o, "unit", json_string(key->unit));
    set(o, "help", json_string(key->help));
    append(context, o);
}

static json_t *cost_json(const struct optim_facts *f, const struct optim_cost *c)
{
    json_t *o = json_object(), *slots = json_array();
    for (int k = 0; k < f->opt->n_slots; k++) {
        const char *extent;
        const int64_t values = slot_values(f, k, c, &extent);
        if (values == 0) continue;
        json_t *slot = json_object();
        set(slot, "name", json_string(f->opt->slots[k].name));
        set(slot, "extent", json_string(extent));
        set(slot, "values", json_integer(values));
        append(slots, slot);
    }
    if (c->shape.n_dims == 2)
        set(o, "shape", json_pack("[I, I]", (json_int_t)c->shape.rows, (json_int_t)c->shape.cols));
    else
        set(o, "shape", json_pack("[I]", (json_int_t)c->shape.cols));
    set(o, "refused", c->refused != NULL ? json_string(c->refused) : json_null());
    set(o, "slots", slots);
    set(o, "state_bytes_per_element", metrics_number(c->state_bytes));
    set(o, "exchanges", json_integer(c->exchanges));
    set(o, "exchange_bytes_per_step", json_integer(c->bytes));
    return o;
}

void optim_print_json(const struct optim_facts *f, struct text *out)
{
    const struct variant *v = &f->opt->variant;
    json_t *o = json_object(), *fields = json_array();
    config_rule_keys(v, append_key, fields);
    set(o, "name", json_string(v->name));
    set(o, "summary", json_string(v->summary));
    set(o, "source", json_string(v->source));
    set(o, "class", json_string(f->class));
    set(o, "decay", json_string(f->decay));
    set(o, "equations", f->opt->equations != NULL ? json_string(f->opt->equations) : json_null());
    set(o, "keys", fields);
    set(o, "matrix", cost_json(f, &f->matrix));
    set(o, "vector", cost_json(f, &f->vector));
    char *json = json_dumps(o, JSON_INDENT(2));
    CHECK(json != NULL);
    text_add(out, "%s\n", json);
    free(json);
    json_decref(o);
}

/* ---- Markdown ---- */

static void add_cell(const char *text, struct text *out)
{
    text_add(out, " ");
    for (; *text != '\0'; text++) text_add(out, *text == '|' ? "\\%c" : "%c", *text);
    text_add(out, " |");
}

/* The words among which a rule lets choose, key by key; the default stands out. */
static void add_choices(const struct variant *v, struct text *out)
{
    struct text cell = { 0 };
    text_add(&cell, "%s", "");
    for (const struct field *row = v->fields; row != NULL && row->key != NULL; row++) {
        if (row->type != FIELD_ENUM) continue;
        text_add(&cell, "%s`%s`: ", cell.length > 0 ? "; " : "", row->key);
        for (int i = 0; row->words[i] != NULL; i++) {
            const char *mark = row->value != NULL && strcmp(row->words[i], row->value) == 0 ? "**" : "";
            text_add(&cell, "%s%s%s%s", i > 0 ? ", " : "", mark, row->words[i], mark);
        }
    }
    add_cell(cell.data, out);
    text_free(&cell);
}

static void add_state(const struct optim_cost *c, struct text *out)
{
    if (c->refused != NULL)
        text_add(out, " not taken |");
    else
        text_add(out, " %.4g |", c->state_bytes);
}

static void add_row(const struct optim_facts *f, struct text *out)
{
    char bytes[CELL];
    const struct variant *v = &f->opt->variant;
    text_add(out, "| %s | %s |", v->name, f->class);
    add_state(&f->matrix, out);
    add_state(&f->vector, out);
    text_add(out, " %d | %s |", f->matrix.exchanges, str_count(bytes, CELL, f->matrix.bytes));
    add_cell(f->decay, out);
    add_choices(v, out);
    add_cell(v->source, out);
    text_add(out, "\n");
}

enum status optim_print_table(struct text *out)
{
    struct arena arena;
    enum status s = ST_OK;
    arena_open_growing(&arena, "table");
    text_add(out, "| rule | class | state, matrix | state, vector | exchanges | bytes in them | weight decay | choices | source |\n"
                  "|---|---|---|---|---|---|---|---|---|\n");
    for (const struct variant *const *v = worker_tables()->optimizers; *v != NULL && s == ST_OK; v++) {
        struct optim_facts facts;
        s = optim_facts(worker_optimizer((*v)->name), &arena, &facts);
        if (s == ST_OK) add_row(&facts, out);
    }
    arena_close(&arena);
    return s;
}
