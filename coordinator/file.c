#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static enum status write_all(int fd, const char *path, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) FAIL(ST_IO, "%s: cannot be written: %s", path, strerror(errno));
        bytes += written, n -= (size_t)written;
    }
    return ST_OK;
}

enum status file_replace(const char *path, const char *bytes, size_t n)
{
    char temporary[PATH_BYTES];
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary) FAIL(ST_IO, "%s: the path is too long", path);
    (void)unlink(temporary);
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be created: %s", temporary, strerror(errno));
    enum status s = write_all(fd, temporary, bytes, n);
    if (s == ST_OK && fsync(fd) != 0) s = status_fail(ST_IO, __FILE__, __LINE__, "%s: cannot be synced: %s", temporary, strerror(errno));
    (void)close(fd);
    TRY(s);
    if (rename(temporary, path) != 0) FAIL(ST_IO, "%s: cannot be put in place: %s", path, strerror(errno));
    return ST_OK;
}

enum status file_append(const char *path, const char *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const enum status s = write_all(fd, path, bytes, n);
    (void)close(fd);
    return s;
}

static enum status read_stream(FILE *f, const char *path, size_t most, struct text *out)
{
    char block[16384];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0) {
        if (out->length + n > most) FAIL(ST_IO, "%s: larger than %zu bytes", path, most);
        text_add_bytes(out, block, n);
    }
    if (ferror(f)) FAIL(ST_IO, "%s: cannot be read", path);
    return ST_OK;
}

enum status file_read(const char *path, size_t most, struct text *out)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) FAIL(ST_IO, "%s: %s", path, strerror(errno));
    const enum status s = read_stream(f, path, most, out);
    (void)fclose(f);
    return s;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

enum status file_make_folders(const char *path)
{
    char part[PATH_BYTES];
    const size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) FAIL(ST_IO, "\"%s\" cannot be a folder's name", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) FAIL(ST_IO, "%s: this folder cannot be made: %s", part, strerror(errno));
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) FAIL(ST_IO, "%s: is not a folder", path);
    return ST_OK;
}

enum status file_absolute(const char *path, char *out, size_t size)
{
    char here[PATH_BYTES];
    if (getcwd(here, sizeof here) == NULL) FAIL(ST_IO, "the working directory cannot be read: %s", strerror(errno));
    const int n = path[0] == '/' ? snprintf(out, size, "%s", path) : snprintf(out, size, "%s/%s", here, path);
    if (n < 0 || (size_t)n >= size) FAIL(ST_IO, "%s: the absolute path is too long", path);
    return ST_OK;
}
