/* units.h: the work of a build, cut by the sizes of its inputs: never by ranks or threads.
 *
 * A unit is one large file, or a bundle of small ones that stand side by side; a bundle is one shard. A large file whose documents can be
 * told apart has a shard for each shard_bytes of its unpacked bytes: shard k holds the documents that begin there. A shard becomes one
 * segment (segment.h); who encodes it depends on the ranks, what comes out does not. */
#ifndef LAMINA_DATA_BUILD_UNITS_H
#define LAMINA_DATA_BUILD_UNITS_H

#include "setting.h"

struct unit {
    int64_t first, n_files; /* of the inputs */
    int64_t bytes;          /* as they stand on the disk */
    bool cut;               /* has shards; else it is one */
    bool shared;            /* all ranks take part: shard k belongs to rank k % ranks, and each rank unpacks the file for itself */
    int owner;              /* the rank that does all of it, where it is not shared */
    struct digest128 key;   /* of settings and files: names its segments, so that they are found again though other inputs have changed */
};
struct units {
    struct unit *unit; /* [n], in the order of the inputs */
    int64_t n, shard_bytes;
};

/* Whole units go to the rank with the least work so far; only a file that would keep one rank busy for longer than half a fair share is
 * shared. Owns: lives in arena. */
void units_cut(struct arena *arena, const struct setting *s, int ranks, struct units *out);

#endif
