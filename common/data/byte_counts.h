/* byte_counts.h: how well counting bytes predicts a text: the two numbers that stand beside a model's bits per byte. */
#ifndef LAMINA_DATA_BYTE_COUNTS_H
#define LAMINA_DATA_BYTE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

/* Symbols are the 256 bytes and the end of a document, as in the token stream of the tokenizer `bytes`; a document's first byte follows the
 * end of the one before (the very first one too). */
enum { BYTE_SYMBOLS = 257, BYTE_END = 256 };
struct byte_counts {
    int64_t pair[BYTE_SYMBOLS][BYTE_SYMBOLS]; /* [before][symbol] */
    int64_t bytes;                            /* without ends */
};

void byte_counts_add(struct byte_counts *c, const unsigned char *document, int64_t n);

/* Bits per byte of the text counted in `text` when predicted by the counts in `model`, each with one added:
 *   order 0: p(s) = (n(s) + 1) / (N + 257),   order 1: p(s | b) = (n(b,s) + 1) / (n(b) + 257),
 * the ends of documents included in the bits and not in the bytes, as bits per byte of a model are. NAN without text.
 * Source: Laplace's rule of succession. */
double byte_counts_bits(const struct byte_counts *model, const struct byte_counts *text, int order);

#endif
