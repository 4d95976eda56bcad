/* input_options.h: the options of commands that read text files, and what they mean. */
#ifndef LAMINA_COORDINATOR_INPUT_OPTIONS_H
#define LAMINA_COORDINATOR_INPUT_OPTIONS_H

#include "coordinator/options.h"

/* For a command's table. */
#define OPTION_INPUT_ROWS                                                                                                                  \
    { .name = "document-start",                                                                                                            \
      .type = OPTION_TEXT,                                                                                                                 \
      .arg = "REGEX",                                                                                                                      \
      .help = "in plain text, a line that begins like this begins a document; else a file is one" },                                       \
        { .name = "field",                                                                                                                 \
          .type = OPTION_TEXT,                                                                                                             \
          .arg = "NAME",                                                                                                                   \
          .value = "text",                                                                                                                 \
          .help = "which field of a .jsonl record is the text; a.b is b of a" },                                                           \
        { .name = "text-ending",                                                                                                           \
          .type = OPTION_LIST,                                                                                                             \
          .arg = ".EXT",                                                                                                                   \
          .help = "files with this ending are plain text too; may be repeated" },                                                          \
    {                                                                                                                                      \
        .name = "max-unpacked", .type = OPTION_TEXT, .arg = "SIZE",                                                                        \
        .help = "how much a packed file may unpack to, as 40GB; not given: 1 GiB and a hundred times its size"                             \
    }

struct input_options {
    const char *document_start, *field;     /* NULL: not given */
    const char *more_text[OPTIONS_MAX + 1]; /* NULL-terminated */
    int64_t max_unpacked;                   /* 0: not given */
};
/* Fails: ST_USAGE. */
enum status input_options(const struct options *options, struct input_options *out) MUST_USE;

#endif
