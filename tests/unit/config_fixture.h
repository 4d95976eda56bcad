/* config_fixture.h: the example read with an edit or with overrides, for the tests of common/config. Every test includes what it uses. */
#ifndef LAMINA_TESTS_UNIT_CONFIG_FIXTURE_H
#define LAMINA_TESTS_UNIT_CONFIG_FIXTURE_H

#include "config_tables.h"
#include "tests/support/suite.h"

#include <check.h>
#include <string.h>

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

#endif
