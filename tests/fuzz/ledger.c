/* The ledger of a checkpoint, damaged: it is refused with a sentence, or it is one, and a corpus that goes on with it refuses it or deals.
 */
#include "common/data/corpus.h"
#include "common/store/folder.h"
#include "tests/support/fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096, STEP = 9 };
static char folder[64] = "/tmp/lamina-fuzz-XXXXXX", path[2][96];
static struct corpus corpus;
static char good[ROOM];
static const char *const words[] = {
    "\"share\":0", "\"taken\":", "\"before\":1", "1125899906842624", "9223372036854775807", "281474976710656", "-1",
    "1e3",         "[{",         "]}",           "\"name\":\"a\"",   "\"key\":4294967295",  "\"orders\":2",    NULL
};

static void write_source(int f)
{
    struct tokens_writer *w;
    int32_t ids[200] = { 0 };
    enum status s = tokens_create(path[f], "test", (struct digest128){ 1, 2 }, 10, &w);
    if (!s) s = tokens_append(w, ids, 200 - f, NULL, 100);
    if (!s) s = tokens_publish(w);
    if (s) abort();
}

static void open_corpus(struct corpus *c)
{
    const struct corpus_wish wish = {
        .seed = 1, .context = 8, .sequences = 5, .n = 2, .source = { { "a", path[0], 2 }, { "b", path[1], 1 } }
    };
    if (corpus_open(&wish, c)) abort();
}

static void prepare(void)
{
    struct text text = { 0 };
    struct ledger l;
    if (mkdtemp(folder) == NULL) abort();
    for (int f = 0; f < 2; f++) {
        (void)snprintf(path[f], sizeof path[f], "%s/%d.h5", folder, f);
        write_source(f);
    }
    open_corpus(&corpus);
    struct mix_cursor at = corpus_cursor(&corpus);
    corpus_ledger(&corpus, &at, STEP, &l);
    ledger_write(&l, &text);
    memcpy(good, text.data, text.length + 1);
    text_free(&text);
}

/* What was read is written and read to the same. */
static void check_round_trip(struct fuzz *f, const struct ledger *l)
{
    static struct ledger again;
    struct text text = { 0 }, twice = { 0 };
    ledger_write(l, &text);
    FUZZ_CHECK(f, ledger_read(text.data, text.length, &again) == ST_OK);
    ledger_write(&again, &twice);
    FUZZ_CHECK(f, strcmp(text.data, twice.data) == 0);
    text_free(&text);
    text_free(&twice);
}

static void check_going_on(struct fuzz *f, const struct ledger *l)
{
    static struct corpus c;
    struct ledger_change change;
    int32_t inputs[8], targets[8];
    c = corpus; /* its files are open already */
    const enum status s = corpus_go_on(&c, l, STEP, &change);
    FUZZ_CHECK(f, s == ST_OK || s == ST_DAMAGED);
    if (s) return;
    struct mix_cursor at = corpus_cursor(&c);
    for (int64_t i = STEP * c.sequences; i < (STEP + 3) * c.sequences; i++)
        FUZZ_CHECK(f, corpus_sample(&c, &at, i, (struct samples){ .inputs = inputs, .targets = targets }) == ST_OK);
}

static void one(struct fuzz *f)
{
    static struct ledger l;
    unsigned char text[ROOM];
    const size_t n = fuzz_damage(f, memcpy(text, good, sizeof good), strlen(good), sizeof text, words);
    status_clear();
    const enum status s = ledger_read((const char *)text, n, &l);
    FUZZ_CHECK(f, s == ST_OK || s == ST_DAMAGED);
    FUZZ_CHECK(f, s == ST_OK || strstr(status_text(), "data/ledger") != NULL);
    if (s) return;
    check_round_trip(f, &l);
    check_going_on(f, &l);
}

int main(int argc, char **argv)
{
    prepare();
    const int code = fuzz_main(argc, argv, "ledger", one);
    corpus_close(&corpus);
    return folder_remove(folder) ? 1 : code;
}
