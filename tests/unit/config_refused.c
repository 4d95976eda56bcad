/* config_refused.c: every kind of mistake is told once, at its place; in bounded time. */
#include "common/base/clock.h"
#include "common/config/config.h"
#include "config_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#define ANSWER_S suite_seconds(1) /* in which any text must be answered */

/* ---- what is refused: an edit of the example, and the one problem it makes ---- */

static const struct refused {
    const char *old, *new, *place, *fragment;
} refused[] = {
    { "steps: 650", "steps: 012",
      "t.yaml:1:47: ", "run.steps: expected an integer of at least 1, not '012': write it without the leading 0" },
    { "steps: 650", "steps: 1e3", "t.yaml:1:47: ", "write all digits, without point or exponent" },
    { "steps: 650", "steps: 1_000", "t.yaml:1:47: ", "without separators" },
    { "steps: 650", "steps: +5", "t.yaml:1:47: ", "without the +" },
    { "steps: 650", "steps: 0x10", "t.yaml:1:47: ", "not '0x10': write it in decimal digits" },
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
    { "batches: 20}", "batches: 20", "t.yaml:18:13: ", "while parsing a flow mapping that does not end: did not find expected" },
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

/* What the table edits is refused for the edit alone; and with the line ends of another system at the same places. */
START_TEST(the_example_itself_is_fine_and_crlf_moves_nothing)
{
    (void)parse_good(good_yaml, NULL);
    struct text crlf = { 0 };
    char *yaml = edited("granularity: row", "granularity: rows");
    for (const char *c = yaml; *c != '\0'; c++) text_add(&crlf, *c == '\n' ? "\r\n" : "%c", *c);
    (void)parse(yaml, NULL);
    char *told = strdup(fx.told.data);
    ck_assert_ptr_nonnull(strstr(told, "t.yaml:14:77: "));
    (void)parse(crlf.data, NULL);
    ck_assert_str_eq(fx.told.data, told);
    free(told);
    free(yaml);
    text_free(&crlf);
}
END_TEST

static const struct {
    const char *override, *told;
} bad_overrides[] = {
    { "run.steps=fast", "command line: run.steps: expected an integer of at least 1, not 'fast'\n  run.steps=fast\n            ^\n" },
    { "run.stesp=5", "command line: run.stesp: there is no such key; did you mean 'steps'?\n  run.stesp=5\n      ^\n" },
    { "run.steps", "command line: 'run.steps' sets nothing; write key.path=value" },
    { "=5", "command line: '=5' sets nothing" },
    { "run..steps=5", "command line: a word of the path is empty; write key.path=value\n  run..steps=5\n      ^\n" },
    { "a..b=1", "command line: a word of the path is empty; write key.path=value\n  a..b=1\n    ^\n" }, /* and not that there is no a */
    { ".run=1", "command line: a word of the path is empty; write key.path=value\n  .run=1\n  ^\n" },
    { "run.=1", "command line: a word of the path is empty; write key.path=value\n  run.=1\n      ^\n" },
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
    ck_assert_ptr_nonnull(strstr(status_text(), ": 1 problem;"));
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
    ck_assert_ptr_nonnull(strstr(fx.told.data, "\n... and 197"));
    ck_assert_uint_lt(fx.told.length, STATUS_TEXT_BYTES - 32); /* whole, with "rank 3: " before it, where a failure travels */
    text_free(&rows);
    free(yaml);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_refused");
    TCase *cases = tcase_create("config_refused");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, each_mistake_is_told_once_at_its_place, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(cases, the_example_itself_is_fine_and_crlf_moves_nothing);
    tcase_add_loop_test(cases, a_wrong_override_is_told_with_its_caret, 0, (int)(sizeof bad_overrides / sizeof bad_overrides[0]));
    tcase_add_test(cases, all_problems_come_in_one_go_in_the_order_of_the_text);
    tcase_add_test(cases, an_empty_text_and_one_of_one_word_are_no_configuration);
    tcase_add_test(cases, a_megabyte_of_unknown_keys_is_answered_within_a_second);
    tcase_add_test(cases, files_that_cannot_be_read_are_problems_too);
    suite_add_tcase(suite, cases);
    return suite_main(suite, CK_FORK);
}
