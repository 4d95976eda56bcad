/* source.h: the documents of one file, for those who want them one after the other: what a tokenizer is learned from. Read input.h first.
 */
#ifndef LAMINA_DATA_SOURCE_H
#define LAMINA_DATA_SOURCE_H

#include "common/data/cutter.h"
#include "common/data/input.h"

struct source {
    const struct input *file;
    const struct cutter *cutter; /* NULL: the file is one document; not for records, as of .jsonl */
    const char *field;           /* which part of a record is the text */
    int64_t max_unpacked;        /* see packed_open */
};
/* Hands every document that is not empty, in order, to `take`. progress (may be NULL) hears how far into the file, packed bytes where it is
 * packed, the reading is. Fails: as reader_next; ST_DATA with the place for a record without text; what take returns. */
typedef enum status (*source_take_fn)(void *context, const unsigned char *document, int64_t n);
typedef void (*source_progress_fn)(void *context, int64_t bytes_into_file);
enum status source_read(const struct source *source, source_take_fn take, source_progress_fn progress, void *context) MUST_USE;

#endif
