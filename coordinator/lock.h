/* lock.h: one process at a time owns a run folder. Only rank 0 touches the lock; its answer is agreed over the ranks by the caller. */
#ifndef LAMINA_COORDINATOR_LOCK_H
#define LAMINA_COORDINATOR_LOCK_H

#include "common/base/str.h"

/* Creates FOLDER/lock (O_EXCL) with host, pid, start time of the process and Slurm job. A lock whose process is gone from this host is
 * taken over and said in `said`, and so is one of an earlier start of this Slurm job (SLURM_RESTART_COUNT), whatever its host. Fails:
 * ST_BUSY naming the holder and the remedy; ST_IO. */
enum status lock_take(const char *folder, struct text *said) MUST_USE;
/* Removes the lock that this process took; one of somebody else stays. */
void lock_release(const char *folder);

#endif
