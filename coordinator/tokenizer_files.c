#include "tokenizer_files.h"
#include <errno.h>
#include <string.h>

enum status tokenizer_write(struct text *out)
{
    const size_t n = out->length;
    out->length = 0;
    if (n > 0 && fwrite(out->data, 1, n, stdout) != n) FAIL(ST_IO, "the output cannot be written: %s", strerror(errno));
    return ST_OK;
}

static enum status go_through(const struct options *options, const struct tokenizer *t, const char *path, tokenizer_file_fn each)
{
    const bool standard = strcmp(path, "-") == 0;
    FILE *const f = standard ? stdin : fopen(path, "rb");
    if (f == NULL) FAIL(ST_DATA, "%s: cannot be opened: %s", path, strerror(errno));
    enum status s = each(options, t, f, standard ? "stdin" : path);
    if (s == ST_OK && ferror(f)) s = status_fail(ST_DATA, __FILE__, __LINE__, "%s: cannot be read: %s", path, strerror(errno));
    if (!standard) (void)fclose(f);
    return s;
}

static enum status all_files(const struct options *options, const struct tokenizer *t, tokenizer_file_fn each)
{
    if (options->n_operands == 0) return go_through(options, t, "-", each);
    for (int i = 0; i < options->n_operands; i++) TRY(go_through(options, t, options->operand[i], each));
    return ST_OK;
}

enum status tokenizer_files(const struct options *options, tokenizer_file_fn each)
{
    struct arena arena;
    struct tokenizer t = { 0 };
    arena_open_growing(&arena, "tokenizer");
    enum status s = tokenizer_open(&arena, option_text(options, "tokenizer"), &t);
    if (s == ST_OK) s = all_files(options, &t, each);
    tokenizer_close(&t);
    arena_close(&arena);
    return s;
}
