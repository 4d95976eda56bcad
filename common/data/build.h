/* build.h: token files from text files: `lamina data build` without its command line. */
#ifndef LAMINA_DATA_BUILD_H
#define LAMINA_DATA_BUILD_H

#include "common/data/tokens.h"

struct data_build {
    const char *const *inputs; /* .txt, or packed (packed.h) */
    int n_inputs;
    int64_t max_unpacked;        /* bytes that a packed file may unpack to; 0: packed_most */
    const char *tokenizer;       /* "bytes" */
    const char *out, *valid_out; /* valid_out NULL: everything is training text */
    double valid_share;          /* of the documents, in (0, 1) */
    const char *document_start;  /* regular expression (bytes, tested at each line start); NULL: each file is one document */
};

/* "1%" or "0.01". Fails: ST_USAGE outside (0, 1). */
enum status data_share(const char *text, double *out) MUST_USE;

/* Called about once per MiB: input bytes read (packed ones where a file is packed) of all. */
typedef void (*data_progress_fn)(void *context, int64_t done, int64_t total);

struct data_built {
    struct tokens_written train, valid;
};

/* A document goes to the validation file when the upper 64 bits of its text's XXH3-128, over 2^64, are below valid_share: so the same text
 * is always on the same side, whatever else is in the corpus. The entropies are byte counts of the training text, for both files.
 * Both files appear complete or not at all. progress may be NULL.
 * Fails: ST_DATA (input missing or broken, a side that ends empty), ST_USAGE (options), ST_CONFIG (tokenizer), ST_IO (no space). */
enum status data_build(const struct data_build *options, data_progress_fn progress, void *context, struct data_built *result) MUST_USE;

#endif
