/* reader.h: the records of a file, one after the other, or those that begin in a range of its unpacked bytes. Read input.h first. */
#ifndef LAMINA_DATA_READER_H
#define LAMINA_DATA_READER_H

#include "common/data/cutter.h"
#include "common/data/input.h"

struct record {
    const unsigned char *bytes; /* until the next call */
    int64_t n;
    int64_t place; /* of its first byte in the unpacked file */
};

struct reader;
/* most: see packed_open. cutter: for formats that are not cut by lines; NULL: the file is one record. The range is the whole file. Owns:
 * until reader_close; file and cutter must outlive it. Fails: as packed_open. */
enum status reader_open(const struct input *file, const struct cutter *cutter, int64_t most, struct reader **out) MUST_USE;
/* From now on the records that begin in [from, until), where `from` is not below the end of the range before. Fails: as packed_read. */
enum status reader_range(struct reader *r, int64_t from, int64_t until) MUST_USE;
/* For a range far ahead: passes over at most `most` bytes on the way to it. *there: nothing is left to pass over before reader_range(from).
 * Between ranges. Fails: as packed_read. */
enum status reader_approach(struct reader *r, int64_t from, int64_t most, bool *there) MUST_USE;
/* *found: false where the range has no more. Empty files and blank lines hold none. Fails: ST_DATA with the path, and the place of what is
 * broken or too long; what cutter_matches returns. */
enum status reader_next(struct reader *r, struct record *out, bool *found) MUST_USE;
/* Once reader_next found no more: does the file end within the range, so that no later range holds anything? Fails: as packed_read. */
enum status reader_ends(struct reader *r, bool *ends) MUST_USE;
int64_t reader_bytes(const struct reader *r);    /* of the unpacked file; -1 until its end was seen */
int64_t reader_position(const struct reader *r); /* bytes of the file on disk that are behind us, for progress */
void reader_close(struct reader *r);             /* legal on NULL */

/* Which line, from 1, the byte at `place` of the unpacked file stands in; 0 where that cannot be found out. Reads the file anew: for
 * sentences. */
int64_t reader_line(const char *path, int64_t most, int64_t place);

#endif
