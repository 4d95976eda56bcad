/* rules.c: which tensor follows which rule, and what is said when rules and tensors do not fit. */
#include "common/config/rules.h"
#include "config_tables.h"
#include "tests/support/suite.h"

#include <check.h>
#include <string.h>

static const struct rule_subject model[] = {
    { "embedding", "embedding", -1 },
    { "blocks.0.attn.q", "attn.q", 0 },
    { "blocks.0.attn.norm", "norm", 0 },
    { "blocks.0.mlp.in", "mlp.in", 0 },
    { "blocks.10.attn.q", "attn.q", 10 },
    { "blocks.10.mlp.in", "mlp.in", 10 },
    { "norm", "norm", -1 },
    { "head", "head", -1 },
};
enum { N = sizeof model / sizeof model[0] };

struct fixture {
    struct arena arena;
    struct text told;
    int rule_of[N];
    int64_t frozen_until[N];
};
static struct fixture fx;

static void set_up(void)
{
    fx = (struct fixture){ 0 };
    arena_open_growing(&fx.arena, "test");
    text_add(&fx.told, "%s", "");
}

static void tear_down(void)
{
    text_free(&fx.told);
    arena_close(&fx.arena);
}

/* The rest of a configuration with these rules (and freeze), a model of 11 layers. The rules begin in line 8. */
static enum status assign(const char *rules, const char *freeze)
{
    struct text yaml = { 0 };
    struct config *config = NULL;
    text_add(&yaml,
             "run: {name: a, steps: 5}\nmodel: {family: gpt2, width: 8, layers: 11, heads: 2, context: 4}\ntokenizer: bytes\n"
             "data: {train: [{name: x, path: x.h5}]}\nbatch: {sequences: 2, micro: 1}\noptimizer:\n  defaults: {optimizer: adamw}\n"
             "  rules: %s\n  freeze: %s\n",
             rules, freeze);
    const enum status s = config_parse("t.yaml", yaml.data, yaml.length, NULL, 0, &test_tables, &fx.arena, &config, &fx.told);
    ck_assert_msg(s == ST_OK, "%s", fx.told.data);
    text_free(&yaml);
    return rules_assign(config, model, N, fx.rule_of, fx.frozen_until, &fx.told);
}

static void ck_rules_are(const int expected[N])
{
    for (int i = 0; i < N; i++) ck_assert_msg(fx.rule_of[i] == expected[i], "%s follows rule %d", model[i].name, fx.rule_of[i]);
}

START_TEST(the_first_match_wins)
{
    ck_assert_int_eq(
        assign("[{name: n, match: {role: norm}}, {name: q, match: {role: attn.q}}, {name: a, match: {role: 'attn.*', glob: x}}, "
               "{name: rest, match: all}]",
               "[]"),
        ST_CONFIG); /* a: q takes them, and no name is x */
    ck_assert_str_eq(fx.told.data,
                     "t.yaml:8:77: rule 'a' matches no tensor; the roles of this model are embedding, attn.q, norm, mlp.in, head\n"
                     "    rules: [{name: n, match: {role: norm}}, {name: q, match: {role: attn.q}}, {name: a, match: {role: 'attn.*', "
                     "glob: x}},...\n"
                     "                                                                              ^\n");
    ck_rules_are((const int[N]){ 3, 1, 0, 3, 1, 3, 0, 3 });
}
END_TEST

START_TEST(all_conditions_of_a_match_must_agree)
{
    ck_assert_int_eq(
        assign("[{name: a, match: {role: [attn.q, mlp.in], glob: 'blocks.1*', layers: \"1-10\"}}, {name: b, match: {layers: 0}}, "
               "{name: rest, match: all}]",
               "[]"),
        ST_OK);
    ck_rules_are((const int[N]){ 2, 1, 1, 1, 0, 0, 2, 2 });
}
END_TEST

START_TEST(a_layer_never_takes_what_is_outside_the_blocks)
{
    const struct match_config match = { .layer_low = 0, .layer_high = 100 };
    ck_assert(rules_match(&match, &model[1]));
    ck_assert(!rules_match(&match, &model[0]));
}
END_TEST

START_TEST(a_match_without_conditions_takes_everything)
{
    const struct match_config match = { .layer_low = -1, .layer_high = -1 };
    for (int i = 0; i < N; i++) ck_assert(rules_match(&match, &model[i]));
}
END_TEST

START_TEST(a_tensor_without_a_rule_is_named)
{
    ck_assert_int_eq(assign("[{name: q, match: {role: [attn.q, mlp.in, norm, head]}}]", "[]"), ST_CONFIG);
    ck_assert_str_eq(fx.told.data,
                     "t.yaml:8:11: tensor embedding (role embedding) follows no rule; end the rules with {name: rest, match: all}\n"
                     "    rules: [{name: q, match: {role: [attn.q, mlp.in, norm, head]}}]\n"
                     "            ^\n");
    ck_assert_int_eq(fx.rule_of[0], -1);
}
END_TEST

START_TEST(a_rule_behind_others_is_told_who_stands_before_it)
{
    ck_assert_int_eq(assign("[{name: rest, match: all}, {name: late, match: {role: head}}]", "[]"), ST_CONFIG);
    ck_assert_str_eq(fx.told.data,
                     "t.yaml:8:37: rule 'late' gets no tensor: the rules before it take all that it matches (rule 'rest' has head)\n"
                     "    rules: [{name: rest, match: all}, {name: late, match: {role: head}}]\n"
                     "                                      ^\n");
}
END_TEST

START_TEST(freezing_is_independent_of_rules_and_the_longest_holds)
{
    ck_assert_int_eq(assign("[{name: rest, match: all}]", "[{match: {layers: 0}, until_step: 5}, {match: {role: norm}, until_step: 9}, "
                                                          "{match: {role: head}}, {match: {glob: head}, until_step: 3}]"),
                     ST_OK);
    const int64_t expected[N] = { 0, 5, 9, 5, 0, 0, 9, -1 };
    for (int i = 0; i < N; i++) ck_assert_int_eq(fx.frozen_until[i], expected[i]);
}
END_TEST

START_TEST(a_freeze_that_holds_nothing_is_told)
{
    ck_assert_int_eq(assign("[{name: rest, match: all}]", "[{match: {glob: 'block.*'}}]"), ST_CONFIG);
    ck_assert_str_eq(fx.told.data, "t.yaml:9:12: this row of optimizer.freeze matches no tensor; names look like blocks.10.attn.q\n"
                                   "    freeze: [{match: {glob: 'block.*'}}]\n"
                                   "             ^\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *cases = tcase_create("rules");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, the_first_match_wins);
    tcase_add_test(cases, all_conditions_of_a_match_must_agree);
    tcase_add_test(cases, a_layer_never_takes_what_is_outside_the_blocks);
    tcase_add_test(cases, a_match_without_conditions_takes_everything);
    tcase_add_test(cases, a_tensor_without_a_rule_is_named);
    tcase_add_test(cases, a_rule_behind_others_is_told_who_stands_before_it);
    tcase_add_test(cases, freezing_is_independent_of_rules_and_the_longest_holds);
    tcase_add_test(cases, a_freeze_that_holds_nothing_is_told);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
