/* arena.h: memory by lifetime. Objects are placed, never freed one by one; all go when the arena is reset or closed.
 * Placing is separate from filling: builders place and never touch contents, so the same builder run on a measuring
 * arena gives the bytes that the run will need. That is how `plan` and the run share one source. */
#ifndef LAMINA_BASE_ARENA_H
#define LAMINA_BASE_ARENA_H

#include "status.h"
#include <stdbool.h>
#include <stddef.h>

enum { ARENA_ALIGN = 64 }; /* every block starts on a cache line */

struct arena_block;
struct arena {
    const char *name;
    unsigned char *base;    /* fixed and measuring arenas: one range of addresses */
    size_t cap, used, peak; /* bytes; peak is the most that was used at one time */
    bool measuring;
    struct arena_block *blocks; /* growing arenas: a chain of blocks */
};

/* A fixed arena of exactly cap_bytes (rounded up to pages); placing beyond it breaks an invariant.
 * Owns: until arena_close. Fails: ST_IO when the system refuses the memory. */
enum status arena_open(struct arena *arena, const char *name, size_t cap_bytes) MUST_USE;

/* A growing arena for things whose size is the user's (configuration, tables). Never used in the step. */
void arena_open_growing(struct arena *arena, const char *name);

/* Addresses only, of which nothing is mapped: touching what is placed here faults; `peak` is the measured size. */
void arena_open_measuring(struct arena *arena, const char *name);
void arena_close(struct arena *arena);

/* bytes at the next 64-byte boundary; contents are undefined (fixed) or zero (growing). bytes = 0 gives a valid address. */
void *arena_place(struct arena *arena, size_t bytes);
/* n things of size bytes each, checked product. */
void *arena_place_n(struct arena *arena, size_t n, size_t bytes);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Mark and release nest; fixed and measuring arenas only. Debug builds poison what is released. */
size_t arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, size_t mark);
void arena_reset(struct arena *arena);

#endif
