#include "arena.h"
#include "check.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

enum { GROW_BYTES = 1 << 16, POISON = 0xff }; /* all ones is a NaN in every floating type and -1 in every integer */

/* A measuring arena's addresses, 8 TiB from 2^55 on. No system gives them to a program (with 57 bits of addresses x86-64 would, to one that
 * asks for exactly these; on AArch64 bit 55 is the kernel's), so what touches them faults. Reserving them by mmap(PROT_NONE) did the same,
 * but fails under a small `ulimit -v`, and costs an emulator of processors gigabytes of tables. */
static const uintptr_t measure_base = (uintptr_t)1 << 55;
static const size_t measure_bytes = (size_t)1 << 43;

struct arena_block {
    struct arena_block *next;
    size_t cap, used; /* bytes from the block's start; its header takes the first ARENA_ALIGN */
};

static size_t round_up(size_t bytes, size_t unit)
{
    CHECK(bytes <= SIZE_MAX - unit);
    return (bytes + unit - 1) / unit * unit;
}

/* The address sanitizer sees an arena as one object; these make it see the objects placed in it. */
static void forbid_access(void *from, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(from, bytes);
#else
    (void)from, (void)bytes;
#endif
}

static void allow_access(void *from, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(from, bytes);
#else
    (void)from, (void)bytes;
#endif
}

static void poison(unsigned char *from, size_t bytes)
{
#ifdef LAMINA_DEBUG
    allow_access(from, bytes);
    memset(from, POISON, bytes);
#else
    (void)from, (void)bytes;
#endif
}

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

enum status arena_open(struct arena *arena, const char *name, size_t cap_bytes)
{
    *arena = (struct arena){ .name = name, .cap = round_up(cap_bytes, page_bytes()) };
    const size_t mapped = arena->cap > 0 ? arena->cap : page_bytes(); /* an empty arena still gives valid addresses */
    void *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) FAIL(ST_IO, "%s: the system refuses %zu bytes of memory: %s", name, mapped, strerror(errno));
    arena->base = base;
    forbid_access(base, arena->cap);
    return ST_OK;
}

void arena_open_growing(struct arena *arena, const char *name) { *arena = (struct arena){ .name = name }; }

void arena_open_measuring(struct arena *arena, const char *name)
{
    *arena = (struct arena){ .name = name, .base = (unsigned char *)measure_base, .cap = measure_bytes, .measuring = true };
}

static void free_blocks(struct arena *arena)
{
    for (struct arena_block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    arena->blocks = NULL;
}

void arena_close(struct arena *arena)
{
    if (arena->base != NULL && !arena->measuring) {
        const size_t mapped = arena->cap > 0 ? arena->cap : page_bytes();
        allow_access(arena->base, mapped);
        (void)munmap(arena->base, mapped);
    }
    free_blocks(arena);
    *arena = (struct arena){ 0 };
}

/* Growing arenas: room for bytes in the newest block, or in a new one. Blocks are zero from the start. */
static void *place_in_blocks(struct arena *arena, size_t bytes)
{
    struct arena_block *b = arena->blocks;
    if (b == NULL || bytes > b->cap - b->used) {
        const size_t payload = bytes > GROW_BYTES - ARENA_ALIGN ? bytes : GROW_BYTES - ARENA_ALIGN;
        const size_t cap = round_up(round_up(payload, ARENA_ALIGN) + ARENA_ALIGN, ARENA_ALIGN);
        b = aligned_alloc(ARENA_ALIGN, cap);
        CHECK(b != NULL);
        memset(b, 0, cap);
        *b = (struct arena_block){ .next = arena->blocks, .cap = cap, .used = ARENA_ALIGN };
        arena->blocks = b;
        arena->cap += cap;
    }
    unsigned char *at = (unsigned char *)b + b->used;
    b->used += round_up(bytes, ARENA_ALIGN);
    arena->used += round_up(bytes, ARENA_ALIGN);
    return at;
}

/* More than there are addresses for: a configuration can ask for anything. It is measured all the same, and refused by whoever wants it. */
static void *count_only(struct arena *arena, size_t at, size_t bytes)
{
    static const size_t most = SIZE_MAX / 4;
    arena->used = at < most && bytes < most ? at + bytes : most;
    return arena->base;
}

static void *place_in_range(struct arena *arena, size_t bytes)
{
    const size_t at = round_up(arena->used, ARENA_ALIGN);
    if (arena->measuring && (at > arena->cap || bytes > arena->cap - at)) return count_only(arena, at, bytes);
    CHECK(at <= arena->cap && bytes <= arena->cap - at); /* more is placed than was planned */
    arena->used = at + bytes;
    if (!arena->measuring) {
        allow_access(arena->base + at, bytes);
        poison(arena->base + at, bytes); /* nobody may rely on the zeros of a first use */
    }
    return arena->base + at;
}

void *arena_place(struct arena *arena, size_t bytes)
{
    void *at = arena->base != NULL ? place_in_range(arena, bytes) : place_in_blocks(arena, bytes);
    if (arena->used > arena->peak) arena->peak = arena->used;
    return at;
}

void *arena_place_n(struct arena *arena, size_t n, size_t bytes)
{
    size_t total = 0;
    CHECK(size_mul(n, bytes, &total) == ST_OK);
    return arena_place(arena, total);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    const size_t n = strlen(text) + 1;
    return memcpy(arena_place(arena, n), text, n);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(n >= 0);
    char *text = arena_place(arena, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_mark(const struct arena *arena)
{
    CHECK(arena->base != NULL); /* a growing arena has no order to go back to */
    return arena->used;
}

void arena_release(struct arena *arena, size_t mark)
{
    CHECK(arena->base != NULL && mark <= arena->used);
    if (!arena->measuring) {
        poison(arena->base + mark, arena->used - mark);
        forbid_access(arena->base + mark, arena->used - mark);
    }
    arena->used = mark;
}

void arena_reset(struct arena *arena)
{
    if (arena->base != NULL) {
        arena_release(arena, 0);
        return;
    }
    free_blocks(arena);
    arena->cap = arena->used = 0;
}
