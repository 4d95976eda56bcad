/* Ids of tokenizer.json files against those of the tokenizers library in bpe.txt (generate_bpe.py): blocks of a file and its texts. */
#include "common/base/libraries.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/normalize.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/lamina-golden-XXXXXX.json";
static struct arena arena;
static struct tokenizer tokenizer;
static struct encoder *encoder;

static void close_file(void)
{
    encoder_close(encoder);
    tokenizer_close(&tokenizer);
    encoder = NULL;
}

static void open_file(const char *bytes, size_t n)
{
    close_file();
    ck_assert_int_eq(file_replace(path, bytes, n), ST_OK);
    ck_assert_msg(tokenizer_open(&arena, path, &tokenizer) == ST_OK, "%s", status_text());
    ck_assert_int_eq(encoder_open(&tokenizer, &encoder), ST_OK);
}

static int64_t from_hex(const char *hex, unsigned char *out)
{
    int64_t n = 0;
    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) out[n] = (unsigned char)byte;
    return n;
}

static void check_text(const unsigned char *text, int64_t n, const char *expected)
{
    struct ids ids = { 0 };
    struct text got = { 0 };
    ck_assert_msg(encoder_add(encoder, text, n, &ids) == ST_OK, "%s", status_text());
    for (int64_t i = 0; i < ids.n; i++) text_add(&got, "%s%d", i > 0 ? " " : "", ids.id[i]);
    ck_assert_str_eq(got.length > 0 ? got.data : "", expected);
    ids_close(&ids);
    text_free(&got);
}

START_TEST(ids_are_those_of_the_library)
{
    static unsigned char text[4096];
    char *line = NULL;
    size_t cap = 0, bytes;
    int64_t n = 0;
    int texts = 0;
    const char *const root = getenv("LAMINA_ROOT");
    char *const name = arena_printf(&arena, "%s/tests/golden/bpe.txt", root != NULL ? root : ".");
    FILE *const f = fopen(name, "r");
    ck_assert_msg(f != NULL, "%s cannot be opened", name);
    while (getline(&line, &cap, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "file %zu", &bytes) == 1) {
            ck_assert_int_gt(getline(&line, &cap, f), 0);
            open_file(line, bytes);
        } else if (strncmp(line, "text ", 5) == 0) {
            ck_assert_uint_lt(strlen(line), 2 * sizeof text);
            n = from_hex(line + 5, text);
        } else {
            ck_assert_int_eq(strncmp(line, "ids ", 4), 0);
            check_text(text, n, line + 4);
            texts++;
        }
    }
    ck_assert_int_eq(texts, 3 * 18);
    free(line);
    (void)fclose(f);
    close_file();
}
END_TEST

int main(void)
{
    if (library_pcre2() == NULL) return suite_skip("PCRE2");
    if (library_utf8proc() == NULL) return suite_skip("utf8proc");
    const int fd = mkstemps(path, 5);
    if (fd < 0) return 1;
    (void)close(fd);
    arena_open_growing(&arena, "golden");
    TCase *tc = tcase_create("bpe");
    tcase_add_test(tc, ids_are_those_of_the_library);
    Suite *suite = suite_create("bpe");
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_NOFORK);
    arena_close(&arena);
    (void)unlink(path);
    return code;
}
