/* stream.h: what a sample is, and an open source that gives them by number. Read order.h and pack.h first. */
#ifndef LAMINA_DATA_STREAM_H
#define LAMINA_DATA_STREAM_H

#include "common/data/order.h"
#include "common/data/pack.h"
#include "common/data/tokens.h"

/* Samples one after the other, [n,T] each. All that a model is told of a token stands here, so whoever moves samples moves all of it. */
struct samples {
    int32_t *inputs, *targets; /* targets: what follows each input; -1: no loss */
    int32_t *starts;           /* the place in its sample where the document of each token begins; NULL: documents are not kept apart */
};
/* The samples from the i-th on. */
struct samples samples_from(struct samples s, int64_t i, int64_t context);
void samples_copy(struct samples to, struct samples from, int64_t n, int64_t context);
/* Padding: inputs 0, and no loss. */
void samples_pad(struct samples s, int64_t n, int64_t context);

struct stream {
    struct tokens tokens;
    int64_t context;
    bool separate; /* documents are kept apart */
    struct order order;
    struct pack pack; /* separate: all documents, in windows */
};
/* key: the source's own stream of random numbers (order.h). separate: samples are windows of whole documents (pack.h), each told from the
 * others by its starts. Owns: until stream_close. Fails: ST_DATA, also where the file holds no window. */
enum status stream_open(const char *path, uint64_t seed, uint32_t key, int64_t context, bool separate, struct stream *out) MUST_USE;
void stream_close(struct stream *s); /* legal on a zeroed one */
/* Samples of one epoch: number i and number i + stream_epoch differ by an epoch. */
int64_t stream_epoch(const struct stream *s);
/* Sample number index >= 0 of this source, a pure function of it. out.starts is given exactly where documents are kept apart. Any thread.
 * Fails: ST_DATA. Cost: O(T), and a read per document. */
enum status stream_sample(const struct stream *s, int64_t index, struct samples out) MUST_USE;

/* For evaluation, the text once: windows in the order of the file. Those of separate documents are in an order drawn once and for all,
 * since packing puts the long documents first, and the first of them must stand for the rest. */
int64_t stream_windows(const struct stream *s);
enum status stream_window(const struct stream *s, int64_t i, struct samples out) MUST_USE;

#endif
