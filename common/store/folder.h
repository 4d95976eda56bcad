/* folder.h: what the file system must have done before a file counts as there. One process, no MPI. */
#ifndef LAMINA_STORE_FOLDER_H
#define LAMINA_STORE_FOLDER_H

#include "common/base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An existing file for reading, and its size: a plain one (through links); a pipe or a device is refused and not waited for. Owns: *fd
 * until close(2). Fails: bad. */
enum status file_open(const char *path, enum status bad, int *fd, int64_t *bytes) MUST_USE;
/* All of a plain file of at most `most` bytes. Fails: bad. */
enum status file_load(const char *path, enum status bad, int64_t most, struct text *out) MUST_USE;
/* A new, empty file: never an existing one, never through a link. Fails: ST_IO. */
enum status file_make(const char *path) MUST_USE;
/* Blocks for the whole file, allocated now (fallocate). A file system that cannot is asked for its free space instead (10 % margin), and
 * *checked_only says so. Fails: ST_IO where it is not there. */
enum status file_reserve(const char *path, int64_t bytes, bool *checked_only) MUST_USE;
/* Cuts off what stands behind `bytes`: the rest of a reservation. Fails: ST_IO where the file is shorter. */
enum status file_trim(const char *path, int64_t bytes) MUST_USE;
/* What stands in the file reaches the device; also for a folder (its names). Fails: ST_IO. */
enum status file_sync(const char *path) MUST_USE;
/* A whole small file: temporary name beside it, fsync, rename, fsync of the folder. Fails: ST_IO. */
enum status file_replace(const char *path, const void *bytes, size_t n) MUST_USE;
/* n bytes at offset. Fails: bad, also where the file ends before. */
enum status file_read_at(int fd, const char *path, enum status bad, int64_t offset, void *out, size_t n) MUST_USE;
enum status file_write(int fd, const char *path, const void *bytes, size_t n) MUST_USE;
enum status file_write_at(int fd, const char *path, int64_t offset, const void *bytes, size_t n) MUST_USE;

/* Missing folders on the way are made, like mkdir -p. Fails: ST_IO. */
enum status folder_make(const char *path) MUST_USE;
/* The plain files in a folder and the folder itself; a subfolder inside is an error. Of a link, or a file, the name goes and nothing else.
 * A missing folder is fine. Fails: ST_IO. */
enum status folder_remove(const char *path) MUST_USE;
/* path without its last part, "." where there is none. */
char *folder_of(const char *path, char *out, size_t size);

#endif
