#include "tokenizer_copy.h"
#include "coordinator/file.h"
#include <stdio.h>
#include <string.h>

static const size_t copy_most = (size_t)512 << 20;

static enum status copy_at(const char *folder, char out[PATH_BYTES])
{
    if (snprintf(out, PATH_BYTES, "%s/tokenizer.json", folder) >= PATH_BYTES) FAIL(ST_IO, "%s: the path is too long", folder);
    return ST_OK;
}

/* Fails where the copy is another tokenizer than t. */
static enum status compare(struct arena *arena, const char *copy, const struct tokenizer *t)
{
    struct tokenizer kept;
    TRY(tokenizer_open(arena, copy, &kept));
    const bool same = digest_equal(kept.digest, t->digest);
    tokenizer_close(&kept);
    if (same) return ST_OK;
    FAIL(ST_CONFIG, "%s: is another tokenizer than the one that the run was trained with, which is kept in %s: give that one", t->name,
         copy);
}

enum status tokenizer_copy_keep(const char *run, const struct tokenizer *t)
{
    char copy[PATH_BYTES];
    struct text file = { 0 };
    if (!t->desc->of_file) return ST_OK;
    TRY(copy_at(run, copy));
    if (file_exists(copy)) {
        struct arena arena;
        arena_open_growing(&arena, "tokenizer");
        const enum status same = compare(&arena, copy, t);
        arena_close(&arena);
        return same;
    }
    enum status s = file_read(t->name, copy_most, &file);
    if (s == ST_OK) s = file_replace(copy, file.data, file.length);
    text_free(&file);
    return s;
}

/* RUN/ckpt/step-N has its run's copy in RUN; a checkpoint that was moved by itself may have one beside state.h5. */
static enum status find_copy(const char *checkpoint, char out[PATH_BYTES], bool *found)
{
    char folder[PATH_BYTES], up[PATH_BYTES];
    TRY(file_absolute(checkpoint, folder, sizeof folder));
    TRY(copy_at(folder_of(folder_of(folder, up, sizeof up), folder, sizeof folder), out));
    *found = file_exists(out);
    if (*found) return ST_OK;
    TRY(copy_at(checkpoint, out));
    *found = file_exists(out);
    return ST_OK;
}

enum status tokenizer_copy_open(const char *checkpoint, struct session *s)
{
    char copy[PATH_BYTES];
    bool found = false;
    if (tokenizer_of_file(s->config->tokenizer)) TRY(find_copy(checkpoint, copy, &found));
    if (found && !file_exists(s->config->tokenizer)) {
        if (snprintf(s->config->tokenizer, sizeof s->config->tokenizer, "%s", copy) >= (int)sizeof s->config->tokenizer)
            FAIL(ST_IO, "%s: the path is too long", copy);
        found = false;
    }
    TRY(session_tokenizer(s));
    return found ? compare(&s->arena, copy, &s->tokenizer) : ST_OK;
}
