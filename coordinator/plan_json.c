#include "common/base/check.h"
#include "coordinator/metrics_file.h"
#include "coordinator/sources.h"
#include "plan_facts.h"
#include <jansson.h>
#include <stdlib.h>

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }

static json_t *rule_json(const struct rule_facts *r)
{
    json_t *o = json_object();
    set(o, "name", json_string(r->name));
    set(o, "optimizer", json_string(r->optimizer));
    set(o, "schedule", json_string(r->schedule));
    set(o, "tensors", json_integer(r->tensors));
    set(o, "frozen", json_integer(r->frozen));
    set(o, "parameters", json_integer(r->parameters));
    set(o, "lr", metrics_number(r->lr));
    set(o, "lr_first", metrics_number(r->lr_first));
    set(o, "lr_last", metrics_number(r->lr_last));
    set(o, "weight_decay", metrics_number(r->weight_decay));
    set(o, "state_bytes_per_parameter", metrics_number(r->state_bytes));
    return o;
}

static json_t *size_json(size_t bytes) { return json_integer((json_int_t)bytes); }

static json_t *rank_json(const struct rank_facts *r)
{
    json_t *o = json_object(), *memory = json_object(), *sent = json_object();
    set(memory, "run", size_json(r->memory.run));
    set(memory, "step", size_json(r->memory.step));
    set(memory, "pass", size_json(r->memory.pass));
    set(memory, "scratch", size_json(r->memory.scratch));
    set(memory, "data", size_json(r->memory.data));
    set(memory, "total", size_json(r->memory.total));
    for (int p = 0; p < COMM_PHASES; p++) set(sent, comm_phase_name((enum comm_phase)p), json_integer(r->traffic.bytes[p]));
    set(o, "owned_parameters", json_integer(r->owned));
    set(o, "microbatches", json_integer(r->micro));
    set(o, "memory_bytes", memory);
    set(o, "sent_bytes_per_step", sent);
    return o;
}

static void append(json_t *array, json_t *value) { CHECK(json_array_append_new(array, value) == 0); }

json_t *plan_rules_json(const struct plan_facts *f)
{
    json_t *rules = json_array();
    for (int i = 0; i < f->n_rules; i++) append(rules, rule_json(&f->rules[i]));
    return rules;
}

void plan_print_json(const struct session *s, const struct plan_facts *f, const struct sources *sources, bool tensors, struct text *out)
{
    const struct plan *p = f->plan;
    char digest[DIGEST_HEX];
    json_t *o = json_object(), *ranks = json_array();
    for (int r = 0; r < f->ranks; r++) append(ranks, rank_json(&f->rank[r]));
    set(o, "run", json_string(s->config->run.name));
    set(o, "plan_digest", json_string(digest_hex(plan_digest(p), digest)));
    set(o, "family", json_string(s->config->model.family));
    set(o, "parameters", json_integer(f->parameters));
    set(o, "compute", json_string(dtype_name(p->compute)));
    set(o, "threads", json_integer(f->threads));
    set(o, "group", json_integer(p->group));
    set(o, "groups", json_integer(p->n_groups));
    set(o, "window", json_integer(p->window));
    set(o, "microbatches", json_integer(p->n_micro));
    set(o, "steps", json_integer(p->steps));
    set(o, "tokens_per_step", json_integer(f->tokens));
    set(o, "flops_per_token", metrics_number(p->flops_per_token));
    set(o, "flops_per_step", metrics_number(f->flops));
    set(o, "state_bytes_per_parameter", metrics_number(f->state_bytes));
    set(o, "checkpoint_bytes", json_integer(f->checkpoint_bytes));
    set(o, "rules", plan_rules_json(f));
    set(o, "sources", sources != NULL ? sources_json(sources) : json_null());
    set(o, "ranks", ranks);
    if (tensors) set(o, "tensors", plan_tensors_json(p));
    char *json = json_dumps(o, JSON_INDENT(2));
    CHECK(json != NULL);
    text_add(out, "%s\n", json);
    free(json);
    json_decref(o);
}
