/* Packed files: every kind of the table gives back what was packed, member after member; cut short at any byte, damaged or followed by
 * something else it is refused with a place; and a bomb stops at its limit. */
#include "common/data/packed.h"
#include "common/base/rng.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#ifdef LAMINA_HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef LAMINA_HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef LAMINA_HAVE_XZ
#include <lzma.h>
#endif

static char folder[64], path[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-packed-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

/* --- packing ------------------------------------------------------------------------------------------------------------ */

static size_t pack_plain(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    memcpy(out, in, n);
    return n;
}

static size_t pack_gzip(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    z_stream z = { 0 };
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    return z.total_out;
}

#ifdef LAMINA_HAVE_ZSTD
static size_t pack_zstd(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    ZSTD_CCtx *const c = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1); /* as the program zstd does */
    const size_t size = ZSTD_compress2(c, out, room, in, n);
    ck_assert(!ZSTD_isError(size));
    (void)ZSTD_freeCCtx(c);
    return size;
}
#endif

#ifdef LAMINA_HAVE_BZIP2
static size_t pack_bzip2(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    unsigned size = (unsigned)room;
    ck_assert_int_eq(BZ2_bzBuffToBuffCompress((char *)out, &size, (char *)(uintptr_t)in, (unsigned)n, 1, 0, 0), BZ_OK);
    return size;
}
#endif

#ifdef LAMINA_HAVE_XZ
static size_t pack_xz(const unsigned char *in, size_t n, unsigned char *out, size_t room)
{
    size_t size = 0;
    ck_assert_int_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, in, n, out, &size, room), LZMA_OK);
    return size;
}
#endif

static const struct {
    const struct packed_desc *desc;
    size_t (*pack)(const unsigned char *in, size_t n, unsigned char *out, size_t room);
} kinds[] = {
    { &packed_plain, pack_plain }, { &packed_gzip, pack_gzip },
#ifdef LAMINA_HAVE_ZSTD
    { &packed_zstd, pack_zstd },
#endif
#ifdef LAMINA_HAVE_BZIP2
    { &packed_bzip2, pack_bzip2 },
#endif
#ifdef LAMINA_HAVE_XZ
    { &packed_xz, pack_xz },
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds, SMALL = 700, LARGE = 1 << 20, ROOM = 2 << 20 };
static unsigned char text[LARGE], packed[ROOM], found[ROOM];

/* Letters whose frequencies differ, so that every kind packs them, but not to nothing. */
static void make_text(int64_t seed)
{
    const struct rng_key key = { .seed = (uint64_t)seed, .purpose = RNG_TEST };
    for (int64_t i = 0; i < LARGE; i++) {
        const uint64_t r = rng_u64(key, 0, i);
        text[i] = (unsigned char)("etaoin shrdlu\n\xc3\xa9"[(r & 15) < 10 ? (r >> 8) % 5 : (r >> 8) % 16]);
    }
}

static void put(int kind, const unsigned char *bytes, size_t n)
{
    (void)snprintf(path, sizeof path, "%s/a%s", folder, kind == 0 ? ".txt" : kinds[kind].desc->endings[0]);
    FILE *const f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    (void)fclose(f);
}

/* Reads the file in parts of `part` bytes into found. */
static enum status unpack(size_t part, int64_t most, size_t *n)
{
    struct packed *p;
    *n = 0;
    TRY(packed_open(path, most, &p));
    enum status s = ST_OK;
    for (size_t got = part; !s && got == part; *n += got) {
        ck_assert_uint_le(*n + part, ROOM);
        s = packed_read(p, found + *n, part, &got);
    }
    packed_close(p);
    return s;
}

/* --- what is right ------------------------------------------------------------------------------------------------------ */

START_TEST(the_table_has_a_packer_here_for_each_kind)
{
    int n = 0;
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++) {
        if ((*row)->lacking != NULL) continue;
        ck_assert_int_lt(n, KINDS);
        ck_assert_ptr_eq(*row, kinds[n++].desc);
    }
    ck_assert_int_eq(n, KINDS);
}
END_TEST

START_TEST(every_kind_gives_back_what_was_packed)
{
    static const size_t sizes[] = { 0, 1, SMALL, LARGE }, parts[] = { 1009, 1 << 20 };
    size_t n;
    for (int k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < 4; i++) {
            put(k, packed, kinds[k].pack(text, sizes[i], packed, ROOM));
            for (size_t j = 0; j < 2; j++) {
                ck_assert_int_eq(unpack(parts[j], 0, &n), ST_OK);
                ck_assert_uint_eq(n, sizes[i]);
                ck_assert_int_eq(memcmp(found, text, n), 0);
            }
        }
    }
}
END_TEST

START_TEST(members_stand_one_behind_the_other_and_zeros_may_end_a_file)
{
    size_t n;
    for (int k = 1; k < KINDS; k++) {
        size_t used = kinds[k].pack(text, SMALL, packed, ROOM);
        used += kinds[k].pack(text + SMALL, 0, packed + used, ROOM - used);
        used += kinds[k].pack(text + SMALL, LARGE - SMALL, packed + used, ROOM - used);
        memset(packed + used, 0, 512);
        put(k, packed, used + 512);
        ck_assert_int_eq(unpack(1 << 18, 0, &n), ST_OK);
        ck_assert_uint_eq(n, LARGE);
        ck_assert_int_eq(memcmp(found, text, n), 0);
    }
}
END_TEST

START_TEST(passing_over_bytes_is_reading_them)
{
    for (int k = 0; k < KINDS; k++) {
        struct packed *p;
        int64_t passed;
        size_t got;
        put(k, packed, kinds[k].pack(text, LARGE, packed, ROOM));
        ck_assert_int_eq(packed_open(path, 0, &p), ST_OK);
        ck_assert_int_eq(packed_skip(p, 345678, &passed), ST_OK);
        ck_assert_int_eq(passed, 345678);
        ck_assert_int_eq(packed_read(p, found, 1000, &got), ST_OK);
        ck_assert_uint_eq(got, 1000);
        ck_assert_int_eq(memcmp(found, text + 345678, 1000), 0);
        ck_assert_int_eq(packed_skip(p, (int64_t)1 << 40, &passed), ST_OK);
        ck_assert_int_eq(passed, LARGE - 345678 - 1000);
        ck_assert_int_eq(packed_read(p, found, 1000, &got), ST_OK);
        ck_assert_uint_eq(got, 0);
        packed_close(p);
    }
}
END_TEST

START_TEST(names_tell_the_kind)
{
    size_t stem;
    ck_assert_ptr_eq(packed_kind("a/b.jsonl.zst", &stem), &packed_zstd);
    ck_assert_uint_eq(stem, strlen("a/b.jsonl"));
    ck_assert_ptr_eq(packed_kind("gcide.dict.dz", &stem), &packed_gzip);
    ck_assert_ptr_eq(packed_kind("notes.md", &stem), &packed_plain);
    ck_assert_uint_eq(stem, strlen("notes.md"));
    ck_assert_ptr_eq(packed_kind(".gz", &stem), &packed_plain); /* a name, not an ending */
}
END_TEST

/* --- what is wrong ------------------------------------------------------------------------------------------------------ */

/* Also at the border of two members, and with nothing left at all. */
START_TEST(a_file_cut_short_at_any_byte_is_refused)
{
    size_t n;
    for (int k = 1; k < KINDS; k++) {
        const size_t first = kinds[k].pack(text, SMALL, packed, ROOM);
        const size_t whole = first + kinds[k].pack(text, SMALL, packed + first, ROOM - first);
        for (size_t cut = 0; cut < whole; cut++) {
            if (cut == first) continue; /* that is a whole file */
            put(k, packed, cut);
            ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
            ck_assert_ptr_nonnull(strstr(status_text(), path));
        }
    }
}
END_TEST

START_TEST(the_place_of_an_early_end_is_told)
{
    size_t n;
    char place[32];
    for (int k = 1; k < KINDS; k++) {
        const size_t whole = kinds[k].pack(text, LARGE, packed, ROOM);
        put(k, packed, whole / 2);
        ck_assert_int_eq(unpack(1 << 16, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), "ends too early"));
        (void)snprintf(place, sizeof place, "byte %zu ", whole / 2);
        ck_assert_ptr_nonnull(strstr(status_text(), place));
    }
}
END_TEST

/* One bit anywhere. What is refused is refused as data; what is not must be the same text (a flag in a header that says nothing of it). */
START_TEST(damage_is_refused_or_harmless)
{
    const struct rng_key key = { .seed = 1, .purpose = RNG_TEST };
    size_t n;
    for (int k = 1; k < KINDS; k++) {
        const size_t whole = kinds[k].pack(text, SMALL, packed, ROOM);
        int refused = 0;
        enum { TIMES = 300 };
        for (int i = 0; i < TIMES; i++) {
            const uint64_t r = rng_u64(key, k, i);
            const size_t at = r % whole;
            packed[at] ^= (unsigned char)(1u << (r >> 61));
            put(k, packed, whole);
            const enum status s = unpack(4096, 0, &n);
            ck_assert(s == ST_DATA || s == ST_OK);
            if (s == ST_DATA) refused++;
            if (s == ST_OK) ck_assert(n == SMALL && memcmp(found, text, n) == 0);
            packed[at] ^= (unsigned char)(1u << (r >> 61));
        }
        ck_assert_int_gt(refused, TIMES * 8 / 10);
    }
}
END_TEST

START_TEST(what_follows_the_last_member_is_told)
{
    size_t n;
    for (int k = 1; k < KINDS; k++) {
        const size_t whole = kinds[k].pack(text, SMALL, packed, ROOM);
        memcpy(packed + whole, "something else", 14);
        put(k, packed, whole + 14);
        ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), "followed by something"));
    }
}
END_TEST

START_TEST(names_that_lie_are_told)
{
    size_t n;
    for (int k = 1; k < KINDS; k++) {
        put(k, text, SMALL);
        ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), kinds[k].desc->name));
        put(0, packed, kinds[k].pack(text, SMALL, packed, ROOM)); /* packed, and named .txt */
        ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), kinds[k].desc->endings[0]));
    }
    (void)snprintf(path, sizeof path, "%s/missing.gz", folder);
    ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
    (void)snprintf(path, sizeof path, "%s/pipe.gz", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* nobody writes: reading it would wait for ever */
    ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
}
END_TEST

START_TEST(a_bomb_stops_at_the_limit)
{
    size_t n;
    memset(text, 0, LARGE); /* a thousandth when packed */
    for (int k = 1; k < KINDS; k++) {
        put(k, packed, kinds[k].pack(text, LARGE, packed, ROOM));
        ck_assert_int_eq(unpack(1 << 16, LARGE, &n), ST_OK);
        ck_assert_int_eq(unpack(1 << 16, LARGE - 1, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), "--max-unpacked"));
        ck_assert_int_eq(unpack(1 << 16, 100000, &n), ST_DATA);
        ck_assert_uint_le(n, 100000 + (1 << 16)); /* it did not go on */
    }
    ck_assert_int_eq(packed_most(0), 1 << 30);
    ck_assert_int_eq(packed_most(INT64_MAX), INT64_MAX);
    make_text(1);
}
END_TEST

int main(void)
{
    make_text(1);
    TCase *tc = tcase_create("packed");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, the_table_has_a_packer_here_for_each_kind);
    tcase_add_test(tc, every_kind_gives_back_what_was_packed);
    tcase_add_test(tc, members_stand_one_behind_the_other_and_zeros_may_end_a_file);
    tcase_add_test(tc, passing_over_bytes_is_reading_them);
    tcase_add_test(tc, names_tell_the_kind);
    tcase_add_test(tc, a_file_cut_short_at_any_byte_is_refused);
    tcase_add_test(tc, the_place_of_an_early_end_is_told);
    tcase_add_test(tc, damage_is_refused_or_harmless);
    tcase_add_test(tc, what_follows_the_last_member_is_told);
    tcase_add_test(tc, names_that_lie_are_told);
    tcase_add_test(tc, a_bomb_stops_at_the_limit);
    Suite *suite = suite_create("packed");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_NOFORK);
}
