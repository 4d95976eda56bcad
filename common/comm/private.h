/* private.h: the inside of a group, for the files of common/comm. */
#ifndef LAMINA_COMM_PRIVATE_H
#define LAMINA_COMM_PRIVATE_H

#ifndef LAMINA_COMM
#error "common/comm/private.h belongs to common/comm; include comm.h"
#endif

#include "comm.h"
#include <mpi.h>

enum { COMM_NAME = 64 };

struct comm {
    MPI_Comm mpi; /* MPI_COMM_NULL: a group of one that needs no MPI */
    int rank, size, node_size;
    bool world, self;
    char (*hosts)[COMM_NAME]; /* [size] */
    MPI_Datatype record;      /* of the last comm_reduce_record, kept while the size stays */
    size_t record_bytes;
    MPI_Op combine;
    MPI_Datatype slice; /* of the last comm_gather_begin */
    size_t slice_unit;
    int *counts, *places; /* [size] of the gather in flight */
};

/* MPI failed inside Lamina's wrapper: nothing can be agreed on any more, so the world ends. */
void comm_check(int mpi_result, const char *call);
void comm_count(enum comm_phase phase, int64_t bytes);
/* Seconds that a wait may take (LAMINA_DEADLINE, 600). */
double comm_deadline(void);
/* Waits on requests with the deadline; `what` and `peer` (-1: unknown) name the silence. */
void comm_wait_all(MPI_Request *requests, int n, const char *what);

#endif
