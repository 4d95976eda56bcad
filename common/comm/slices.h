/* slices.h: the reduction to owners. Every rank holds int64 contributions to a whole unit; each owner ends with the sum of its slice.
 * Own code because MPI_Reduce_scatter passes whole vectors through one rank (measured 3 to 4 times slower) and hides its buffers. */
#ifndef LAMINA_COMM_SLICES_H
#define LAMINA_COMM_SLICES_H

#include "comm.h"

enum { SLICES_PIECE_BYTES = 1 << 20 };

/* A reduction in flight. Owns: pieces placed by slices_place; reused every step, no allocation afterwards. */
struct slices;

/* cut[0..size] are element positions: rank r owns [cut[r], cut[r+1]) of a unit of cut[size] elements. */
struct arena;
/* Receive buffers for a group of `size` ranks. Local; on a measuring arena only sizes are taken. */
struct slices *slices_place(struct arena *arena, int size);

/* contribution[cut[size]] and cut are read until slices_wait returns; own += the sum over all ranks of their [cut[rank], cut[rank+1]) part,
 * this rank's own contribution included. Pieces of 1 MiB are added in order of arrival: integers do not mind. Collective: yes, equal cut[].
 * One reduction at a time per `slices`. */
enum status slices_begin(const struct comm *comm, struct slices *s, const int64_t *contribution, const int64_t cut[],
                         int64_t *own) MUST_USE;
/* Receives what has arrived and sends what may be sent; local, for the poll between tasks. */
void slices_poll(void *slices);
/* Collective: yes. Past the deadline the silent peer is named and the world aborted (ST_TIMEOUT). */
enum status slices_wait(const struct comm *comm, struct slices *s) MUST_USE;

#endif
