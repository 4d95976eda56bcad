/* learn.h: byte-level BPE: merges learned from counted pieces. Read pieces.h first.
 *
 * A piece is a row of symbols, at first its bytes. The count of a pair of symbols (a, b) is the number of places in all pieces, each piece
 * as often as it occurs, where b follows a; places may overlap ("aaa" has two of (a, a)). Again and again the pair with the highest count
 * becomes a new symbol everywhere, from left to right in each piece. Equal counts: the smallest left id first, then the smallest right id.
 * Ids are the 256 bytes in the order of their letters (learn_byte), then the merges in the order learned. This is the order in
 * which the trainer of the Hugging Face `tokenizers` library merges, so the lists can be compared one by one.
 *
 * Two merges never give the same bytes: consider two places that hold the same bytes and end as one symbol each. No merge crossed their
 * borders, so each merge so far hit both in the same way, and both were built by the same merges.
 *
 * Cost: time grows with the bytes of the different pieces (each merge walks the places of its pair and no others), and so does memory: 12
 * bytes for each, up to 8 more for places of learned pairs, and 64 for each pair that occurs least_count times. */
#ifndef LAMINA_DATA_TOKENIZERS_LEARN_H
#define LAMINA_DATA_TOKENIZERS_LEARN_H

#include "common/data/tokenizers/pieces.h"

enum { LEARN_BYTES = 256 };

/* The byte of an id below 256: ids are in the order of their letters (byte_letters.h), so ! is 0 and the space 220. */
unsigned char learn_byte(int32_t id);

/* The most bytes of different pieces, and one more for each piece, that learning takes: places are 32-bit numbers. */
static const int64_t learn_most_bytes = INT32_MAX;

struct learn_options {
    int64_t most_merges;
    int64_t least_count;          /* pairs that occur less often are not merged; at least 1 */
    const struct piece *reserved; /* bytes that must not become a symbol of their own (count is not read) */
    int n_reserved;
    void (*progress)(void *context, int64_t merges); /* may be NULL; called every now and then */
    void *context;
};

struct learned {
    struct learned_merge {
        int32_t left, right; /* ids */
        int64_t count;
    } * merge;        /* merge i makes id 256 + i */
    int64_t n_merges; /* less than most_merges where no further pair occurs least_count times */
    int64_t n_tokens; /* of all pieces, each as often as it occurs, after all merges */
};

/* Bytes that the pieces and learning from them take, but for pairs. */
int64_t learn_memory(const struct pieces *pieces);
/* Fails: ST_DATA where the pieces are more than learn_most_bytes; ST_IO where they need more memory than the machine has. */
enum status learn_bound(const struct pieces *pieces) MUST_USE;

/* In parallel; the same result at any number of threads and in any order of the pieces. Takes the pieces' memory as it goes: *pieces is
 * empty afterwards. Owns: out until learned_free. Fails: ST_DATA (too many bytes), ST_IO (no memory). */
enum status learn_merges(struct pieces *pieces, const struct learn_options *options, struct learned *out) MUST_USE;
void learned_free(struct learned *l);

#endif
