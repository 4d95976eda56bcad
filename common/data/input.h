/* input.h: which files a build reads, and in which order. */
#ifndef LAMINA_DATA_INPUT_H
#define LAMINA_DATA_INPUT_H

#include "common/base/arena.h"
#include "common/data/format.h"

struct input {
    const char *path;
    const struct format_desc *format;
    int64_t bytes, changed_ns; /* size as it stands on the disk; time of the last change */
};
struct inputs {
    struct input *file; /* [n] */
    int64_t n, bytes;   /* bytes: of all files */
    int64_t n_passed;   /* files in folders that are of no format that is read */
};

/* Each operand is a file, a folder (its files and those of its folders, in byte order of their paths; those of other formats are counted),
 * or a pattern of glob(3) that names at least one of them. A file that is named itself must be of a format that is read. more_text: see
 * format_of. Owns: lives in arena. Fails: ST_DATA. */
enum status inputs_find(struct arena *arena, const char *const *operands, int64_t n, const char *const *more_text,
                        struct inputs *out) MUST_USE;

/* Have all files the size and time that they had? Fails: ST_DATA, naming the first that changed. */
enum status inputs_unchanged(const struct inputs *in) MUST_USE;

#endif
