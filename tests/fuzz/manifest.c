/* manifest.json, damaged: it is refused with its name, or what it says fits together, and is printed as it was read. */
#include "common/store/manifest.h"
#include "common/base/check.h"
#include "tests/support/fuzz.h"
#include <stdlib.h>
#include <string.h>

enum { ROOM = 8192, BLOCKS = 3, DATASETS = 6 };
static char good[ROOM];
static const char *const words[] = { "\"blocks\": [",
                                     "\"datasets\": []",
                                     "\"bytes\": 0",
                                     "\"step\": -1",
                                     "9223372036854775807",
                                     "9223372036854775808",
                                     "1e999",
                                     "\"../../etc/passwd\"",
                                     "[[[[[[[[[[[[",
                                     "{\"a\":",
                                     "\"\\u0000\"",
                                     "\"\\u001b[31m\"",
                                     "null",
                                     "\"version\": 1,",
                                     "4194304",
                                     NULL };

static void prepare(void)
{
    static struct digest128 blocks[BLOCKS];
    static struct manifest_dataset datasets[DATASETS];
    static const char *const names[DATASETS] = { "config", "data/ledger", "exchange/exponent", "state/a.m", "weights/a", "weights/b" };
    struct text text = { 0 };
    for (int i = 0; i < BLOCKS; i++) blocks[i] = digest_bytes(&i, sizeof i);
    for (int i = 0; i < DATASETS; i++) datasets[i] = (struct manifest_dataset){ .name = names[i], .offset = i << 20, .bytes = 1 << 20 };
    const struct manifest m = {
        .step = 12, .bytes = 9 << 20, .n_blocks = BLOCKS, .block = blocks, .dataset = datasets, .n_datasets = DATASETS
    };
    manifest_print(&m, &text);
    if (text.length >= sizeof good) abort();
    memcpy(good, text.data, text.length + 1);
    text_free(&text);
}

static void check(struct fuzz *f, const struct manifest *m)
{
    struct arena arena;
    struct manifest again;
    struct text text = { 0 }, twice = { 0 };
    FUZZ_CHECK(f, m->step >= 0 && m->bytes > 0 && m->n_blocks == manifest_blocks(m->bytes));
    for (int i = 0; i < m->n_datasets; i++) {
        const struct manifest_dataset *const d = &m->dataset[i];
        FUZZ_CHECK(f, d->offset >= 0 && d->bytes >= 0 && d->bytes <= m->bytes && d->offset <= m->bytes - d->bytes);
        FUZZ_CHECK(f, strpbrk(d->name, "\033\r\n\"\\") == NULL);
    }
    arena_open_growing(&arena, "again");
    manifest_print(m, &text);
    FUZZ_CHECK(f, manifest_parse(&arena, "again", text.data, text.length, &again) == ST_OK);
    manifest_print(&again, &twice);
    FUZZ_CHECK(f, strcmp(text.data, twice.data) == 0);
    text_free(&text);
    text_free(&twice);
    arena_close(&arena);
}

static void one(struct fuzz *f)
{
    static unsigned char text[ROOM];
    struct arena arena;
    struct manifest m;
    const size_t n = fuzz_damage(f, memcpy(text, good, sizeof good), strlen(good), sizeof text, words);
    status_clear();
    arena_open_growing(&arena, "manifest");
    const enum status s = manifest_parse(&arena, "M/manifest.json", (const char *)text, n, &m);
    FUZZ_CHECK(f, s == ST_OK || (s == ST_DAMAGED && strstr(status_text(), "M/manifest.json") != NULL));
    if (!s) check(f, &m);
    arena_close(&arena);
}

int main(int argc, char **argv)
{
    prepare();
    return fuzz_main(argc, argv, "manifest", one);
}
