#include "publish.h"
#include "blocks.h"
#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "folder.h"
#include "manifest.h"
#include "state.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_DIGITS = 8, NAME_BYTES = 48 };

/* --- names ------------------------------------------------------------------------------------------------------------- */

static char *step_folder(const char *ckpt, int64_t step, const char *suffix, char out[H5_PATH])
{
    CHECK(snprintf(out, H5_PATH, "%s/step-%0*" PRId64 "%s", ckpt, STEP_DIGITS, step, suffix) < H5_PATH - NAME_BYTES);
    return out;
}

char *publish_path(const char *ckpt, int64_t step, enum publish_place place, char out[H5_PATH])
{
    (void)step_folder(ckpt, step, place == PUBLISH_TEMPORARY ? ".tmp" : "", out);
    (void)snprintf(out + strlen(out), NAME_BYTES, "/state.h5");
    return out;
}

static char *inside(const char *folder, const char *name, char out[H5_PATH])
{
    CHECK(snprintf(out, H5_PATH, "%s/%s", folder, name) < H5_PATH);
    return out;
}

/* step-N with the digits we would print: nothing else is a checkpoint. */
static bool parse_name(const char *name, int64_t *step)
{
    static const char head[] = "step-";
    const size_t skip = sizeof head - 1, n = strlen(name);
    char again[NAME_BYTES];
    if (strncmp(name, head, skip) != 0 || n < skip + STEP_DIGITS || n > skip + 18) return false;
    for (const char *c = name + skip; *c; c++)
        if (!isdigit((unsigned char)*c)) return false;
    *step = strtoll(name + skip, NULL, 10);
    (void)snprintf(again, sizeof again, "step-%0*" PRId64, STEP_DIGITS, *step);
    return strcmp(again, name) == 0;
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static enum status begin(const char *ckpt, int64_t step)
{
    char temporary[H5_PATH], old[H5_PATH];
    if (strlen(ckpt) + NAME_BYTES >= H5_PATH - NAME_BYTES) FAIL(ST_IO, "the path %.60s... is too long for a checkpoint", ckpt);
    TRY(folder_remove(step_folder(ckpt, step, ".tmp", temporary)));
    TRY(folder_remove(step_folder(ckpt, step, ".old", old)));
    TRY(folder_make(ckpt));
    if (mkdir(temporary, 0777) != 0) FAIL(ST_IO, "%s: cannot be created: %s", temporary, strerror(errno)); /* never one that is there */
    return ST_OK;
}

enum status publish_begin(const struct comm *comm, const char *ckpt, int64_t step)
{
    TRY_ALL(comm, comm_rank(comm) == 0 ? begin(ckpt, step) : ST_OK);
    return ST_OK;
}

/* Where each dataset stands. Opening the file is also the proof that it can be. */
static enum status list_datasets(struct arena *arena, const char *path, struct manifest *m)
{
    struct state *st;
    TRY(state_open(path, &st));
    m->n_datasets = state_count(st);
    m->dataset = arena_place_n(arena, (size_t)m->n_datasets + 1, sizeof *m->dataset);
    for (int i = 0; i < m->n_datasets; i++) {
        const struct state_entry *const e = state_entry(st, i);
        m->dataset[i] = (struct manifest_dataset){ .name = arena_strdup(arena, e->name), .offset = e->offset, .bytes = e->bytes };
    }
    state_close(st);
    return ST_OK;
}

static enum status write_manifest(struct arena *arena, const char *folder, struct manifest *m)
{
    char path[H5_PATH];
    TRY(list_datasets(arena, inside(folder, "state.h5", path), m));
    struct text text = { 0 };
    manifest_print(m, &text);
    const enum status s = file_replace(inside(folder, "manifest.json", path), text.data, text.length);
    text_free(&text);
    return s;
}

/* Rename, and only then is it a checkpoint. One of the same step steps aside first: rename does not replace a folder with files. */
static enum status rename_into_place(const char *ckpt, int64_t step)
{
    char temporary[H5_PATH], final[H5_PATH], old[H5_PATH], hint[H5_PATH], name[NAME_BYTES];
    (void)step_folder(ckpt, step, ".tmp", temporary);
    (void)step_folder(ckpt, step, "", final);
    (void)step_folder(ckpt, step, ".old", old);
    TRY(fault_here(FAULT_save_publish));
    if (rename(final, old) != 0 && errno != ENOENT) FAIL(ST_IO, "%s: cannot be renamed: %s", final, strerror(errno));
    if (rename(temporary, final) != 0) FAIL(ST_IO, "%s: cannot be renamed to %s: %s", temporary, final, strerror(errno));
    TRY(file_sync(ckpt));
    TRY(folder_remove(old));
    const int n = snprintf(name, sizeof name, "step-%0*" PRId64 "\n", STEP_DIGITS, step);
    return file_replace(inside(ckpt, "latest", hint), name, (size_t)n);
}

static enum status file_bytes(const char *path, enum status bad, int64_t *bytes)
{
    struct stat info;
    if (stat(path, &info) != 0) FAIL(bad, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size <= 0) FAIL(bad, "%s: is empty or not a plain file", path);
    *bytes = (int64_t)info.st_size;
    return ST_OK;
}

static enum status digest_state(const struct comm *comm, struct arena *arena, const char *path, struct manifest *m)
{
    TRY_ALL(comm, comm_rank(comm) == 0 ? file_bytes(path, ST_IO, &m->bytes) : ST_OK);
    TRY(comm_broadcast(comm, COMM_CONTROL, &m->bytes, sizeof m->bytes, 0));
    m->n_blocks = manifest_blocks(m->bytes);
    m->block = arena_place_n(arena, (size_t)m->n_blocks, sizeof *m->block);
    TRY_ALL(comm, fault_here(FAULT_save_digest));
    return blocks_digest(comm, path, ST_IO, m->bytes, m->block);
}

static enum status commit(const struct comm *comm, struct arena *arena, const char *ckpt, int64_t step)
{
    char folder[H5_PATH], path[H5_PATH];
    struct manifest m = { .step = step };
    (void)step_folder(ckpt, step, ".tmp", folder);
    TRY(digest_state(comm, arena, inside(folder, "state.h5", path), &m));
    TRY_ALL(comm, comm_rank(comm) == 0 ? write_manifest(arena, folder, &m) : ST_OK);
    TRY_ALL(comm, comm_rank(comm) == 0 ? rename_into_place(ckpt, step) : ST_OK);
    return ST_OK;
}

enum status publish_commit(const struct comm *comm, const char *ckpt, int64_t step)
{
    struct arena arena;
    arena_open_growing(&arena, "manifest");
    const enum status s = commit(comm, &arena, ckpt, step);
    arena_close(&arena);
    return s;
}

void publish_discard(const struct comm *comm, const char *ckpt, int64_t step)
{
    char folder[H5_PATH], path[H5_PATH];
    if (comm_rank(comm) != 0) return;
    (void)step_folder(ckpt, step, ".tmp", folder);
    static const char *const files[] = { "state.h5", "manifest.json", "manifest.json.tmp" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) (void)unlink(inside(folder, files[i], path));
    (void)rmdir(folder);
}

/* --- reading ----------------------------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

enum status publish_list(struct arena *arena, const char *ckpt, int64_t **steps, int *n)
{
    *steps = NULL;
    *n = 0;
    DIR *const folder = opendir(ckpt);
    if (folder == NULL && errno == ENOENT) return ST_OK;
    if (folder == NULL) FAIL(ST_IO, "%s: cannot be listed: %s", ckpt, strerror(errno));
    int64_t step;
    int count = 0;
    for (const struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) count += parse_name(e->d_name, &step);
    *steps = arena_place_n(arena, (size_t)count + 1, sizeof **steps);
    rewinddir(folder);
    for (const struct dirent *e = readdir(folder); e != NULL && *n < count; e = readdir(folder))
        if (parse_name(e->d_name, &step)) (*steps)[(*n)++] = step;
    (void)closedir(folder);
    if (*n > 0) qsort(*steps, (size_t)*n, sizeof **steps, newest_first);
    return ST_OK;
}

/* "weights/head.weight, adamw/m/head.weight and 3 more" */
static void name_datasets(const struct manifest *m, int64_t block, struct text *out)
{
    const int64_t begin = block * MANIFEST_BLOCK_BYTES, end = begin + MANIFEST_BLOCK_BYTES;
    int n = 0;
    for (int i = 0; i < m->n_datasets; i++) {
        const struct manifest_dataset *const d = &m->dataset[i];
        if (d->bytes == 0 || d->offset >= end || d->offset + d->bytes <= begin) continue;
        if (n++ < 3) text_add(out, "%s%.*s", n > 1 ? ", " : "", H5_NAME, d->name);
    }
    if (n > 3) text_add(out, " and %d more", n - 3);
    if (n == 0) text_add(out, "no dataset, but the file's own headers");
}

static enum status compare(const char *folder, const struct manifest *m, const struct digest128 found[])
{
    int64_t bad = 0, first = -1;
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (!digest_equal(found[i], m->block[i])) {
            if (bad++ == 0) first = i;
        }
    if (bad == 0) return ST_OK;
    struct text in = { 0 };
    name_datasets(m, first, &in);
    const enum status s = status_fail(ST_DAMAGED, __FILE__, __LINE__,
                                      "%s/state.h5: is damaged: %" PRId64 " of %" PRId64 " blocks of 4 MiB differ, first block %" PRId64
                                      " (from byte %" PRId64 "), which holds %s",
                                      folder, bad, m->n_blocks, first, first * MANIFEST_BLOCK_BYTES, in.data);
    text_free(&in);
    return s;
}

/* The manifest's text, read once and handed to all ranks. It has 40 bytes for 4 MiB of state.h5, and less for a dataset than its header has
 * there: one larger than its state is not parsed. */
static enum status load_manifest(const char *folder, const char *path, struct text *out)
{
    static const int64_t most = 64 << 20, always = 1 << 20; /* 64 MiB: a state of 6 TiB */
    char state[H5_PATH];
    int64_t bytes;
    TRY(file_bytes(inside(folder, "state.h5", state), ST_DAMAGED, &bytes));
    return file_load(path, ST_DAMAGED, bytes < most - always ? always + bytes : most, out);
}

static enum status share_manifest(const struct comm *comm, struct arena *arena, const char *folder, const char *path, char **text,
                                  size_t *n)
{
    struct text loaded = { 0 };
    const enum status s = comm_agree(comm, comm_rank(comm) == 0 ? load_manifest(folder, path, &loaded) : ST_OK);
    *n = loaded.length;
    enum status sent = s ? s : comm_broadcast(comm, COMM_CONTROL, n, sizeof *n, 0);
    if (!sent) {
        *text = arena_place(arena, *n + 1);
        if (comm_rank(comm) == 0 && *n > 0) memcpy(*text, loaded.data, *n);
        sent = comm_broadcast(comm, COMM_CONTROL, *text, *n, 0);
    }
    text_free(&loaded);
    return sent;
}

/* The bytes are as the manifest says, which whoever wrote them could also say: does the file hold what it lists, too? */
static enum status compare_lists(const char *path, const struct manifest *m, const struct state *st)
{
    for (int i = 0; i < m->n_datasets; i++) {
        const struct manifest_dataset *const d = &m->dataset[i];
        const struct state_entry *const e = state_find(st, d->name);
        if (e == NULL || e->offset != d->offset || e->bytes != d->bytes)
            FAIL(ST_DAMAGED, "%s: %s is not where its manifest says, or not there", path, d->name);
    }
    if (m->n_datasets != state_count(st))
        FAIL(ST_DAMAGED, "%s: holds %d datasets, and its manifest lists %d", path, state_count(st), m->n_datasets);
    return ST_OK;
}

static enum status compare_datasets(const char *path, const struct manifest *m)
{
    struct state *st;
    TRY(state_open(path, &st));
    const enum status s = compare_lists(path, m, st);
    state_close(st);
    return s;
}

/* A checkpoint that was copied elsewhere may have any name; one that is named as a step is of that step. */
static enum status check_step(const char *folder, const struct manifest *m)
{
    const char *const slash = strrchr(folder, '/');
    int64_t step;
    if (parse_name(slash != NULL ? slash + 1 : folder, &step) && step != m->step)
        FAIL(ST_DAMAGED, "%s/manifest.json: is of step %" PRId64 ", and the folder's name says another", folder, m->step);
    return ST_OK;
}

static enum status check_size(const char *path, const struct manifest *m)
{
    int64_t bytes;
    TRY(file_bytes(path, ST_DAMAGED, &bytes));
    if (bytes != m->bytes)
        FAIL(ST_DAMAGED, "%s: has %" PRId64 " bytes and should have %" PRId64 ": it was cut or overwritten", path, bytes, m->bytes);
    return ST_OK;
}

static enum status verify(const struct comm *comm, struct arena *arena, const char *folder)
{
    char path[H5_PATH], *text = NULL;
    size_t n = 0;
    struct manifest m;
    if (strlen(folder) + NAME_BYTES >= H5_PATH) FAIL(ST_DAMAGED, "the path %.60s... is too long for a checkpoint", folder);
    TRY(share_manifest(comm, arena, folder, inside(folder, "manifest.json", path), &text, &n));
    TRY_ALL(comm, manifest_parse(arena, path, text, n, &m));
    TRY(check_step(folder, &m)); /* equal on all ranks */
    TRY_ALL(comm, check_size(inside(folder, "state.h5", path), &m));
    struct digest128 *const found = arena_place_n(arena, (size_t)m.n_blocks, sizeof *found);
    TRY(blocks_digest(comm, path, ST_DAMAGED, m.bytes, found));
    TRY(compare(folder, &m, found)); /* equal on all ranks */
    TRY_ALL(comm, comm_rank(comm) == 0 ? compare_datasets(path, &m) : ST_OK);
    return ST_OK;
}

enum status publish_verify(const struct comm *comm, const char *folder)
{
    struct arena arena;
    arena_open_growing(&arena, "manifest");
    const enum status s = verify(comm, &arena, folder);
    arena_close(&arena);
    return s;
}

/* publish_list by rank 0, for all. */
static enum status list_all(const struct comm *comm, struct arena *arena, const char *ckpt, int64_t **steps, int *n)
{
    TRY_ALL(comm, comm_rank(comm) == 0 ? publish_list(arena, ckpt, steps, n) : ST_OK);
    TRY(comm_broadcast(comm, COMM_CONTROL, n, sizeof *n, 0));
    if (comm_rank(comm) != 0) *steps = arena_place_n(arena, (size_t)*n + 1, sizeof **steps);
    return *n > 0 ? comm_broadcast(comm, COMM_CONTROL, *steps, (size_t)*n * sizeof **steps, 0) : ST_OK;
}

static enum status newest(const struct comm *comm, struct arena *arena, const char *ckpt, int64_t *step)
{
    char folder[H5_PATH];
    int64_t *steps = NULL;
    int n = 0;
    *step = -1;
    TRY(list_all(comm, arena, ckpt, &steps, &n));
    for (int i = 0; i < n; i++) {
        const enum status s = publish_verify(comm, step_folder(ckpt, steps[i], "", folder));
        if (!s) {
            *step = steps[i];
            return ST_OK;
        }
        if (s != ST_DAMAGED) return status_trace(s, __FILE__, __LINE__);
        log_warn("checkpoint of step %" PRId64 " is passed over: %s", steps[i], status_text());
        status_clear();
    }
    if (n > 0) FAIL(ST_DAMAGED, "%s: holds %d checkpoints and none of them verifies; nothing is overwritten", ckpt, n);
    return ST_OK;
}

enum status publish_newest(const struct comm *comm, const char *ckpt, int64_t *step)
{
    struct arena arena;
    arena_open_growing(&arena, "checkpoints");
    const enum status s = newest(comm, &arena, ckpt, step);
    arena_close(&arena);
    return s;
}

/* --- removing ---------------------------------------------------------------------------------------------------------- */

/* First the name goes, so that a half removed checkpoint is never seen. */
static enum status remove_step(const char *ckpt, int64_t step)
{
    char final[H5_PATH], old[H5_PATH];
    TRY(folder_remove(step_folder(ckpt, step, ".old", old)));
    if (rename(step_folder(ckpt, step, "", final), old) != 0 && errno != ENOENT)
        FAIL(ST_IO, "%s: cannot be renamed: %s", final, strerror(errno));
    return folder_remove(old);
}

enum status publish_remove(const struct comm *comm, const char *ckpt, int64_t step)
{
    TRY_ALL(comm, comm_rank(comm) == 0 ? remove_step(ckpt, step) : ST_OK);
    return ST_OK;
}

static enum status retain(const struct comm *comm, struct arena *arena, const char *ckpt, int64_t keep, int64_t trusted)
{
    int64_t *steps = NULL, good = trusted;
    int n = 0;
    TRY(list_all(comm, arena, ckpt, &steps, &n));
    if (n <= keep) return ST_OK;
    if (good < 0) {
        const enum status s = newest(comm, arena, ckpt, &good);
        if (s == ST_DAMAGED) { /* none verifies: a person may still want any of them */
            status_clear();
            return ST_OK;
        }
        TRY(s);
    }
    for (int i = (int)keep; i < n; i++)
        if (steps[i] != good) TRY(publish_remove(comm, ckpt, steps[i]));
    return ST_OK;
}

enum status publish_retain(const struct comm *comm, const char *ckpt, int64_t keep, int64_t trusted)
{
    CHECK(keep >= 1);
    struct arena arena;
    arena_open_growing(&arena, "checkpoints");
    const enum status s = retain(comm, &arena, ckpt, keep, trusted);
    arena_close(&arena);
    return s;
}
