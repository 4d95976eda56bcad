/* source.h: the documents of one file, for those who want them one after the other: what a tokenizer is learned from. */
#ifndef LAMINA_DATA_SOURCE_H
#define LAMINA_DATA_SOURCE_H

#include "common/base/status.h"
#include "common/data/cutter.h"
#include <stdint.h>

/* Bytes of the file as progress will count them. Fails: ST_DATA where it is missing, or of no format that is read. */
enum status source_size(const char *path, int64_t *bytes) MUST_USE;

/* Hands every document of a file, in order, to `take`: of plain text as the cutter cuts it (NULL: the file is one), of .jsonl the field
 * "text". progress (may be NULL) hears how far into the file, packed bytes where it is packed, the reading is. most: see packed_open.
 * Fails: as reader_next; what take returns. */
typedef enum status (*source_take_fn)(void *context, const unsigned char *document, int64_t n);
typedef void (*source_progress_fn)(void *context, int64_t bytes_into_file);
enum status source_read(const char *path, int64_t most, const struct cutter *cutter, source_take_fn take, source_progress_fn progress,
                        void *context) MUST_USE;

#endif
