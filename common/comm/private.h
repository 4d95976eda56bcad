/* private.h: the inside of a group, and the one waiting loop, for the files of common/comm. Read after comm.h. */
#ifndef LAMINA_COMM_PRIVATE_H
#define LAMINA_COMM_PRIVATE_H

#ifndef LAMINA_COMM_PRIVATE
#error "common/comm/private.h belongs to common/comm; include comm.h"
#endif

#include "comm.h"
#include <mpi.h>

enum { COMM_HOST_BYTES = 64 };

struct comm {
    MPI_Comm mpi; /* MPI_COMM_NULL: a group of one that needs no MPI */
    bool world;   /* MPI_COMM_WORLD itself: not ours to free */
    int rank, size, node_size;
    int *reductions;                /* reductions to owners begun: their tags. A pointer, because users hold the group as const */
    char (*hosts)[COMM_HOST_BYTES]; /* [size] */
};

/* MPI is one per process, and so is what stands here: the counters, the deadline, the pieces. Set by comm_start, before other threads. */
struct comm_process {
    int64_t bytes[COMM_PHASES];
    double deadline_s;
    size_t piece_bytes; /* most bytes of one MPI call */
    int guard;          /* where comm_guard's parent listens; 0: there is none */
};
extern struct comm_process comm_process;

/* MPI_Init_thread, under the eyes of comm_guard's parent where there is one. Fails: ST_LAUNCH. */
enum status comm_guarded_init(int *provided) MUST_USE;

/* An MPI call failed: no peer can be told any more, so the world ends. call names it. */
void comm_check(int mpi_code, const char *call, enum comm_phase phase);
void comm_count(enum comm_phase phase, int64_t bytes);
/* What one of `size` ranks sends in an allreduce of `bytes`, by the counting rule. */
int64_t comm_allreduce_bytes(int size, int64_t bytes);

/* A wait that may not last: ask comm_late between polls; it yields the core and is true past the deadline. */
struct comm_watch {
    double began;
    int64_t polls;
};
bool comm_late(struct comm_watch *watch);
/* All requests done, or the world is aborted with ST_TIMEOUT and a sentence that names call and phase. */
void comm_await(MPI_Request *requests, int n, const char *call, enum comm_phase phase);

void comm_operations_free(void);
/* Frees the type and operation kept by comm_reduce_record. */
void comm_record_free(void);

/* The recorder's i-th entry, oldest first, as one line without its end; false past the newest. */
bool recorder_line(int i, char *line, size_t cap);

#endif
