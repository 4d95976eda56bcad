/* pack.h: documents that are kept apart, put into windows of a model's context with little room left over. No files here.
 * A document of n tokens, its end mark included, is n predictions: every token from what comes before it in the document, the first one
 * from an end mark. Longer than the context, it is cut into pieces of a whole window and a rest; rests and short documents share windows by
 * best-fit decreasing: the longest first, each into the window with the least room that takes it. Nothing is cut but for want of context,
 * and nothing is left out. Source: Ding et al. 2024, "Fewer Truncations Improve Language Modeling", sec. 3. */
#ifndef LAMINA_DATA_PACK_H
#define LAMINA_DATA_PACK_H

#include "common/base/str.h"
#include <stdbool.h>
#include <stdint.h>

/* Tokens [first, first + n) of the file, to be predicted one after the other. */
struct pack_piece {
    int64_t first;
    int32_t n;
    bool begins; /* a document begins here: what stands before its first token is an end mark. Else the token before in the file */
};

struct pack {
    int64_t context, n_tokens, n_windows, n_pieces;
    int64_t n_cut;             /* documents longer than the context */
    int64_t *window;           /* [n_windows + 1]: the first piece of each */
    struct pack_piece *pieces; /* [n_pieces], by window */
};

/* Document i is tokens [starts[i], starts[i + 1]), the last one ends with the file; starts[0] is 0 and they grow. A pure function: lengths
 * that are equal keep the order of the file, and of windows with equal room the one used last is taken. n_documents > 0.
 * Owns: until pack_close. Cost: O(documents * log context) time; 16 bytes per piece and 8 per window, meanwhile 40 per piece more. */
void pack_open(const int64_t *starts, int64_t n_documents, int64_t n_tokens, int64_t context, struct pack *out);
void pack_close(struct pack *p);

/* Share of the places in windows that hold no token. */
double pack_padding(const struct pack *p);
/* How many tokens, itself included, a token sees on average. */
double pack_seen(const struct pack *p);
/* The facts: a line for people, an object for programs. Owns: the caller frees it. */
void pack_print(const struct pack *p, struct text *out);
struct json_t;
struct json_t *pack_json(const struct pack *p);

#endif
