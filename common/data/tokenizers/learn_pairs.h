/* learn_pairs.h: neighbouring symbols, their counts and places, and which pair is merged next. Two parts, for learn.c alone: a tally is
 * what one task changes; pairs is the whole, into which tallies are folded. */
#ifndef LAMINA_DATA_TOKENIZERS_LEARN_PAIRS_H
#define LAMINA_DATA_TOKENIZERS_LEARN_PAIRS_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* (left, right) as one number, which orders pairs by left, then by right. */
static inline uint64_t pair_key(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }
static inline int32_t pair_left(uint64_t key) { return (int32_t)(key >> 32); }
static inline int32_t pair_right(uint64_t key) { return (int32_t)(key & UINT32_MAX); }

/* Key to index, by open addressing. */
struct pair_index {
    uint32_t *slot; /* index + 1, 0: free */
    size_t n_slots; /* a power of two */
};

/* Changes of counts, in the order they were first made, and the places where a pair came into being, in ascending order for each pair. */
struct tally {
    struct change {
        uint64_t key;
        int64_t delta;
        uint32_t n_places; /* noted */
        uint32_t into;     /* once folded: change of the whole, */
        size_t begin;      /*              and where its places begin there */
        uint32_t *place;   /*              (in the whole: memory for them, NULL where the pair is not kept) */
    } * change;
    size_t n, cap;
    struct pair_index index;
    struct note {
        uint32_t change, place;
    } * note;
    size_t n_notes, cap_notes;
    int64_t merged; /* places that became one symbol, each as often as its piece occurs */
    bool failed;    /* no memory; nothing is noted any more */
};
void tally_clear(struct tally *t);
void tally_free(struct tally *t);
/* The change of this pair, a new one if need be; its index, or -1 where there is no memory. */
int64_t tally_find(struct tally *t, uint64_t key);
void tally_add(struct tally *t, uint64_t key, int64_t delta);
void tally_note(struct tally *t, uint64_t key, int64_t delta, uint32_t place);

/* Pairs that occur least_count times or more. A pair's places are listed once, when its younger symbol is made; from then on its count can
 * only fall, and places that are gone stay in the list. */
struct learn_pair {
    uint64_t key;
    int64_t count;
    const uint32_t *place;
    uint32_t n_places;
};
struct learn_pairs {
    int64_t least_count;
    struct learn_pair *pair;
    size_t n, cap;
    struct pair_index index;
    struct queued {
        int64_t count; /* when it was queued: its count now may be lower */
        uint64_t key;
        uint32_t pair;
    } * queue; /* a binary heap */
    size_t n_queued, cap_queued;
    struct place_block {
        struct place_block *before;
        size_t used, cap;
        uint32_t place[];
    } * places; /* memory of all lists */
};
/* One tally is the whole change; its new pairs get memory for their places. Fails: ST_IO (no memory). */
enum status pairs_change(struct learn_pairs *p, struct tally *whole) MUST_USE;
/* The pair with the highest count, the smallest key among equals, leaves the queue; false: none is left. */
bool pairs_take(struct learn_pairs *p, struct learn_pair *out);
void pairs_free(struct learn_pairs *p);

#endif
