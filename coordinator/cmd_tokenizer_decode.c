/* lamina tokenizer decode: ids to text. */
#include "coordinator/private.h"
#include "coordinator/tokenizer_files.h"
#include "coordinator/utf8.h"
#include <string.h>

static const struct option_row decode_options[] = {
    TOKENIZER_ROW,
    { .name = "lines", .type = OPTION_FLAG, .help = "each line of ids is a document, and becomes a line of text" },
    { .name = "ends", .type = OPTION_FLAG, .help = "write the text of the id that ends documents too, where it has one" },
    { 0 },
};

enum { PART_BYTES = 1 << 16, WORD_BYTES = 24 };

struct decode {
    const char *name;
    struct decoder decoder;
    bool lines;
    struct text out;
    char word[WORD_BYTES]; /* the id that is being read */
    size_t n_word;
    int64_t line;
};

static enum status take_word(struct decode *d)
{
    int64_t id;
    if (d->n_word == 0) return ST_OK;
    d->word[d->n_word] = '\0';
    d->n_word = 0;
    if (str_to_i64(d->word, &id) != ST_OK)
        FAIL(ST_DATA, "%s:%lld: '%s' is no id: whole numbers are expected", d->name, (long long)d->line, d->word);
    const struct tokenizer *const t = d->decoder.tokenizer;
    if (id < 0 || id >= t->vocab)
        FAIL(ST_DATA, "%s:%lld: %lld is no token of %s: they are 0 to %lld", d->name, (long long)d->line, (long long)id, t->name,
             (long long)t->vocab - 1);
    return decoder_add(&d->decoder, &(int32_t){ (int32_t)id }, 1, &d->out);
}

static enum status take_character(struct decode *d, char c)
{
    const bool between = c != '\0' && strchr(" \t\r\n,[]", c) != NULL; /* as encode writes them, also as JSON */
    if (!between) {
        if (d->n_word == WORD_BYTES - 1) FAIL(ST_DATA, "%s:%lld: '%.*s...' is no id", d->name, (long long)d->line, (int)d->n_word, d->word);
        d->word[d->n_word++] = c;
        return ST_OK;
    }
    TRY(take_word(d));
    if (c != '\n') return ST_OK;
    d->line++;
    if (!d->lines) return ST_OK;
    text_add_bytes(&d->out, "\n", 1);
    d->decoder.inside = false;
    return ST_OK;
}

/* What was made goes out, but for the beginning of a character. */
static enum status write_whole(struct decode *d)
{
    char rest[4];
    const size_t whole = d->out.length > 0 ? utf8_complete(d->out.data, d->out.length) : 0, n = d->out.length - whole;
    if (n > 0) memcpy(rest, d->out.data + whole, n);
    d->out.length = whole;
    TRY(tokenizer_write(&d->out));
    text_add_bytes(&d->out, rest, n);
    return ST_OK;
}

static enum status decode_all(struct decode *d, FILE *file)
{
    char part[PART_BYTES];
    size_t n;
    while ((n = fread(part, 1, sizeof part, file)) > 0) {
        for (size_t i = 0; i < n; i++) TRY(take_character(d, part[i]));
        TRY(write_whole(d));
    }
    TRY(take_word(d));
    return tokenizer_write(&d->out);
}

static enum status decode_file(const struct options *options, const struct tokenizer *t, FILE *file, const char *name)
{
    struct decode d = { .name = name,
                        .decoder = { .tokenizer = t, .ends_too = option_flag(options, "ends") },
                        .lines = option_flag(options, "lines"),
                        .line = 1 };
    const enum status s = decode_all(&d, file);
    text_free(&d.out);
    return s;
}

static enum status decode_run(const struct options *options) { return tokenizer_files(options, decode_file); }

const struct command command_tokenizer_decode = {
    .name = "tokenizer decode",
    .group = "things",
    .summary = "Turn token ids into text",
    .rules = { .rows = decode_options, .least = 0, .most = -1, .usage = "[FILE ...] [options]" },
    .notes =
        "Without a FILE, or for -, stdin is read: ids with spaces, commas, brackets or line ends between them. The bytes come out as the\n"
        "tokens have them, as fast as ids come in, and never end inside a character that the next id completes.",
    .example = "lamina tokenizer decode --tokenizer tokenizer.json ids.txt",
    .local = decode_run,
};
