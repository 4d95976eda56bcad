/* Lines of .jsonl, damaged: each is a record with valid UTF-8, or refused with a sentence; and a file of them has the same records in
 * ranges as in one piece. */
#include "common/base/utf8.h"
#include "common/data/reader.h"
#include "tests/support/fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64] = "/tmp/lamina-fuzz-XXXXXX.jsonl";
static const char *const seeds[] = {
    "{\"text\": \"plain\", \"id\": 7}",
    "{\"id\": {\"n\": [1, -2.5e3, null, true]}, \"meta\": {\"body\": \"inner \\u20ac\\ud83d\\ude00\"}, \"text\": \"a\\n\\\"b\\\"\"}",
    "{\"a\": {\"b\": {\"c\": \"deep\"}}, \"text\": \"gr\xc3\xbc\xc3\x9f\"}",
    "  {\"text\": \"\", \"z\": [[[[[[]]]]]], \"q\": {\"\": {}}}  ",
};
static const char *const words[] = { "\"text\"", "{\"a\":", "[[[[[[[[",     "]]]]", "\\ud800", "\\u0000",
                                     "null",     "1e308",   "\xef\xbf\xbd", "\r\n", "\n\n",    NULL };
static const char *const fields[] = { "text", "meta.body", "a.b.c", "a..b", ".", "" };

static void take_line(struct fuzz *f, const unsigned char *line, int64_t n)
{
    static struct text scratch;
    const unsigned char *text;
    int64_t bytes;
    scratch.length = 0;
    status_clear();
    const enum status s = format_jsonl.text(fields[fuzz_below(f, sizeof fields / sizeof *fields)], line, n, &scratch, &text, &bytes);
    FUZZ_CHECK(f, s == ST_OK || s == ST_DATA);
    FUZZ_CHECK(f, s == ST_OK || status_text()[0] != '\0');
    if (s == ST_OK) FUZZ_CHECK(f, bytes >= 0 && bytes <= n && utf8_check(text, bytes).bad == 0);
}

static void read_file(struct fuzz *f, const unsigned char *bytes, size_t n)
{
    FILE *const file = fopen(path, "wb");
    FUZZ_CHECK(f, file != NULL && fwrite(bytes, 1, n, file) == n);
    (void)fclose(file);
    const struct input in = { .path = path, .format = &format_jsonl, .bytes = (int64_t)n };
    struct reader *whole, *parts;
    struct record a, b;
    bool found, more, ends = false;
    FUZZ_CHECK(f, reader_open(&in, NULL, 0, &whole) == ST_OK && reader_open(&in, NULL, 0, &parts) == ST_OK);
    const int64_t range = 1 + (int64_t)fuzz_below(f, n + 8);
    for (int64_t k = 0; !ends; k++) {
        FUZZ_CHECK(f, reader_range(parts, k * range, (k + 1) * range) == ST_OK);
        for (;;) {
            FUZZ_CHECK(f, reader_next(parts, &a, &found) == ST_OK);
            if (!found) break;
            FUZZ_CHECK(f, reader_next(whole, &b, &more) == ST_OK && more);
            FUZZ_CHECK(f, a.place == b.place && a.n == b.n && memcmp(a.bytes, b.bytes, (size_t)a.n) == 0);
            take_line(f, a.bytes, a.n);
        }
        FUZZ_CHECK(f, reader_ends(parts, &ends) == ST_OK);
    }
    FUZZ_CHECK(f, reader_next(whole, &b, &more) == ST_OK && !more);
    reader_close(whole);
    reader_close(parts);
}

static void one(struct fuzz *f)
{
    unsigned char bytes[8192];
    size_t n = 0;
    const uint64_t lines = 1 + fuzz_below(f, 4);
    for (uint64_t i = 0; i < lines; i++) {
        const char *const seed = seeds[fuzz_below(f, sizeof seeds / sizeof *seeds)];
        memcpy(bytes + n, seed, strlen(seed));
        n += strlen(seed);
        if (lines > 1) bytes[n++] = '\n';
    }
    n = fuzz_damage(f, bytes, n, sizeof bytes, words);
    if (lines == 1)
        take_line(f, bytes, (int64_t)n);
    else
        read_file(f, bytes, n);
}

int main(int argc, char **argv)
{
    const int fd = mkstemps(path, 6);
    if (fd < 0) return EXIT_FAILURE;
    (void)close(fd);
    const int code = fuzz_main(argc, argv, "jsonl", one);
    (void)unlink(path);
    return code;
}
