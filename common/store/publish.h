/* publish.h: checkpoints that are either there or not. A checkpoint is a folder CKPT/step-00001200 of state.h5 and manifest.json; it is
 * written under the name step-00001200.tmp, and gets its own by one rename after everything in it, read back and digested, is on the disk.
 * A process killed at any moment leaves the older ones as they were. Which to keep, and when to save, is decided above.
 *
 *   publish_begin -> write the file at publish_path(..., PUBLISH_TEMPORARY, ...) by state.h -> publish_commit (or publish_discard) */
#ifndef LAMINA_STORE_PUBLISH_H
#define LAMINA_STORE_PUBLISH_H

#include "common/base/arena.h"
#include "common/comm/comm.h"
#include "common/store/h5.h"

/* CKPT/step-N/state.h5, or the same while it is being written. Returns out. */
enum publish_place { PUBLISH_FINAL, PUBLISH_TEMPORARY };
char *publish_path(const char *ckpt, int64_t step, enum publish_place place, char out[H5_PATH]);

/* Makes the folders; what an earlier attempt at this step left behind is removed. Collective: yes, equal ckpt and step. Fails: ST_IO. */
enum status publish_begin(const struct comm *comm, const char *ckpt, int64_t step) MUST_USE;
/* After state_finish: reads state.h5 back (each rank a share of its blocks), writes the manifest, renames, and notes the name in
 * CKPT/latest (a hint for people, never read). A checkpoint of the same step (one that no longer verified) is replaced. Collective: yes,
 * equal ckpt and step. Fails: ST_IO; then publish_discard. */
enum status publish_commit(const struct comm *comm, const char *ckpt, int64_t step) MUST_USE;
/* After a failure: the temporary folder goes. It says nothing, so the sentence of that failure stays. Collective: yes, equal ckpt and step.
 */
void publish_discard(const struct comm *comm, const char *ckpt, int64_t step);

/* Steps of the published checkpoints, newest first, whatever their condition; temporary and foreign names are ignored, and a missing folder
 * is an empty one. Local. Owns: *steps lives in arena (a growing one). Fails: ST_IO. */
enum status publish_list(struct arena *arena, const char *ckpt, int64_t **steps, int *n) MUST_USE;
/* Recomputes every digest of one checkpoint folder (CKPT/step-N, or a copy of one), and opens its file: the datasets must be those that the
 * manifest lists. With comm_self it serves a single process.
 * Collective: yes, equal folder. Fails: ST_DAMAGED, naming the first damaged block and the datasets in it. */
enum status publish_verify(const struct comm *comm, const char *folder) MUST_USE;
/* The newest checkpoint that verifies, and a warning for each newer one that does not; *step = -1 where there is none at all.
 * Collective: yes, equal ckpt. Fails: ST_DAMAGED when there are some and none verifies. */
enum status publish_newest(const struct comm *comm, const char *ckpt, int64_t *step) MUST_USE;
/* Removes a published checkpoint: first its name, then its files. Collective: yes, equal ckpt and step. Fails: ST_IO. */
enum status publish_remove(const struct comm *comm, const char *ckpt, int64_t step) MUST_USE;
/* Removes the oldest beyond `keep`, but never the newest that verifies. trusted: a step known to verify (the one just committed), which
 * saves reading it again; -1: none. Collective: yes, equal arguments. Fails: ST_IO. */
enum status publish_retain(const struct comm *comm, const char *ckpt, int64_t keep, int64_t trusted) MUST_USE;

#endif
