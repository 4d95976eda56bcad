/* retention.h: which checkpoints may go. */
#ifndef LAMINA_COORDINATOR_RETENTION_H
#define LAMINA_COORDINATOR_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

struct retention_item {
    int64_t step;
    bool verified; /* its digests were read back and matched */
};
/* items in ascending order of step. drop[i] is set for those to remove: all but the newest `keep` verified ones and what is newer than
 * the oldest of these; nothing is dropped while fewer than `keep` verified ones exist, so a damaged file never displaces a good one. */
void retention_choose(const struct retention_item items[], int n, int64_t keep, bool drop[]);

#endif
