/* build.h: token files from text files: `lamina data build` without its command line. README.md tells how the work is cut. */
#ifndef LAMINA_DATA_BUILD_H
#define LAMINA_DATA_BUILD_H

#include "common/comm/comm.h"
#include "common/data/tokens.h"

enum bad_utf8 { BAD_UTF8_KEEP, BAD_UTF8_REPLACE, BAD_UTF8_REFUSE };

struct data_build {
    const char *const *inputs; /* files, folders, patterns (input.h) */
    int n_inputs;
    const char *const *more_text; /* further endings that are plain text, NULL-terminated; NULL: none */
    int64_t max_unpacked;         /* bytes that a packed file may unpack to; 0: packed_most */
    const char *tokenizer;        /* what tokenizer_open takes */
    const char *out, *valid_out;  /* valid_out NULL: everything is training text */
    double valid_share;           /* of the documents, in (0, 1) */
    const char *document_start;   /* regular expression (bytes, tested at each line start); NULL: each file of plain text is one document */
    const char *field;            /* of a record, "text" or "a.b" */
    bool skip_bad_records;        /* records without text are counted and left out, and not an error */
    enum bad_utf8 bad_utf8;
    int64_t shard_bytes; /* for tests: see units.h; 0: by the size of the inputs */
};

/* "1%" or "0.01". Fails: ST_USAGE outside (0, 1). */
enum status data_share(const char *text, double *out) MUST_USE;
/* "keep", "replace" or "refuse". Fails: ST_USAGE. */
enum status data_bad_utf8(const char *text, enum bad_utf8 *out) MUST_USE;

/* How far all ranks are, a few times per minute and at the end: bytes of the inputs as they stand on the disk. By rank 0 alone. */
typedef void (*data_progress_fn)(void *context, int64_t done, int64_t total);

struct data_built {
    struct tokens_written train, valid; /* valid: all zero where none was asked for */
    int64_t n_files, n_passed;          /* read, and passed over in folders as no format of ours */
    int64_t input_bytes;                /* as they stand on the disk */
    int64_t taken_up;                   /* bytes of text that an earlier, interrupted build had encoded */
    char longest[1024];                 /* where the longest document (by tokens) of both sides begins: "FILE, byte 123", or "FILE:LINE" */
    char skipped[1400];                 /* the first record that was skipped: place and reason; "" where none was */
};

/* A document goes to the validation file when the upper 64 bits of its text's XXH3-128, over 2^64, are below valid_share: so the same text
 * is always on the same side, whatever else is in the corpus. The entropies are byte counts of the training text, for both files.
 * Both files appear complete or not at all, with the same bytes at any number of ranks and threads. What is encoded stays in the folder
 * OUT.building until then: the same build, started again after it ended early, takes it up. progress may be NULL.
 * Collective: yes, equal options and inputs.
 * Fails: ST_DATA (input missing or broken, a side that ends empty), ST_USAGE (options), ST_CONFIG (tokenizer), ST_IO (no space), ST_BUSY
 * (another build writes there), ST_LAUNCH (ranks see other inputs; a library is lacking). */
enum status data_build(const struct comm *world, const struct data_build *options, data_progress_fn progress, void *context,
                       struct data_built *result) MUST_USE;

#endif
