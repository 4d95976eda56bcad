/* work.h: what this rank has to encode, record by record: its shards, less those that an earlier build finished. */
#ifndef LAMINA_DATA_BUILD_WORK_H
#define LAMINA_DATA_BUILD_WORK_H

#include "batch.h"
#include "units.h"

struct work {
    const struct setting *setting;
    const struct units *units;
    int rank, ranks;
    int64_t unit, shard; /* at hand; shard -1: the unit has just begun */
    int64_t n_shards;    /* of the unit; 0: not known yet */
    bool approaching;    /* the reader is on its way to the shard at hand */
    bool inside, begins; /* a shard is being read; nothing of it was handed out */
    int64_t file;        /* of the inputs, the one that is open */
    struct reader *reader;
    double done;       /* bytes of the inputs behind us, as they stand on the disk; a shared file counts for a rank's part */
    int64_t file_done; /* of the unit at hand */
    int64_t taken_up;  /* bytes of text in shards of this rank that were complete already */
};

struct work work_begin(const struct setting *s, const struct units *units, int rank, int ranks);
/* Up to BATCH_BYTES of the shard at hand, or of the next one. b->unit is -1 where all is done; or where b->more is set, for a packed file
 * is passed over in steps, so that a rank never keeps the others waiting for longer. Fails: as reader_next. */
enum status work_fill(struct work *w, struct batch *b) MUST_USE;
/* Bytes behind us, for progress. */
double work_done(const struct work *w);
void work_close(struct work *w);

#endif
