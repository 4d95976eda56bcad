/* rules.h: which rule a tensor follows. First match wins; every tensor must match one, every rule must match something. */
#ifndef LAMINA_CONFIG_RULES_H
#define LAMINA_CONFIG_RULES_H

#include "common/config/config.h"

/* What a rule sees of a tensor. */
struct rule_subject {
    const char *name;
    const char *role;
    int64_t layer;
}; /* layer -1: outside the blocks */

bool rules_match(const struct match_config *match, const struct rule_subject *subject);

/* rule_of[i] = index of the first rule that takes subject i; frozen_until[i] = 0 not frozen, -1 for ever, else the step.
 * Fails: ST_CONFIG with one line per rule (or freeze row) that matches nothing and per subject matched by none. */
enum status rules_assign(const struct config *config, const struct rule_subject subjects[], int n, int rule_of[], int64_t frozen_until[],
                         struct text *problems) MUST_USE;

#endif
