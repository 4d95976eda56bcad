/* From text files to token files: cutting, splitting, counting, and what happens to broken input and full disks. */
#include "common/base/libraries.h"
#include "common/comm/comm.h"
#include "common/data/build.h"
#include "common/data/byte_counts.h"
#include "common/store/folder.h"
#include "tests/support/suite.h"
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static struct comm *self;
static char folder[64], input[128], out[160], valid[128];
static int skipped;

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-build-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(input, sizeof input, "%s/in.txt", folder);
    (void)snprintf(out, sizeof out, "%s/train.h5", folder);
    (void)snprintf(valid, sizeof valid, "%s/valid.h5", folder);
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

static int count_files(const char *in)
{
    int n = 0;
    DIR *const d = opendir(in);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *const f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    (void)fclose(f);
}

static void put_gz(const char *path, const void *bytes, size_t n)
{
    gzFile f = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(f, bytes, (unsigned)n), (int)n);
    (void)gzclose(f);
}

/* One input, `input`; the rest as `o` says. */
static enum status build_of(struct data_build o, struct data_built *result)
{
    const char *const inputs[] = { input };
    if (o.inputs == NULL) {
        o.inputs = inputs;
        o.n_inputs = 1;
    }
    o.tokenizer = "bytes";
    o.out = out;
    if (o.field == NULL) o.field = "text";
    return data_build(self, &o, NULL, NULL, result);
}

static enum status build(const char *pattern, struct data_built *result)
{
    return build_of((struct data_build){ .document_start = pattern }, result);
}

static enum status build_split(const char *pattern, double share, struct data_built *result)
{
    return build_of((struct data_build){ .valid_out = valid, .valid_share = share, .document_start = pattern }, result);
}

/* The token file as text, ends of documents as '|'. */
static const char *tokens_text(const char *path)
{
    static char text[4096];
    int32_t ids[4096];
    struct tokens t;
    ck_assert_int_eq(tokens_open(path, true, &t), ST_OK);
    ck_assert_int_lt(t.n_tokens, 4096);
    ck_assert_int_eq(tokens_read(&t, 0, t.n_tokens, ids), ST_OK);
    for (int64_t i = 0; i < t.n_tokens; i++) text[i] = ids[i] == 256 ? '|' : (char)ids[i];
    text[t.n_tokens] = '\0';
    tokens_close(&t);
    return text;
}

static const char dictionary[] = "intro\n ductory\nApple\n  a fruit\nBee\n  an insect\n\nCat\n";

START_TEST(a_file_is_a_document)
{
    struct data_built r;
    put(input, "one\ntwo", 7);
    ck_assert_int_eq(build(NULL, &r), ST_OK);
    ck_assert_str_eq(tokens_text(out), "one\ntwo|");
    ck_assert_int_eq(r.train.n_documents, 1);
    ck_assert_int_eq(r.train.text_bytes, 7);
}
END_TEST

START_TEST(an_expression_cuts_at_starts_of_lines)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put(input, dictionary, sizeof dictionary - 1);
    ck_assert_int_eq(build("^[A-Z]", &r), ST_OK);
    ck_assert_str_eq(tokens_text(out), "intro\n ductory\n|Apple\n  a fruit\n|Bee\n  an insect\n\n|Cat\n|");
    ck_assert_int_eq(build("  an?", &r), ST_OK); /* anchored, also without ^ */
    ck_assert_str_eq(tokens_text(out), "intro\n ductory\nApple\n|  a fruit\nBee\n|  an insect\n\nCat\n|");
    ck_assert_int_eq(build("(?=\\S+$)", &r), ST_OK); /* $ is the end of the line; an empty match counts */
    ck_assert_str_eq(tokens_text(out), "intro\n ductory\n|Apple\n  a fruit\n|Bee\n  an insect\n\n|Cat\n|");
    ck_assert_int_eq(build("^Zebra", &r), ST_OK);
    ck_assert_int_eq(r.train.n_documents, 1);
}
END_TEST

/* Documents far larger and smaller than the reader's parts, with an end that falls anywhere. */
START_TEST(documents_do_not_depend_on_where_reading_was_cut)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    enum { SIZE = 5 << 20 };
    char *const text = malloc(SIZE);
    struct data_built r;
    int64_t starts = 0;
    for (int i = 0; i < SIZE; i++) text[i] = 'a';
    for (int i = 0; i < SIZE; i += i < (3 << 20) ? 1000003 : 37, starts++) {
        if (i > 0) text[i - 1] = '\n';
        text[i] = '#';
    }
    put(input, text, SIZE);
    ck_assert_int_eq(build("#", &r), ST_OK);
    ck_assert_int_eq(r.train.n_documents, starts);
    ck_assert_int_eq(r.train.text_bytes, SIZE);
    ck_assert_int_eq(r.train.n_tokens, SIZE + starts);
    free(text);
}
END_TEST

START_TEST(packed_files_give_the_same_tokens)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    struct tokens plain, packed;
    put(input, dictionary, sizeof dictionary - 1);
    ck_assert_int_eq(build("^[A-Z]", &r), ST_OK);
    ck_assert_int_eq(tokens_open(out, true, &plain), ST_OK);
    static const char *const names[] = { "in.gz", "in.dict.dz" };
    for (int k = 0; k < 2; k++) {
        (void)snprintf(input, sizeof input, "%s/%s", folder, names[k]);
        put_gz(input, dictionary, sizeof dictionary - 1);
        ck_assert_int_eq(build("^[A-Z]", &r), ST_OK);
        ck_assert_int_eq(tokens_open(out, true, &packed), ST_OK);
        ck_assert(digest_equal(plain.content_digest, packed.content_digest));
        tokens_close(&packed);
    }
    tokens_close(&plain);
}
END_TEST

/* --- splitting ---------------------------------------------------------------------------------------------------------- */

static void put_numbers(int from, int to)
{
    FILE *const f = fopen(input, "wb");
    for (int i = from; i < to; i++) (void)fprintf(f, "#%d\nsome text about %lld\n", i, (long long)i * i);
    (void)fclose(f);
}

START_TEST(the_share_is_kept_and_every_document_goes_somewhere)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put_numbers(0, 20000);
    ck_assert_int_eq(build_split("#", 0.05, &r), ST_OK);
    ck_assert_int_eq(r.train.n_documents + r.valid.n_documents, 20000);
    ck_assert_int_gt(r.valid.n_documents, 1000 - 155); /* five standard deviations of 31 */
    ck_assert_int_lt(r.valid.n_documents, 1000 + 155);
}
END_TEST

START_TEST(a_document_stays_on_its_side_when_the_corpus_grows)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    char few[4096];
    put_numbers(0, 60);
    ck_assert_int_eq(build_split("#", 0.2, &r), ST_OK);
    (void)snprintf(few, sizeof few, "%s", tokens_text(valid));
    put_numbers(0, 120);
    ck_assert_int_eq(build_split("#", 0.2, &r), ST_OK);
    ck_assert_int_eq(strncmp(few, tokens_text(valid), strlen(few)), 0);
}
END_TEST

START_TEST(a_side_that_would_be_empty_is_an_error)
{
    struct data_built r;
    put(input, dictionary, sizeof dictionary - 1);
    ck_assert_int_eq(build_split(NULL, 0.01, &r), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "--document-start"));
    ck_assert_int_eq(count_files(folder), 1); /* the input */
    put(input, "", 0);
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
}
END_TEST

START_TEST(shares_are_numbers_or_percent)
{
    double x = 0;
    ck_assert_int_eq(data_share("1%", &x), ST_OK);
    ck_assert_double_eq(x, 0.01);
    ck_assert_int_eq(data_share("0.25", &x), ST_OK);
    ck_assert_double_eq(x, 0.25);
    static const char *const wrong[] = { "", "0", "0%", "1", "100%", "-1%", "x", "5 %%", "nan" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) ck_assert_int_eq(data_share(wrong[i], &x), ST_USAGE);
}
END_TEST

/* --- entropies ---------------------------------------------------------------------------------------------------------- */

START_TEST(byte_counts_are_laplaces_rule)
{
    struct byte_counts *const c = calloc(2, sizeof *c);
    byte_counts_add(&c[0], (const unsigned char *)"aab", 3); /* symbols a a b end; pairs (end,a) (a,a) (a,b) (b,end) */
    byte_counts_add(&c[1], (const unsigned char *)"ab", 2);
    ck_assert_double_eq_tol(byte_counts_bits(&c[0], &c[1], 0), (log2(261.0 / 3) + 2 * log2(261.0 / 2)) / 2, 1e-12);
    ck_assert_double_eq_tol(byte_counts_bits(&c[0], &c[1], 1), (log2(258.0 / 2) + log2(259.0 / 2) + log2(258.0 / 2)) / 2, 1e-12);
    ck_assert(isnan(byte_counts_bits(&c[0], &(struct byte_counts){ 0 }, 0)));
    free(c);
}
END_TEST

START_TEST(the_validation_file_is_judged_by_counts_of_the_training_text)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    struct tokens t;
    put_numbers(0, 3000);
    ck_assert_int_eq(build_split("#", 0.5, &r), ST_OK);
    ck_assert_int_eq(tokens_open(valid, true, &t), ST_OK);
    ck_assert_double_eq(t.entropy0, r.valid.entropy0);
    ck_assert_double_eq(t.entropy1, r.valid.entropy1);
    tokens_close(&t);
    ck_assert_double_eq_tol(r.valid.entropy1, r.train.entropy1, 0.05); /* two halves of one corpus */
    ck_assert_double_gt(r.valid.entropy1, r.train.entropy1);           /* held out is harder */
    ck_assert_double_lt(r.train.entropy1, r.train.entropy0);
}
END_TEST

/* --- what goes wrong ---------------------------------------------------------------------------------------------------- */

START_TEST(broken_archives_are_refused_and_leave_nothing)
{
    struct data_built r;
    unsigned char bytes[1 << 16];
    enum { LENGTH = 200000 };
    char *const text = malloc(LENGTH);
    for (int i = 0; i < LENGTH; i++) text[i] = (char)('a' + ((int64_t)i * i / 7) % 26);
    (void)snprintf(input, sizeof input, "%s/in.gz", folder);
    put_gz(input, text, LENGTH);
    FILE *const f = fopen(input, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    ck_assert_uint_lt(n, sizeof bytes);
    put(input, bytes, n - 10); /* ends early */
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), input));
    bytes[n / 2] ^= 0x10; /* damaged inside */
    put(input, bytes, n);
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
    put(input, text, 1000); /* not gzip at all */
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "gzip"));
    ck_assert_int_eq(count_files(folder), 1);
    free(text);
}
END_TEST

START_TEST(wrong_options_are_told)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    put(input, dictionary, sizeof dictionary - 1);
    ck_assert_int_eq(build("(", &r), ST_USAGE);
    ck_assert_ptr_nonnull(strstr(status_text(), "--document-start"));
    ck_assert_int_eq(build_split(NULL, 0, &r), ST_USAGE);
    (void)snprintf(valid, sizeof valid, "%s/nowhere/valid.h5", folder); /* told before anything is encoded */
    ck_assert_int_eq(build_split(NULL, 0.5, &r), ST_IO);
    (void)snprintf(valid, sizeof valid, "%s", folder);
    ck_assert_int_eq(build_split(NULL, 0.5, &r), ST_IO);
    ck_assert_ptr_nonnull(strstr(status_text(), "no plain file"));
    (void)snprintf(input, sizeof input, "%s/missing.txt", folder);
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
    (void)snprintf(input, sizeof input, "%s/in.pdf", folder);
    put(input, dictionary, 10);
    ck_assert_int_eq(build(NULL, &r), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), ".txt"));
    ck_assert_int_eq(count_files(folder), 2);
}
END_TEST

START_TEST(a_runaway_expression_is_stopped)
{
    if (suite_without(library_pcre2() != NULL, "PCRE2")) return;
    struct data_built r;
    char line[3000];
    memset(line, 'a', sizeof line);
    line[10] = '\n'; /* the first line begins a document in any case */
    put(input, line, sizeof line);
    ck_assert_int_eq(build("(a+)+(a+)+(a+)+b\\1|(?:(?:a|aa)+)+c", &r), ST_DATA);
    ck_assert_int_eq(count_files(folder), 1);
}
END_TEST

static void note(void *context, int64_t done, int64_t total)
{
    int64_t *const last = context;
    ck_assert_int_ge(done, *last);
    ck_assert_int_le(done, total);
    *last = done;
}

START_TEST(progress_ends_at_the_size_of_the_inputs)
{
    struct data_built r;
    int64_t last = 0;
    put_numbers(0, 100000);
    const char *const inputs[] = { input, input };
    const struct data_build o = { .inputs = inputs, .n_inputs = 2, .tokenizer = "bytes", .out = out, .field = "text" };
    struct stat info;
    ck_assert_int_eq(data_build(self, &o, note, &last, &r), ST_OK);
    ck_assert_int_eq(stat(input, &info), 0);
    ck_assert_int_eq(last, 2 * info.st_size);
    ck_assert_int_eq(r.train.n_documents, 2);
}
END_TEST

static bool run(const char *command, const char *path)
{
    char line[200];
    (void)snprintf(line, sizeof line, "%s '%s' 2>/dev/null", command, path);
    return system(line) == 0;
}

START_TEST(a_full_disk_leaves_no_file)
{
    struct data_built r;
    char small[128], text[1 << 16];
    (void)snprintf(small, sizeof small, "%s/small", folder);
    ck_assert_int_eq(mkdir(small, 0700), 0);
    if (!run("mount -t tmpfs -o size=1m none", small)) {
        skipped++; /* needs root */
        ck_assert_int_eq(rmdir(small), 0);
        return;
    }
    memset(text, 'x', sizeof text);
    FILE *const f = fopen(input, "wb");
    for (int i = 0; i < 16; i++) (void)fwrite(text, 1, sizeof text, f);
    (void)fclose(f);
    (void)snprintf(out, sizeof out, "%s/train.h5", small);
    const enum status s = build(NULL, &r);
    const int left = count_files(small);
    const bool unmounted = run("umount", small) && rmdir(small) == 0;
    ck_assert_int_eq(s, ST_IO);
    ck_assert_int_eq(left, 0);
    ck_assert(unmounted);
}
END_TEST

int main(void)
{
    if (comm_self(&self)) return 1;
    TCase *tc = tcase_create("databuild");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, a_file_is_a_document);
    tcase_add_test(tc, an_expression_cuts_at_starts_of_lines);
    tcase_add_test(tc, documents_do_not_depend_on_where_reading_was_cut);
    tcase_add_test(tc, packed_files_give_the_same_tokens);
    tcase_add_test(tc, the_share_is_kept_and_every_document_goes_somewhere);
    tcase_add_test(tc, a_document_stays_on_its_side_when_the_corpus_grows);
    tcase_add_test(tc, a_side_that_would_be_empty_is_an_error);
    tcase_add_test(tc, shares_are_numbers_or_percent);
    tcase_add_test(tc, byte_counts_are_laplaces_rule);
    tcase_add_test(tc, the_validation_file_is_judged_by_counts_of_the_training_text);
    tcase_add_test(tc, broken_archives_are_refused_and_leave_nothing);
    tcase_add_test(tc, wrong_options_are_told);
    tcase_add_test(tc, a_runaway_expression_is_stopped);
    tcase_add_test(tc, progress_ends_at_the_size_of_the_inputs);
    tcase_add_test(tc, a_full_disk_leaves_no_file);
    Suite *suite = suite_create("databuild");
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_NOFORK);
    comm_finish(self);
    if (skipped) (void)printf("skipped: a full disk needs root\n");
    return code != 0 ? code : skipped ? 77 : 0;
}
