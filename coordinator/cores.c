#include "cores.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* One per rank: which cores, on which host. */
struct place {
    struct digest128 set;
    int64_t count;
};

static struct place here(const char *host)
{
    struct {
        char host[256];
        cpu_set_t set;
    } key;
    memset(&key, 0, sizeof key);
    strncpy(key.host, host, sizeof key.host - 1);
    (void)sched_getaffinity(0, sizeof key.set, &key.set); /* refused: all zero, which counts as the same set */
    return (struct place){ digest_bytes(&key, sizeof key), parallel_cores_allowed() };
}

void cores_here(struct cores *out)
{
    *out = (struct cores){ .allowed = parallel_cores_allowed(), .sharing = 1 };
    out->world = out->allowed;
}

static bool seen_before(const struct place *all, int r)
{
    for (int i = 0; i < r; i++)
        if (digest_equal(all[i].set, all[r].set)) return true;
    return false;
}

enum status cores_all(const struct comm *world, struct cores *out)
{
    const int size = comm_size(world);
    const struct place mine = here(comm_host(world, comm_rank(world)));
    struct place *all = calloc((size_t)size, sizeof *all);
    CHECK(all != NULL);
    *out = (struct cores){ .allowed = (int)mine.count };
    const enum status s = comm_gather_all(world, COMM_CONTROL, &mine, sizeof mine, all);
    for (int r = 0; r < size && s == ST_OK; r++) {
        out->sharing += digest_equal(all[r].set, mine.set);
        if (!seen_before(all, r)) out->world += (int)all[r].count;
    }
    free(all);
    return s;
}
