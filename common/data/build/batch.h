/* batch.h: some records of one shard in memory, and how all threads of the rank make tokens of them. */
#ifndef LAMINA_DATA_BUILD_BATCH_H
#define LAMINA_DATA_BUILD_BATCH_H

#include "common/data/reader.h"
#include "segment.h"

enum { BATCH_BYTES = 1 << 20, TASK_BYTES = 1 << 14 }; /* of records, cut by shape: a task's output depends on its records alone */

struct batch_record {
    int64_t begin, n; /* in the batch's bytes */
    int64_t file;     /* of the inputs */
    int64_t place;    /* in the unpacked file */
};
struct batch_task;
struct batch {
    unsigned char *bytes;
    size_t used, cap;
    struct batch_record *record;
    int64_t n_records, cap_records;
    int64_t unit, shard; /* which segment it belongs to; unit -1: none, there is no more work but where `more` is set */
    bool more;           /* nothing to encode yet: the reader is on its way through what others encode */
    bool begins, ends;   /* it is the first, the last batch of its segment */
    bool last;           /* where it ends one: no other shard of the unit follows */
    struct batch_task *task;
    int64_t n_tasks, cap_tasks;
};

/* A record of a shard. Fails: ST_IO where memory is short. */
enum status batch_add(struct batch *b, int64_t file, const struct record *record) MUST_USE;
void batch_empty(struct batch *b);
void batch_close(struct batch *b);

/* What threads need to encode. Owns: until encoding_close. Fails: as encoder_open. */
struct encoding;
enum status encoding_open(const struct setting *s, struct encoding **out) MUST_USE;
void encoding_close(struct encoding *e); /* legal on NULL */

/* Cuts the batch into tasks: b->n_tasks. */
void batch_cut(struct batch *b);
/* One task, on any thread: its records become tokens in its own memory; it may fail, which batch_write tells. */
void batch_encode(struct encoding *e, struct batch *b, int64_t task, int thread);
/* The output of all tasks, in order, into the segment. Fails: what the first task in order that failed had; ST_IO. */
enum status batch_write(struct encoding *e, struct batch *b, int64_t first_file, struct segment_writer *w) MUST_USE;
/* The byte counts of all threads since the last call, one sum per side (until the next call), for segment_finish. */
struct byte_counts *const *encoding_counts(struct encoding *e);

#endif
