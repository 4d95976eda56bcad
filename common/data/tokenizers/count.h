/* count.h: documents cut into pieces and counted: on all threads of a process, and on one rank its share of the text. Read pieces.h first.
 */
#ifndef LAMINA_DATA_TOKENIZERS_COUNT_H
#define LAMINA_DATA_TOKENIZERS_COUNT_H

#include "common/data/tokenizers/pieces.h"
#include "common/data/tokenizers/split.h"

/* Of `ranks` counters that are given the same documents, each counts the parts whose place in the text falls to its `rank`, and all of them
 * together count everything once. Memory: 16 MiB of text (or a document that cannot be cut), what it holds in tables, and the different
 * pieces. Owns: until counter_close. */
struct counter;
enum status counter_open(const struct split *split, int rank, int ranks, struct counter **out) MUST_USE;
/* One document. Fails: ST_IO (no memory), learn_bound's, what splitter_pieces returns. */
enum status counter_add(struct counter *c, const unsigned char *document, int64_t n) MUST_USE;
/* Counts what is still waiting. */
enum status counter_finish(struct counter *c) MUST_USE;
struct pieces *counter_pieces(struct counter *c);
void counter_close(struct counter *c); /* legal on NULL */

#endif
