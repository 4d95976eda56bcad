#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_append(const char *path, const char *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666); /* nor wait for a pipe */
    if (fd < 0) FAIL(ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const enum status s = file_write(fd, path, bytes, n);
    (void)close(fd);
    return s;
}

enum status file_read(const char *path, size_t most, struct text *out) { return file_load(path, ST_IO, (int64_t)most, out); }

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

enum status file_absolute(const char *path, char *out, size_t size)
{
    char here[PATH_BYTES];
    if (getcwd(here, sizeof here) == NULL) FAIL(ST_IO, "the working directory cannot be read: %s", strerror(errno));
    const int n = path[0] == '/' ? snprintf(out, size, "%s", path) : snprintf(out, size, "%s/%s", here, path);
    if (n < 0 || (size_t)n >= size) FAIL(ST_IO, "%s: the absolute path is too long", path);
    return ST_OK;
}
