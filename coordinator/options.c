#include "options.h"
#include "common/base/check.h"
#include "common/base/str.h"
#include <ctype.h>
#include <string.h>

static const struct option_row *find_row(const struct option_row *rows, const char *name, size_t n)
{
    for (const struct option_row *row = rows; row != NULL && row->name != NULL; row++)
        if (strlen(row->name) == n && strncmp(row->name, name, n) == 0) return row;
    return NULL;
}

static enum status unknown_option(const struct option_rules *rules, const char *word)
{
    const char *names[OPTIONS_MAX];
    size_t n = 0;
    for (const struct option_row *row = rules->rows; row != NULL && row->name != NULL && n < OPTIONS_MAX - 1; row++) names[n++] = row->name;
    names[n++] = "help";
    const char *near = str_nearest(word, names, n);
    if (near != NULL) FAIL(ST_USAGE, "no option --%s here; did you mean --%s?", word, near);
    FAIL(ST_USAGE, "no option --%s here; --help lists them", word);
}

static enum status check_number(const struct option_row *row, const char *value)
{
    double x = 0;
    int64_t i = 0;
    if (row->type == OPTION_INTEGER) {
        if (str_to_i64(value, &i) != ST_OK) FAIL(ST_USAGE, "--%s takes an integer, not \"%s\"", row->name, value);
        x = (double)i;
    } else if (row->type == OPTION_NUMBER) {
        if (str_to_f64(value, &x) != ST_OK) FAIL(ST_USAGE, "--%s takes a number, not \"%s\"", row->name, value);
    } else {
        return ST_OK;
    }
    if (!(x >= row->low && x <= row->high)) FAIL(ST_USAGE, "--%s must lie in [%g, %g], not %s", row->name, row->low, row->high, value);
    return ST_OK;
}

/* --name value, --name=value, or --name for a flag. Returns through *used how many words were taken. */
static enum status take_option(const struct option_rules *rules, int argc, char *const argv[], int at, struct options *out, int *used)
{
    const char *word = argv[at] + 2, *equals = strchr(word, '=');
    const size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option_row *row = find_row(rules->rows, word, n);
    const char *value = equals != NULL ? equals + 1 : NULL;
    *used = 1;
    if (row == NULL) return unknown_option(rules, word);
    if (row->type == OPTION_FLAG) {
        if (value != NULL) FAIL(ST_USAGE, "--%s takes no value", row->name);
    } else if (value == NULL) {
        if (at + 1 >= argc) FAIL(ST_USAGE, "--%s needs a value: --%s %s", row->name, row->name, row->arg);
        value = argv[at + 1];
        *used = 2;
    }
    if (row->type != OPTION_FLAG) TRY(check_number(row, value));
    if (row->type != OPTION_LIST && option_given(out, row->name)) FAIL(ST_USAGE, "--%s is given twice", row->name);
    if (out->n_given >= OPTIONS_MAX) FAIL(ST_USAGE, "more than %d options", OPTIONS_MAX);
    out->given[out->n_given].row = row;
    out->given[out->n_given++].value = value;
    return ST_OK;
}

/* key.path=value: a key is letters, digits, '_', '-' and dots, so a path with '=' in it is told apart by its '/'. */
static bool is_override(const char *word)
{
    const char *c = word;
    while (isalnum((unsigned char)*c) || *c == '_' || *c == '-' || *c == '.') c++;
    return c > word && *c == '=';
}

static enum status take_operand(const struct option_rules *rules, const char *word, struct options *out)
{
    const bool override = rules->overrides && is_override(word);
    int *n = override ? &out->n_overrides : &out->n_operands;
    const int most = override ? OPTIONS_MAX : OPERANDS_MAX;
    if (*n >= most) FAIL(ST_USAGE, "more than %d arguments", most);
    if (override)
        out->override[(*n)++] = word;
    else
        out->operand[(*n)++] = word;
    return ST_OK;
}

enum status options_parse(const struct option_rules *rules, int argc, char *const argv[], struct options *out)
{
    *out = (struct options){ .rows = rules->rows };
    bool only_operands = false;
    for (int i = 0, used = 1; i < argc; i += used) {
        used = 1;
        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0')
            TRY(take_operand(rules, argv[i], out));
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            out->help = true;
        else if (argv[i][1] != '-')
            FAIL(ST_USAGE, "no option %s; options are long words with two dashes", argv[i]);
        else
            TRY(take_option(rules, argc, argv, i, out, &used));
    }
    if (out->help) return ST_OK;
    if (out->n_operands < rules->least) FAIL(ST_USAGE, "an argument is missing: %s", rules->usage);
    if (rules->most >= 0 && out->n_operands > rules->most)
        FAIL(ST_USAGE, "\"%s\" is one argument too many: %s", out->operand[rules->most], rules->usage);
    return ST_OK;
}

static const char *value_of(const struct options *o, const char *name, enum option_type type)
{
    const struct option_row *row = find_row(o->rows, name, strlen(name));
    CHECK(row != NULL && row->type == type);
    for (int i = 0; i < o->n_given; i++)
        if (o->given[i].row == row) return o->given[i].value;
    return row->value;
}

bool option_given(const struct options *o, const char *name)
{
    for (int i = 0; i < o->n_given; i++)
        if (strcmp(o->given[i].row->name, name) == 0) return true;
    return false;
}

bool option_flag(const struct options *o, const char *name)
{
    (void)value_of(o, name, OPTION_FLAG);
    return option_given(o, name);
}

const char *option_text(const struct options *o, const char *name) { return value_of(o, name, OPTION_TEXT); }

int64_t option_integer(const struct options *o, const char *name)
{
    const char *value = value_of(o, name, OPTION_INTEGER);
    int64_t out = 0;
    CHECK(value != NULL && str_to_i64(value, &out) == ST_OK); /* checked when parsed */
    return out;
}

double option_number(const struct options *o, const char *name)
{
    const char *value = value_of(o, name, OPTION_NUMBER);
    double out = 0;
    CHECK(value != NULL && str_to_f64(value, &out) == ST_OK);
    return out;
}

int option_list(const struct options *o, const char *name, const char *out[OPTIONS_MAX])
{
    const struct option_row *row = find_row(o->rows, name, strlen(name));
    CHECK(row != NULL && row->type == OPTION_LIST);
    int n = 0;
    for (int i = 0; i < o->n_given; i++)
        if (o->given[i].row == row) out[n++] = o->given[i].value;
    return n;
}
