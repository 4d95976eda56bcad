/* source.h: text from files, cut into documents: .txt as it is, packed kinds (packed.h) unpacked on the way. */
#ifndef LAMINA_DATA_SOURCE_H
#define LAMINA_DATA_SOURCE_H

#include "common/base/status.h"
#include "common/data/cutter.h"
#include <stdint.h>

/* Bytes of the file as progress will count them. Fails: ST_DATA where it is missing, or not a kind that is read. */
enum status source_size(const char *path, int64_t *bytes) MUST_USE;

/* Hands every document of a file, in order, to `take`; text before the first match is one, and nothing is handed for an empty file. A
 * document is in memory as a whole: at most 1 GiB. progress (may be NULL) hears how far into the file, packed bytes where it is packed, the
 * reading is. most: see packed_open. cutter NULL: the file is one document. Fails: ST_DATA for a broken file; what cutter_matches and take
 * return. */
typedef enum status (*source_take_fn)(void *context, const unsigned char *document, int64_t n);
typedef void (*source_progress_fn)(void *context, int64_t bytes_into_file);
enum status source_read(const char *path, int64_t most, const struct cutter *cutter, source_take_fn take, source_progress_fn progress,
                        void *context) MUST_USE;

#endif
