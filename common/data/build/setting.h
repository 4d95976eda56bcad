/* setting.h: what the parts of a build share. For common/data/build and build.c alone. Read units.h next. */
#ifndef LAMINA_DATA_BUILD_SETTING_H
#define LAMINA_DATA_BUILD_SETTING_H

#include "common/data/build.h"
#include "common/data/cutter.h"
#include "common/data/input.h"
#include "common/data/tokenizer.h"

enum { TRAIN, VALID, SIDES }; /* where a document goes */

/* Settled before anything is read; the same on all ranks. */
struct setting {
    const struct data_build *options;
    struct tokenizer tokenizer;
    struct cutter *cutter;
    struct inputs inputs;
    int n_sides;             /* 1: no validation file */
    size_t width;            /* bytes of a token in the file */
    struct digest128 digest; /* of all that the encoded form depends on, but for the inputs themselves */
    char folder[1200];       /* OUT.building */
};

/* "FILE, byte 123" or, where lines are records, "FILE:12". */
char *setting_place(const struct setting *s, int64_t file, int64_t place, char *out, size_t size);

#endif
