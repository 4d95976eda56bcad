/* optim_facts.h: what can be said about an optimizer without a run. All of it follows from its description (common/plan/optimizer.h) and
 * its default settings, nothing is written down a second time. */
#ifndef LAMINA_COORDINATOR_OPTIM_FACTS_H
#define LAMINA_COORDINATOR_OPTIM_FACTS_H

#include "worker/worker.h"

/* On a tensor of this shape, per step. */
struct optim_cost {
    struct param shape;
    const char *refused; /* why the rule does not take it, and then nothing else is said; NULL: it does */
    double state_bytes;  /* per element, as settings store it */
    int exchanges;       /* sums over owners; a matrix that goes to its owner and comes back counts twice */
    int64_t bytes;       /* values of the sums and elements of the matrix, each way */
};
/* The shapes that everything is told for: a matrix of GPT-2's MLP and one of its gains. */
enum { OPTIM_MATRIX_ROWS = 768, OPTIM_MATRIX_COLS = 3072, OPTIM_VECTOR = 768 };

struct optim_facts {
    const struct opt_desc *opt;
    struct rule_config defaults;
    const char *class; /* "elementwise", "tensor sums", ... on the matrix */
    const char *decay; /* where weight decay acts */
    struct optim_cost matrix, vector;
};
/* Fails: ST_BUG when the defaults do not make a rule. */
enum status optim_facts(const struct opt_desc *opt, struct arena *arena, struct optim_facts *out) MUST_USE;
/* The rule that the defaults make. */
struct opt_rule optim_rule(const struct optim_facts *f);
/* What a rule of a run costs on one of its tensors. */
struct optim_cost optim_cost(const struct opt_rule *rule, const struct param *param);

/* Fails: ST_USAGE with the nearest name. */
enum status optim_find(const char *name, const struct opt_desc **out) MUST_USE;

void optim_print(const struct optim_facts *f, struct text *out);
void optim_print_json(const struct optim_facts *f, struct text *out);
/* The table of worker/optim/README.md, a row per optimizer. Fails: ST_BUG. */
enum status optim_print_table(struct text *out) MUST_USE;

#endif
