/* corpus.h: the training text of a run, and which piece of it each sample reads. Read stream.h, mix.h and ledger.h first. */
#ifndef LAMINA_DATA_CORPUS_H
#define LAMINA_DATA_CORPUS_H

#include "common/data/ledger.h"
#include "common/data/stream.h"

/* How much is read of each source follows from one of: */
enum corpus_by {
    CORPUS_BY_TOKENS,    /* amount: share of the tokens */
    CORPUS_BY_DOCUMENTS, /* amount: share of the documents; tokens by the mean length of a document in the file */
    CORPUS_BY_EPOCHS     /* amount: how often the source is read, beside the others */
};
struct corpus_wish {
    uint64_t seed;
    int64_t context, sequences; /* of a sample, and samples of a step */
    bool separate;              /* documents are kept apart (stream.h) */
    enum corpus_by by;
    int n;
    struct {
        const char *name, *path;
        double amount;
    } source[MIX_MOST];
};

struct corpus {
    int n;
    int64_t context, sequences;
    bool separate;
    struct stream stream[MIX_MOST];
    struct mix mix;
    struct ledger ledger;   /* its first n rows are these sources: `taken` as it stood where this process began */
    struct mix_place start; /* the deal of this order, there */
};

/* Opens the sources, which stand at the beginning of a run: corpus_go_on comes next where there is one already. A single source has the key
 * 0; each of several has the key of its name, so that what others there are does not alter its order.
 * Owns: until corpus_close. Fails: ST_DATA. */
enum status corpus_open(const struct corpus_wish *wish, struct corpus *out) MUST_USE;
void corpus_close(struct corpus *c); /* legal on a zeroed one */

/* The sources stand where the ledger of a checkpoint after `step` leaves them. The same sources with the same shares: the order goes on.
 * Else another begins: a source that was read goes on with its next sample, also one that was left out meanwhile; a new one, or one whose
 * file holds other text, begins with its first. Nothing may have been read from the corpus before.
 * Fails: ST_DAMAGED where the ledger cannot be of that step, ST_CONFIG where it is full. */
enum status corpus_go_on(struct corpus *c, const struct ledger *before, int64_t step, struct ledger_change *out) MUST_USE;

/* Walks through the order; each thread that reads has its own. */
struct mix_cursor corpus_cursor(const struct corpus *c);
/* Sample number index of the run, step * sequences + slot (steps from 0), at or past the step at which this order began. Any thread.
 * Fails: ST_DATA. */
enum status corpus_sample(const struct corpus *c, struct mix_cursor *at, int64_t index, struct samples out) MUST_USE;
/* Whose it is, and its number there. Cost: see mix.h. */
struct mix_turn corpus_turn(const struct corpus *c, struct mix_cursor *at, int64_t index);
/* The ledger after `step` steps of the run. */
void corpus_ledger(const struct corpus *c, struct mix_cursor *at, int64_t step, struct ledger *out);
/* How many tokens a token sees on average: half a context, or what the documents of the sources, by their shares, let it see. */
double corpus_seen(const struct corpus *c);
/* Tokens per byte of text in what is read: the sources' by their shares. NAN: unknown. */
double corpus_tokens_per_byte(const struct corpus *c);

#endif
