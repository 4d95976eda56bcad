#include "input.h"
#include "common/base/check.h"
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, DEPTH_MOST = 100 };

/* Paths and facts, as they are found: the list grows, the paths live in the arena. */
struct search {
    struct arena *arena;
    const char *const *more_text;
    struct inputs found;
    int64_t cap;
};

static int64_t changed_ns(const struct stat *info) { return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec; }

static enum status add_file(struct search *s, const char *path, const struct stat *info, bool named)
{
    const struct format_desc *const format = format_of(path, s->more_text);
    char known[256];
    if (format == NULL && named)
        FAIL(ST_DATA, "%s: is none of %s; --text-ending takes further endings as plain text", path, format_names(known, sizeof known));
    if (format == NULL) {
        s->found.n_passed++;
        return ST_OK;
    }
    if (s->found.n == s->cap) {
        s->cap = max_i64(64, 2 * s->cap);
        s->found.file = realloc(s->found.file, (size_t)s->cap * sizeof *s->found.file);
        CHECK(s->found.file != NULL);
    }
    s->found.file[s->found.n++] = (struct input){
        .path = arena_strdup(s->arena, path), .format = format, .bytes = (int64_t)info->st_size, .changed_ns = changed_ns(info)
    };
    s->found.bytes += (int64_t)info->st_size;
    return ST_OK;
}

/* --- folders ----------------------------------------------------------------------------------------------------------- */

static enum status walk(struct search *s, const char *folder, int depth);

/* A link to a file counts as the file; one to a folder is passed over, as it may lead in a circle. */
static enum status walk_entry(struct search *s, const char *folder, const char *name, int depth)
{
    char path[PATH_BYTES];
    struct stat info;
    const size_t n = strlen(folder);
    if ((size_t)snprintf(path, sizeof path, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name) >= sizeof path)
        FAIL(ST_DATA, "the path %.60s...%.60s is longer than %d bytes", folder, name, PATH_BYTES - 1);
    if (lstat(path, &info) != 0) FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return walk(s, path, depth + 1);
    if (S_ISLNK(info.st_mode) && stat(path, &info) != 0) info.st_mode = 0; /* it leads nowhere */
    if (S_ISREG(info.st_mode)) return add_file(s, path, &info, false);
    s->found.n_passed++;
    return ST_OK;
}

static enum status walk(struct search *s, const char *folder, int depth)
{
    if (depth > DEPTH_MOST) FAIL(ST_DATA, "%s: is %d folders deep", folder, depth);
    DIR *const d = opendir(folder);
    if (d == NULL) FAIL(ST_DATA, "%s: cannot be read: %s", folder, strerror(errno));
    enum status status = ST_OK;
    for (const struct dirent *e = readdir(d); e != NULL && !status; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) status = walk_entry(s, folder, e->d_name, depth);
    (void)closedir(d);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct input *)a)->path, ((const struct input *)b)->path); /* bytes, whatever the locale */
}

static enum status add_folder(struct search *s, const char *folder)
{
    const int64_t before = s->found.n;
    char known[256];
    TRY(walk(s, folder, 0));
    const int64_t n = s->found.n - before;
    if (n == 0)
        FAIL(ST_DATA, "%s: holds no file that ends in %s (%lld others); --text-ending takes further endings as plain text", folder,
             format_names(known, sizeof known), (long long)s->found.n_passed);
    qsort(s->found.file + before, (size_t)n, sizeof *s->found.file, by_path);
    return ST_OK;
}

/* --- operands ---------------------------------------------------------------------------------------------------------- */

static enum status add_path(struct search *s, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return add_folder(s, path);
    if (!S_ISREG(info.st_mode)) FAIL(ST_DATA, "%s: is neither a plain file nor a folder", path);
    return add_file(s, path, &info, true);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum status add_matches(struct search *s, const char *pattern)
{
    glob_t found = { 0 };
    const int code = glob(pattern, GLOB_NOSORT, NULL, &found);
    enum status status = ST_OK;
    if (code == 0) {
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
        for (size_t i = 0; i < found.gl_pathc && !status; i++) status = add_path(s, found.gl_pathv[i]);
    }
    globfree(&found);
    if (code == GLOB_NOMATCH) FAIL(ST_DATA, "%s: no file matches this pattern", pattern);
    if (code != 0) FAIL(ST_DATA, "%s: this pattern cannot be followed: a folder is not readable, or memory is short", pattern);
    return status;
}

enum status inputs_find(struct arena *arena, const char *const *operands, int64_t n, const char *const *more_text, struct inputs *out)
{
    struct search s = { .arena = arena, .more_text = more_text };
    enum status status = ST_OK;
    for (int64_t i = 0; i < n && !status; i++) {
        struct stat info;
        const bool pattern = stat(operands[i], &info) != 0 && strpbrk(operands[i], "*?[") != NULL;
        status = pattern ? add_matches(&s, operands[i]) : add_path(&s, operands[i]);
    }
    *out = s.found;
    out->file = arena_place_n(arena, (size_t)s.found.n + 1, sizeof *out->file);
    if (s.found.n > 0) memcpy(out->file, s.found.file, (size_t)s.found.n * sizeof *out->file);
    free(s.found.file);
    return status;
}

enum status inputs_unchanged(const struct inputs *in)
{
    for (int64_t i = 0; i < in->n; i++) {
        struct stat info;
        if (stat(in->file[i].path, &info) != 0) FAIL(ST_DATA, "%s: went away while it was read: %s", in->file[i].path, strerror(errno));
        if ((int64_t)info.st_size != in->file[i].bytes || changed_ns(&info) != in->file[i].changed_ns)
            FAIL(ST_DATA, "%s: changed while it was read: build again when it stays as it is", in->file[i].path);
    }
    return ST_OK;
}
