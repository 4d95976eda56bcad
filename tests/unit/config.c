/* config.c: the way of a configuration: the README's example, defaults, inheritance, overrides, every kind of mistake
 * at its place, the resolved file, digest and comparison, and thousands of damaged texts. */
#include "common/config/config.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "config_tables.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct arena arena;
    struct text told;
    enum status status;
};
static struct fixture fx;

static void set_up(void)
{
    fx = (struct fixture){ 0 };
    arena_open_growing(&fx.arena, "test");
}

static void tear_down(void)
{
    text_free(&fx.told);
    arena_close(&fx.arena);
}

enum { OVERRIDES_MAX = 8 };
#ifdef __SANITIZE_ADDRESS__
enum { ANSWER_S = 10 }; /* processor seconds in which any text must be answered */
#else
enum { ANSWER_S = 1 };
#endif

/* Overrides end with NULL. */
static struct config *parse(const char *yaml, const char *const *overrides)
{
    struct config *config = NULL;
    int n = 0;
    while (overrides != NULL && overrides[n] != NULL) n++;
    fx.told.length = 0;
    text_add(&fx.told, "%s", "");
    fx.status = config_parse("t.yaml", yaml, strlen(yaml), overrides, n, &test_tables, &fx.arena, &config, &fx.told);
    return config;
}

static struct config *parse_good(const char *yaml, const char *const *overrides)
{
    struct config *config = parse(yaml, overrides);
    ck_assert_msg(fx.status == ST_OK, "%s", fx.told.data);
    ck_assert_uint_eq(fx.told.length, 0);
    return config;
}

/* The good example with the first `old` replaced by `new`. Owns: the caller frees. */
static char *edited(const char *old, const char *new)
{
    struct text text = { 0 };
    const char *at = strstr(good_yaml, old);
    ck_assert_msg(at != NULL, "'%s' is not in the example", old);
    text_add_bytes(&text, good_yaml, (size_t)(at - good_yaml));
    text_add(&text, "%s%s", new, at + strlen(old));
    return text.data;
}

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
    ck_assert_int_eq(c->rules[2].line, 15);
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

/* ---- what is refused: an edit of the example, and the one problem it makes ---- */

static const struct refused {
    const char *old, *new, *place, *fragment;
} refused[] = {
    { "steps: 650", "steps: 012",
      "t.yaml:1:47: ", "run.steps: expected an integer of at least 1, not '012': write it without the leading 0" },
    { "steps: 650", "steps: 1e3", "t.yaml:1:47: ", "write all digits, without point or exponent" },
    { "steps: 650", "steps: 1_000", "t.yaml:1:47: ", "without separators" },
    { "steps: 650", "steps: +5", "t.yaml:1:47: ", "without the +" },
    { "steps: 650", "steps: 0x10", "t.yaml:1:47: ", "not '0x10'" },
    { "steps: 650", "steps: '650'", "t.yaml:1:47: ", "write it without quotes" },
    { "steps: 650", "steps: 99999999999999999999", "t.yaml:1:47: ", "expected an integer" },
    { "steps: 650", "steps: 0", "t.yaml:1:47: ", "of at least 1, not '0'" },
    { "steps: 650", "steps: [1]", "t.yaml:1:47: ", "not a list" },
    { "steps: 650", "steps: {a: 1}", "t.yaml:1:47: ", "not a map" },
    { "steps: 650", "steps: ", "t.yaml:1:47: ", "but nothing is given" },
    { ", steps: 650", "", "t.yaml:1:1: ", "run: steps must be given: an integer of at least 1" },
    { "steps: 650", "stesp: 650, steps: 650", "t.yaml:1:40: ", "run.stesp: there is no such key; did you mean 'steps'?" },
    { "steps: 650", "steps: 650, steps: 3", "t.yaml:1:52: ", "'steps' is given twice; it stands already in line 1" },
    { "seed: 1", "seed: -1", "t.yaml:1:37: ", "run.seed" },
    { "seed: 1", "seed: &a 1", "t.yaml:1:37: ", "anchor '&a'" },
    { "seed: 1", "seed: !!int 1", "t.yaml:1:37: ", "tag 'tag:yaml.org,2002:int'" },
    { "seed: 1", "seed: *a", "t.yaml:1:37: ", "alias '*a'" },
    { "name: quickstart", "name: ../x", "t.yaml:1:19: ", "'../x' cannot name a run folder" },
    { "name: quickstart", "name: '..'", "t.yaml:1:19: ", "neither '.' nor '..'" },
    { "name: quickstart", "name: \"a\\0b\"", "t.yaml:1:19: ", "control character 0x00" },
    { "model:     {family: llama", "model:     {family: lama",
      "t.yaml:2:21: ", "expected one of gpt2, llama, not 'lama'; did you mean 'llama'?" },
    { "family: llama, ", "", "t.yaml:2:1: ", "model: family must be given: one of gpt2, llama" },
    { "family: llama", "family: gpt2, qk_norm: true", "t.yaml:2:27: ", "model.qk_norm: 'gpt2' has no such key; llama has it" },
    { "width: 192", "width:192, width: 192", "t.yaml:2:28: ", "a space must follow the colon" },
    { "heads: 6, kv_heads: 3", "heads: 5, kv_heads: 5", "t.yaml:2:58: ", "heads (5) must divide width (192)" },
    { "kv_heads: 3", "kv_heads: 4", "t.yaml:2:71: ", "kv_heads (4) must divide heads (6)" },
    { "tie: false", "tie: no", "t.yaml:2:103: ", "expected false or true, not 'no'" },
    { "tie: false", "tie: True", "t.yaml:2:103: ", "did you mean 'true'?" },
    { "tie: false", "init_std: nan", "t.yaml:2:108: ", "expected a number from 0 to 10, not 'nan'" },
    { "context: 256", "context: 0", "t.yaml:2:93: ", "expected an integer from 1" },
    { "tokenizer: bytes ", "#", "t.yaml:1:1: ", "tokenizer must be given" },
    { "tokenizer: bytes ", "tokenizer: [bytes] ", "t.yaml:3:12: ", "tokenizer: expected a text of at most 1023 bytes, not a list" },
    { "train: [{name: gcide, path: data/gcide.train.h5, weight: 1}]", "train: []", "t.yaml:4:20: ", "the list is empty" },
    { "train: [{name: gcide, path: data/gcide.train.h5, weight: 1}]", "train: {name: gcide}",
      "t.yaml:4:20: ", "expected a list, not a map" },
    { "weight: 1}]", "weight: 0}]", "t.yaml:4:70: ", "data.train.gcide.weight: expected a number from 1e-09" },
    { "weight: 1}]", "weight: 1}, {name: gcide, path: y}]", "t.yaml:4:81: ", "the name 'gcide' is given twice" },
    { "weight: 1}]", "weight: 1}, {path: y}]", "t.yaml:4:74: ", "data.train[1]: name must be given" },
    { "weight: 1}]", "weight: 1}, x]", "t.yaml:4:74: ", "data.train[1]: expected a map of keys, not a single value" },
    { "weight: 1}]", "epochs: 0}]", "t.yaml:4:70: ", "data.train.gcide.epochs: expected a number from 1e-06 to 1e+06, or 'none'" },
    { "weight: 1}]", "weight: 2, epochs: 3}]", "t.yaml:4:70: ", "data.train.gcide.weight: epochs is given too" },
    { "weight: 1}]", "epochs: 1}, {name: b, path: y}]", "t.yaml:4:74: ", "data.train.b: epochs must be given here too, or in no row" },
    { "weight: 1}]", "epochs: 1}], weights: documents", "t.yaml:4:84: ", "data.weights: the rows of data.train have epochs" },
    { "weight: 1}]", "weight: 1}], weights: document", "t.yaml:4:84: ", "did you mean 'documents'?" },
    { "valid.h5}]", "valid.h5, epochs: 1}]", "t.yaml:4:", "data.valid.gcide.epochs: there is no such key" },
    { "name: gcide, path: data/gcide.train.h5, ", "name: g.c, path: x, ", "t.yaml:4:28: ", "'g.c' is no name" },
    { "micro: 4", "micro: 5", "t.yaml:5:35: ", "micro (5) must divide sequences (16)" },
    { "compute: auto", "compute: bf61", "t.yaml:6:22: ", "expected auto, bf16 or fp32, not 'bf61'; did you mean 'bf16'?" },
    { "shard: full", "shard: ful", "t.yaml:7:20: ", "expected none, optimizer, gradients or full, not 'ful'; did you mean 'full'?" },
    { "group: world", "group: node", "t.yaml:7:33: ", "group 'node' is not supported yet" },
    { "group: world", "group: wolrd", "t.yaml:7:33: ", "or 'world' or 'node', not 'wolrd'; did you mean 'world'?" },
    { "window: 1", "window: 0", "t.yaml:7:48: ", "or 'all', not '0'" },
    { "reduce: exact", "reduce: fast", "t.yaml:7:59: ", "parallel.reduce: expected exact, not 'fast'" },
    { "parallel:  {shard: full, group: world, window: 1, reduce: exact}", "parallel: 7",
      "t.yaml:7:11: ", "parallel: expected a map of keys, not a single value" },
    { "clip: 1.0", "clip: off", "t.yaml:9:9: ", "optimizer.clip: expected a number" },
    { "type: wsd", "type: wsb",
      "t.yaml:10:28: ", "optimizer.schedules.main.type: expected one of constant, wsd, cosine, not 'wsb'; did you mean 'wsd'?" },
    { "type: wsd, ", "", "t.yaml:10:15: ", "optimizer.schedules.main: type must be given: one of constant" },
    { "type: wsd, warmup: 5%, decay: 30%", "type: cosine", "t.yaml:10:36: ", "'cosine' has no such key; wsd has it" },
    { "warmup: 5%", "warmup: 101%", "t.yaml:10:41: ", "a share is at most 100%" },
    { "warmup: 5%", "warmup: %5", "t.yaml:10:41: ", "found character that cannot start any token" },
    { "warmup: 5%", "warmup: -5%", "t.yaml:10:41: ", "a number of steps, or N% of the run, not '-5%'" },
    { "warmup: 5%", "warmup: 5.5", "t.yaml:10:41: ", "not '5.5'" },
    { "warmup: 5%", "warmup: 5%%", "t.yaml:10:41: ", "not '5%%'" },
    { "decay: 30%", "decay: 95%", "t.yaml:10:15: ", "warmup + decay is 651 steps, more than run.steps (650)" }, /* halves round up */
    { "warmup: 5%", "warmup: 80%", "t.yaml:10:15: ", "warmup + decay is 715 steps, more than run.steps (650)" },
    { "main: {type", "ma.in: {type", "t.yaml:10:15: ", "'ma.in' is no name" },
    { "optimizer: adamw, lr: 4e-3", "optimizer: adamw, lr: fast",
      "t.yaml:11:36: ", "optimizer.defaults.lr: expected a number from 0 to 1e+06, or 'none', not 'fast'" },
    { "optimizer: adamw, ", "", "t.yaml:11:3: ", "optimizer.defaults: optimizer must be given: one of adamw" },
    { "betas: [0.9, 0.95]", "betas: [0.9]", "t.yaml:11:49: ", "expected a list of 2 numbers from 0 to 1, not 1" },
    { "betas: [0.9, 0.95]", "betas: [0.9, 1.5]", "t.yaml:11:55: ", "expected a number from 0 to 1, not '1.5'" },
    { "betas: [0.9, 0.95]", "betas: 0.9", "t.yaml:11:49: ", "a list of 2 numbers" },
    { "betas: [0.9, 0.95]", "lr_mult: 2", "t.yaml:11:42: ", "this key belongs to a rule" },
    { "schedule: main", "schedule: mian", "t.yaml:11:91: ", "there is no schedule 'mian'; did you mean 'main'?" },
    { "match: {role: [norm, bias]}, ", "", "t.yaml:13:7: ", "optimizer.rules.gains: match must be given: all, or a map of role" },
    { "match: {role: [norm, bias]}", "match: any", "t.yaml:13:29: ", "expected all, or a map of role, glob and layers" },
    { "match: {role: [norm, bias]}", "match: {}", "t.yaml:13:29: ", "expected all, or a map of role, glob and layers" },
    { "match: {role: [norm, bias]}", "match: {rule: norm}",
      "t.yaml:13:30: ", "gains.match.rule: there is no such key; did you mean 'role'?" },
    { "match: {role: [norm, bias]}", "match: {role: []}", "t.yaml:13:36: ", "the list is empty and would match nothing" },
    { "match: {role: [norm, bias]}", "match: {role: {a: b}}", "t.yaml:13:36: ", "expected a text or a list of texts, not a map" },
    { "match: {role: [norm, bias]}", "match: {layers: 1-0}", "t.yaml:13:38: ", "the range ends before it begins; write \"0-1\"" },
    { "match: {role: [norm, bias]}", "match: {layers: 0-4}", "t.yaml:13:38: ", "the model has layers 0 to 3, not 4" },
    { "match: {role: [norm, bias]}", "match: {layers: 1,2}", "t.yaml:13:40: ", "gains.match.2: there is no such key" },
    { "match: {role: [norm, bias]}", "match: {layers: one}", "t.yaml:13:38: ", "expected a layer (3) or a range of layers" },
    { "weight_decay: 0}", "lr: 1, lr_mult: 2}", "t.yaml:13:58: ", "optimizer.rules.gains.lr_mult: lr and lr_mult exclude each other" },
    { "weight_decay: 0}", "granularity: row}", "t.yaml:13:51: ", "'adamw' has no such key; adalayer has it" },
    { "weight_decay: 0}", "wieght_decay: 0}", "t.yaml:13:51: ", "did you mean 'weight_decay'?" },
    { "granularity: row, lr: 4e-3", "granularity: row",
      "t.yaml:14:7: ", "optimizer.rules.head: lr must be given: a rate for adamw is not one for adalayer" },
    { "granularity: row", "granularity: rows", "t.yaml:14:77: ", "expected tensor or row, not 'rows'; did you mean 'row'?" },
    { "optimizer: adalayer, granularity: row", "optimizer: sgd, cautious: true",
      "t.yaml:14:59: ", "'sgd' has no such key; adamw, adalayer, lion have it" },
    { "optimizer: adalayer, granularity: row", "optimizer: sgd, momentum: {form: ema}",
      "t.yaml:14:69: ", "head.momentum: beta must be given" },
    { "optimizer: lion", "optimizer: loin",
      "t.yaml:15:69: ", "expected one of adamw, adalayer, lion, sgd, not 'loin'; did you mean 'lion'?" },
    { "name: rest, ", "name: head, ", "t.yaml:16:14: ", "the name 'head' is given twice; line 14 has it" },
    { "checkpoint: {every: 200", "checkpoint: {every: 0", "t.yaml:17:21: ", "or 'end', not '0'" },
    { "checkpoint:", "checkpiont:", "t.yaml:17:1: ", "checkpiont: there is no such key; did you mean 'checkpoint'?" },
    { ", valid: [{name: gcide, path: data/gcide.valid.h5}]", "", "t.yaml:18:21: ", "there is no data.valid to evaluate on" },
    { "eval:       {", "---\neval:       {", "t.yaml:18:1: ", "a second document begins here" },
    { "eval:       {", "\teval:       {", "t.yaml:18:1: ", "a tab cannot stand here" },
    { "  clip: 1.0", "   clip: 1.0", "t.yaml:10:3: ", "did not find expected key" },
    { "batches: 20}", "batches: 20", "t.yaml:19:1: ", "did not find expected" },
};

START_TEST(each_mistake_is_told_once_at_its_place)
{
    const struct refused *bad = &refused[_i];
    char *yaml = edited(bad->old, bad->new);
    const double start = clock_thread_seconds();
    (void)parse(yaml, NULL);
    ck_assert_double_lt(clock_thread_seconds() - start, ANSWER_S);
    ck_assert_int_eq(fx.status, ST_CONFIG);
    ck_assert_msg(strncmp(fx.told.data, bad->place, strlen(bad->place)) == 0 && strstr(fx.told.data, bad->fragment) != NULL,
                  "'%s': expected %s...%s\nbut was told\n%s", bad->new, bad->place, bad->fragment, fx.told.data);
    ck_assert_msg(strstr(status_text(), ": 1 problem;") != NULL, "%s\n%s", status_text(), fx.told.data);
    free(yaml);
}
END_TEST

static const struct {
    const char *override, *told;
} bad_overrides[] = {
    { "run.steps=fast", "command line: run.steps: expected an integer of at least 1, not 'fast'\n  run.steps=fast\n            ^\n" },
    { "run.stesp=5", "command line: run.stesp: there is no such key; did you mean 'steps'?\n  run.stesp=5\n      ^\n" },
    { "run.steps", "command line: 'run.steps' sets nothing; write key.path=value" },
    { "=5", "command line: '=5' sets nothing" },
    { "run..steps=5", "command line: a word of the path is empty" },
    { "optimizer.rules.haed.lr=1",
      "command line: optimizer.rules has no row named 'haed'; did you mean 'head'?\n  optimizer.rules.haed.lr=1\n                  ^\n" },
    { "run.name.x=1", "command line: run.name is a single value and has no key 'x'" },
    { "optimizer.defaults.betas=[1, 2", "command line: while parsing a flow sequence" },
    { "run.steps=", "command line: run.steps: expected an integer of at least 1, but nothing is given" },
    { "run.seed=*a", "command line: alias '*a'" },
    { "run.name=\xFF", "command line: byte 0xFF is not UTF-8" },
    { "data.train.gcide.wieght=1", "command line: data.train.gcide.wieght: there is no such key; did you mean 'weight'?" },
};

START_TEST(a_wrong_override_is_told_with_its_caret)
{
    (void)parse(good_yaml, (const char *const[]){ bad_overrides[_i].override, NULL });
    ck_assert_int_eq(fx.status, ST_CONFIG);
    ck_assert_msg(strncmp(fx.told.data, bad_overrides[_i].told, strlen(bad_overrides[_i].told)) == 0, "expected\n%s\nbut was told\n%s",
                  bad_overrides[_i].told, fx.told.data);
}
END_TEST

START_TEST(all_problems_come_in_one_go_in_the_order_of_the_text)
{
    char *yaml = edited("lr: 4e-3, betas", "lr: fast, betas"); /* inherited by two rules, told once */
    (void)parse(yaml, (const char *const[]){ "run.steps=x", "batch.micro=3", "model.heads=7", "model.tie=maybe", NULL });
    const char *const order[] = { "t.yaml:11:36: ", "command line: run.steps", "command line: batch.micro", "command line: model.heads",
                                  "command line: model.tie" };
    const char *at = fx.told.data;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const char *found = strstr(at, order[i]);
        ck_assert_msg(found != NULL, "'%s' is not told in its turn:\n%s", order[i], fx.told.data);
        at = found;
    }
    ck_assert_ptr_nonnull(strstr(status_text(), "6 problems")); /* and kv_heads no longer divide 7 heads */
    free(yaml);
}
END_TEST

START_TEST(an_empty_text_and_one_of_one_word_are_no_configuration)
{
    (void)parse("", NULL);
    ck_assert_str_eq(fx.told.data, "t.yaml:1:1: expected a map of keys, but nothing is given\n");
    (void)parse("hello", NULL);
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:1:1: expected a map of keys, not a single value"));
    (void)parse("{}", NULL);
    ck_assert_ptr_nonnull(strstr(fx.told.data, "t.yaml:1:1: run must be given: a map of name, steps and more"));
    ck_assert_ptr_nonnull(strstr(status_text(), "6 problems"));
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

START_TEST(files_that_cannot_be_read_are_problems_too)
{
    struct config *config = NULL;
    char path[] = "/tmp/lamina-config-XXXXXX";
    const int file = mkstemp(path);
    ck_assert_int_eq((int)write(file, good_yaml, strlen(good_yaml)), (int)strlen(good_yaml));
    close(file);
    ck_assert_int_eq(config_read(path, NULL, 0, &test_tables, &fx.arena, &config, &fx.told), ST_OK);
    ck_assert_str_eq(config->file, path);
    unlink(path);
    ck_assert_int_eq(config_read(path, NULL, 0, &test_tables, &fx.arena, &config, &fx.told), ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(fx.told.data, ": cannot be read: No such file or directory"));
    ck_assert_int_eq(config_read("/tmp", NULL, 0, &test_tables, &fx.arena, &config, &fx.told), ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(fx.told.data, "/tmp: cannot be read: it is a folder"));
}
END_TEST

START_TEST(a_megabyte_of_unknown_keys_is_answered_within_a_second)
{
    struct text rows = { 0 };
    for (int row = 0; row < 20; row++) {
        text_add(&rows, "    - {name: r%d, match: all", row);
        for (int key = 0; key < 990; key++) text_add(&rows, ", wieght_decay_and_the_rest_of_%d_%d: 1", row, key);
        text_add(&rows, "}\n");
    }
    char *yaml = edited("    - {name: rest,   match: all}\n", rows.data);
    ck_assert_uint_lt(strlen(yaml), (size_t)1 << 20);
    const double start = clock_thread_seconds();
    (void)parse(yaml, NULL);
    ck_assert_double_lt(clock_thread_seconds() - start, ANSWER_S);
    ck_assert_ptr_nonnull(strstr(status_text(), ": 19800 problems;"));
    ck_assert_ptr_nonnull(strstr(fx.told.data, "\n... and 19750 more\n"));
    text_free(&rows);
    free(yaml);
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

/* ---- damage: whatever stands in the text, the answer is a configuration or a list of problems ---- */

/* Philox-driven: a failing case is found again by its index. */
static size_t mutate(char *text, size_t n, size_t cap, int64_t which)
{
    static const char pieces[][8] = { "{",     "}", "[", "]",  ":",  ": ",  "\n", "\n  ", ",",   "&a ",  "*a",  "!!x ", "\t",
                                      "\r",    "%", "'", "\"", "- ", "? ",  "0",  "-1",   "1e9", "none", "all", "\xFF", "\xEF\xBB\xBF",
                                      "---\n", "#", "|", ">",  "lr", "name" };
    const struct rng_key key = { .seed = 7, .purpose = RNG_TEST };
    const int times = 1 + (int)(rng_u64(key, which, 0) % 4);
    for (int i = 0; i < times; i++) {
        const uint64_t draw = rng_u64(key, which, 3 * i + 1), place = rng_u64(key, which, 3 * i + 2),
                       extent = rng_u64(key, which, 3 * i + 3);
        const size_t at = n > 0 ? place % n : 0, rest = n - at;
        if (draw % 3 == 0) { /* drop some bytes */
            const size_t drop = extent % 12 < rest ? extent % 12 : rest;
            memmove(text + at, text + at + drop, rest - drop);
            n -= drop;
        } else if (draw % 3 == 1 && rest > 0) { /* another byte */
            text[at] = (char)extent;
        } else { /* a piece of YAML */
            const char *piece = pieces[extent % (sizeof pieces / sizeof pieces[0])];
            const size_t length = strlen(piece);
            if (n + length > cap) continue;
            memmove(text + at + length, text + at, rest);
            memcpy(text + at, piece, length);
            n += length;
        }
    }
    return n;
}

START_TEST(damaged_texts_never_break_the_reader)
{
    char text[4096];
    const double start = clock_seconds();
    int good = 0, cases = 0;
    for (; cases < 20000 && clock_seconds() - start < 3; cases++) {
        memcpy(text, good_yaml, sizeof good_yaml);
        const size_t n = mutate(text, sizeof good_yaml - 1, sizeof text, cases);
        struct config *config = NULL;
        struct text told = { 0 };
        const enum status s = config_parse("t.yaml", text, n, NULL, 0, &test_tables, &fx.arena, &config, &told);
        ck_assert_int_eq(s == ST_OK, told.length == 0);
        ck_assert(s == ST_OK || s == ST_CONFIG);
        if (s == ST_OK) { /* what is accepted must be writable and readable */
            char *again = written(config);
            struct config *second = NULL;
            ck_assert_msg(config_parse("again", again, strlen(again), NULL, 0, &test_tables, &fx.arena, &second, &told) == ST_OK,
                          "case %d: %s\n%s", cases, told.data, again);
            free(again);
            good++;
        }
        text_free(&told);
        arena_reset(&fx.arena);
    }
    ck_assert_int_gt(good, 0);
    ck_assert_int_gt(cases, 500);
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
    tcase_add_loop_test(cases, each_mistake_is_told_once_at_its_place, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_loop_test(cases, a_wrong_override_is_told_with_its_caret, 0, (int)(sizeof bad_overrides / sizeof bad_overrides[0]));
    tcase_add_test(cases, all_problems_come_in_one_go_in_the_order_of_the_text);
    tcase_add_test(cases, an_empty_text_and_one_of_one_word_are_no_configuration);
    tcase_add_test(cases, a_megabyte_of_unknown_keys_is_answered_within_a_second);
    tcase_add_test(cases, crlf_changes_nothing);
    tcase_add_test(cases, files_that_cannot_be_read_are_problems_too);
    tcase_add_loop_test(cases, the_resolved_file_reads_back_to_the_same, 0, (int)(sizeof variations / sizeof variations[0]));
    tcase_add_test(cases, the_resolved_file_holds_every_key);
    tcase_add_loop_test(cases, a_change_counts_when_numbers_depend_on_it, 0, (int)(sizeof changes / sizeof changes[0]));
    tcase_add_test(cases, steps_may_grow_where_no_schedule_depends_on_them);
    tcase_add_test(cases, what_is_allowed_is_not_listed);
    tcase_add_test(cases, the_order_of_rules_counts);
    tcase_add_test(cases, the_reference_names_every_table);
    tcase_add_test(cases, damaged_texts_never_break_the_reader);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
