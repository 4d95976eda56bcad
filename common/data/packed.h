/* packed.h: the bytes of a file as they were before it was packed, as one stream. One kind per file in packed/, one row in the table. */
#ifndef LAMINA_DATA_PACKED_H
#define LAMINA_DATA_PACKED_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a kind works on: it takes from `in`, gives to `out`, and moves both along. */
struct packed_work {
    const unsigned char *in;
    unsigned char *out;
    size_t n_in, n_out;
};
enum packed_turn { PACKED_GOES_ON, PACKED_MEMBER_ENDS, PACKED_BROKEN };

/* A packed file is one member or several, one behind the other, as `cat a.gz b.gz` makes them. */
struct packed_desc {
    const char *name, *summary;
    const char *endings[3]; /* of file names, ".gz"; NULL-terminated */
    const char *lacking;    /* the package whose library was not there when Lamina was built; NULL: nothing is lacking */
    /* Does a member begin like this? At least PACKED_HEAD bytes, less only where the file is shorter. NULL: nothing is packed. */
    bool (*begins)(const unsigned char *bytes, size_t n);
    enum status (*open)(void **state);
    /* As far as input and room go. Finished members were checked as far as their format can be; *why is a sentence's part for a broken one.
     */
    enum packed_turn (*unpack)(void *state, struct packed_work *w, const char **why);
    enum status (*again)(void *state); /* ready for the next member */
    void (*close)(void *state);
};
enum { PACKED_HEAD = 10 };

extern const struct packed_desc packed_plain, packed_gzip, packed_zstd, packed_bzip2, packed_xz;
extern const struct packed_desc *const packed_table[]; /* NULL-terminated */

/* The kind whose ending the path has, and through *stem how many bytes stand before that ending; packed_plain and the whole path where it
 * has none. */
const struct packed_desc *packed_kind(const char *path, size_t *stem);

/* How much a file of that size may unpack to where nobody said: 1 GiB and a hundred times its size. Text packs to a third or a tenth,
 * logs to a fiftieth; a bomb is a thousandth and less. */
int64_t packed_most(int64_t file_bytes);

/* A file that is being read. Owns: until packed_close. `most`: bytes it may unpack to; 0: packed_most. A plain file has no such limit.
 * Fails: ST_DATA with the path where it cannot be read or is not of its kind, also a plain one that is packed; ST_LAUNCH where this
 * lamina cannot unpack it. */
struct packed;
enum status packed_open(const char *path, int64_t most, struct packed **out) MUST_USE;
/* The next n bytes; *got is less at the end of the file only. Fails: ST_DATA with path and place for what is broken, ends too early, is
 * followed by something else, or unpacks to more than it may. */
enum status packed_read(struct packed *p, unsigned char *out, size_t n, size_t *got) MUST_USE;
/* Passes over bytes, up to the end of the file: a plain file costs nothing. *passed: how many there were. Fails: as packed_read. */
enum status packed_skip(struct packed *p, int64_t bytes, int64_t *passed) MUST_USE;
int64_t packed_position(const struct packed *p); /* bytes of the file, packed as it is, that are behind us; for progress */
void packed_close(struct packed *p);             /* legal on NULL */

#endif
