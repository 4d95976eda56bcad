#include "plan.h"

#include "common/base/check.h"
#include "common/config/rules.h"

#include <stdio.h>
#include <string.h>

void plan_share(const struct plan *plan, int rank, int64_t *first, int64_t *n)
{
    *first = plan->n_micro * rank / plan->ranks;
    *n = plan->n_micro * (rank + 1) / plan->ranks - *first;
}

int plan_member(const struct plan *plan, int rank) { return rank % plan->group; }
int plan_group(const struct plan *plan, int rank) { return rank / plan->group; }

static int64_t most_local(const struct plan *plan) { return ceil_div(plan->n_micro, plan->ranks); }

/* Model FLOPs, forward and backward: 6 per weight of a matrix product, and in attention 12 L C for each token that is seen.
 * Recomputation is not counted. */
double plan_flops_per_token(const struct plan *plan, double seen)
{
    const struct partition *p = &plan->partition;
    double weights = 0;
    for (int i = 0; i < p->n_params; i++) {
        const struct param *q = &p->params[i];
        if (q->n_dims == 2 && q->role != ROLE_EMBEDDING && q->role != ROLE_POSITION) weights += (double)(q->rows * q->cols);
    }
    const struct model_config *m = &plan->config->model;
    return 6 * weights + 12 * (double)m->layers * (double)m->width * seen;
}

struct opt_rule plan_rule(const struct plan *plan, int param)
{
    const int rule = plan->partition.params[param].rule;
    const struct rule_config *config = &plan->config->rules[rule];
    return (struct opt_rule){ .opt = plan->optimizers[rule], .hyper = config->fields, .common = &config->common };
}

static void tell_rule(const struct rule_config *rule, const char *why, struct text *problems)
{
    text_add(problems, "%srule %s: %s\n%s", rule->place.before, rule->name, why, rule->place.below);
}

static enum status assign_rules(struct arena *arena, const struct plan_input *in, struct plan *out, struct text *problems)
{
    struct partition *p = &out->partition;
    const size_t n = (size_t)p->n_params;
    struct rule_subject *subjects = arena_place_n(arena, n, sizeof *subjects);
    int *rule_of = arena_place_n(arena, n, sizeof *rule_of);
    int64_t *frozen = arena_place_n(arena, n, sizeof *frozen);
    for (int i = 0; i < p->n_params; i++)
        subjects[i] = (struct rule_subject){ .name = p->params[i].name, .role = role_name(p->params[i].role), .layer = p->params[i].layer };
    TRY(rules_assign(in->config, subjects, p->n_params, rule_of, frozen, problems));

    const struct opt_desc **optimizers = arena_place_n(arena, (size_t)in->config->n_rules, sizeof *optimizers);
    for (int r = 0; r < in->config->n_rules; r++) {
        optimizers[r] = NULL;
        for (int k = 0; in->optimizer_table[k]; k++)
            if (&in->optimizer_table[k]->variant == in->config->rules[r].optimizer) optimizers[r] = in->optimizer_table[k];
        CHECK(optimizers[r] != NULL);
        const struct rule_config *rule = &in->config->rules[r];
        const char *why = opt_problem(&(struct opt_rule){ optimizers[r], rule->fields, &rule->common });
        if (why) tell_rule(rule, why, problems);
    }
    if (problems->length > 0) FAIL(ST_CONFIG, "%s: settings of rules exclude each other", in->config->file);
    out->optimizers = optimizers;
    for (int i = 0; i < p->n_params; i++) {
        struct param *q = &p->params[i];
        q->rule = rule_of[i];
        q->frozen_until = frozen[i];
        q->head_rows = q->role == ROLE_ATTN_Q || q->role == ROLE_ATTN_K ? in->config->model.width / in->config->model.heads : 0;
        const struct opt_rule rule = plan_rule(out, i);
        q->row_align = opt_row_align(&rule, q);
        const char *why = rule.opt->refuse != NULL ? rule.opt->refuse(q, rule.hyper) : NULL;
        if (why == NULL) continue;
        tell_rule(&in->config->rules[q->rule], why, problems);
        FAIL(ST_CONFIG, "%s: rule '%s' takes %s, which its optimizer cannot train", in->config->file, in->config->rules[q->rule].name,
             q->name);
    }
    return ST_OK;
}

/* Whole matrices go to the member with the least work so far, the dearest first: within 4/3 of the best balance (Graham 1969). */
static void assign_owners(struct arena *arena, struct plan *plan)
{
    struct partition *p = &plan->partition;
    double *flops = arena_place_n(arena, (size_t)p->n_params, sizeof *flops);
    double *load = arena_place_n(arena, (size_t)plan->group, sizeof *load);
    for (int r = 0; r < plan->group; r++) load[r] = 0;
    for (int i = 0; i < p->n_params; i++) {
        const struct opt_rule rule = plan_rule(plan, i);
        flops[i] = opt_whole_flops(&rule, &p->params[i]);
        p->params[i].owner = -1;
    }
    for (;;) {
        int dearest = -1, least = 0;
        for (int i = 0; i < p->n_params; i++)
            if (flops[i] > 0 && p->params[i].owner < 0 && (dearest < 0 || flops[i] > flops[dearest])) dearest = i;
        if (dearest < 0) return;
        for (int r = 1; r < plan->group; r++)
            if (load[r] < load[least]) least = r;
        p->params[dearest].owner = least;
        load[least] += flops[dearest];
    }
}

static enum status resolve_groups(const struct plan_input *in, struct plan *out)
{
    const struct parallel_config *par = &in->config->parallel;
    out->ranks = in->ranks;
    out->group = par->shard == SHARD_NONE ? 1 : par->group == 0 ? in->ranks : (int)min_i64(par->group, INT32_MAX);
    if (in->ranks % out->group != 0)
        FAIL(ST_LAUNCH,
             "parallel.group (%d) must divide the number of ranks (%d): launch a multiple of %d ranks, or set parallel.group=world",
             out->group, in->ranks, out->group);
    out->n_groups = in->ranks / out->group;
    out->to_owner =
        out->group > 1 && (par->accumulate == ACCUMULATE_OWNER || (par->accumulate == ACCUMULATE_AUTO && par->shard >= SHARD_GRADIENTS));
    return ST_OK;
}

static const int64_t elements_most = INT64_C(1) << 40;

enum status plan_build(struct arena *arena, const struct plan_input *in, struct plan *out, struct text *problems)
{
    const struct config *c = in->config;
    *out = (struct plan){ .config = c,
                          .model = in->model,
                          .compute = in->compute,
                          .steps = c->run.steps,
                          .sequences = c->batch.sequences,
                          .micro = c->batch.micro,
                          .context = c->model.context };
    TRY(resolve_groups(in, out));
    partition_units(arena, in->shapes, c->model.layers, c->model.tie, &out->partition);
    if (out->partition.n_elements > elements_most) /* a file may ask for any number; counts of tasks and bytes stay numbers below this */
        FAIL(ST_CONFIG, "model: it would have %lld parameters, and 2^40 is the most: make width, mlp, layers or the vocabulary smaller",
             (long long)out->partition.n_elements);
    TRY(assign_rules(arena, in, out, problems));
    partition_cut(arena, &out->partition, out->group);
    assign_owners(arena, out);

    out->micro_tokens = out->micro * out->context;
    out->n_micro = out->sequences / out->micro;
    out->window = c->parallel.window == 0 ? most_local(out) : min_i64(c->parallel.window, most_local(out));
    out->contributions = out->n_micro * in->contributions_per_micro;
    out->contribution_bits = exact_bits(out->contributions);
    out->flops_per_token = plan_flops_per_token(out, (double)in->config->model.context / 2);
    return ST_OK;
}

static void add_number(struct text *t, const char *name, int64_t value) { text_add(t, "%s %lld\n", name, (long long)value); }

struct digest128 plan_digest(const struct plan *plan)
{
    struct text t = { 0 };
    const int64_t numbers[] = { plan->compute, plan->ranks,  plan->group,         plan->to_owner,
                                plan->n_micro, plan->window, plan->contributions, plan->steps };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) add_number(&t, "plan", numbers[i]);
    const struct partition *p = &plan->partition;
    for (int u = 0; u < p->n_units; u++)
        for (int r = 0; r <= p->group; r++) add_number(&t, "cut", p->units[u].cut[r]);
    for (int i = 0; i < p->n_params; i++) {
        const struct param *q = &p->params[i];
        text_add(&t, "%s %s %lld %lld %d %lld %d\n", q->name, role_name(q->role), (long long)q->rows, (long long)q->cols, q->rule,
                 (long long)q->frozen_until, q->owner);
    }
    const struct digest128 d = digest_bytes(t.data, t.length);
    text_free(&t);
    return d;
}

struct program_shape plan_program(const struct plan *plan, enum phase phase, int64_t n_most, const bool *trains)
{
    return (struct program_shape){ .phase = phase,
                                   .n_units = plan->partition.n_units,
                                   .tied = plan->partition.tied_param >= 0,
                                   .gathered = plan_gathers(plan),
                                   .reduced = plan->group > 1,
                                   .to_owner = plan->to_owner,
                                   .window = plan->window,
                                   .n_most = n_most,
                                   .trains = trains };
}

bool plan_gathers(const struct plan *plan) { return plan->config->parallel.shard == SHARD_FULL && plan->group > 1; }

bool plan_trained(const struct plan *plan, int param, int64_t step)
{
    const int64_t until = plan->partition.params[param].frozen_until;
    return until >= 0 && step >= until;
}

void plan_trained_units(const struct plan *plan, int64_t step, bool *trains)
{
    const struct partition *p = &plan->partition;
    for (int u = 0; u < p->n_units; u++) {
        trains[u] = false;
        for (int i = 0; i < p->units[u].n_params; i++) trains[u] |= plan_trained(plan, p->units[u].first_param + i, step);
    }
}

bool plan_observes(const struct plan *plan, int64_t step)
{
    for (int i = 0; i < plan->partition.n_params; i++) {
        const struct opt_rule rule = plan_rule(plan, i);
        if (rule.opt->observe_every == NULL || !plan_trained(plan, i, step)) continue;
        if ((step - max_i64(1, plan->partition.params[i].frozen_until)) % rule.opt->observe_every(rule.hyper) == 0) return true;
    }
    return false;
}

/* Bytes counted for an allreduce over n ranks (comm.h), done in slices. */
static int64_t sum_bytes(int64_t bytes, int n)
{
    int64_t total = 0;
    for (int64_t left = bytes; left > 0; left -= PLAN_SLICE_BYTES) total += 2 * min_i64(left, PLAN_SLICE_BYTES) * (n - 1) / n;
    return total;
}

static int64_t span(const struct unit *u, int member) { return u->cut[member + 1] - u->cut[member]; }

static void count_program(const struct plan *plan, const struct program *program, int member, int64_t times, struct traffic *out)
{
    const int64_t others = plan->group - 1;
    const int64_t weight_bytes = (int64_t)dtype_bytes(plan->compute);
    for (int i = 0; i < program->n; i++) {
        const struct action *a = &program->actions[i];
        const struct unit *u = &plan->partition.units[a->unit];
        if (a->kind == ACTION_GATHER_BEGIN) out->bytes[COMM_GATHER] += times * span(u, member) * weight_bytes * others;
        if (a->kind == ACTION_REDUCE_BEGIN) out->bytes[COMM_REDUCE] += times * (u->count - span(u, member)) * (int64_t)sizeof(int64_t);
    }
}

void plan_traffic(const struct plan *plan, int rank, int64_t step, struct traffic *out)
{
    *out = (struct traffic){ 0 };
    const struct partition *p = &plan->partition;
    const int member = plan_member(plan, rank);
    struct arena arena;
    arena_open_growing(&arena, "traffic");
    bool *trains = arena_place_n(&arena, (size_t)p->n_units, sizeof *trains);
    plan_trained_units(plan, step, trains);
    const struct program_shape shape = plan_program(plan, PHASE_TRAIN, most_local(plan), trains);
    struct program pass, finish;
    program_pass(&arena, &shape, 0, &pass); /* gathers and reductions do not depend on this rank's share of the work */
    program_finish(&arena, &shape, &finish);
    const int64_t gradients = plan_observes(plan, step) ? 2 : 1;
    count_program(plan, &pass, member, gradients * program_passes(&shape), out);
    count_program(plan, &finish, member, gradients, out);
    for (int u = 0; u < p->n_units; u++) {
        if (!trains[u]) continue;
        const int64_t bytes = span(&p->units[u], member) * (int64_t)sizeof(int64_t);
        if (plan->n_groups > 1) out->bytes[COMM_ACROSS] += gradients * sum_bytes(bytes, plan->n_groups);
        if (plan->group > 1 && !plan_gathers(plan)) /* new weights go back to everybody */
            out->bytes[COMM_GATHER] += span(&p->units[u], member) * (int64_t)dtype_bytes(plan->compute) * (plan->group - 1);
    }
    arena_close(&arena);
}

/* Elements of a parameter that a member owns. */
static int64_t owned_of(const struct partition *p, int param, int member)
{
    const struct param *q = &p->params[param];
    const int64_t begin = max_i64(p->units[q->unit].cut[member], q->offset);
    const int64_t end = min_i64(p->units[q->unit].cut[member + 1], q->offset + q->rows * q->cols);
    return max_i64(0, end - begin);
}

int64_t plan_whole_bytes(const struct plan *plan, int rank, int64_t step)
{
    const struct partition *p = &plan->partition;
    const int member = plan_member(plan, rank);
    int64_t elements = 0;
    for (int i = 0; i < p->n_params; i++) {
        const struct param *q = &p->params[i];
        if (q->owner < 0 || !plan_trained(plan, i, step)) continue;
        const int64_t own = owned_of(p, i, member);
        elements += q->owner == member ? q->rows * q->cols - own : own;
    }
    return elements * (int64_t)sizeof(float);
}

double plan_state_bytes(const struct plan *plan, int param)
{
    const struct param *q = &plan->partition.params[param];
    const struct opt_rule rule = plan_rule(plan, param);
    return (double)opt_slot_bytes(&rule, q) / (double)(q->rows * q->cols);
}
