#include "try_file.h"
#include "common/base/check.h"
#include "coordinator/file.h"
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    const struct variant *optimizer;
    struct arena *arena;
    struct try_problem *out;
};

/* "FILE: SENTENCE"; keys of the file may hold anything, so what is not printable is written as \xNN. */
static enum status refuse(const struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);
static enum status refuse(const struct reader *r, const char *format, ...)
{
    char sentence[1024];
    struct text shown = { 0 };
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    text_add_printable(&shown, sentence, strlen(sentence));
    const enum status s = status_fail(ST_DATA, __FILE__, __LINE__, "%s: %s", r->path, shown.data);
    text_free(&shown);
    return s;
}

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a truth value";
    case JSON_NULL: return "null";
    }
    return "nothing";
}

/* ---- numbers ---- */

/* key: with its index, "grads[2]" */
static enum status read_number(const struct reader *r, const char *key, size_t i, const json_t *value, double *out)
{
    if (!json_is_number(value)) return refuse(r, "%s[%zu]: expected a number, not %s", key, i, kind_of(value));
    *out = json_number_value(value);
    return ST_OK;
}

/* A list of exactly n numbers, each within fp32. */
static enum status read_floats(const struct reader *r, const char *key, const json_t *list, int64_t n, const float **out)
{
    if (!json_is_array(list)) return refuse(r, "%s: expected a list of %lld numbers, not %s", key, (long long)n, kind_of(list));
    if ((int64_t)json_array_size(list) != n)
        return refuse(r, "%s: expected %lld numbers, as the shape has, not %zu", key, (long long)n, json_array_size(list));
    float *values = arena_place_n(r->arena, (size_t)n, sizeof *values);
    for (size_t i = 0; i < (size_t)n; i++) {
        double x = 0;
        TRY(read_number(r, key, i, json_array_get(list, i), &x));
        values[i] = (float)x;
        if (!isfinite(values[i])) return refuse(r, "%s[%zu]: %g is beyond the range of fp32", key, i, x);
    }
    *out = values;
    return ST_OK;
}

/* One list of numbers per step; null stands for none where that is allowed. */
static enum status read_steps(const struct reader *r, const char *key, const json_t *list, bool or_null, const float *const **out)
{
    const struct try_problem *p = r->out;
    const float **steps = arena_place_n(r->arena, (size_t)p->n_steps, sizeof *steps);
    for (size_t i = 0; i < (size_t)p->n_steps; i++) {
        char name[48];
        const json_t *step = json_array_get(list, i);
        (void)snprintf(name, sizeof name, "%s[%zu]", key, i);
        steps[i] = NULL;
        if (!or_null || !json_is_null(step)) TRY(read_floats(r, name, step, p->rows * p->cols, &steps[i]));
    }
    *out = steps;
    return ST_OK;
}

static enum status check_steps(const struct reader *r, const char *key, const json_t *list)
{
    if (!json_is_array(list)) return refuse(r, "%s: expected a list with one entry per step, not %s", key, kind_of(list));
    if ((int64_t)json_array_size(list) != r->out->n_steps)
        return refuse(r, "%s: expected one entry for each of the %lld steps of grads, not %zu", key, (long long)r->out->n_steps,
                      json_array_size(list));
    return ST_OK;
}

/* ---- settings: JSON as the YAML that a rule is written in ---- */

/* The shortest text that reads back to the same double. */
static void add_real(double value, struct text *out)
{
    char buffer[32];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value) break;
    }
    text_add(out, "%s", buffer);
}

/* A word stands without quotes, as "none" does where a number may be none; what could be read as something else keeps them. */
static bool is_word(const char *text, size_t n)
{
    if (n == 0 || strlen(text) != n || !isalpha((unsigned char)text[0])) return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_') return false;
    return strcmp(text, "true") != 0 && strcmp(text, "false") != 0;
}

static void add_quoted(const json_t *string, struct text *out)
{
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);
    CHECK(quoted != NULL);
    text_add(out, "%s", quoted);
    free(quoted);
}

/* null is what YAML calls none. jansson bounds the depth of what it has read. */
static void add_yaml(json_t *value, struct text *out)
{
    const char *key;
    json_t *child;
    size_t i;
    int n = 0;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        text_add(out, "{");
        json_object_foreach(value, key, child)
        {
            json_t *name = json_string(key);
            text_add(out, "%s", n++ > 0 ? ", " : "");
            if (is_word(key, strlen(key)))
                text_add(out, "%s", key);
            else
                add_quoted(name, out);
            json_decref(name);
            text_add(out, ": ");
            add_yaml(child, out);
        }
        text_add(out, "}");
        return;
    case JSON_ARRAY:
        text_add(out, "[");
        json_array_foreach(value, i, child)
        {
            text_add(out, "%s", i > 0 ? ", " : "");
            add_yaml(child, out);
        }
        text_add(out, "]");
        return;
    case JSON_STRING:
        if (is_word(json_string_value(value), json_string_length(value)))
            text_add(out, "%s", json_string_value(value));
        else
            add_quoted(value, out);
        return;
    case JSON_INTEGER: text_add(out, "%lld", (long long)json_integer_value(value)); return;
    case JSON_REAL: add_real(json_real_value(value), out); return;
    case JSON_TRUE: text_add(out, "true"); return;
    case JSON_FALSE: text_add(out, "false"); return;
    case JSON_NULL: text_add(out, "none"); return;
    }
}

static enum status read_hyper(const struct reader *r, json_t *value)
{
    struct text yaml = { 0 }, problems = { 0 };
    struct rule_config *rule = arena_place(r->arena, sizeof *rule);
    const char *name = arena_printf(r->arena, "%s: hyper", r->path);
    add_yaml(value, &yaml);
    enum status s = config_parse_rule(name, yaml.data, yaml.length, r->optimizer, worker_tables(), r->arena, rule, &problems);
    if (s != ST_OK) {
        while (problems.length > 0 && problems.data[problems.length - 1] == '\n') problems.data[--problems.length] = '\0';
        s = status_fail(ST_DATA, __FILE__, __LINE__, "%s", problems.data);
    }
    r->out->rule = rule;
    text_free(&yaml);
    text_free(&problems);
    return s;
}

/* ---- the keys ---- */

static enum status read_rule(const struct reader *r, json_t *value)
{
    if (!json_is_string(value)) return refuse(r, "rule: expected the name of a rule, not %s", kind_of(value));
    if (strcmp(json_string_value(value), r->optimizer->name) != 0)
        return refuse(r, "rule: the problem is for %.60s, the command line names %s", json_string_value(value), r->optimizer->name);
    return ST_OK;
}

static enum status read_shape(const struct reader *r, json_t *value)
{
    struct try_problem *p = r->out;
    int64_t side[2] = { 1, 1 };
    const size_t n = json_array_size(value);
    if (!json_is_array(value) || n < 1 || n > 2) return refuse(r, "shape: expected [rows, columns], or [n] for a tensor of one dimension");
    for (size_t i = 0; i < n; i++) {
        const json_t *at = json_array_get(value, i);
        side[i] = json_integer_value(at);
        if (!json_is_integer(at) || side[i] < 1 || side[i] > TRY_FILE_MAX_VALUES)
            return refuse(r, "shape[%zu]: expected an integer from 1 to %d", i, TRY_FILE_MAX_VALUES);
    }
    p->n_dims = (int)n;
    p->rows = n == 2 ? side[0] : 1;
    p->cols = n == 2 ? side[1] : side[0];
    if (p->rows * p->cols > TRY_FILE_MAX_VALUES)
        return refuse(r, "shape: %lld elements; at most %d are tried", (long long)(p->rows * p->cols), TRY_FILE_MAX_VALUES);
    return ST_OK;
}

static enum status read_theta(const struct reader *r, json_t *value)
{
    return read_floats(r, "theta", value, r->out->rows * r->out->cols, &r->out->theta);
}

static enum status read_grads(const struct reader *r, json_t *value)
{
    struct try_problem *p = r->out;
    if (!json_is_array(value)) return refuse(r, "grads: expected a list of one list per step, not %s", kind_of(value));
    p->n_steps = (int64_t)json_array_size(value);
    if (p->n_steps < 1) return refuse(r, "grads: expected at least one step");
    if (p->n_steps > TRY_FILE_MAX_VALUES / (p->rows * p->cols))
        return refuse(r, "grads: %lld steps of %lld elements; at most %d numbers in all are tried", (long long)p->n_steps,
                      (long long)(p->rows * p->cols), TRY_FILE_MAX_VALUES);
    return read_steps(r, "grads", value, false, &p->grad);
}

static enum status read_schedule(const struct reader *r, json_t *value)
{
    TRY(check_steps(r, "schedule", value));
    double *factor = arena_place_n(r->arena, (size_t)r->out->n_steps, sizeof *factor);
    for (size_t i = 0; i < (size_t)r->out->n_steps; i++) {
        TRY(read_number(r, "schedule", i, json_array_get(value, i), &factor[i]));
        if (!(factor[i] >= 0 && factor[i] <= 1e6)) return refuse(r, "schedule[%zu]: expected a factor from 0 to 1e6, not %g", i, factor[i]);
    }
    r->out->factor = factor;
    return ST_OK;
}

static enum status read_sampled(const struct reader *r, json_t *value)
{
    TRY(check_steps(r, "sampled", value));
    return read_steps(r, "sampled", value, true, &r->out->sampled);
}

static enum status read_projection(const struct reader *r, json_t *value)
{
    struct try_problem *p = r->out;
    const int64_t side = p->rows < p->cols ? p->rows : p->cols;
    const size_t n = json_array_size(value);
    if (!json_is_array(value) || n < 1) return refuse(r, "projection: expected a list of rows as long as the shorter side of the shape");
    if ((int64_t)n > TRY_FILE_MAX_VALUES / side)
        return refuse(r, "projection: %zu rows; at most %d numbers in all", n, TRY_FILE_MAX_VALUES);
    float *rows = arena_place_n(r->arena, n * (size_t)side, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        char name[48];
        const float *row = NULL;
        (void)snprintf(name, sizeof name, "projection[%zu]", i);
        TRY(read_floats(r, name, json_array_get(value, i), side, &row));
        memcpy(rows + i * (size_t)side, row, (size_t)side * sizeof *rows);
    }
    p->projection = rows;
    p->n_projected = (int64_t)n;
    return ST_OK;
}

static enum status read_report(const struct reader *r, json_t *value)
{
    if (!json_is_string(value) || strcmp(json_string_value(value), "eval") != 0)
        return refuse(r, "report: expected \"eval\", or leave it out for the weights that are trained");
    r->out->eval = true;
    return ST_OK;
}

/* In the order in which they are read: later ones need what earlier ones say. */
static const struct {
    const char *key;
    bool required;
    enum status (*read)(const struct reader *r, json_t *value);
} keys[] = {
    { "rule", false, read_rule },       { "hyper", true, read_hyper },
    { "shape", true, read_shape },      { "theta", true, read_theta },
    { "grads", true, read_grads },      { "schedule", false, read_schedule },
    { "sampled", false, read_sampled }, { "projection", false, read_projection },
    { "report", false, read_report },
};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

static enum status check_keys(const struct reader *r, json_t *root)
{
    const char *names[N_KEYS], *key;
    json_t *value;
    for (int i = 0; i < N_KEYS; i++) names[i] = keys[i].key;
    if (!json_is_object(root)) return refuse(r, "expected an object of keys, not %s", kind_of(root));
    json_object_foreach(root, key, value)
    {
        int i = 0;
        while (i < N_KEYS && strcmp(names[i], key) != 0) i++;
        if (i < N_KEYS) continue;
        const char *near = str_nearest(key, names, N_KEYS);
        return refuse(r, "%.60s: there is no such key%s%s%s", key, near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                      near != NULL ? "?" : "");
    }
    return ST_OK;
}

static enum status read_root(const struct reader *r, json_t *root)
{
    TRY(check_keys(r, root));
    for (int i = 0; i < N_KEYS; i++) {
        json_t *value = json_object_get(root, keys[i].key);
        if (keys[i].required && value == NULL) return refuse(r, "%s must be given", keys[i].key);
        if (value == NULL || (!keys[i].required && json_is_null(value))) continue;
        TRY(keys[i].read(r, value));
    }
    return ST_OK;
}

static enum status parse(const struct reader *r, const struct text *bytes)
{
    json_error_t error;
    json_t *root = json_loadb(bytes->data != NULL ? bytes->data : "", bytes->length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) return refuse(r, "line %d, column %d: not JSON: %s", error.line, error.column, error.text);
    const enum status s = read_root(r, root);
    json_decref(root);
    return s;
}

enum status try_file_read(const char *path, const struct variant *optimizer, struct arena *arena, struct try_problem *out)
{
    struct text bytes = { 0 };
    *out = (struct try_problem){ .name = path };
    const struct reader r = { path, optimizer, arena, out };
    enum status s = file_read(path, TRY_FILE_MAX_BYTES, &bytes);
    s = s != ST_OK ? status_fail(ST_DATA, __FILE__, __LINE__, "%s", status_text()) : parse(&r, &bytes);
    text_free(&bytes);
    return s;
}
