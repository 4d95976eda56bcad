/* file.h: small files of the run folder, written so that a reader sees the old or the new one and never a part. */
#ifndef LAMINA_COORDINATOR_FILE_H
#define LAMINA_COORDINATOR_FILE_H

#include "common/base/str.h"
#include <stdbool.h>

/* Write, fsync and rename over path. The temporary name is path.tmp (O_EXCL, O_NOFOLLOW; one left over by a dead process is removed).
 * Fails: ST_IO. */
enum status file_replace(const char *path, const char *bytes, size_t n) MUST_USE;
/* Append n bytes with one write (O_NOFOLLOW), creating the file. Fails: ST_IO. */
enum status file_append(const char *path, const char *bytes, size_t n) MUST_USE;
/* The whole file, at most `most` bytes. Fails: ST_IO. */
enum status file_read(const char *path, size_t most, struct text *out) MUST_USE;
bool file_exists(const char *path);
/* Folder and its parents. Fails: ST_IO. */
enum status file_make_folders(const char *path) MUST_USE;
/* Working directory before a relative path. Fails: ST_IO when it does not fit. */
enum status file_absolute(const char *path, char *out, size_t size) MUST_USE;

#endif
