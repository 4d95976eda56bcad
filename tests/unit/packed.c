/* Packed files: every kind of the table gives back what was packed, member after member; cut short at any byte, damaged or followed by
 * something else it is refused with a place; and a bomb stops at its limit. */
#include "common/data/packed.h"
#include "common/base/rng.h"
#include "common/store/folder.h"
#include "tests/support/packers.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-packed-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

enum { SMALL = 700, LARGE = 1 << 20, ROOM = 2 << 20 };
static unsigned char text[LARGE], packed[ROOM], found[ROOM];

/* Letters whose frequencies differ, so that every kind packers them, but not to nothing. */
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
    (void)snprintf(path, sizeof path, "%s/a%s", folder, kind == 0 ? ".txt" : packers[kind].desc->endings[0]);
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
        ck_assert_int_lt(n, packers_count);
        ck_assert_ptr_eq(*row, packers[n++].desc);
    }
    ck_assert_int_eq(n, packers_count);
}
END_TEST

START_TEST(every_kind_gives_back_what_was_packed)
{
    static const size_t sizes[] = { 0, 1, SMALL, LARGE }, parts[] = { 1009, 1 << 20 };
    size_t n;
    for (int k = 0; k < packers_count; k++) {
        for (size_t i = 0; i < 4; i++) {
            put(k, packed, packers[k].pack(text, sizes[i], packed, ROOM));
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
    for (int k = 1; k < packers_count; k++) {
        size_t used = packers[k].pack(text, SMALL, packed, ROOM);
        used += packers[k].pack(text + SMALL, 0, packed + used, ROOM - used);
        used += packers[k].pack(text + SMALL, LARGE - SMALL, packed + used, ROOM - used);
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
    for (int k = 0; k < packers_count; k++) {
        struct packed *p;
        int64_t passed;
        size_t got;
        put(k, packed, packers[k].pack(text, LARGE, packed, ROOM));
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
    for (int k = 1; k < packers_count; k++) {
        const size_t first = packers[k].pack(text, SMALL, packed, ROOM);
        const size_t whole = first + packers[k].pack(text, SMALL, packed + first, ROOM - first);
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
    for (int k = 1; k < packers_count; k++) {
        const size_t whole = packers[k].pack(text, LARGE, packed, ROOM);
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
    for (int k = 1; k < packers_count; k++) {
        const size_t whole = packers[k].pack(text, SMALL, packed, ROOM);
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
    for (int k = 1; k < packers_count; k++) {
        const size_t whole = packers[k].pack(text, SMALL, packed, ROOM);
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
    for (int k = 1; k < packers_count; k++) {
        put(k, text, SMALL);
        ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), packers[k].desc->name));
        put(0, packed, packers[k].pack(text, SMALL, packed, ROOM)); /* packed, and named .txt */
        ck_assert_int_eq(unpack(4096, 0, &n), ST_DATA);
        ck_assert_ptr_nonnull(strstr(status_text(), packers[k].desc->endings[0]));
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
    for (int k = 1; k < packers_count; k++) {
        put(k, packed, packers[k].pack(text, LARGE, packed, ROOM));
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
