/* fault.h: named places where a test can make the program fail, die or hang, to see what the others do.
 * LAMINA_FAULT="name@rank[:count][=fail|kill|hang]" arms one; without it a point costs one load and a branch. */
#ifndef LAMINA_BASE_FAULT_H
#define LAMINA_BASE_FAULT_H

#include "status.h"

/* name, the status a failing point returns */
#define FAULT_LIST(X)                                                                                                                      \
    X(config_read, ST_CONFIG)                                                                                                              \
    X(data_open, ST_DATA)                                                                                                                  \
    X(data_read, ST_DATA)                                                                                                                  \
    X(memory_place, ST_IO)                                                                                                                 \
    X(step_local, ST_BUG)                                                                                                                  \
    X(save_reserve, ST_IO)                                                                                                                 \
    X(save_write, ST_IO)                                                                                                                   \
    X(save_digest, ST_IO)                                                                                                                  \
    X(save_publish, ST_IO)                                                                                                                 \
    X(load_read, ST_DAMAGED)                                                                                                               \
    X(build_write, ST_IO)                                                                                                                  \
    X(build_segment, ST_IO)                                                                                                                \
    X(build_join, ST_IO)                                                                                                                   \
    X(build_publish, ST_IO)

enum fault_point {
#define FAULT_ENUM(name, status) FAULT_##name,
    FAULT_LIST(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

/* ST_OK, except once: on the count-th visit (default the first) of the point that is armed for this process's rank. */
enum status fault_here(enum fault_point point) MUST_USE;
/* Reads LAMINA_FAULT; one that cannot be understood is ignored with a warning. Called once, before other threads exist. */
void fault_arm_from_environment(int rank);

#endif
