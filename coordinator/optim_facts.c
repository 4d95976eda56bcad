#include "optim_facts.h"
#include <stdio.h>

enum { WHOLE_TRIPS = 2 }; /* to the owner and back */

struct opt_rule optim_rule(const struct optim_facts *f) { return (struct opt_rule){ f->opt, f->defaults.fields, &f->defaults.common }; }

static struct param shape_of(int n_dims, int64_t rows, int64_t cols)
{
    struct param shape = { .layer = 0, .n_dims = n_dims, .rows = rows, .cols = cols, .role = n_dims == 2 ? ROLE_MLP_IN : ROLE_NORM };
    (void)snprintf(shape.name, sizeof shape.name, "%s", n_dims == 2 ? "matrix" : "vector");
    return shape;
}

struct optim_cost optim_cost(const struct opt_rule *rule, const struct param *param)
{
    const int64_t count = param->rows * param->cols;
    struct optim_cost out = { .shape = *param };
    out.refused = rule->opt->refuse != NULL ? rule->opt->refuse(param, rule->hyper) : NULL;
    if (out.refused != NULL) return out;
    out.state_bytes = (double)opt_slot_bytes(rule, param) / (double)count;
    for (int i = 0; i < OPT_EXCHANGES; i++) {
        const int64_t values = opt_exchange_values(rule, param, i);
        out.exchanges += values > 0;
        out.bytes += (int64_t)sizeof(int64_t) * values;
    }
    if (param->frozen_until >= 0 && opt_needs(rule->opt, param, rule->hyper).whole) {
        out.exchanges += WHOLE_TRIPS;
        out.bytes += WHOLE_TRIPS * (int64_t)sizeof(float) * count;
    }
    return out;
}

static bool keeps(const struct optim_facts *f, enum extent extent)
{
    const struct opt_rule rule = optim_rule(f);
    for (int k = 0; k < f->opt->n_slots; k++)
        if (opt_stored(&rule, k, &f->matrix.shape).extent == extent) return true;
    return false;
}

/* By what an owner of rows must learn from others; then by what it adds inside its own rows. */
static const char *class_of(const struct optim_facts *f)
{
    const struct opt_need need = opt_needs(f->opt, &f->matrix.shape, f->defaults.fields);
    if (need.whole) return "whole matrix";
    if (need.column[0] > 0 || need.column[1] > 0) return keeps(f, PER_ROW) ? "row+column sums" : "column sums";
    if (need.scalars[0] > 0) return need.shared ? "sums over tensors" : "tensor sums";
    return keeps(f, PER_ROW) || keeps(f, PER_BLOCK) ? "row sums" : "elementwise";
}

static const char *decay_words(enum decay_place place)
{
    switch (place) {
    case DECAY_BEFORE: return "on the weights, before the step";
    case DECAY_AFTER: return "on the weights, after the step";
    case DECAY_L2: return "in the gradient";
    case DECAY_INSIDE: return "inside the formula";
    }
    return "";
}

enum status optim_facts(const struct opt_desc *opt, struct arena *arena, struct optim_facts *out)
{
    struct text problems = { 0 };
    *out = (struct optim_facts){ .opt = opt };
    enum status s = config_parse_rule(opt->variant.name, "{}", 2, &opt->variant, worker_tables(), arena, &out->defaults, &problems);
    if (s != ST_OK) s = status_fail(ST_BUG, __FILE__, __LINE__, "the defaults of %s make no rule: %s", opt->variant.name, problems.data);
    text_free(&problems);
    TRY(s);
    const struct opt_rule rule = optim_rule(out);
    const struct param matrix = shape_of(2, OPTIM_MATRIX_ROWS, OPTIM_MATRIX_COLS), vector = shape_of(1, 1, OPTIM_VECTOR);
    out->matrix = optim_cost(&rule, &matrix);
    out->vector = optim_cost(&rule, &vector);
    out->class = class_of(out);
    out->decay = decay_words(opt_decay(opt, out->defaults.fields));
    return ST_OK;
}

enum status optim_find(const char *name, const struct opt_desc **out)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    size_t n = 0;
    *out = worker_optimizer(name);
    if (*out != NULL) return ST_OK;
    for (const struct variant *const *v = worker_tables()->optimizers; *v != NULL && n < NAMES_MAX; v++) names[n++] = (*v)->name;
    const char *near = str_nearest(name, names, n);
    if (near != NULL) FAIL(ST_USAGE, "no optimizer \"%s\"; did you mean \"%s\"?", name, near);
    FAIL(ST_USAGE, "no optimizer \"%s\"; lamina optim list names them", name);
}
