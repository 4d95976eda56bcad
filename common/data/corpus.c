#include "corpus.h"

enum status corpus_sample(const struct corpus *c, int64_t index, struct samples out) { return stream_sample(&c->stream, index, out); }

void corpus_close(struct corpus *c) { stream_close(&c->stream); }
