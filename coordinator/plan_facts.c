#include "plan_facts.h"
#include "common/base/check.h"

static void rule_facts(const struct plan *plan, int rule, struct rule_facts *out, double *state)
{
    const struct rule_config *r = &plan->config->rules[rule];
    *out = (struct rule_facts){ .name = r->name,
                                .optimizer = r->optimizer->name,
                                .schedule = r->schedule >= 0 ? plan->config->schedules[r->schedule].name : "constant",
                                .lr = worker_lr(plan->config, rule, 0),
                                .lr_first = worker_lr(plan->config, rule, 1),
                                .lr_last = worker_lr(plan->config, rule, plan->steps),
                                .weight_decay = r->common.weight_decay };
    double bytes = 0;
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct param *p = &plan->partition.params[i];
        if (p->rule != rule) continue;
        const int64_t count = p->rows * p->cols;
        out->tensors++;
        out->frozen += p->frozen_until < 0;
        out->parameters += count;
        bytes += plan_state_bytes(plan, i) * (double)count;
    }
    out->state_bytes = out->parameters > 0 ? bytes / (double)out->parameters : 0;
    *state += bytes;
}

void plan_facts(struct session *s, struct plan_facts *out)
{
    const struct plan *plan = &s->plan;
    double state = 0;
    *out = (struct plan_facts){ .plan = plan, .threads = s->threads, .ranks = plan->ranks, .n_rules = plan->config->n_rules };
    out->parameters = plan->partition.n_elements;
    out->tokens = plan->sequences * plan->context;
    out->flops = plan->flops_per_token * (double)out->tokens;
    for (int i = 0; i < out->n_rules; i++) rule_facts(plan, i, &out->rules[i], &state);
    out->state_bytes = state / (double)out->parameters;
    out->checkpoint_bytes = (int64_t)sizeof(float) * out->parameters + (int64_t)state;
    out->rank = arena_place_n(&s->arena, (size_t)plan->ranks, sizeof *out->rank);
    for (int r = 0; r < plan->ranks; r++) {
        int64_t first;
        worker_measure(plan, WORKER_TRAIN, r, s->threads, &out->rank[r].memory);
        worker_traffic(plan, r, plan->steps, &out->rank[r].traffic);
        out->rank[r].owned = partition_owned(&plan->partition, plan_member(plan, r));
        plan_share(plan, r, &first, &out->rank[r].micro);
    }
}
