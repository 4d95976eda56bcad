/* cores.h: how many processor cores the ranks of a world really have: bound ranks have their own, unbound ones share. */
#ifndef LAMINA_COORDINATOR_CORES_H
#define LAMINA_COORDINATOR_CORES_H

#include "common/comm/comm.h"

struct cores {
    int allowed; /* this rank may run on so many */
    int sharing; /* ranks of this node with the very same set, this one included */
    int world;   /* of all ranks together, each set counted once */
};
void cores_here(struct cores *out); /* of a process on its own. Local */
/* Collective: yes. */
enum status cores_all(const struct comm *world, struct cores *out) MUST_USE;

#endif
