/* state.h: the state of a run as one HDF5 file of logical tensors (layout in FORMAT.md). Written by all ranks together through MPI-IO,
 * read by any number of ranks, each for itself: nothing in the file depends on how many there were.
 *
 *   state_create -> state_write_rows (each dataset, every rank) -> state_set_* -> state_finish          all collective
 *   state_open -> state_find, state_read_rows, state_get_* -> state_close                               all local: agree above
 *
 * Publication (digests, final name) is publish.h. */
#ifndef LAMINA_STORE_STATE_H
#define LAMINA_STORE_STATE_H

#include "common/comm/comm.h"
#include "common/store/h5.h"
#include "common/tensor/tensor.h"

/* One dataset: [rows, cols] where n_dims is 2; where it is 1, [cols], which is one row (rows = 1). */
struct state_entry {
    char name[H5_NAME]; /* "weights/blocks.0.attn.q.weight" */
    enum dtype dtype;
    int n_dims;
    int64_t rows, cols;
    int64_t offset, bytes; /* in the file; filled when it is read, ignored when it is written */
};

/* Whole rows of a tensor that stand one after the other in memory. */
struct state_rows {
    int64_t begin, count;
    void *data; /* not changed by writing */
};

/* --- Writing ----------------------------------------------------------------------------------------------------------- */

struct state_writer;

/* A new file at path (which must not exist), with the space for everything reserved before a byte is written: on a full disk this fails
 * here and nowhere later. Owns: until state_finish or state_abandon. Collective: yes, equal arguments.
 * Fails: ST_IO. */
enum status state_create(const struct comm *comm, const char *path, const struct state_entry entries[], int n,
                         struct state_writer **out) MUST_USE;
/* This rank's ranges of dataset `entry`; every row by exactly one rank, none is fine. Collective: yes, equal entry; ranges differ.
 * Fails: ST_IO. */
enum status state_write_rows(const struct comm *comm, struct state_writer *w, int entry, const struct state_rows ranges[],
                             int n_ranges) MUST_USE;
/* Facts beside the tensors, as attributes of the root. Text stays below H5_TEXT bytes; longer text and arrays are datasets (a text one of
 * DT_U8) which one rank writes. Collective: yes, equal values. Fails: ST_IO. */
enum status state_set_i64(const struct comm *comm, struct state_writer *w, const char *name, int64_t value) MUST_USE;
enum status state_set_f64(const struct comm *comm, struct state_writer *w, const char *name, double value) MUST_USE;
enum status state_set_text(const struct comm *comm, struct state_writer *w, const char *name, const char *text) MUST_USE;
/* Flush, close and fsync; the writer is gone, also on failure. Collective: yes. Fails: ST_IO. */
enum status state_finish(const struct comm *comm, struct state_writer *w) MUST_USE;
/* After a failure: close, whatever it says. The file stays where it is. Legal on NULL. Collective: yes. */
void state_abandon(const struct comm *comm, struct state_writer *w);

/* --- Reading ----------------------------------------------------------------------------------------------------------- */

struct state;

/* Owns: until state_close. Fails: ST_DAMAGED where it is missing, damaged or not ours. */
enum status state_open(const char *path, struct state **out) MUST_USE;
void state_close(struct state *st); /* legal on NULL */

/* All datasets in order of name, for listing. */
int state_count(const struct state *st);
const struct state_entry *state_entry(const struct state *st, int index);
/* NULL where there is none of this name. */
const struct state_entry *state_find(const struct state *st, const char *name);

/* Any rows of a dataset. expected: name, dtype and shape must be those of the file.
 * Fails: ST_CONFIG where they are not (another model), ST_DAMAGED where the file is too short. */
enum status state_read_rows(const struct state *st, const struct state_entry *expected, const struct state_rows ranges[],
                            int n_ranges) MUST_USE;
enum status state_get_i64(const struct state *st, const char *name, int64_t *out) MUST_USE;
enum status state_get_f64(const struct state *st, const char *name, double *out) MUST_USE;
enum status state_get_text(const struct state *st, const char *name, char *out, size_t size) MUST_USE;

#endif
