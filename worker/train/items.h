/* items.h: the state of a run as a list of logical tensors: weights, then every slot of every parameter, in name order. What is saved,
 * loaded and digested is this list, so the three cannot disagree. */
#ifndef LAMINA_WORKER_TRAIN_ITEMS_H
#define LAMINA_WORKER_TRAIN_ITEMS_H

#include "worker/worker.h"

struct item {
    char name[112]; /* "weights/blocks.0.attn.q.weight", "state/blocks.0.attn.q.weight.m" */
    int param;      /* of whom it is */
    int n_dims;
    enum dtype dtype;
    int64_t rows, cols;             /* of the whole tensor */
    int64_t held_begin, held_end;   /* rows in this rank's memory */
    int64_t write_begin, write_end; /* those of them that it writes and hashes: every row has one writer in the world */
    void *data;                     /* of held_begin */
};
struct items {
    int n, n_weights;
    struct item *item;
}; /* the first n_weights are weights; the list is the same on every rank */

/* In arena; borrowed memory stays the worker's. state: with slots (not in evaluation). */
void items_list(struct worker *w, struct arena *arena, bool state, struct items *out);

/* Digest of the items' bytes and names, and of `scalars`: XXH3-128 of each row with its number, added up per item (integers, so nobody
 * gathers anything), then of names, shapes and sums in list order, then of the scalars.
 * Collective: yes, equal lists and scalars. */
enum status items_digest(const struct comm *world, const struct items *items, const void *scalars, size_t n,
                         struct digest128 *out) MUST_USE;

#endif
