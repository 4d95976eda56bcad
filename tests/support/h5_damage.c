#include "h5_damage.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Jenkins, lookup3 "hashlittle", 2006 (public domain), as the HDF5 file format demands it of metadata. */
static uint32_t turn(uint32_t x, int by) { return x << by | x >> (32 - by); }

static uint32_t checksum(const unsigned char *p, size_t n)
{
    uint32_t a = 0xdeadbeefu + (uint32_t)n, b = a, c = a;
    unsigned char last[12] = { 0 };
    if (n == 0) return c;
    for (;;) {
        uint32_t k[3];
        const bool ends = n <= 12;
        if (ends) memcpy(last, p, n);
        memcpy(k, ends ? last : p, sizeof k);
        a += k[0], b += k[1], c += k[2];
        if (ends) break;
        a -= c, a ^= turn(c, 4), c += b;
        b -= a, b ^= turn(a, 6), a += c;
        c -= b, c ^= turn(b, 8), b += a;
        a -= c, a ^= turn(c, 16), c += b;
        b -= a, b ^= turn(a, 19), a += c;
        c -= b, c ^= turn(b, 4), b += a;
        p += 12, n -= 12;
    }
    c ^= b, c -= turn(b, 14);
    a ^= c, a -= turn(c, 11);
    b ^= a, b -= turn(a, 25);
    c ^= b, c -= turn(b, 16);
    a ^= c, a -= turn(c, 4);
    b ^= a, b -= turn(a, 14);
    c ^= b, c -= turn(b, 24);
    return c;
}

/* A direct block of a fractal heap has its checksum in its head and takes it over all of it with zeros there. */
enum { IN_HEAD = 17 };

static uint32_t checksum_of(unsigned char *bytes, const struct h5_piece *p)
{
    static const unsigned char none[4] = { 0 };
    unsigned char *const at = bytes + p->offset, kept[4];
    if (p->checksum + 4 == p->length) return checksum(at, p->checksum);
    memcpy(kept, at + p->checksum, 4);
    memcpy(at + p->checksum, none, 4);
    const uint32_t sum = checksum(at, p->length);
    memcpy(at + p->checksum, kept, 4);
    return sum;
}

static bool is_sealed(unsigned char *bytes, const struct h5_piece *p)
{
    uint32_t stored;
    memcpy(&stored, bytes + p->offset + p->checksum, 4);
    return stored == checksum_of(bytes, p);
}

static bool begins(const unsigned char *at)
{
    static const char names[][5] = { "\211HDF", "OHDR", "OCHK", "FRHP", "FHDB", "FHIB", "BTHD", "BTIN", "BTLF", "SMTB" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memcmp(at, names[i], 4) == 0) return true;
    return false;
}

/* Where a piece ends is found by trying: it is where the checksum is right. */
static bool find_end(unsigned char *bytes, size_t n, struct h5_piece *p)
{
    enum { LONGEST = 1 << 14 };
    const bool in_head = memcmp(bytes + p->offset, "FHDB", 4) == 0;
    for (p->length = 24; p->length <= LONGEST && p->offset + p->length <= n; p->length += in_head ? 8 : 1) {
        p->checksum = in_head ? IN_HEAD : p->length - 4;
        if (is_sealed(bytes, p)) return true;
    }
    return false;
}

void h5_map_of(const unsigned char *good, size_t n, struct h5_map *out)
{
    unsigned char *const bytes = (unsigned char *)(uintptr_t)good; /* put back as it was after each trial */
    out->n = 0;
    for (size_t at = 0; at + 24 <= n && out->n < H5_PIECES; at++) {
        struct h5_piece p = { .offset = at };
        if (!begins(bytes + at) || !find_end(bytes, n, &p)) continue;
        out->piece[out->n++] = p;
        at += p.length - 1;
    }
}

void h5_seal(unsigned char *bytes, size_t n, const struct h5_map *map)
{
    for (int i = 0; i < map->n; i++) {
        const struct h5_piece *const p = &map->piece[i];
        if (p->offset + p->length > n) continue;
        const uint32_t sum = checksum_of(bytes, p);
        memcpy(bytes + p->offset + p->checksum, &sum, 4);
    }
}

static uint64_t awkward(struct fuzz *f, uint64_t before, size_t n)
{
    static const uint64_t values[] = { 0,          1,
                                       2,          3,
                                       4,          7,
                                       8,          0x7f,
                                       0x80,       0xff,
                                       0x100,      0x7fff,
                                       0xffff,     0x10000,
                                       0x7fffffff, 0x80000000,
                                       0xffffffff, UINT64_C(1) << 60,
                                       INT64_MAX,  (uint64_t)INT64_MIN,
                                       UINT64_MAX };
    switch (fuzz_below(f, 5)) {
    case 0: return before + 1;
    case 1: return before - 1;
    case 2: return fuzz_below(f, n);
    case 3: return fuzz_draw(f);
    default: return values[fuzz_below(f, sizeof values / sizeof *values)];
    }
}

/* A number of 1, 2, 4 or 8 bytes inside a piece. */
static void change_number(struct fuzz *f, unsigned char *bytes, size_t n, const struct h5_piece *p)
{
    const size_t width = (size_t)1 << fuzz_below(f, 4), at = p->offset + 4 + fuzz_below(f, p->length - 4 - width);
    uint64_t value = 0;
    memcpy(&value, bytes + at, width);
    value = awkward(f, value, n);
    memcpy(bytes + at, &value, width);
}

static void copy_between(struct fuzz *f, unsigned char *bytes, const struct h5_map *map, const struct h5_piece *to)
{
    const struct h5_piece *const from = &map->piece[fuzz_below(f, (uint64_t)map->n)];
    const size_t most = from->length < to->length ? from->length : to->length;
    size_t begin = fuzz_below(f, 2) ? 0 : fuzz_below(f, most), length = 1 + fuzz_below(f, most - begin);
    if (begin == 0 && fuzz_below(f, 2)) length = most;
    memmove(bytes + to->offset + begin, bytes + from->offset + (fuzz_below(f, 2) ? begin : 0), length);
}

static void damage_piece(struct fuzz *f, unsigned char *bytes, size_t n, const struct h5_map *map)
{
    const struct h5_piece *const p = &map->piece[fuzz_below(f, (uint64_t)map->n)];
    if (p->offset + p->length > n) return;
    switch (fuzz_below(f, 6)) {
    case 0: copy_between(f, bytes, map, p); break;
    case 1: bytes[p->offset + fuzz_below(f, p->length)] ^= (unsigned char)(1u << fuzz_below(f, 8)); break;
    default: change_number(f, bytes, n, p);
    }
}

static void blank_page(struct fuzz *f, unsigned char *bytes, size_t n)
{
    const size_t page = (size_t)512 << fuzz_below(f, 4), at = fuzz_below(f, n / page + 1) * page;
    if (at < n) memset(bytes + at, fuzz_below(f, 2) ? 0 : 0xff, n - at < page ? n - at : page);
}

size_t h5_damage(struct fuzz *f, unsigned char *bytes, size_t n, size_t room, const struct h5_map *map)
{
    const uint64_t how = fuzz_below(f, 10);
    if (how == 0) return fuzz_damage(f, bytes, n, room, NULL);
    if (how == 1) blank_page(f, bytes, n);
    if (how == 2) return fuzz_below(f, n);
    for (uint64_t times = 1 + fuzz_below(f, how < 6 ? 1 : 6); times > 0; times--) damage_piece(f, bytes, n, map);
    if (how != 3) h5_seal(bytes, n, map);
    return n;
}

/* ---- a file, round after round ---- */

void h5_sample_take(struct h5_sample *s, const char *path, int pieces)
{
    s->path = path;
    FILE *const file = fopen(path, "rb");
    if (file == NULL) abort();
    s->n = fread(s->good, 1, sizeof s->good, file);
    (void)fclose(file);
    h5_map_of(s->good, s->n, &s->map);
    if (s->n == sizeof s->good || s->map.n < pieces) abort();
}

void h5_sample_damage(struct fuzz *f, const struct h5_sample *s)
{
    static unsigned char bytes[H5_SAMPLE];
    const size_t n = h5_damage(f, memcpy(bytes, s->good, sizeof s->good), s->n, sizeof bytes, &s->map);
    FILE *const file = fopen(s->path, "wb");
    FUZZ_CHECK(f, file != NULL && fwrite(bytes, 1, n, file) == n);
    (void)fclose(file);
}
