/* What each tensor of a plan follows, keeps and exchanges: the table of `lamina plan --tensors`. */
#include "common/base/check.h"
#include "coordinator/metrics_file.h"
#include "coordinator/optim_facts.h"
#include "plan_facts.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CELL = 32, NAME_MOST = 72 };

struct tensor_facts {
    const struct param *param;
    const struct rule_config *rule;
    double lr_first, lr_peak, lr_last; /* at the first step that moves it, without the schedule, at the last step; NaN: none */
    double weight_decay;
    struct optim_cost cost;
};

static struct tensor_facts tensor_facts(const struct plan *plan, int index)
{
    const struct param *p = &plan->partition.params[index];
    const struct opt_rule rule = plan_rule(plan, index);
    const struct opt_base base = opt_base(&rule, p, plan->partition.n_units);
    const int64_t first = p->frozen_until > 1 ? min_i64(p->frozen_until, plan->steps) : 1;
    return (struct tensor_facts){ .param = p,
                                  .rule = &plan->config->rules[p->rule],
                                  .lr_first = worker_tensor_lr(plan, index, first),
                                  .lr_peak = base.lr < 0 ? (double)NAN : base.lr,
                                  .lr_last = worker_tensor_lr(plan, index, plan->steps),
                                  .weight_decay = base.weight_decay,
                                  .cost = optim_cost(&rule, p) };
}

static const char *shape_text(const struct param *p, char *out)
{
    if (p->n_dims == 2)
        (void)snprintf(out, CELL, "%lld x %lld", (long long)p->rows, (long long)p->cols);
    else
        (void)snprintf(out, CELL, "%lld", (long long)p->cols);
    return out;
}

/* ---- for people ---- */

static const char *rate_text(double lr, char *out)
{
    if (isnan(lr))
        (void)snprintf(out, CELL, "none");
    else
        (void)snprintf(out, CELL, "%.2e", lr);
    return out;
}

static int name_width(const struct plan *plan)
{
    int most = (int)strlen("tensor");
    for (int i = 0; i < plan->partition.n_params; i++) {
        const int n = (int)strlen(plan->partition.params[i].name);
        if (n > most) most = n;
    }
    return most < NAME_MOST ? most : NAME_MOST;
}

static void print_tensor(const struct tensor_facts *t, int width, struct text *out)
{
    char shape[CELL], rate[3][CELL], bytes[CELL];
    text_add(out, "%-*s  %-12s %-13s %14s  ", width, t->param->name, t->rule->name, t->rule->optimizer->name, shape_text(t->param, shape));
    if (t->param->frozen_until < 0) {
        text_add(out, "frozen: no rate, state or exchange\n");
        return;
    }
    text_add(out, "%9s %9s %9s %7.3g %8.4g %9d %12s", rate_text(t->lr_first, rate[0]), rate_text(t->lr_peak, rate[1]),
             rate_text(t->lr_last, rate[2]), t->weight_decay, t->cost.state_bytes, t->cost.exchanges,
             str_count(bytes, CELL, t->cost.bytes));
    if (t->param->frozen_until > 1) text_add(out, "  from step %lld on", (long long)t->param->frozen_until);
    text_add(out, "\n");
}

void plan_print_tensors(const struct plan_facts *f, struct text *out)
{
    const struct plan *plan = f->plan;
    const int width = name_width(plan);
    char bytes[CELL], count[CELL];
    int64_t total = 0;
    text_add(out, "\n%-*s  %-12s %-13s %14s  %9s %9s %9s %7s %8s %9s %12s\n", width, "tensor", "rule", "optimizer", "shape", "lr start",
             "peak", "end", "decay", "state", "exchanges", "bytes/step");
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct tensor_facts t = tensor_facts(plan, i);
        print_tensor(&t, width, out);
        total += t.cost.bytes;
    }
    text_add(out, "%d tensors, %s parameters: %.4g bytes of state per parameter; %s bytes per step in exchanges of the optimizers\n",
             plan->partition.n_params, str_count(count, CELL, f->parameters), f->state_bytes, str_count(bytes, CELL, total));
    text_add(out,
             "state: bytes per parameter. bytes/step: what is added over the owners of rows, and whole matrices to their owners and back;\n"
             "the table above says what a rank sends for it. Rates start where the tensor first moves.\n");
}

/* ---- JSON ---- */

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }

static json_t *tensor_json(const struct tensor_facts *t)
{
    const struct param *p = t->param;
    json_t *o = json_object(), *shape = json_array();
    if (p->n_dims == 2) CHECK(json_array_append_new(shape, json_integer(p->rows)) == 0);
    CHECK(json_array_append_new(shape, json_integer(p->cols)) == 0);
    const bool moves = p->frozen_until >= 0;
    set(o, "name", json_string(p->name));
    set(o, "role", json_string(role_name(p->role)));
    set(o, "rule", json_string(t->rule->name));
    set(o, "optimizer", json_string(t->rule->optimizer->name));
    set(o, "shape", shape);
    set(o, "frozen", json_boolean(!moves));
    set(o, "first_step", moves ? json_integer(p->frozen_until > 1 ? p->frozen_until : 1) : json_null());
    set(o, "lr_first", moves ? metrics_number(t->lr_first) : json_null());
    set(o, "lr_peak", moves ? metrics_number(t->lr_peak) : json_null());
    set(o, "lr_last", moves ? metrics_number(t->lr_last) : json_null());
    set(o, "weight_decay", moves ? metrics_number(t->weight_decay) : json_null());
    set(o, "state_bytes_per_parameter", metrics_number(t->cost.state_bytes));
    set(o, "exchanges", json_integer(t->cost.exchanges));
    set(o, "exchange_bytes_per_step", json_integer(t->cost.bytes));
    return o;
}

json_t *plan_tensors_json(const struct plan *plan)
{
    json_t *all = json_array();
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct tensor_facts t = tensor_facts(plan, i);
        CHECK(json_array_append_new(all, tensor_json(&t)) == 0);
    }
    return all;
}
