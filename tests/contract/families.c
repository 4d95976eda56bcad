/* What a family, an optimizer or a schedule does not read is refused by name, never ignored: through the real tables. */
#include "tests/support/suite.h"
#include "worker/worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void refuses(const char *family, const char *setting, const char *key)
{
    char *yaml = arena_printf(&arena,
                              "run: {name: t, steps: 10}\n"
                              "model: {family: %s, width: 16, layers: 1, heads: 2, context: 8}\n"
                              "tokenizer: bytes\n"
                              "data: {train: [{name: a, path: a.h5}]}\n"
                              "batch: {sequences: 2, micro: 1}\n"
                              "optimizer: {defaults: {optimizer: adamw, lr: 1e-3}}\n",
                              family);
    struct config *config;
    struct text problems = { 0 };
    ck_assert_int_eq(config_parse("t.yaml", yaml, strlen(yaml), NULL, 0, worker_tables(), &arena, &config, &problems), ST_OK);
    ck_assert_int_eq(config_parse("t.yaml", yaml, strlen(yaml), &setting, 1, worker_tables(), &arena, &config, &problems), ST_CONFIG);
    ck_assert_msg(strstr(problems.data, key) != NULL, "%s does not name %s", problems.data, key);
    text_free(&problems);
}

START_TEST(gpt2_has_no_norms_on_queries_and_keys_no_rotation_and_biases_anyway)
{
    refuses("gpt2", "model.qk_norm=true", "qk_norm");
    refuses("gpt2", "model.rope_base=500000", "rope_base");
    refuses("gpt2", "model.qkv_bias=true", "qkv_bias");
}
END_TEST

START_TEST(rules_refuse_keys_of_other_optimizers)
{
    refuses("llama", "optimizer.defaults.momentum=0.9", "momentum");
    refuses("llama", "optimizer.defaults.granularity=rows", "granularity");
}
END_TEST

int main(void)
{
    arena_open_growing(&arena, "test");
    Suite *suite = suite_create("families");
    TCase *tc = tcase_create("families");
    tcase_add_test(tc, gpt2_has_no_norms_on_queries_and_keys_no_rotation_and_biases_anyway);
    tcase_add_test(tc, rules_refuse_keys_of_other_optimizers);
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_FORK);
    arena_close(&arena);
    return code;
}
