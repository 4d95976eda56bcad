/* corpus.h: the training text of a run, and which piece of it each sample reads. Read stream.h first. */
#ifndef LAMINA_DATA_CORPUS_H
#define LAMINA_DATA_CORPUS_H

#include "common/data/stream.h"

struct corpus {
    int64_t context;
    struct stream stream;
};
/* Sample number index >= 0 of the run: step * sequences + slot, steps from 0. Fails: ST_DATA. */
enum status corpus_sample(const struct corpus *c, int64_t index, struct samples out) MUST_USE;
void corpus_close(struct corpus *c);

#endif
