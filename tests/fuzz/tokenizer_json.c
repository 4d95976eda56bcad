/* A tokenizer.json, damaged: it is refused with a sentence, or it opens, and then any bytes are encoded (or refused with a sentence) to ids
 * in its vocabulary, and a byte-level one that alters no text gives them back. */
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/bpe.h"
#include "common/data/tokenizers/byte_letters.h"
#include "tests/support/fuzz.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/lamina-fuzz-XXXXXX.json";
static struct text seeds[3];
static const char *const words[] = { "\"Sequence\"",
                                     "\"pretokenizers\"",
                                     "[[[[[[[[",
                                     "]]]]",
                                     "\"a\", ",
                                     "\"merges\": [",
                                     "2147483647",
                                     "-1",
                                     "99999999999999999999",
                                     "\"Regex\"",
                                     "(?=a)|",
                                     "\\\\p{L}+",
                                     "\"normalizer\"",
                                     "\"NFKC\"",
                                     "\"Lowercase\"",
                                     "true",
                                     "null",
                                     "\"Isolated\"",
                                     "\"Removed\"",
                                     "\"content\": ",
                                     "\\u2581",
                                     "\"Metaspace\"",
                                     "\"byte_fallback\"",
                                     "(a+)+",
                                     NULL };
static const char *const texts[] = { "",
                                     "the theme",
                                     "a\xff\xc3\xa9 \xe2\x96\x81 12  \r\n",
                                     "<|endoftext|>the<|endoftext",
                                     "\xe0\x80\x80\xf0\x9f\x98\x80",
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

static const char *const parts[] = {
    "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"decoder\": {\"type\": \"ByteLevel\"}",
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Replace\", \"pattern\": {\"Regex\": "
    "\"[ab]+\"}, "
    "\"content\": \"c\"}]}, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "
    "\"\\\\p{N}{1,3}| ?\\\\p{L}+|\\\\s+(?!\\\\S)\"}, \"behavior\": \"MergedWithNext\", \"invert\": false}, {\"type\": \"Digits\", "
    "\"individual_digits\": true}, {\"type\": \"ByteLevel\", \"use_regex\": false}]}, \"decoder\": {\"type\": \"ByteLevel\"}",
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"\\u2581\"}, {\"type\": \"Replace\", "
    "\"pattern\": {\"String\": \" \"}, \"content\": \"\\u2581\"}]}, \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": "
    "\"\\u2581\", "
    "\"prepend_scheme\": \"first\"}, \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": "
    "{\"String\": "
    "\"\\u2581\"}, \"content\": \" \"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]}",
};

/* All byte letters where bytes are the symbols; else a few characters, and one for what is unknown. */
static void make_seed(int k, struct text *out)
{
    text_add(out,
             "{\"added_tokens\": [{\"id\": 300, \"content\": \"<|endoftext|>\", \"special\": true}, {\"id\": 301, \"content\": \"me\", "
             "\"lstrip\": true, \"single_word\": true}], %s, \"model\": {\"type\": \"BPE\", \"fuse_unk\": true, \"ignore_merges\": %s, ",
             parts[k], k == 1 ? "true" : "false");
    text_add(out, "\"unk_token\": \"e\", \"vocab\": {\"th\": 270, \"the\": 271, \"aa\": 272");
    for (int byte = 0; byte < 256; byte++) {
        const uint32_t c = byte_letter((unsigned char)byte);
        if (k < 2 || (c >= 'a' && c <= 'z')) text_add(out, ", \"\\u%04x\": %d", c, byte);
    }
    text_add(out, "}, \"merges\": [\"t h\", [\"th\", \"e\"], \"a a\"]}}");
}

static void use(struct fuzz *f, const struct tokenizer *t)
{
    const struct bpe *const b = t->state;
    const char *const text = texts[fuzz_below(f, sizeof texts / sizeof *texts)];
    const bool whole = b->model.byte_level && b->model.n_normalizer == 0 && b->model.n_split == 1 &&
                       b->model.split[0].kind == SPLIT_MATCH && b->model.split[0].behaviour != SPLIT_REMOVED && b->model.unknown < 0;
    struct encoder *e;
    struct ids ids = { 0 };
    struct text back = { 0 };
    FUZZ_CHECK(f, encoder_open(t, &e) == ST_OK);
    const enum status s = encoder_add(e, (const unsigned char *)text, (int64_t)strlen(text), &ids);
    FUZZ_CHECK(f, s == ST_OK || (s == ST_DATA && status_text()[0] != '\0'));
    for (int64_t i = 0; i < ids.n; i++) FUZZ_CHECK(f, ids.id[i] >= 0 && ids.id[i] < t->vocab);
    struct decoder d = { .tokenizer = t, .ends_too = true };
    FUZZ_CHECK(f, decoder_add(&d, ids.id, ids.n, &back) == ST_OK);
    bool strips = false;
    for (int64_t i = 0; i < b->model.n_added; i++) strips = strips || b->model.added[i].lstrip || b->model.added[i].rstrip;
    if (s == ST_OK && whole && !strips)
        FUZZ_CHECK(f, back.length == strlen(text) && (back.length == 0 || memcmp(back.data, text, back.length) == 0));
    text_free(&back);
    ids_close(&ids);
    encoder_close(e);
}

static void open_file(struct fuzz *f, const unsigned char *bytes, size_t n, bool valid)
{
    struct arena arena;
    struct tokenizer t;
    const int fd = open(path, O_WRONLY | O_TRUNC);
    FUZZ_CHECK(f, fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    (void)close(fd);
    arena_open_growing(&arena, "fuzz");
    status_clear();
    const enum status s = tokenizer_open(&arena, path, &t);
    FUZZ_CHECK(f, s == ST_OK || (!valid && s == ST_DATA && strstr(status_text(), path) != NULL));
    if (s == ST_OK) use(f, &t);
    if (s == ST_OK) tokenizer_close(&t);
    arena_close(&arena);
}

static void one(struct fuzz *f)
{
    static unsigned char bytes[1 << 16];
    const struct text *const seed = &seeds[fuzz_below(f, 3)];
    memcpy(bytes, seed->data, seed->length);
    const size_t n = fuzz_damage(f, bytes, seed->length, sizeof bytes, words);
    open_file(f, bytes, n, n == seed->length && memcmp(bytes, seed->data, n) == 0);
}

int main(int argc, char **argv)
{
    const struct normalize_step needs[] = { { .kind = NORMALIZE_NFC }, { .kind = NORMALIZE_REPLACE, .pattern = "a", .content = "" } };
    struct normalizer *n;
    if (normalizer_open(needs, 2, &n) == ST_LAUNCH) return 77; /* built without utf8proc or PCRE2 */
    normalizer_close(n);
    const int fd = mkstemps(path, 5);
    if (fd < 0) return EXIT_FAILURE;
    (void)close(fd);
    for (int k = 0; k < 3; k++) {
        make_seed(k, &seeds[k]);
        open_file(&(struct fuzz){ 0 }, (const unsigned char *)seeds[k].data, seeds[k].length, true);
    }
    const int code = fuzz_main(argc, argv, "tokenizer_json", one);
    for (int k = 0; k < 3; k++) text_free(&seeds[k]);
    (void)unlink(path);
    return code;
}
