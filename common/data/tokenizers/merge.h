/* merge.h: byte-pair encoding of one piece: neighbours are joined by the merge of lowest rank, the leftmost first, until none applies. */
#ifndef LAMINA_DATA_TOKENIZERS_MERGE_H
#define LAMINA_DATA_TOKENIZERS_MERGE_H

#include "common/base/arena.h"
#include <stdint.h>

/* The rank of a merge is its place in the list. */
struct bpe_merge {
    int32_t left, right, result; /* ids */
};

/* Which merge joins (left, right): a hash table. Immutable, shared by threads. */
struct merges {
    struct merge_row {
        uint64_t pair; /* left << 32 | right; all ones: empty */
        uint32_t rank;
        int32_t result;
    } * row;
    uint64_t mask;
    int shift;
};
/* Owns: the table lives in arena. Each pair occurs once. Returns the place of a merge whose pair came before, or -1. */
int64_t merges_build(struct arena *arena, const struct bpe_merge *merge, int64_t n, struct merges *out);

/* Scratch of one thread; zero-initialised it is empty. Owns: until merger_close. */
struct merger {
    int32_t *next, *before;
    uint64_t *heap;
    int64_t cap;
};
void merger_close(struct merger *m);

/* Merges symbol[0, n) in place; *n becomes how many are left.
 * Cost: up to 64 symbols by looking for the lowest rank each time; longer rows by a heap in O(n log n) and 24 bytes a symbol.
 * Fails: ST_IO (no memory), ST_DATA (2^31 symbols or more). Source: Sennrich et al. 2016, section 3.2; ties by place. */
enum status merge_symbols(const struct merges *t, struct merger *m, int32_t *symbol, int64_t *n) MUST_USE;

#endif
