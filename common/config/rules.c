/* rules.c: see rules.h. */
#include "common/config/rules.h"

#include <string.h>

enum { PROBLEMS_TOLD = 50 };

static bool any_glob(const char *const *globs, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (str_glob(globs[i], name)) return true;
    return false;
}

bool rules_match(const struct match_config *match, const struct rule_subject *subject)
{
    if (match->all) return true;
    if (match->n_roles > 0 && !any_glob(match->roles, match->n_roles, subject->role)) return false;
    if (match->n_globs > 0 && !any_glob(match->globs, match->n_globs, subject->name)) return false;
    return match->layer_low < 0 || (subject->layer >= match->layer_low && subject->layer <= match->layer_high);
}

/* Index of the first subject that match takes, or -1. */
static int first_match(const struct match_config *match, const struct rule_subject subjects[], int n)
{
    for (int i = 0; i < n; i++)
        if (rules_match(match, &subjects[i])) return i;
    return -1;
}

static int first_rule(const struct config *config, const struct rule_subject *subject)
{
    for (int r = 0; r < config->n_rules; r++)
        if (rules_match(&config->rules[r].match, subject)) return r;
    return -1;
}

/* The largest step wins; for ever wins over all. */
static int64_t freeze_end(const struct config *config, const struct rule_subject *subject)
{
    int64_t end = 0;
    for (int f = 0; f < config->n_freeze; f++) {
        const struct freeze_config *freeze = &config->freeze[f];
        if (!rules_match(&freeze->match, subject)) continue;
        if (freeze->until_step == 0) return -1;
        if (freeze->until_step > end) end = freeze->until_step;
    }
    return end;
}

/* Each role once, in the order of the model. */
static void add_roles(const struct rule_subject subjects[], int n, struct text *out)
{
    const char *comma = "";
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < i && strcmp(subjects[j].role, subjects[i].role) != 0) j++;
        if (j < i) continue;
        text_add(out, "%s%s", comma, subjects[i].role);
        comma = ", ";
    }
}

static void tell_idle_match(const struct match_config *match, const struct rule_subject subjects[], int n, struct text *out)
{
    text_add(out, " matches no tensor");
    if (match->n_roles > 0) {
        text_add(out, "; the roles of this model are ");
        add_roles(subjects, n, out);
    } else if (match->n_globs > 0 && n > 0) {
        text_add(out, "; names look like %s", subjects[n / 2].name);
    }
}

/* A rule without a tensor is a mistake of the user's, whether it matches nothing or others come before it. */
static int tell_idle_rules(const struct config *config, const struct rule_subject subjects[], int n, const int rule_of[], struct text *out)
{
    int count = 0;
    for (int r = 0; r < config->n_rules; r++) {
        const struct rule_config *rule = &config->rules[r];
        int i = 0;
        while (i < n && rule_of[i] != r) i++;
        if (i < n) continue;
        count++;
        text_add(out, "%srule '%s'", rule->place.before, rule->name);
        const int shadowed = first_match(&rule->match, subjects, n);
        if (shadowed < 0)
            tell_idle_match(&rule->match, subjects, n, out);
        else
            text_add(out, " gets no tensor: the rules before it take all that it matches (rule '%s' has %s)",
                     config->rules[rule_of[shadowed]].name, subjects[shadowed].name);
        text_add(out, "\n%s", rule->place.below);
    }
    for (int f = 0; f < config->n_freeze; f++) {
        if (first_match(&config->freeze[f].match, subjects, n) >= 0) continue;
        count++;
        text_add(out, "%sthis row of optimizer.freeze", config->freeze[f].place.before);
        tell_idle_match(&config->freeze[f].match, subjects, n, out);
        text_add(out, "\n%s", config->freeze[f].place.below);
    }
    return count;
}

enum status rules_assign(const struct config *config, const struct rule_subject subjects[], int n, int rule_of[], int64_t frozen_until[],
                         struct text *problems)
{
    const struct config_place last = config->rules[config->n_rules - 1].place;
    int orphans = 0;
    for (int i = 0; i < n; i++) {
        rule_of[i] = first_rule(config, &subjects[i]);
        frozen_until[i] = freeze_end(config, &subjects[i]);
        if (rule_of[i] >= 0 || orphans++ >= PROBLEMS_TOLD) continue;
        text_add(problems, "%stensor %s (role %s) follows no rule; end the rules with {name: rest, match: all}\n", last.before,
                 subjects[i].name, subjects[i].role);
        if (orphans == 1) text_add(problems, "%s", last.below);
    }
    if (orphans > PROBLEMS_TOLD) text_add(problems, "... and %d more\n", orphans - PROBLEMS_TOLD);
    const int idle = tell_idle_rules(config, subjects, n, rule_of, problems);
    if (orphans + idle > 0)
        FAIL(ST_CONFIG, "%s: rules and tensors do not fit: %d rules take no tensor, %d tensors follow no rule", config->file, idle,
             orphans);
    return ST_OK;
}
