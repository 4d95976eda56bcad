/* tokenizer_files.h: what `tokenizer encode` and `tokenizer decode` share: the tokenizer, and the files or stdin that they go through. */
#ifndef LAMINA_COORDINATOR_TOKENIZER_FILES_H
#define LAMINA_COORDINATOR_TOKENIZER_FILES_H

#include "common/data/tokenizer.h"
#include "coordinator/options.h"
#include <stdio.h>

#define TOKENIZER_ROW                                                                                                                      \
    {                                                                                                                                      \
        .name = "tokenizer", .type = OPTION_TEXT, .arg = "NAME", .value = "bytes", .help = "bytes, or the path of a tokenizer.json"        \
    }

/* Opens the tokenizer of --tokenizer and hands each operand, opened, to `each` (no operand, or "-": stdin). Fails: ST_DATA for a file that
 * cannot be opened or read; ST_IO where stdout cannot be written; what `each` returns. */
typedef enum status (*tokenizer_file_fn)(const struct options *options, const struct tokenizer *t, FILE *file, const char *name);
enum status tokenizer_files(const struct options *options, tokenizer_file_fn each) MUST_USE;

/* Writes and empties it. Fails: ST_IO. */
enum status tokenizer_write(struct text *out) MUST_USE;

#endif
