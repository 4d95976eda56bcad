/* A build cut into shards: whatever their size, the same file; what an interrupted build left is taken up where it still holds, and only
 * there; and what a build counts on the way. */
#include "common/base/fault.h"
#include "common/base/libraries.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/comm/comm.h"
#include "common/data/build.h"
#include "common/data/build/duplicates.h"
#include "tests/support/suite.h"
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct comm *self;
static char folder[64], texts[100], out[100], valid[100];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-shards-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(texts, sizeof texts, "%s/texts", folder);
    (void)snprintf(out, sizeof out, "%s/t.h5", folder);
    (void)snprintf(valid, sizeof valid, "%s/v.h5", folder);
    ck_assert_int_eq(mkdir(texts, 0700), 0);
}
static void remove_folder(void)
{
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *bytes, size_t n)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", texts, name);
    FILE *const f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    (void)fclose(f);
}

static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

/* Files of all sizes: documents begin at '#', records are lines. */
static void put_texts(void)
{
    struct text t = { 0 };
    char name[32];
    for (int i = 0; i < 12; i++) {
        t.length = 0;
        const bool lines = i % 3 == 2;
        for (int k = 0; k < 10 + i * i * 10; k++) {
            if (lines)
                text_add(&t, "{\"text\": \"record %d of %d, %d\"}\n", k, i, k * k);
            else
                text_add(&t, "#%d of %d\n some text about %d\n", k, i, k * k);
        }
        (void)snprintf(name, sizeof name, "%02d%s", i, lines ? ".jsonl" : ".txt");
        put(name, t.data, t.length);
    }
    t.length = 0; /* two that are the longest, some tasks apart: the first one counts */
    for (int k = 0; k < 2; k++) {
        text_add(&t, "#longest %0300d\n", k);
        for (int i = 0; i < 4000 && k == 0; i++) text_add(&t, "#%d\n", i);
    }
    put("12.txt", t.data, t.length);
    text_free(&t);
}

static enum status build(struct data_build o, struct data_built *result)
{
    const char *const inputs[] = { texts };
    o.inputs = inputs;
    o.n_inputs = 1;
    o.tokenizer = "bytes";
    o.out = out;
    o.valid_out = valid;
    o.valid_share = 0.1;
    o.field = "text";
    if (o.document_start == NULL) o.document_start = "#";
    return data_build(self, &o, NULL, NULL, result);
}

static struct digest128 digest_here(void)
{
    struct digest128 both[2];
    ck_assert_int_eq(digest_file(out, &both[0]), ST_OK);
    ck_assert_int_eq(digest_file(valid, &both[1]), ST_OK);
    return digest_bytes(both, sizeof both);
}

static int count_segments(void)
{
    char path[120];
    int n = 0;
    (void)snprintf(path, sizeof path, "%s.building", out);
    DIR *const d = opendir(path);
    for (const struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d))
        n += strlen(e->d_name) > 4 && strcmp(e->d_name + strlen(e->d_name) - 4, ".seg") == 0;
    if (d != NULL) (void)closedir(d);
    return n;
}

/* A build that fails when its n-th segment is complete but for its name. */
static void build_until(const char *fault, int64_t shard_bytes)
{
    struct data_built r;
    ck_assert_int_eq(setenv("LAMINA_FAULT", fault, 1), 0);
    fault_arm_from_environment(0);
    ck_assert_int_eq(build((struct data_build){ .shard_bytes = shard_bytes }, &r), ST_IO);
    ck_assert_int_eq(unsetenv("LAMINA_FAULT"), 0);
    fault_arm_from_environment(0);
    ck_assert_int_eq(access(out, F_OK), -1);
}

START_TEST(the_size_of_shards_does_not_show)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    static const int64_t sizes[] = { 0, 1 << 20, 100000, 4096 };
    struct data_built r, first = { 0 };
    struct digest128 digest = { 0 };
    put_texts();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(build((struct data_build){ .shard_bytes = sizes[i] }, &r), ST_OK);
        if (i == 0) {
            first = r;
            digest = digest_here();
        }
        ck_assert(digest_equal(digest, digest_here()));
        ck_assert_int_eq(memcmp(&r.train, &first.train, sizeof r.train), 0);
        ck_assert_str_eq(r.longest, first.longest);
        ck_assert_msg(strcmp(r.longest + strlen(texts), "/12.txt") == 0, "%s", r.longest); /* at its beginning */
        ck_assert_int_eq(count_segments(), 0);
    }
}
END_TEST

START_TEST(what_is_complete_is_taken_up)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put_texts();
    ck_assert_int_eq(build((struct data_build){ .shard_bytes = 2000 }, &r), ST_OK);
    const struct digest128 digest = digest_here();
    const int64_t all = r.train.text_bytes + r.valid.text_bytes;
    static const char *const faults[] = { "build_segment@0:1", "build_segment@0:60", "build_segment@0:100", "build_join@0:1",
                                          "build_publish@0:1" };
    static const int complete[] = { 0, 59, 99, -1, -1 };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        (void)unlink(out);
        (void)unlink(valid);
        build_until(faults[i], 2000);
        if (complete[i] >= 0) ck_assert_int_eq(count_segments(), complete[i]);
        ck_assert_int_eq(build((struct data_build){ .shard_bytes = 2000 }, &r), ST_OK);
        ck_assert(digest_equal(digest, digest_here()));
        ck_assert(complete[i] < 0 ? r.taken_up == all : complete[i] > 0 ? r.taken_up > 0 && r.taken_up < all : r.taken_up == 0);
    }
}
END_TEST

/* A file that changed, or came before the others, takes its own segments with it and no more. */
START_TEST(segments_of_other_files_hold_when_one_changes)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put_texts();
    build_until("build_join@0:1", 10000);
    put_text("05.jsonl", "{\"text\": \"another\"}\n");
    put_text("000.txt", "#new\n");
    ck_assert_int_eq(build((struct data_build){ .shard_bytes = 10000 }, &r), ST_OK);
    ck_assert_int_gt(r.taken_up, (r.train.text_bytes + r.valid.text_bytes) / 2);
    const struct digest128 digest = digest_here();
    ck_assert_int_eq(build((struct data_build){ .shard_bytes = 10000 }, &r), ST_OK);
    ck_assert_int_eq(r.taken_up, 0);
    ck_assert(digest_equal(digest, digest_here()));
}
END_TEST

/* Flips a byte in every file of the folder that ends like this. */
static void damage_segments(const char *ending)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s.building", out);
    DIR *const d = opendir(path);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        const size_t n = strlen(e->d_name);
        if (n < 6 || strcmp(e->d_name + n - strlen(ending), ending) != 0) continue;
        (void)snprintf(path, sizeof path, "%s.building/%s", out, e->d_name);
        FILE *const f = fopen(path, "rb+");
        (void)fseek(f, 0, SEEK_END);
        const long at = ftell(f) * 3 / 4;
        (void)fseek(f, at, SEEK_SET);
        const int byte = fgetc(f);
        (void)fseek(f, at, SEEK_SET);
        if (byte != EOF) (void)fputc(byte ^ 1, f);
        (void)fclose(f);
    }
    (void)closedir(d);
}

START_TEST(a_damaged_segment_is_encoded_again)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    static const char *const endings[] = { ".seg", ".train", ".valid" };
    struct data_built r;
    put_texts();
    ck_assert_int_eq(build((struct data_build){ .shard_bytes = 10000 }, &r), ST_OK);
    const struct digest128 digest = digest_here();
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        (void)unlink(out);
        build_until("build_join@0:1", 10000);
        damage_segments(endings[i]);
        ck_assert_int_eq(build((struct data_build){ .shard_bytes = 10000 }, &r), ST_OK);
        ck_assert(digest_equal(digest, digest_here()));
        ck_assert_int_lt(r.taken_up, 1000); /* a shard without documents for a side has nothing to be damaged there */
    }
}
END_TEST

START_TEST(segments_of_other_settings_are_not_taken_up)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put_texts();
    const struct data_build others[] = { { .document_start = " some" }, { .bad_utf8 = BAD_UTF8_REPLACE }, { .skip_bad_records = true } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        (void)unlink(out);
        build_until("build_join@0:1", 0);
        ck_assert_int_eq(build(others[i], &r), ST_OK);
        ck_assert_int_eq(r.taken_up, 0);
    }
}
END_TEST

/* --- counts ------------------------------------------------------------------------------------------------------------- */

static void ck_tokens(const char *expected)
{
    char text[256];
    int32_t ids[256];
    struct tokens t;
    ck_assert_int_eq(tokens_open(out, true, &t), ST_OK);
    ck_assert_int_lt(t.n_tokens, 256);
    ck_assert_int_eq(tokens_read(&t, 0, t.n_tokens, ids), ST_OK);
    for (int64_t i = 0; i < t.n_tokens; i++) text[i] = ids[i] == t.end_of_document ? '|' : (char)ids[i];
    text[t.n_tokens] = '\0';
    ck_assert_str_eq(text, expected);
    tokens_close(&t);
}

static enum status build_all(enum bad_utf8 bad, bool skip, struct data_built *r)
{
    const char *const inputs[] = { texts };
    const struct data_build o = {
        .inputs = inputs, .n_inputs = 1, .tokenizer = "bytes", .out = out, .field = "text", .bad_utf8 = bad, .skip_bad_records = skip
    };
    return data_build(self, &o, NULL, NULL, r);
}

START_TEST(bad_utf8_is_kept_replaced_or_refused)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    struct tokens t;
    put("a.txt", "x\xff\xe2\x82y", 5);
    put("b.txt", "fine", 4);
    ck_assert_int_eq(build_all(BAD_UTF8_KEEP, false, &r), ST_OK);
    ck_tokens("x\xff\xe2\x82y|fine|");
    ck_assert_int_eq(r.train.report.bad_utf8, 2);
    ck_assert_int_eq(r.train.report.bad_utf8_documents, 1);
    ck_assert_int_eq(build_all(BAD_UTF8_REPLACE, false, &r), ST_OK);
    ck_tokens("x\xef\xbf\xbd\xef\xbf\xbdy|fine|");
    ck_assert_int_eq(r.train.report.bad_utf8, 2);
    ck_assert_int_eq(tokens_open(out, true, &t), ST_OK);
    ck_assert_int_eq(t.report.bad_utf8, 2); /* and it is in the file */
    tokens_close(&t);
    ck_assert_int_eq(build_all(BAD_UTF8_REFUSE, true, &r), ST_DATA); /* never skipped */
    ck_assert_ptr_nonnull(strstr(status_text(), "a.txt"));
    ck_assert_ptr_nonnull(strstr(status_text(), "byte 1 of the file is ff"));
}
END_TEST

/* JSON is UTF-8: such a line is no record, unless it is repaired first. */
START_TEST(bad_utf8_in_records)
{
    struct data_built r;
    put_text("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\xff\"}\n");
    ck_assert_int_eq(build_all(BAD_UTF8_KEEP, false, &r), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "a.jsonl:2: byte 11 of the line"));
    ck_assert_int_eq(build_all(BAD_UTF8_KEEP, true, &r), ST_OK);
    ck_tokens("a|");
    ck_assert_int_eq(r.train.report.skipped_records, 1);
    ck_assert_int_eq(build_all(BAD_UTF8_REPLACE, false, &r), ST_OK);
    ck_tokens("a|b\xef\xbf\xbd|");
    ck_assert_int_eq(build_all(BAD_UTF8_REFUSE, true, &r), ST_DATA);
}
END_TEST

START_TEST(empty_double_and_longest_documents_are_counted)
{
    struct data_built r;
    struct tokens t;
    struct text shown = { 0 };
    put_text("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"\"}\n{\"text\": \"longest\"}\n{\"text\": \"one\"}\n{\"text\": \"one\"}\n");
    put_text("b.txt", "");
    put_text("c.txt", "longer!"); /* as long as the longest: the first one counts */
    ck_assert_int_eq(build_all(BAD_UTF8_KEEP, false, &r), ST_OK);
    ck_tokens("one|longest|one|one|longer!|");
    ck_assert_int_eq(r.train.report.empty_documents, 1);
    ck_assert_int_eq(r.train.report.duplicate_documents, 2);
    ck_assert_int_eq(r.train.report.duplicate_bytes, 6);
    ck_assert_int_eq(r.train.report.longest_tokens, 7);
    ck_assert_ptr_nonnull(strstr(r.longest, "a.jsonl:3"));
    ck_assert_int_eq(r.n_files, 3);
    ck_assert_int_eq(tokens_open(out, true, &t), ST_OK);
    ck_assert_int_eq(t.end_of_document, 256);
    ck_assert_int_eq(memcmp(&t.report, &r.train.report, sizeof t.report), 0);
    tokens_print(&t, NULL, false, &shown);
    ck_assert_ptr_nonnull(strstr(shown.data, "2 (6 bytes) have a text that came before"));
    ck_assert_ptr_nonnull(strstr(shown.data, "1 empty ones"));
    text_free(&shown);
    tokens_close(&t);
}
END_TEST

START_TEST(duplicates_are_those_that_came_before)
{
    struct duplicates *d;
    const struct rng_key key = { .seed = 2, .purpose = RNG_TEST };
    enum { N = 20000 };
    ck_assert_int_eq(duplicates_open(N, &d), ST_OK);
    int64_t found = 0;
    static bool seen[N / 2];
    for (int64_t i = 0; i < N; i++) {
        const uint64_t k = rng_u64(key, 0, i) % (N / 2);
        const struct digest128 digest = k == 0   ? (struct digest128){ 0, 0 }
                                        : k == 1 ? (struct digest128){ 0, 1ull << 40 }
                                                 : digest_bytes(&k, sizeof k);
        ck_assert_int_eq(duplicates_add(d, digest), seen[k]);
        found += seen[k];
        seen[k] = true;
    }
    ck_assert_int_gt(found, N / 4);
    const bool zero_before = duplicates_add(d, (struct digest128){ 0, 0 });
    ck_assert_int_eq(zero_before, seen[0]);
    ck_assert(duplicates_add(d, (struct digest128){ 0, 0 })); /* a digest as any other */
    duplicates_close(d);
}
END_TEST

int main(void)
{
    if (comm_self(&self)) return 1;
    log_mute(true);
    TCase *tc = tcase_create("shards");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, the_size_of_shards_does_not_show);
    tcase_add_test(tc, what_is_complete_is_taken_up);
    tcase_add_test(tc, segments_of_other_files_hold_when_one_changes);
    tcase_add_test(tc, a_damaged_segment_is_encoded_again);
    tcase_add_test(tc, segments_of_other_settings_are_not_taken_up);
    tcase_add_test(tc, bad_utf8_is_kept_replaced_or_refused);
    tcase_add_test(tc, bad_utf8_in_records);
    tcase_add_test(tc, empty_double_and_longest_documents_are_counted);
    tcase_add_test(tc, duplicates_are_those_that_came_before);
    Suite *suite = suite_create("shards");
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_NOFORK);
    comm_finish(self);
    return code;
}
