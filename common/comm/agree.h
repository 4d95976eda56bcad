/* agree.h: all ranks take the same branch. */
#ifndef LAMINA_COMM_AGREE_H
#define LAMINA_COMM_AGREE_H

#include "comm.h"

/* Local work on a collective path: do it, agree, then go on. */
#define TRY_ALL(comm, call)                                                                                                                \
    do {                                                                                                                                   \
        enum status s_ = comm_agree((comm), (call));                                                                                       \
        if (s_) return status_trace(s_, __FILE__, __LINE__);                                                                               \
    } while (0)

/* The worst status of all ranks (lowest rank on a tie); that rank's sentence is adopted by the others.
 * Collective: yes; mine may differ. */
enum status comm_agree(const struct comm *comm, enum status mine) MUST_USE;

/* Are these bytes the same on all ranks? what names them in the sentence. Collective: yes.
 * Fails: ST_LAUNCH naming two ranks and hosts. */
enum status comm_same(const struct comm *comm, const char *what, struct digest128 mine) MUST_USE;

#endif
