#include "bench_tokenizer.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/data/tokenizer.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t text_most = 64000000;

struct times {
    int64_t bytes, tokens;
    double seconds; /* of the best pass */
};

static enum status encode_once(const struct tokenizer *t, const unsigned char *text, size_t n, struct ids *ids, struct times *best)
{
    struct encoder *encoder;
    ids->n = 0;
    TRY(encoder_open(t, &encoder));
    const double begin = clock_thread_seconds();
    const enum status s = encoder_add(encoder, text, (int64_t)n, ids);
    const double seconds = clock_thread_seconds() - begin;
    encoder_close(encoder);
    TRY(s);
    *best = (struct times){ .bytes = (int64_t)n,
                            .tokens = ids->n,
                            .seconds = best->seconds > 0 && best->seconds < seconds ? best->seconds : seconds };
    return ST_OK;
}

static enum status encode_file(const struct tokenizer *t, const char *path, int64_t passes, struct times *best)
{
    struct ids ids = { 0 };
    FILE *const f = fopen(path, "rb");
    if (f == NULL) FAIL(ST_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    unsigned char *const text = malloc(text_most);
    const size_t n = text != NULL ? fread(text, 1, text_most, f) : 0;
    enum status s = n > 0 ? ST_OK : status_fail(ST_DATA, __FILE__, __LINE__, "%s: has no text that can be read", path);
    (void)fclose(f);
    for (int64_t i = 0; i < passes && s == ST_OK; i++) s = encode_once(t, text, n, &ids, best);
    ids_close(&ids);
    free(text);
    return s;
}

static void print(const struct tokenizer *t, const char *path, const struct times *best, bool json)
{
    const double rate = (double)best->bytes / best->seconds, length = (double)best->bytes / (double)best->tokens;
    char bytes[32], tokens[32];
    if (!json) {
        (void)printf("%s on %s (%s bytes, %s tokens, %.2f bytes each): %.1f MB/s per core\n", t->name, path,
                     str_count(bytes, sizeof bytes, best->bytes), str_count(tokens, sizeof tokens, best->tokens), length, 1e-6 * rate);
        return;
    }
    json_t *const o = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f}", "tokenizer", t->name, "text", path, "bytes", (json_int_t)best->bytes,
                                "tokens", (json_int_t)best->tokens, "seconds", best->seconds, "bytes_per_second", rate);
    char *const line = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    CHECK(line != NULL);
    (void)printf("%s\n", line);
    free(line);
    json_decref(o);
}

enum status bench_tokenizer(const char *tokenizer, const char *text, int64_t passes, bool json)
{
    struct arena arena;
    struct tokenizer t = { 0 };
    struct times best = { 0 };
    arena_open_growing(&arena, "bench");
    enum status s = tokenizer_open(&arena, tokenizer, &t);
    if (s == ST_OK) s = encode_file(&t, text, passes, &best);
    if (s == ST_OK) print(&t, text, &best, json);
    tokenizer_close(&t);
    arena_close(&arena);
    return s;
}
