/* config_rule.c: the settings of one rule by themselves, and its keys in words. */
#include "common/config/config.h"
#include "config_tables.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct arena arena;
static struct text told;

static void set_up(void)
{
    told = (struct text){ 0 };
    arena_open_growing(&arena, "test");
}

static void tear_down(void)
{
    text_free(&told);
    arena_close(&arena);
}

static enum status parse(const struct variant *optimizer, const char *yaml, struct rule_config *out)
{
    text_add(&told, "%s", "");
    return config_parse_rule("p.json: hyper", yaml, strlen(yaml), optimizer, &test_tables, &arena, out, &told);
}

START_TEST(json_and_block_yaml_fill_the_same_struct)
{
    static const char *const texts[] = { "{\"betas\": [0.8, 0.9], \"lr\": 0.5, \"cautious\": true}",
                                         "betas: [0.8, 0.9]\nlr: 0.5\ncautious: true\n" };
    struct rule_config rule;
    ck_assert_msg(parse(&variant_adamw, texts[_i], &rule) == ST_OK, "%s", told.data);
    const struct adam *h = rule.fields;
    ck_assert_double_eq(h->betas[0], 0.8);
    ck_assert_double_eq(h->betas[1], 0.9);
    ck_assert_double_eq(h->eps, 1e-8); /* the row's default */
    ck_assert_double_eq(rule.common.lr, 0.5);
    ck_assert_double_eq(rule.common.weight_decay, 1e-2); /* the preset's */
    ck_assert_double_eq(rule.common.lr_mult, 1);
    ck_assert(rule.common.cautious && rule.common.clip && rule.match.all);
    ck_assert_ptr_eq(rule.optimizer, &variant_adamw);
    ck_assert_int_eq(rule.schedule, -1);
    ck_assert_uint_eq(told.length, 0);
}
END_TEST

START_TEST(an_empty_map_gives_the_defaults)
{
    struct rule_config rule;
    ck_assert_msg(parse(&variant_adamw, "{}", &rule) == ST_OK, "%s", told.data);
    ck_assert_double_eq(rule.common.lr, 1e-3);
}
END_TEST

static const struct {
    const struct variant *optimizer;
    const char *yaml, *sentence;
    int problems;
} refused[] = {
    { &variant_adamw, "{lr: 1, bets: [0, 0]}", "p.json: hyper:1:9: bets: there is no such key; did you mean 'betas'?", 1 },
    { &variant_adamw, "{lr: 1, granularity: row}", "granularity: 'adamw' has no such key; adalayer has it", 1 },
    { &variant_adamw, "{betas: [0.9, 2]}", "expected a number from 0 to 1, not '2'", 1 },
    { &variant_adamw, "{betas: 0.9}", "betas: expected a list of 2 numbers from 0 to 1, not a single one", 1 },
    { &variant_lion, "{}", "lr must be given", 1 },
    { &variant_sgd, "{lr: 1, cautious: true}", "'sgd' has no such key", 1 },
    { &variant_adamw, "{lr: \"1\"}", "write it without quotes", 1 },
    { &variant_adamw, "{schedule: main}", "schedule: this key belongs to a rule of a run", 1 },
    { &variant_adamw, "{lr_mult: 2, clip: no}", "lr_mult: this key belongs to a rule of a run", 2 },
    { &variant_adamw, "{name: a, match: all, optimizer: lion}", "there is no such key", 3 },
    { &variant_adamw, "{lr: 1, lr: 2}", "'lr' is given twice", 1 },
    { &variant_adamw, "{decay_mode: sched}", "expected lr, schedule or independent, not 'sched'", 1 },
    { &variant_adamw, "[1]", "expected a map of keys, not a list", 1 },
    { &variant_adamw, "", "expected a map of keys, but nothing is given", 1 },
    { &variant_adamw, "{", "did not find expected node content", 1 },
};

START_TEST(each_mistake_is_told_at_its_place)
{
    struct rule_config rule;
    char count[32];
    ck_assert_int_eq(parse(refused[_i].optimizer, refused[_i].yaml, &rule), ST_CONFIG);
    ck_assert_msg(strstr(told.data, refused[_i].sentence) != NULL, "%s\ndoes not say: %s", told.data, refused[_i].sentence);
    snprintf(count, sizeof count, "%d problem", refused[_i].problems);
    ck_assert_msg(strstr(status_text(), count) != NULL, "%s\n%s", status_text(), told.data);
}
END_TEST

static void note_key(void *context, const struct config_key *key)
{
    text_add(context, "%s=%s (%s: %s)\n", key->key, key->value != NULL ? key->value : "?", key->type, key->allowed);
}

START_TEST(the_keys_of_a_rule_are_its_own_and_the_common_ones_that_it_reads)
{
    config_rule_keys(&variant_adamw, note_key, &told);
    ck_assert_ptr_nonnull(strstr(told.data, "betas=[0.9, 0.999] (list of 2 numbers: a list of 2 numbers from 0 to 1)\n"));
    ck_assert_ptr_nonnull(strstr(told.data, "lr=1e-3 (number"));           /* of the preset */
    ck_assert_ptr_nonnull(strstr(told.data, "weight_decay=1e-2 (number")); /* likewise */
    ck_assert_ptr_nonnull(strstr(told.data, "decay_mode=lr (word: lr, schedule or independent)\n"));
    ck_assert_ptr_null(strstr(told.data, "schedule=")); /* of a run */
    ck_assert_ptr_null(strstr(told.data, "lr_mult"));
    told.length = 0;
    config_rule_keys(&variant_sgd, note_key, &told);
    ck_assert_ptr_nonnull(strstr(told.data, "lr=? (number")); /* must be given */
    ck_assert_ptr_null(strstr(told.data, "cautious="));       /* sgd lacks it */
    ck_assert_ptr_nonnull(strstr(told.data, "momentum=0 (momentum"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config rule");
    TCase *cases = tcase_create("config rule");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, json_and_block_yaml_fill_the_same_struct, 0, 2);
    tcase_add_test(cases, an_empty_map_gives_the_defaults);
    tcase_add_loop_test(cases, each_mistake_is_told_at_its_place, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(cases, the_keys_of_a_rule_are_its_own_and_the_common_ones_that_it_reads);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
