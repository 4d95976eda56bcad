#include "run_folder.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum status join(char out[PATH_BYTES], const char *folder, const char *name)
{
    if (snprintf(out, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES) FAIL(ST_IO, "%s/%s: the path is too long", folder, name);
    return ST_OK;
}

enum status run_folder_at(const char *path, struct run_folder *out)
{
    TRY(file_absolute(path, out->path, sizeof out->path));
    TRY(join(out->config, out->path, "config.yaml"));
    TRY(join(out->run_json, out->path, "run.json"));
    TRY(join(out->metrics, out->path, "metrics.jsonl"));
    TRY(join(out->events, out->path, "events.jsonl"));
    TRY(join(out->checkpoints, out->path, "ckpt"));
    return join(out->log, out->path, "log");
}

enum status run_folder_of(const struct config *config, struct run_folder *out)
{
    char path[PATH_BYTES];
    TRY(join(path, config->run.folder, config->run.name));
    return run_folder_at(path, out);
}

enum status run_folder_make(const struct run_folder *f)
{
    TRY(folder_make(f->checkpoints));
    return folder_make(f->log);
}

enum status run_folder_aside(const struct run_folder *f, char to[PATH_BYTES])
{
    char when[32];
    const time_t now = time(NULL);
    struct tm utc;
    (void)strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    for (int i = 1; i < 100; i++) {
        char suffix[8] = "";
        if (i > 1) (void)snprintf(suffix, sizeof suffix, "-%d", i);
        if (snprintf(to, PATH_BYTES, "%s.old-%s%s", f->path, when, suffix) >= PATH_BYTES) FAIL(ST_IO, "%s: the path is too long", f->path);
        if (file_exists(to)) continue;
        if (rename(f->path, to) != 0) FAIL(ST_IO, "%s: cannot be moved to %s: %s", f->path, to, strerror(errno));
        return ST_OK;
    }
    FAIL(ST_IO, "%s: too many older runs of this second", f->path);
}

static enum status make_absolute(char text[FIELD_TEXT_MAX])
{
    char path[FIELD_TEXT_MAX];
    TRY(file_absolute(text, path, sizeof path));
    memcpy(text, path, sizeof path);
    return ST_OK;
}

enum status run_folder_absolute(struct config *c)
{
    TRY(make_absolute(c->run.folder));
    for (int i = 0; i < c->data.n_train; i++) TRY(make_absolute(c->data.train[i].path));
    for (int i = 0; i < c->data.n_valid; i++) TRY(make_absolute(c->data.valid[i].path));
    return file_exists(c->tokenizer) ? make_absolute(c->tokenizer) : ST_OK; /* a word such as `bytes` names no file */
}
