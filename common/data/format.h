/* format.h: where the records of a file begin, and which text a record holds. One format per file in formats/, one row in the table. */
#ifndef LAMINA_DATA_FORMAT_H
#define LAMINA_DATA_FORMAT_H

#include "common/base/status.h"
#include "common/base/str.h"
#include <stdbool.h>
#include <stdint.h>

struct format_desc {
    const char *name, *summary;
    const char *endings[3]; /* of file names, once that of a packed kind is taken away; NULL-terminated */
    bool lines;             /* each line is a record, blank ones are none; else a cutter says where documents begin, or the file is one */
    int64_t record_most;    /* bytes: a longer record is refused */
    /* The text of a record: points into it, or into scratch (empty when called). field: which part of a record is meant. May run on any
     * thread. Fails: ST_DATA with what is wrong, but not where. */
    enum status (*text)(const char *field, const unsigned char *record, int64_t n, struct text *scratch, const unsigned char **text,
                        int64_t *text_bytes);
};

extern const struct format_desc format_text, format_jsonl;
extern const struct format_desc *const format_table[]; /* NULL-terminated */

/* By the ending of the name, that of a packed kind aside: text where one of the table or of `more` (NULL-terminated, may be NULL) says so,
 * and where a packed file tells nothing else, as gcide.dict.dz. NULL: no format that is read. */
const struct format_desc *format_of(const char *path, const char *const *more);
/* ".txt, .jsonl, .ndjson, also packed as .gz, ..." for sentences. */
char *format_names(char *out, size_t size);

#endif
