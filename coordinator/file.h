/* file.h: small files of a run folder, beside what common/store/folder.h does (whole files replaced at once, folders made). */
#ifndef LAMINA_COORDINATOR_FILE_H
#define LAMINA_COORDINATOR_FILE_H

#include "common/base/str.h"
#include "common/store/folder.h"
#include <stdbool.h>

enum { PATH_BYTES = 4096 }; /* paths are built in buffers of this size; a longer one is refused */

/* Append n bytes with one write (O_NOFOLLOW), creating the file. Fails: ST_IO. */
enum status file_append(const char *path, const char *bytes, size_t n) MUST_USE;
/* The whole of a plain file, at most `most` bytes. Fails: ST_IO. */
enum status file_read(const char *path, size_t most, struct text *out) MUST_USE;
bool file_exists(const char *path);
/* Working directory before a relative path. Fails: ST_IO when it does not fit. */
enum status file_absolute(const char *path, char *out, size_t size) MUST_USE;

#endif
