#include "folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PATH_BYTES = 1300, CALL_BYTES = 1 << 30 }; /* one read or write moves at most 1 GiB */

enum status file_open(const char *path, enum status bad, int *fd, int64_t *bytes)
{
    struct stat info;
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* not to wait for the writer of a pipe */
    if (*fd < 0) FAIL(bad, "%s: cannot be opened: %s", path, strerror(errno));
    const bool plain = fstat(*fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!plain) {
        (void)close(*fd);
        *fd = -1;
        FAIL(bad, "%s: is not a plain file", path);
    }
    *bytes = (int64_t)info.st_size;
    return ST_OK;
}

static enum status load(int fd, const char *path, enum status bad, int64_t most, struct text *out)
{
    char part[1 << 14];
    for (;;) {
        const ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) FAIL(bad, "%s: cannot be read: %s", path, strerror(errno));
        if (n == 0) return ST_OK;
        if ((int64_t)out->length + n > most) FAIL(bad, "%s: is larger than %lld bytes", path, (long long)most);
        text_add_bytes(out, part, (size_t)n);
    }
}

enum status file_load(const char *path, enum status bad, int64_t most, struct text *out)
{
    int fd;
    int64_t bytes;
    TRY(file_open(path, bad, &fd, &bytes));
    const enum status s = bytes > most ? status_fail(bad, __FILE__, __LINE__, "%s: is larger than %lld bytes", path, (long long)most)
                                       : load(fd, path, bad, most, out);
    (void)close(fd);
    return s;
}

enum status file_make(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666); /* the user's umask decides */
    if (fd < 0) FAIL(ST_IO, "%s: cannot be created: %s", path, strerror(errno));
    (void)close(fd);
    return ST_OK;
}

static enum status check_free(const char *path, int64_t bytes)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0) FAIL(ST_IO, "%s: its free space is unknown: %s", path, strerror(errno));
    const double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize, needed = 1.1 * (double)bytes;
    if (free_bytes < needed)
        FAIL(ST_IO, "%s: %.0f MiB are needed (with a tenth to spare) and %.0f MiB are free", path, needed / 0x1p20, free_bytes / 0x1p20);
    return ST_OK;
}

enum status file_reserve(const char *path, int64_t bytes, bool *checked_only)
{
    *checked_only = false;
    const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    int error = 0;
    do /* not posix_fallocate: where the file system lacks it, glibc writes every block */
        error = fallocate(fd, 0, 0, (off_t)bytes) == 0 ? 0 : errno;
    while (error == EINTR);
    (void)close(fd);
    if (error == EOPNOTSUPP || error == ENOSYS) {
        *checked_only = true;
        return check_free(path, bytes);
    }
    if (error) FAIL(ST_IO, "%s: no space for %.1f MiB: %s", path, (double)bytes / 0x1p20, strerror(error));
    return ST_OK;
}

enum status file_trim(const char *path, int64_t bytes)
{
    struct stat info;
    if (stat(path, &info) != 0) FAIL(ST_IO, "%s: %s", path, strerror(errno));
    if (info.st_size < bytes) FAIL(ST_IO, "%s: has %lld of its %lld bytes", path, (long long)info.st_size, (long long)bytes);
    if (truncate(path, (off_t)bytes) != 0) FAIL(ST_IO, "%s: cannot be cut to its size: %s", path, strerror(errno));
    return ST_OK;
}

enum status file_sync(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: a folder on a file system that does not sync folders */
    (void)close(fd);
    if (error) FAIL(ST_IO, "%s: cannot be brought to the disk: %s", path, strerror(error));
    return ST_OK;
}

enum status file_write(int fd, const char *path, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n > 0) {
        const ssize_t done = write(fd, from, n < CALL_BYTES ? n : CALL_BYTES);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) FAIL(ST_IO, "%s: cannot be written: %s", path, strerror(errno));
        from += done;
        n -= (size_t)done;
    }
    return ST_OK;
}

enum status file_write_at(int fd, const char *path, int64_t offset, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n > 0) {
        const ssize_t done = pwrite(fd, from, n < CALL_BYTES ? n : CALL_BYTES, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) FAIL(ST_IO, "%s: cannot be written: %s", path, strerror(errno));
        from += done;
        n -= (size_t)done;
        offset += done;
    }
    return ST_OK;
}

enum status file_read_at(int fd, const char *path, enum status bad, int64_t offset, void *out, size_t n)
{
    char *to = out;
    while (n > 0) {
        const ssize_t done = pread(fd, to, n < CALL_BYTES ? n : CALL_BYTES, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) FAIL(bad, "%s: cannot be read: %s", path, strerror(errno));
        if (done == 0) FAIL(bad, "%s: ends at byte %lld, %zu bytes too early", path, (long long)offset, n);
        to += done;
        offset += done;
        n -= (size_t)done;
    }
    return ST_OK;
}

static enum status write_new(const char *path, const void *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be created: %s", path, strerror(errno));
    const enum status s = file_write(fd, path, bytes, n);
    (void)close(fd);
    TRY(s);
    return file_sync(path);
}

enum status file_replace(const char *path, const void *bytes, size_t n)
{
    char temporary[PATH_BYTES], folder[PATH_BYTES];
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    (void)unlink(temporary); /* of a process that died here */
    const enum status s = write_new(temporary, bytes, n);
    if (s) {
        (void)unlink(temporary);
        return status_trace(s, __FILE__, __LINE__);
    }
    if (rename(temporary, path) != 0) FAIL(ST_IO, "%s: cannot be renamed to %s: %s", temporary, path, strerror(errno));
    return file_sync(folder_of(path, folder, sizeof folder));
}

enum status folder_make(const char *path)
{
    char part[PATH_BYTES];
    const size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) FAIL(ST_IO, "the path '%.60s' is empty or too long", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) FAIL(ST_IO, "%s: cannot be created: %s", part, strerror(errno));
    }
    return ST_OK;
}

static enum status remove_files(DIR *folder, const char *path)
{
    for (const struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(folder), e->d_name, 0) != 0 && errno != ENOENT)
            FAIL(ST_IO, "%s/%s: cannot be removed: %s", path, e->d_name, strerror(errno));
    }
    return ST_OK;
}

enum status folder_remove(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return ST_OK;
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR) && unlink(path) == 0) return ST_OK;
    DIR *const folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) FAIL(ST_IO, "%s: cannot be removed: %s", path, strerror(errno));
    const enum status s = remove_files(folder, path);
    (void)closedir(folder);
    TRY(s);
    if (rmdir(path) != 0) FAIL(ST_IO, "%s: cannot be removed: %s", path, strerror(errno));
    return ST_OK;
}

char *folder_of(const char *path, char *out, size_t size)
{
    const char *const slash = strrchr(path, '/');
    const size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    (void)snprintf(out, size, "%.*s", n > 0 ? (int)n : 1, n > 0 ? path : ".");
    return out;
}
