/* config.c: the way of a configuration: the README's example, defaults, inheritance, overrides, the resolved file, digest and comparison.
 * What is refused stands in config_refused.c; damaged texts are the business of tests/fuzz/yaml.c. */
#include "common/config/config.h"
#include "config_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static char *written(const struct config *config)
{
    struct text text = { 0 };
    config_write(config, &test_tables, &text);
    return text.data;
}

/* ---- what is read ---- */

START_TEST(the_example_reads_as_it_says)
{
    const struct config *c = parse_good(good_yaml, NULL);
    ck_assert_str_eq(c->run.name, "quickstart");
    ck_assert_str_eq(c->run.folder, "runs");
    ck_assert_int_eq(c->run.steps, 650);
    ck_assert_int_eq(c->run.on_nonfinite, NONFINITE_STOP);
    ck_assert_str_eq(c->model.family, "llama");
    ck_assert_int_eq(c->model.kv_heads, 3);
    ck_assert_double_eq(c->model.norm_eps, 1e-5);
    ck_assert_str_eq(c->tokenizer, "bytes");
    ck_assert_int_eq(c->data.n_train, 1);
    ck_assert_str_eq(c->data.valid[0].path, "data/gcide.valid.h5");
    ck_assert_double_eq(c->data.valid[0].weight, 1);
    ck_assert_int_eq(c->batch.micro, 4);
    ck_assert_int_eq(c->parallel.shard, SHARD_FULL);
    ck_assert_int_eq(c->parallel.group, 0);
    ck_assert_int_eq(c->parallel.window, 1);
    ck_assert_int_eq(c->parallel.accumulate, ACCUMULATE_AUTO);
    ck_assert_double_eq(c->clip, 1);
    ck_assert_int_eq(c->n_schedules, 1);
    const struct wsd *wsd = c->schedules[0].fields;
    ck_assert(wsd->warmup.percent && wsd->decay.percent);
    ck_assert_double_eq(wsd->warmup.value, 5);
    ck_assert_int_eq(c->n_rules, 4);
    ck_assert_str_eq(c->rules[2].place.before, "t.yaml:15:7: ");
    ck_assert_int_eq(c->checkpoint.keep, 3);
    ck_assert_int_eq(c->eval.batches, 20);
}
END_TEST

START_TEST(a_rule_inherits_by_its_optimizer)
{
    const struct config *c = parse_good(good_yaml, NULL);
    const struct rule_config *gains = &c->rules[0], *head = &c->rules[1], *hidden = &c->rules[2], *rest = &c->rules[3];
    ck_assert_ptr_eq(gains->optimizer, &variant_adamw); /* the same: all of the defaults */
    ck_assert_double_eq(((const struct adam *)gains->fields)->betas[1], 0.95);
    ck_assert_double_eq(gains->common.lr, 4e-3);
    ck_assert_double_eq(gains->common.weight_decay, 0);
    ck_assert_double_eq(((const struct adalayer *)head->fields)->betas[1], 0.95); /* its own default, not inherited */
    ck_assert_int_eq(((const struct adalayer *)head->fields)->granularity, 1);
    ck_assert_double_eq(((const struct lion *)hidden->fields)->betas[1], 0.99);
    ck_assert_double_eq(hidden->common.weight_decay, 0.1); /* inherited by any optimizer */
    ck_assert_int_eq(hidden->match.n_roles, 2);
    ck_assert_str_eq(hidden->match.roles[1], "mlp.*");
    ck_assert(rest->match.all);
    ck_assert_double_eq(rest->common.weight_decay, 0.1);
}
END_TEST

START_TEST(without_rules_or_schedules_one_of_each_is_implied)
{
    static const char yaml[] =
        "run: {name: a, steps: 5}\nmodel: {family: gpt2, width: 8, layers: 1, heads: 2, context: 4}\ntokenizer: bytes\n"
        "data: {train: [{name: x, path: x.h5}]}\nbatch: {sequences: 2, micro: 1}\noptimizer: {defaults: {optimizer: adamw}}\n";
    const struct config *c = parse_good(yaml, NULL);
    ck_assert_int_eq(c->n_rules, 1);
    ck_assert_str_eq(c->rules[0].name, "rest");
    ck_assert(c->rules[0].match.all);
    ck_assert_double_eq(c->rules[0].common.lr, 1e-3); /* the optimizer's presets */
    ck_assert_double_eq(c->rules[0].common.weight_decay, 1e-2);
    ck_assert_ptr_eq(c->schedules[c->rules[0].schedule].type, &variant_constant);
    ck_assert_int_eq(c->model.kv_heads, 2); /* derived */
    ck_assert_int_eq(c->model.mlp, 32);
    ck_assert(c->model.tie);            /* the family's preset */
    ck_assert_int_eq(c->eval.every, 0); /* no data.valid */
}
END_TEST

START_TEST(a_derived_default_follows_the_family)
{
    char *yaml = edited(" mlp: 512,", "");
    ck_assert_int_eq(parse_good(yaml, NULL)->model.mlp, 512); /* 8/3 of 192 */
    ck_assert_int_eq(parse_good(yaml, (const char *const[]){ "model.width=102", NULL })->model.mlp, 272);
    ck_assert_int_eq(parse_good(yaml, (const char *const[]){ "model.family=gpt2", NULL })->model.mlp, 768);
    free(yaml);
}
END_TEST

START_TEST(words_and_numbers_in_their_other_forms)
{
    char *yaml = edited(
        "checkpoint:",
        "  freeze:\n    - {match: {glob: \"blocks.0.*\", layers: \"0-1\"}, until_step: 500}\n    - {match: {layers: 2}}\ncheckpoint:");
    const char *const overrides[] = { "optimizer.clip=none",
                                      "parallel={shard: none, group: 2, window: all}",
                                      "checkpoint.every=end",
                                      "optimizer.rules.rest={name: rest}",
                                      "eval.every=never",
                                      "model.norm_eps=.5",
                                      "optimizer.schedules.main.warmup=12",
                                      NULL };
    (void)parse(yaml, overrides);
    ck_assert_ptr_nonnull(strstr(fx.told.data, "command line: 'rest' is a row; set one of its keys"));
    const char *const fine[] = { "optimizer.clip=none",
                                 "parallel={shard: none, group: 2, window: all}",
                                 "checkpoint.every=end",
                                 "eval.every=never",
                                 "model.norm_eps=.5",
                                 "optimizer.schedules.main.warmup=12",
                                 "optimizer.rules.rest.clip=none",
                                 NULL };
    const struct config *c = parse_good(yaml, fine);
    ck_assert_double_eq(c->clip, 0);
    ck_assert(c->rules[3].common.clip == CLIP_NONE && c->rules[2].common.clip == CLIP_GLOBAL);
    ck_assert_int_eq(c->parallel.group, 2);
    ck_assert_int_eq(c->parallel.window, 0);
    ck_assert_int_eq(c->checkpoint.every, 0);
    ck_assert_int_eq(c->eval.every, 0);
    ck_assert_double_eq(c->model.norm_eps, 0.5);
    ck_assert(!((const struct wsd *)c->schedules[0].fields)->warmup.percent);
    ck_assert_int_eq(c->n_freeze, 2);
    ck_assert_int_eq(c->freeze[0].until_step, 500);
    ck_assert_int_eq(c->freeze[0].match.layer_high, 1);
    ck_assert_int_eq(c->freeze[1].until_step, 0);
    ck_assert_int_eq(c->freeze[1].match.layer_low, 2);
    free(yaml);
}
END_TEST

START_TEST(sources_have_weights_or_epochs)
{
    const struct config *c = parse_good(good_yaml, (const char *const[]){ "data.weights=documents", "data.valid.gcide.weight=3", NULL });
    ck_assert_int_eq(c->data.weights, WEIGHTS_DOCUMENTS);
    ck_assert_double_eq(c->data.valid[0].weight, 3);
    ck_assert_double_eq(c->data.train[0].epochs, 0);
    c = parse_good(good_yaml, (const char *const[]){ "data.train.gcide.epochs=2.5", NULL });
    ck_assert_double_eq(c->data.train[0].epochs, 2.5);
    char *text = written(c); /* where weight: 1 stands beside them */
    ck_assert_ptr_nonnull(strstr(text, "weight: 1, epochs: 2.5}"));
    ck_assert_double_eq(parse_good(text, NULL)->data.train[0].epochs, 2.5);
    free(text);
}
END_TEST

START_TEST(momentum_is_a_number_or_a_map)
{
    const char *const number[] = { "optimizer.rules.hidden.optimizer=sgd", "optimizer.rules.hidden.momentum=0.9", NULL };
    const struct momentum *m = parse_good(good_yaml, number)->rules[2].fields;
    ck_assert(m->beta == 0.9 && m->form == MOMENTUM_HEAVY && !m->debias);
    const char *const map[] = { "optimizer.rules.hidden.optimizer=sgd",
                                "optimizer.rules.hidden.momentum={beta: 0.9, form: ema, debias: true}", NULL };
    m = parse_good(good_yaml, map)->rules[2].fields;
    ck_assert(m->beta == 0.9 && m->form == MOMENTUM_EMA && m->debias);
}
END_TEST

START_TEST(overrides_name_rows_and_the_last_one_wins)
{
    const char *const overrides[] = {
        "optimizer.rules.head.lr=3e-4", "data.train.gcide.weight=2", "optimizer.schedules.main.decay=10%", "run.seed=3", "run.seed=4", NULL
    };
    const struct config *c = parse_good(good_yaml, overrides);
    ck_assert_double_eq(c->rules[1].common.lr, 3e-4);
    ck_assert_double_eq(c->data.train[0].weight, 2);
    ck_assert_double_eq(((const struct wsd *)c->schedules[0].fields)->decay.value, 10);
    ck_assert_int_eq(c->run.seed, 4);
}
END_TEST

START_TEST(lr_mult_multiplies_the_defaults)
{
    const struct config *c = parse_good(good_yaml, (const char *const[]){ "optimizer.rules.gains.lr_mult=0.25", NULL });
    ck_assert_double_eq(c->rules[0].common.lr, 1e-3);
}
END_TEST

START_TEST(decay_mode_of_the_section_reaches_every_rule)
{
    const struct config *c =
        parse_good(good_yaml, (const char *const[]){ "optimizer.decay_mode=independent", "optimizer.rules.head.decay_mode=lr", NULL });
    ck_assert_int_eq(c->rules[0].common.decay_mode, DECAY_MODE_INDEPENDENT);
    ck_assert_int_eq(c->rules[1].common.decay_mode, DECAY_MODE_LR);
    ck_assert_int_eq(c->rules[2].common.decay_mode, DECAY_MODE_INDEPENDENT);
}
END_TEST

START_TEST(crlf_changes_nothing)
{
    struct text crlf = { 0 };
    for (const char *c = good_yaml; *c != '\0'; c++) text_add(&crlf, *c == '\n' ? "\r\n" : "%c", *c);
    const struct config *a = parse_good(good_yaml, NULL), *b = parse_good(crlf.data, NULL);
    ck_assert(digest_equal(config_digest(a, &test_tables), config_digest(b, &test_tables)));
    text_free(&crlf);
}
END_TEST

/* ---- what is written ---- */

static const char *const variations[][OVERRIDES_MAX] = {
    { NULL },
    { "optimizer.clip=none", "parallel={shard: gradients, group: 2, window: all, accumulate: owner, recompute: true}", "eval.every=never",
      NULL },
    { "optimizer.rules.hidden={}", NULL },
    { "optimizer.rules.hidden.optimizer=sgd", "optimizer.rules.hidden.momentum={beta: 0.95, form: ema, debias: true}",
      "optimizer.rules.rest.lr_mult=0.3", "optimizer.rules.rest.clip=none", "run.name='012'", "data.train.gcide.path='/a b/\"\\c'", NULL },
    { "optimizer.freeze=[{match: {glob: 'blocks.0.*', layers: 1}, until_step: 500}, {match: {role: head}}]",
      "optimizer.schedules.other={type: cosine}", "optimizer.rules.rest.schedule=other", "model.init_std=0.1234567890123456789", NULL },
    { "model.family=gpt2", "optimizer.rules=[]", "optimizer.schedules={c: {type: constant}}", "optimizer.defaults.schedule=c",
      "data.valid=[]", "eval.every=never", NULL },
};

START_TEST(the_resolved_file_reads_back_to_the_same)
{
    const struct config *first = parse(good_yaml, variations[_i]);
    if (_i == 2) { /* a row cannot be set as a whole */
        ck_assert_int_eq(fx.status, ST_CONFIG);
        return;
    }
    ck_assert_msg(fx.status == ST_OK, "%s", fx.told.data);
    char *text = written(first);
    const struct config *second = parse(text, NULL);
    ck_assert_msg(fx.status == ST_OK, "%s\n%s", fx.told.data, text);
    char *again = written(second);
    ck_assert_str_eq(text, again);
    ck_assert(digest_equal(config_digest(first, &test_tables), config_digest(second, &test_tables)));
    struct text difference = { 0 };
    ck_assert_int_eq(config_compare(first, second, &test_tables, NULL, 0, &difference), 0);
    text_free(&difference);
    free(again);
    free(text);
}
END_TEST

START_TEST(the_resolved_file_holds_every_key)
{
    char *text = written(parse_good(good_yaml, NULL));
    const char *const keys[] = { "name",     "seed",           "steps",      "folder",    "on_nonfinite", "family",    "width",
                                 "layers",   "heads",          "kv_heads",   "mlp",       "context",      "tie",       "qkv_bias",
                                 "qk_norm",  "norm_eps",       "rope_base",  "init_std",  "tokenizer",    "train",     "valid",
                                 "path",     "weight",         "sequences",  "micro",     "compute",      "shard",     "group",
                                 "window",   "reduce",         "accumulate", "recompute", "clip",         "schedules", "rules",
                                 "freeze",   "match",          "optimizer",  "lr",        "weight_decay", "schedule",  "decay_mode",
                                 "cautious", "cautious_decay", "every",      "keep",      "batches" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s:", keys[i]);
        ck_assert_msg(strstr(text, key) != NULL, "%s is missing in\n%s", key, text);
    }
    ck_assert_ptr_nonnull(strstr(text, "    main: {type: wsd, warmup: 5%, decay: 30%, floor: 0}\n"));
    ck_assert_ptr_nonnull(strstr(
        text,
        "    - {name: gains, match: {role: [norm, bias]}, optimizer: adamw, lr: 0.004, layer_decay: 1, weight_decay: 0, schedule: main, "
        "clip: global, agc: none, decay_mode: lr, cautious: false, cautious_decay: false, average: none, state: fp32, betas: [0.9, "
        "0.95], eps: 1e-08}\n"));
    free(text);
}
END_TEST

/* ---- digest and comparison ---- */

static const struct {
    const char *override, *line; /* line NULL: no number of the run changes */
} changes[] = {
    { "run.name=other", NULL },
    { "parallel.shard=none", NULL },
    { "parallel.window=all", NULL },
    { "checkpoint.every=7", NULL },
    { "eval.every=7", NULL },
    { "run.tensorboard=true", NULL },
    { "data.valid.gcide.path=x", NULL },
    { "run.seed=2", "run.seed: 1 -> 2\n" },
    { "run.steps=700", "run.steps: 650 -> 700\n" }, /* the shares of its schedule depend on it */
    { "optimizer.clip=none", "optimizer.clip: 1 -> none\n" },
    { "optimizer.rules.head.lr=3e-4", "optimizer.rules.head.lr: 0.004 -> 0.0003\n" },
    { "data.train.gcide.weight=2", "data.train.gcide.weight: 1 -> 2\n" },
    { "data.documents=separate", "data.documents: concat -> separate\n" },
    { "optimizer.freeze=[{match: all}]", "optimizer.freeze.0.match: (none) -> all\n" },
};

START_TEST(a_change_counts_when_numbers_depend_on_it)
{
    const struct config *before = parse_good(good_yaml, NULL),
                        *after = parse_good(good_yaml, (const char *const[]){ changes[_i].override, NULL });
    struct text told = { 0 };
    text_add(&told, "%s", "");
    const int n = config_compare(before, after, &test_tables, NULL, 0, &told);
    const bool same = digest_equal(config_digest(before, &test_tables), config_digest(after, &test_tables));
    ck_assert_int_eq(n == 0, changes[_i].line == NULL);
    ck_assert_int_eq(same, changes[_i].line == NULL);
    ck_assert_msg(changes[_i].line == NULL || strstr(told.data, changes[_i].line) != NULL, "%s", told.data);
    text_free(&told);
}
END_TEST

/* Problems of growing the run by 50 steps under a schedule, and of taking them away again. */
static int steps_that_count(const char *schedule, bool shrink)
{
    const struct config *short_run = parse_good(good_yaml, (const char *const[]){ schedule, NULL });
    const struct config *long_run = parse_good(good_yaml, (const char *const[]){ schedule, "run.steps=700", NULL });
    const struct config *before = shrink ? long_run : short_run, *after = shrink ? short_run : long_run;
    struct text told = { 0 };
    const int n = config_compare(before, after, &test_tables, NULL, 0, &told);
    if (!shrink) ck_assert_int_eq(n == 0, digest_equal(config_digest(before, &test_tables), config_digest(after, &test_tables)));
    text_free(&told);
    return n;
}

START_TEST(steps_may_grow_where_no_schedule_depends_on_them)
{
    ck_assert_int_eq(steps_that_count("optimizer.schedules.main={type: constant, warmup: 10}", false), 0);
    ck_assert_int_eq(steps_that_count("optimizer.schedules.main={type: constant, warmup: 10}", true), 1);
    ck_assert_int_eq(steps_that_count("optimizer.schedules.main={type: constant, warmup: 10%}", false), 1);
    ck_assert_int_eq(steps_that_count("optimizer.schedules.main={type: cosine}", false), 1);
}
END_TEST

START_TEST(what_is_allowed_is_not_listed)
{
    const struct config *before = parse_good(good_yaml, NULL);
    const struct config *after = parse_good(good_yaml, (const char *const[]){ "optimizer.rules.head.lr=1", "run.seed=2", NULL });
    struct text told = { 0 };
    ck_assert_int_eq(config_compare(before, after, &test_tables, (const char *const[]){ "optimizer.rules" }, 1, &told), 1);
    ck_assert_int_eq(config_compare(before, after, &test_tables, (const char *const[]){ "optimizer.rules", "run.seed" }, 2, &told), 0);
    ck_assert_int_eq(config_compare(before, after, &test_tables, (const char *const[]){ "optimizer.rul", "run.seeds" }, 2, &told), 2);
    text_free(&told);
}
END_TEST

START_TEST(the_order_of_rules_counts)
{
    char *yaml = edited("    - {name: head,", "    - {name: hid,  match: {role: x}}\n    - {name: head,");
    const struct config *before = parse_good(good_yaml, NULL), *after = parse_good(yaml, NULL);
    struct text told = { 0 };
    ck_assert_int_gt(config_compare(before, after, &test_tables, NULL, 0, &told), 0);
    ck_assert_ptr_nonnull(strstr(told.data, "optimizer.rules: gains, head, hidden, rest -> gains, hid, head, hidden, rest\n"));
    text_free(&told);
    free(yaml);
}
END_TEST

START_TEST(the_reference_names_every_table)
{
    struct text text = { 0 };
    config_write_reference(&test_tables, &text);
    const char *const parts[] = { "## run\n",
                                  "| `steps` | integer | | an integer of at least 1 | steps |",
                                  "| `mlp` | integer | `4*width` |",
                                  "## Optimizers\n",
                                  "### lion\n",
                                  "Source: Chen 2023.",
                                  "- `lr` is `1e-3` unless given\n",
                                  "- does not read `rope_base`\n",
                                  "## Schedules\n",
                                  "### wsd\n",
                                  "## Families\n" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        ck_assert_msg(strstr(text.data, parts[i]) != NULL, "%s is missing", parts[i]);
    text_free(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *cases = tcase_create("config");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_example_reads_as_it_says);
    tcase_add_test(cases, a_rule_inherits_by_its_optimizer);
    tcase_add_test(cases, without_rules_or_schedules_one_of_each_is_implied);
    tcase_add_test(cases, a_derived_default_follows_the_family);
    tcase_add_test(cases, words_and_numbers_in_their_other_forms);
    tcase_add_test(cases, sources_have_weights_or_epochs);
    tcase_add_test(cases, momentum_is_a_number_or_a_map);
    tcase_add_test(cases, overrides_name_rows_and_the_last_one_wins);
    tcase_add_test(cases, lr_mult_multiplies_the_defaults);
    tcase_add_test(cases, decay_mode_of_the_section_reaches_every_rule);
    tcase_add_test(cases, crlf_changes_nothing);
    tcase_add_loop_test(cases, the_resolved_file_reads_back_to_the_same, 0, (int)(sizeof variations / sizeof variations[0]));
    tcase_add_test(cases, the_resolved_file_holds_every_key);
    tcase_add_loop_test(cases, a_change_counts_when_numbers_depend_on_it, 0, (int)(sizeof changes / sizeof changes[0]));
    tcase_add_test(cases, steps_may_grow_where_no_schedule_depends_on_them);
    tcase_add_test(cases, what_is_allowed_is_not_listed);
    tcase_add_test(cases, the_order_of_rules_counts);
    tcase_add_test(cases, the_reference_names_every_table);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
