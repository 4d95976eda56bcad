/* Which files are read, and where their records begin: in whole files and in ranges, which together give what the whole gives. */
#include "common/data/reader.h"
#include "common/base/libraries.h"
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

static char folder[64], path[160];
static struct arena arena;

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-reader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    arena_open_growing(&arena, "test");
}
static void remove_folder(void)
{
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    arena_close(&arena);
}

static void put(const char *name, const void *bytes, size_t n)
{
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (strcmp(name + strlen(name) - 3, ".gz") == 0) {
        gzFile z = gzopen(path, "wb1");
        ck_assert(n == 0 || gzwrite(z, bytes, (unsigned)n) == (int)n);
        (void)gzclose(z);
        return;
    }
    FILE *const f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    (void)fclose(f);
}
static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static struct input file_here(void)
{
    const char *const operands[] = { path };
    struct inputs in;
    ck_assert_int_eq(inputs_find(&arena, operands, 1, NULL, &in), ST_OK);
    ck_assert_int_eq(in.n, 1);
    return in.file[0];
}

/* --- records ------------------------------------------------------------------------------------------------------------ */

/* The records of a file as "place:text|place:text|". */
static const char *records(const struct input *f, const char *pattern)
{
    static struct text out;
    struct cutter *cutter;
    struct reader *r;
    struct record record;
    bool found;
    out.length = 0;
    text_add_bytes(&out, "", 0);
    ck_assert_int_eq(cutter_open(pattern, &cutter), ST_OK);
    ck_assert_int_eq(reader_open(f, cutter, 0, &r), ST_OK);
    for (;;) {
        ck_assert_int_eq(reader_next(r, &record, &found), ST_OK);
        if (!found) break;
        text_add(&out, "%lld:", (long long)record.place);
        text_add_bytes(&out, (const char *)record.bytes, (size_t)record.n);
        text_add_bytes(&out, "|", 1);
    }
    reader_close(r);
    cutter_close(cutter);
    return out.data;
}

static const char *records_of(const char *name, const char *text, const char *pattern)
{
    put_text(name, text);
    const struct input f = file_here();
    return records(&f, pattern);
}

START_TEST(text_is_one_record_or_cut_at_lines)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    ck_assert_str_eq(records_of("a.txt", "one\ntwo\n", NULL), "0:one\ntwo\n|");
    ck_assert_str_eq(records_of("a.txt", "", NULL), "");
    ck_assert_str_eq(records_of("a.txt", "", "#"), "");
    ck_assert_str_eq(records_of("a.txt", "one\n#two\nthree\n#four", "#"), "0:one\n|4:#two\nthree\n|15:#four|");
    ck_assert_str_eq(records_of("a.txt", "#\n#\n", "#"), "0:#\n|2:#\n|");
    ck_assert_str_eq(records_of("a.txt", "\n\n", "#"), "0:\n\n|");
}
END_TEST

START_TEST(lines_are_records_and_blank_ones_are_none)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    ck_assert_str_eq(records_of("a.jsonl", "{1}\n\n \t\r\n{2}\r\n{3}", NULL), "0:{1}|9:{2}\r|14:{3}|");
    ck_assert_str_eq(records_of("a.jsonl", "\xef\xbb\xbf{1}\n", NULL), "3:{1}|");  /* the mark that Windows puts first */
    ck_assert_str_eq(records_of("a.ndjson", "{1}\n#{2}\n", "#"), "0:{1}|4:#{2}|"); /* no cutter cuts lines */
    ck_assert_str_eq(records_of("a.jsonl", "\n\n", NULL), "");
}
END_TEST

/* Text whose lines are short, long, and longer than the parts that are read, with marks here and there. */
static size_t make_text(char *text, size_t size, int64_t seed)
{
    const struct rng_key key = { .seed = (uint64_t)seed, .purpose = RNG_TEST };
    size_t n = 0;
    for (int64_t line = 0; n < size; line++) {
        const uint64_t r = rng_u64(key, 0, line);
        size_t length = r % 100 < 90 ? (r >> 8) % 80 : r % 100 < 99 ? (r >> 8) % 5000 : (r >> 8) % 3000000;
        if (length > size - n - 1) length = size - n - 1;
        memset(text + n, (int)('a' + (r >> 40) % 26), length);
        if (r >> 60 < 5 && length > 0) text[n] = '#';
        n += length;
        if (n < size) text[n++] = '\n';
    }
    if (seed % 2 == 1) text[size - 1] = 'x'; /* a last line without end */
    return size;
}

/* Every `ranks`-th range, as one rank reads them, for all ranks: each record once, in the order of the whole. */
static void ck_ranges(const struct input *f, struct cutter *cutter, int64_t size, int64_t range, int ranks)
{
    struct reader *whole, *r[4];
    struct record a, b;
    bool found, more;
    ck_assert_int_eq(reader_open(f, cutter, 0, &whole), ST_OK);
    for (int i = 0; i < ranks; i++) ck_assert_int_eq(reader_open(f, cutter, 0, &r[i]), ST_OK);
    bool ends = false;
    for (int64_t k = 0; !ends; k++) {
        struct reader *const own = r[k % ranks];
        ck_assert_int_lt(k * range, size + range);
        for (bool there = false; !there;) ck_assert_int_eq(reader_approach(own, k * range, 1 + range / 3, &there), ST_OK);
        ck_assert_int_eq(reader_range(own, k * range, (k + 1) * range), ST_OK);
        for (;;) {
            ck_assert_int_eq(reader_next(own, &a, &found), ST_OK);
            if (!found) break;
            ck_assert_int_eq(reader_next(whole, &b, &more), ST_OK);
            ck_assert(more && a.place == b.place && a.n == b.n && memcmp(a.bytes, b.bytes, (size_t)a.n) == 0);
            ck_assert(a.place >= k * range && a.place < (k + 1) * range);
        }
        ck_assert_int_eq(reader_ends(own, &ends), ST_OK);
        ck_assert_int_eq(ends, size <= (k + 1) * range);
        if (ends) ck_assert_int_eq(reader_bytes(own), size);
    }
    ck_assert_int_eq(reader_next(whole, &b, &more), ST_OK);
    ck_assert(!more);
    for (int i = 0; i < ranks; i++) reader_close(r[i]);
    reader_close(whole);
}

START_TEST(ranges_together_are_the_whole)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    enum { SIZE = 5 << 20 };
    static const char *const names[] = { "a.txt", "a.txt.gz", "a.jsonl", "a.jsonl.gz" };
    static const int64_t ranges[] = { 70001, 1 << 20, 2500000, SIZE, SIZE / 5, 2 * SIZE };
    char *const text = malloc(SIZE);
    struct cutter *cutter;
    ck_assert_int_eq(cutter_open("#", &cutter), ST_OK);
    for (int n = 0; n < 4; n++) {
        const size_t size = make_text(text, SIZE, n);
        put(names[n], text, size);
        const struct input f = file_here();
        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
            for (int ranks = 1; ranks <= 4; ranks += i == 0 ? 3 : 1) ck_ranges(&f, cutter, (int64_t)size, ranges[i], ranks);
    }
    static const char tiny[] = "#a\nb\n#\n\n#\n#cd\ne\n"; /* ranges of all sizes: they begin at, before and behind starts of lines */
    for (int n = 0; n < 4; n++) {
        put_text(names[n], tiny);
        const struct input f = file_here();
        for (int64_t range = 1; range <= (int64_t)sizeof tiny; range++)
            for (int ranks = 1; ranks <= 3; ranks++) ck_ranges(&f, cutter, sizeof tiny - 1, range, ranks);
    }
    put("a.txt", "", 0);
    const struct input empty = file_here();
    ck_ranges(&empty, cutter, 0, 1000, 1);
    cutter_close(cutter);
    free(text);
}
END_TEST

START_TEST(a_range_behind_the_end_is_empty_and_says_so)
{
    struct reader *r;
    struct record record;
    bool found;
    put_text("a.jsonl.gz", "{1}\n{2}\n");
    const struct input f = file_here();
    ck_assert_int_eq(reader_open(&f, NULL, 0, &r), ST_OK);
    ck_assert_int_eq(reader_range(r, 1000, 2000), ST_OK);
    ck_assert_int_eq(reader_bytes(r), 8);
    ck_assert_int_eq(reader_next(r, &record, &found), ST_OK);
    ck_assert(!found);
    reader_close(r);
}
END_TEST

START_TEST(lines_are_counted_from_one)
{
    put_text("a.jsonl.gz", "{1}\n{2}\n\n{3}");
    ck_assert_int_eq(reader_line(path, 0, 0), 1);
    ck_assert_int_eq(reader_line(path, 0, 3), 1);
    ck_assert_int_eq(reader_line(path, 0, 4), 2);
    ck_assert_int_eq(reader_line(path, 0, 9), 4);
    ck_assert_int_eq(reader_line(path, 0, 900), 0);
    status_clear();
}
END_TEST

START_TEST(a_line_without_end_is_refused_at_its_limit)
{
    struct reader *r;
    struct record record;
    bool found;
    enum { SIZE = 66 << 20 };
    char *const text = malloc(SIZE);
    memset(text, '[', SIZE);
    put("a.jsonl.gz", text, SIZE);
    const struct input f = file_here();
    ck_assert_int_eq(reader_open(&f, NULL, 0, &r), ST_OK);
    ck_assert_int_eq(reader_next(r, &record, &found), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "longer than 64 MiB"));
    reader_close(r);
    free(text);
}
END_TEST

/* --- inputs ------------------------------------------------------------------------------------------------------------- */

/* The paths found, without the folder, as "a b c". */
static const char *found_by(const char *operand, int64_t *passed)
{
    static struct text out;
    const char *const operands[] = { operand };
    const char *const more[] = { ".md", NULL };
    struct inputs in;
    out.length = 0;
    text_add_bytes(&out, "", 0);
    if (inputs_find(&arena, operands, 1, more, &in)) return NULL;
    for (int64_t i = 0; i < in.n; i++) text_add(&out, "%s%s", i > 0 ? " " : "", in.file[i].path + strlen(folder) + 1);
    *passed = in.n_passed;
    return out.data;
}

static const char *in_folder(const char *name)
{
    static char out[160];
    (void)snprintf(out, sizeof out, "%s/%s", folder, name);
    return out;
}

START_TEST(folders_are_read_in_byte_order_with_all_that_is_in_them)
{
    int64_t passed;
    ck_assert_int_eq(mkdir(in_folder("b"), 0700), 0);
    ck_assert_int_eq(mkdir(in_folder("b/c"), 0700), 0);
    static const char *const names[] = { "b/z.txt",       "b/c/a.jsonl.gz", "b.txt",        "B.txt",  "notes.md",
                                         "b/c/photo.png", "b/x.tar.gz",     "\xc3\xa9.txt", "dict.dz" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_text(names[i], "x");
    ck_assert_int_eq(symlink("b", in_folder("loop")), 0);
    ck_assert_int_eq(symlink(".", in_folder("b/self")), 0);
    ck_assert_int_eq(symlink("b.txt", in_folder("link.txt")), 0);
    ck_assert_int_eq(symlink("nowhere", in_folder("dead.txt")), 0);
    ck_assert_int_eq(mkfifo(in_folder("pipe.txt"), 0600), 0);
    ck_assert_str_eq(found_by(folder, &passed), "B.txt b.txt b/c/a.jsonl.gz b/z.txt dict.dz link.txt notes.md \xc3\xa9.txt");
    ck_assert_int_eq(passed, 6); /* png, tar, two links to folders, a dead one, a pipe */
}
END_TEST

START_TEST(patterns_are_expanded_here_and_must_name_something)
{
    int64_t passed;
    static const char *const names[] = { "a1.txt", "a2.txt", "a10.txt", "b[1].txt", "c.bin" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_text(names[i], "x");
    ck_assert_str_eq(found_by(in_folder("a*.txt"), &passed), "a1.txt a10.txt a2.txt");
    ck_assert_str_eq(found_by(in_folder("a[12].txt"), &passed), "a1.txt a2.txt");
    ck_assert_str_eq(found_by(in_folder("b[1].txt"), &passed), "b[1].txt"); /* a file of that very name */
    ck_assert_ptr_null(found_by(in_folder("d*.txt"), &passed));
    ck_assert_ptr_nonnull(strstr(status_text(), "no file matches"));
    ck_assert_ptr_null(found_by(in_folder("*"), &passed)); /* c.bin is named by it */
    ck_assert_ptr_nonnull(strstr(status_text(), "--text-ending"));
    ck_assert_ptr_null(found_by(in_folder("missing.txt"), &passed));
    ck_assert_int_eq(mkdir(in_folder("empty"), 0700), 0);
    ck_assert_ptr_null(found_by(in_folder("empty"), &passed));
}
END_TEST

START_TEST(a_file_that_changed_is_noticed)
{
    const char *const operands[] = { folder };
    struct inputs in;
    put_text("a.txt", "one");
    put_text("b.txt", "two");
    ck_assert_int_eq(inputs_find(&arena, operands, 1, NULL, &in), ST_OK);
    ck_assert_int_eq(inputs_unchanged(&in), ST_OK);
    put_text("b.txt", "three");
    ck_assert_int_eq(inputs_unchanged(&in), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "b.txt: changed"));
    ck_assert_int_eq(unlink(in_folder("b.txt")), 0);
    ck_assert_int_eq(inputs_unchanged(&in), ST_DATA);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("reader");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, text_is_one_record_or_cut_at_lines);
    tcase_add_test(tc, lines_are_records_and_blank_ones_are_none);
    tcase_add_test(tc, ranges_together_are_the_whole);
    tcase_add_test(tc, a_range_behind_the_end_is_empty_and_says_so);
    tcase_add_test(tc, lines_are_counted_from_one);
    tcase_add_test(tc, a_line_without_end_is_refused_at_its_limit);
    tcase_add_test(tc, folders_are_read_in_byte_order_with_all_that_is_in_them);
    tcase_add_test(tc, patterns_are_expanded_here_and_must_name_something);
    tcase_add_test(tc, a_file_that_changed_is_noticed);
    Suite *suite = suite_create("reader");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_NOFORK);
}
