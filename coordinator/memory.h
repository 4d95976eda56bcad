/* memory.h: what the kernel says of this process's memory: the measure that no arena can flatter. */
#ifndef LAMINA_COORDINATOR_MEMORY_H
#define LAMINA_COORDINATOR_MEMORY_H

#include <stdint.h>

/* Resident bytes now and at most since start or since memory_reset_peak; 0 where /proc does not tell. */
struct memory_use {
    int64_t now, peak;
};
struct memory_use memory_use(void);
/* Starts the peak anew (Linux: /proc/self/clear_refs); where that is refused the peak keeps counting from the start. */
void memory_reset_peak(void);

#endif
