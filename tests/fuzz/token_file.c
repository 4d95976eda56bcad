/* A token file, damaged, its checksums right or not: it is refused with its path, or all of it can be read. */
#include "common/data/tokens.h"
#include "common/store/folder.h"
#include "tests/support/h5_damage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 15, TOKENS = 1500, VOCAB = 300 };
static char folder[] = "/tmp/lamina-fuzz-XXXXXX", path[64];
static struct h5_sample sample;

static void write_tokens(void)
{
    struct tokens_writer *w;
    int32_t ids[TOKENS / 5];
    for (int i = 0; i < TOKENS / 5; i++) ids[i] = i + 1 < TOKENS / 5 ? i * 7 % (VOCAB - 1) : VOCAB - 1;
    enum status s = tokens_create(path, "bytes", (struct digest128){ 1, 2 }, VOCAB, &w);
    for (int d = 0; d < 5 && !s; d++) s = tokens_append(w, ids, TOKENS / 5, NULL, TOKENS / 5);
    if (!s) s = tokens_publish(w);
    if (s) abort();
}

/* What data show does, and train. */
static enum status read_all(struct fuzz *f, const struct tokens *t)
{
    static int32_t ids[64];
    int64_t *starts = NULL;
    struct text shown = { 0 };
    FUZZ_CHECK(f, t->n_tokens <= ROOM && t->n_documents <= t->n_tokens && t->vocab > 0);
    tokens_print(t, NULL, fuzz_below(f, 2) != 0, &shown);
    FUZZ_CHECK(f, shown.length > 0 && memchr(shown.data, 0x1b, shown.length) == NULL);
    text_free(&shown);
    enum status s = tokens_starts(t, &starts);
    free(starts);
    for (int64_t i = 0; i < t->n_tokens && !s; i += 64) s = tokens_read(t, i, t->n_tokens - i < 64 ? t->n_tokens - i : 64, ids);
    return s;
}

static void one(struct fuzz *f)
{
    struct tokens t;
    h5_sample_damage(f, &sample);
    status_clear();
    enum status s = tokens_open(path, fuzz_below(f, 4) == 0, &t);
    if (!s) {
        s = read_all(f, &t);
        tokens_close(&t);
    }
    FUZZ_CHECK(f, s == ST_OK || (s == ST_DATA && strstr(status_text(), path) != NULL));
}

static void prepare(void)
{
    if (mkdtemp(folder) == NULL) abort();
    (void)snprintf(path, sizeof path, "%s/t.h5", folder);
    write_tokens();
    h5_sample_take(&sample, path, 4);
}

int main(int argc, char **argv)
{
    prepare();
    const int code = fuzz_main(argc, argv, "token_file", one);
    return folder_remove(folder) ? 1 : code;
}
