#include "building.h"
#include "common/base/log.h"
#include "common/store/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1500 };

static char *inside(const struct setting *s, const char *name, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/%s", s->folder, name);
    return out;
}

/* The lock is the kernel's, so that it goes with its process, however that ends. A file that was removed between opening and locking (the
 * other build succeeded) is no lock. */
static enum status take_lock(const struct setting *s, int *lock)
{
    char path[PATH_BYTES];
    struct stat held, named;
    for (;;) {
        TRY(folder_make(s->folder));
        if (lstat(s->folder, &named) == 0 && !S_ISDIR(named.st_mode)) /* what does not belong to a build is removed from its folder */
            FAIL(ST_IO, "%s: is a link, and a build works in a folder of its own: remove it", s->folder);
        *lock = open(inside(s, "lock", path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (*lock < 0 && errno == ENOENT) continue; /* the folder was removed just now */
        if (*lock < 0) FAIL(ST_IO, "%s: cannot be created: %s", path, strerror(errno));
        const int code = flock(*lock, LOCK_EX | LOCK_NB);
        if (code == 0 && fstat(*lock, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) return ST_OK;
        const bool busy = code != 0 && errno == EWOULDBLOCK;
        const bool no_locks = code != 0 && !busy; /* a file system that has none: two builds at one time are then the user's care */
        if (no_locks) return ST_OK;
        (void)close(*lock);
        *lock = -1;
        if (busy) FAIL(ST_BUSY, "%s: another process builds %s at this moment", s->folder, s->options->out);
    }
}

static bool read_settings(const char *path, char out[DIGEST_HEX])
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, DIGEST_HEX - 1);
    if (fd >= 0) (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n == DIGEST_HEX - 1;
}

/* All but the lock. */
static enum status clear(const struct setting *s)
{
    char path[PATH_BYTES];
    DIR *const d = opendir(s->folder);
    if (d == NULL) FAIL(ST_IO, "%s: cannot be read: %s", s->folder, strerror(errno));
    enum status status = ST_OK;
    for (const struct dirent *e = readdir(d); e != NULL && !status; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lock") == 0) continue;
        if (unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT)
            status = status_fail(ST_IO, __FILE__, __LINE__, "%s: cannot be removed: %s", inside(s, e->d_name, path), strerror(errno));
    }
    (void)closedir(d);
    return status;
}

static enum status compare_settings(const struct setting *s)
{
    char path[PATH_BYTES], before[DIGEST_HEX], now[DIGEST_HEX];
    const bool known = read_settings(inside(s, "settings", path), before);
    if (known && strcmp(before, digest_hex(s->digest, now)) == 0) return ST_OK;
    if (building_holds_segments(s))
        log_note("%s: holds part of a build with other settings; it is removed, and this one begins anew", s->folder);
    TRY(clear(s));
    return file_replace(path, digest_hex(s->digest, now), DIGEST_HEX - 1);
}

/* What would else be told when all is encoded. */
static enum status check_place(const char *path)
{
    char folder[PATH_BYTES];
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) FAIL(ST_IO, "%s: is there, and no plain file that could be replaced", path);
    if (access(folder_of(path, folder, sizeof folder), W_OK) != 0) FAIL(ST_IO, "%s: cannot be written to: %s", folder, strerror(errno));
    return ST_OK;
}

enum status building_open(const struct setting *s, int *lock)
{
    *lock = -1;
    TRY(take_lock(s, lock));
    TRY(check_place(s->options->out));
    if (s->n_sides > 1) TRY(check_place(s->options->valid_out));
    return compare_settings(s);
}

bool building_holds_segments(const struct setting *s)
{
    DIR *const d = opendir(s->folder);
    bool holds = false;
    for (const struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL && !holds; e = readdir(d)) {
        const size_t n = strlen(e->d_name);
        holds = n > 4 && strcmp(e->d_name + n - 4, ".seg") == 0;
    }
    if (d != NULL) (void)closedir(d);
    return holds;
}

enum status building_remove(const struct setting *s) { return folder_remove(s->folder); }

void building_close(int lock)
{
    if (lock >= 0) (void)close(lock);
}
