/* tokenizer_train.h: a vocabulary of byte-level BPE from text files: `lamina tokenizer train` without its command line. */
#ifndef LAMINA_DATA_TOKENIZER_TRAIN_H
#define LAMINA_DATA_TOKENIZER_TRAIN_H

#include "common/comm/comm.h"

struct tokenizer_train {
    const char *const *inputs; /* files, folders and patterns: see inputs_find */
    int n_inputs;
    const char *const *more_text; /* see format_of */
    const char *field;            /* of a record (.jsonl): which is the text */
    const char *out;              /* tokenizer.json */
    const char *pattern;          /* what cuts documents into pieces: the name of a pattern, or a regular expression (split.h) */
    const char *document_start;   /* see cutter.h; NULL: each file is one document */
    const char *const *special;   /* special tokens, the end of a document first; never in the text as symbols of the vocabulary */
    int n_special;
    int64_t vocab;        /* entries in all: 256 bytes, merges, special tokens */
    int64_t min_count;    /* pairs that occur less often become no entry; at least 1 */
    int64_t limit;        /* bytes of text read from each of the inputs; 0: all */
    int64_t max_unpacked; /* see packed_open; 0: its own limit */
};

enum tokenizer_phase { TOKENIZER_COUNTING, TOKENIZER_LEARNING }; /* bytes of files; merges */
typedef void (*tokenizer_progress_fn)(void *context, enum tokenizer_phase phase, int64_t done, int64_t total);

struct tokenizer_trained {     /* of all ranks together, the same on each */
    int64_t files, passed;     /* passed: over, in folders, as they are of no format that is read */
    int64_t documents, bytes;  /* of text that was read */
    int64_t pieces, different; /* and how many of them differ */
    int64_t merges, tokens;    /* tokens: of the same text under this vocabulary, ends of documents not included */
    double count_seconds, learn_seconds;
};

/* The file appears complete or not at all, and has the same bytes at any number of ranks and threads. Every rank reads all files and counts
 * its share of the text; rank 0 learns and writes. progress may be NULL. Collective: yes, equal options.
 * Fails: ST_USAGE (options), ST_DATA (input missing or broken, too little text: the sentence tells how many entries it is good for), ST_IO.
 */
enum status tokenizer_train(const struct comm *world, const struct tokenizer_train *options, tokenizer_progress_fn progress, void *context,
                            struct tokenizer_trained *result) MUST_USE;

#endif
