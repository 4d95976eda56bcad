/* pieces.h: the different pieces of a text and how often each occurs: what a vocabulary is learned from (learn.h). */
#ifndef LAMINA_DATA_TOKENIZERS_PIECES_H
#define LAMINA_DATA_TOKENIZERS_PIECES_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    const unsigned char *bytes; /* not empty */
    int64_t n, count;
};

/* One hash table: what one task counts in a block of text, and one shard of the whole. Zero-initialised it is empty. Owns: its memory until
 * piece_table_free. */
struct piece_table {
    struct piece_slot *slots;
    size_t n_slots, used; /* a power of two; at most 5/8 of them are in use */
    unsigned char *bytes; /* of all pieces, one after the other */
    size_t n_bytes, cap_bytes;
};
/* false: no memory, and the table is as it was. */
bool piece_table_add(struct piece_table *t, struct piece p) MUST_USE;
void piece_table_clear(struct piece_table *t); /* empty, memory kept */
void piece_table_free(struct piece_table *t);
size_t piece_table_memory(const struct piece_table *t); /* bytes it holds */
/* Walks the pieces from *at = 0 in the order of the table, which means nothing; false after the last. They live until the next add. */
bool piece_table_next(const struct piece_table *t, size_t *at, struct piece *out);

/* All pieces, in shards by hash, so that threads can add to them side by side. */
enum { PIECE_SHARDS = 64 };
struct pieces {
    struct piece_table shard[PIECE_SHARDS];
};
struct pieces_sum {
    int64_t different, different_bytes; /* each piece once */
    int64_t all, all_bytes;             /* as often as they occur */
};
struct pieces_sum pieces_sum(const struct pieces *p);
/* Takes over everything that the n tables counted; in parallel, the same sums at any number of threads.
 * Fails: ST_IO (no memory). */
enum status pieces_take(struct pieces *p, const struct piece_table tables[], int64_t n) MUST_USE;
void pieces_free(struct pieces *p);

#endif
