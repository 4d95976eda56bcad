#include "common/math/product.h"
#include "plan_facts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 32 };

static const char *const shard_words[] = { "none", "optimizer", "gradients", "full" };

static int fullest(const struct plan_facts *f)
{
    int most = 0;
    for (int r = 1; r < f->ranks; r++)
        if (f->rank[r].memory.total > f->rank[most].memory.total) most = r;
    return most;
}

static void print_shape(const struct session *s, const struct plan_facts *f, struct text *out)
{
    const struct config *c = s->config;
    const struct plan *p = f->plan;
    const char *asked = getenv("LAMINA_ISA");
    char a[CELL], b[CELL];
    text_add(out, "model      %s: %s parameters, %lld layers of width %lld, context %lld, vocabulary %lld\n", c->model.family,
             str_count(a, CELL, f->parameters), (long long)c->model.layers, (long long)c->model.width, (long long)p->context,
             (long long)c->model.vocab);
    text_add(out, "precision  %s\n", s->precision);
    text_add(out, "kernels    %s%s; %s\n", math_isa(), asked != NULL && asked[0] != '\0' ? ", as LAMINA_ISA asks" : "", math_libraries());
    text_add(out, "layout     %d rank%s x %d thread%s; shard %s, %d group%s of %d; gradients kept %s\n", f->ranks, f->ranks > 1 ? "s" : "",
             f->threads, f->threads > 1 ? "s" : "", shard_words[c->parallel.shard], p->n_groups, p->n_groups > 1 ? "s" : "", p->group,
             p->to_owner ? "at their owners" : "on each rank");
    text_add(out, "step       %lld sequences x %lld = %s tokens in %lld microbatches of %lld; window %lld; gradients exact to %d bits\n",
             (long long)p->sequences, (long long)p->context, str_count(a, CELL, f->tokens), (long long)p->n_micro, (long long)p->micro,
             (long long)p->window, p->contribution_bits);
    text_add(out, "run        %s steps, %s tokens, %.3g model FLOPs (%.3g per step)\n", str_count(a, CELL, p->steps),
             str_count(b, CELL, p->steps * f->tokens), f->flops * (double)p->steps, f->flops);
}

static const char *rate(char cell[CELL], double lr)
{
    if (isnan(lr)) return "own"; /* the optimizer finds it from the step or the weights */
    snprintf(cell, CELL, "%.2e", lr);
    return cell;
}

static void print_rules(const struct plan_facts *f, struct text *out)
{
    char count[CELL], first[CELL], peak[CELL], last[CELL];
    text_add(out, "\n%-12s %7s %14s  %-10s %-10s %9s %9s %9s %7s %7s\n", "rule", "tensors", "parameters", "optimizer", "schedule",
             "lr first", "peak", "last", "decay", "state");
    for (int i = 0; i < f->n_rules; i++) {
        const struct rule_facts *r = &f->rules[i];
        text_add(out, "%-12s %7d %14s  %-10s %-10s %9s %9s %9s %7.3g %7.2f", r->name, r->tensors, str_count(count, CELL, r->parameters),
                 r->optimizer, r->schedule, rate(first, r->lr_first), rate(peak, r->lr), rate(last, r->lr_last), r->weight_decay,
                 r->state_bytes);
        if (r->frozen > 0) text_add(out, "  (%d frozen)", r->frozen);
        text_add(out, "\n");
    }
    text_add(out, "optimizer state: %.2f bytes per parameter; AdamW has 8.00\n", f->state_bytes);
}

static void print_memory(const struct plan_facts *f, int r, struct text *out)
{
    const struct worker_memory *m = &f->rank[r].memory;
    char cell[6][CELL], owned[CELL];
    const size_t bytes[6] = { m->run, m->step, m->pass, m->scratch, m->data, m->total };
    for (int i = 0; i < 6; i++) str_bytes(cell[i], CELL, (double)bytes[i]);
    text_add(out, "%-6d %14s %6lld  %10s %10s %10s %10s %10s %10s\n", r, str_count(owned, CELL, f->rank[r].owned),
             (long long)f->rank[r].micro, cell[0], cell[1], cell[2], cell[3], cell[4], cell[5]);
}

static void print_traffic(const struct plan_facts *f, int r, struct text *out)
{
    text_add(out, "%-6d", r);
    for (int p = 0; p < COMM_PHASES; p++) {
        char cell[CELL];
        text_add(out, " %10s", str_bytes(cell, CELL, (double)f->rank[r].traffic.bytes[p]));
    }
    text_add(out, "\n");
}

static void print_ranks(const struct plan_facts *f, bool all, struct text *out)
{
    const int first = all ? 0 : fullest(f), last = all ? f->ranks - 1 : first;
    const char *which = all ? "" : " of the fullest rank";
    text_add(out, "\nmemory%s\n%-6s %14s %6s  %10s %10s %10s %10s %10s %10s\n", which, "rank", "owned", "micro", "run", "step", "pass",
             "scratch", "data", "total");
    for (int r = first; r <= last; r++) print_memory(f, r, out);
    text_add(out, "\nbytes sent per step%s\n%-6s", which, "rank");
    for (int p = 0; p < COMM_PHASES; p++) text_add(out, " %10s", comm_phase_name((enum comm_phase)p));
    text_add(out, "\n");
    for (int r = first; r <= last; r++) print_traffic(f, r, out);
}

void plan_print_allreduce(const struct plan_facts *f, struct text *out)
{
    char a[CELL], b[CELL], c[CELL];
    const int64_t *bytes = f->rank[fullest(f)].traffic.bytes;
    text_add(out, "gradient allreduce = reduce to owners (%s) + gather (%s)", str_bytes(a, CELL, (double)bytes[COMM_REDUCE]),
             str_bytes(b, CELL, (double)bytes[COMM_GATHER]));
    if (bytes[COMM_ACROSS] > 0) text_add(out, "; sums across groups %s", str_bytes(c, CELL, (double)bytes[COMM_ACROSS]));
    text_add(out, ", per rank and step\n");
}

void plan_print(const struct session *s, const struct plan_facts *f, bool all_ranks, struct text *out)
{
    char bytes[CELL];
    print_shape(s, f, out);
    print_rules(f, out);
    print_ranks(f, all_ranks, out);
    plan_print_allreduce(f, out);
    text_add(out, "\ncheckpoint %s of tensors in one file, the newest %lld kept\n", str_bytes(bytes, CELL, (double)f->checkpoint_bytes),
             (long long)s->config->checkpoint.keep);
}

void plan_print_brief(const struct session *s, const struct plan_facts *f, struct text *out)
{
    char bytes[CELL];
    print_shape(s, f, out);
    print_rules(f, out);
    plan_print_allreduce(f, out);
    text_add(out, "memory     %s planned on the fullest rank\n", str_bytes(bytes, CELL, (double)f->rank[fullest(f)].memory.total));
}
