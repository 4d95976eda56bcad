/* Every step and evaluation as one line of metrics.jsonl. */
#include "common/base/check.h"
#include "coordinator/file.h"
#include "coordinator/metrics_file.h"
#include "coordinator/sinks/private.h"
#include <jansson.h>
#include <stdio.h>

struct jsonl {
    const struct sink_setup *setup;
    char path[PATH_BYTES];
};

static enum status jsonl_open(struct arena *arena, const struct sink_setup *setup, void **state)
{
    struct jsonl *j = arena_place(arena, sizeof *j);
    j->setup = setup;
    (void)snprintf(j->path, sizeof j->path, "%s/metrics.jsonl", setup->folder);
    *state = j;
    return metrics_cut(j->path, setup->start);
}

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }

/* Seconds of one phase: least, mean and most over the ranks. */
static json_t *spread(double least, double mean, double most)
{
    json_t *a = json_array();
    CHECK(json_array_append_new(a, metrics_number(least)) == 0 && json_array_append_new(a, metrics_number(mean)) == 0 &&
          json_array_append_new(a, metrics_number(most)) == 0);
    return a;
}

static json_t *phases(const struct step_report *r)
{
    const struct phase_times *a = &r->least, *b = &r->mean, *c = &r->most;
    json_t *o = json_object();
    set(o, "forward", spread(a->forward, b->forward, c->forward));
    set(o, "backward", spread(a->backward, b->backward, c->backward));
    set(o, "gather", spread(a->gather, b->gather, c->gather));
    set(o, "reduce", spread(a->reduce, b->reduce, c->reduce));
    set(o, "optimizer", spread(a->optimizer, b->optimizer, c->optimizer));
    set(o, "data", spread(a->data, b->data, c->data));
    set(o, "total", spread(a->total, b->total, c->total));
    set(o, "slowest_rank", json_integer(r->slowest));
    return o;
}

static json_t *rates(const struct config *config, const struct step_report *r)
{
    json_t *o = json_object();
    for (int i = 0; i < config->n_rules; i++) set(o, config->rules[i].name, metrics_number(r->lr[i]));
    return o;
}

static enum status jsonl_step(void *state, const struct step_metrics *m)
{
    const struct jsonl *j = state;
    const struct step_report *r = m->report;
    json_t *o = json_object();
    set(o, "kind", json_string("step"));
    set(o, "step", json_integer(r->step));
    set(o, "tokens", json_integer(r->tokens));
    set(o, "loss", metrics_number(r->loss));
    set(o, "bits_per_byte", metrics_number(r->loss * j->setup->bits_per_nat));
    set(o, "norm", metrics_number(r->norm));
    set(o, "clip", metrics_number(r->clip));
    set(o, "lr", rates(j->setup->config, r));
    set(o, "redone", json_integer(r->redone));
    set(o, "skipped", json_boolean(r->outcome == STEP_SKIPPED));
    set(o, "seconds", metrics_number(m->seconds));
    set(o, "tokens_per_second", metrics_number(m->tokens_per_second));
    set(o, "mfu", metrics_number(m->mfu));
    set(o, "phase_seconds", phases(r));
    set(o, "memory_planned_bytes", json_integer(j->setup->planned_bytes));
    set(o, "memory_peak_bytes", json_integer(m->peak_bytes));
    return metrics_append(j->path, o);
}

static enum status jsonl_evaluation(void *state, const struct evaluation_metrics *m)
{
    const struct jsonl *j = state;
    json_t *o = json_object();
    set(o, "kind", json_string("evaluation"));
    set(o, "step", json_integer(m->step));
    set(o, "source", json_string(m->source));
    set(o, "tokens", json_integer(m->result.tokens));
    set(o, "loss", metrics_number(m->result.loss));
    set(o, "bits_per_byte", metrics_number(m->result.bits_per_byte));
    set(o, "bytes", metrics_number(m->result.bytes));
    set(o, "weight", metrics_number(m->weight));
    set(o, "seconds", metrics_number(m->seconds));
    return metrics_append(j->path, o);
}

const struct sink_desc sink_jsonl = {
    .name = "jsonl", .summary = "metrics in metrics.jsonl", .open = jsonl_open, .step = jsonl_step, .evaluation = jsonl_evaluation
};
