/* Token files: what is written is read, by offset and ahead of time; what is not ours is refused. */
#include "common/base/rng.h"
#include "common/data/prefetch.h"
#include "common/store/folder.h"
#include "common/store/h5.h"
#include "tests/support/suite.h"
#include <check.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/lamina-tokens-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/t.h5", folder);
}
static void remove_folder(void) { ck_assert_int_eq(folder_remove(folder), ST_OK); }

static int32_t token_at(int64_t i, int64_t vocab) { return (int32_t)((uint64_t)(i * 2654435761) % (uint64_t)vocab); }

/* n tokens in documents of 100. */
static void write_tokens(int64_t n, int64_t vocab)
{
    struct tokens_writer *w;
    int32_t ids[100];
    ck_assert_int_eq(tokens_create(path, "bytes", (struct digest128){ 1, 2 }, vocab, &w), ST_OK);
    for (int64_t first = 0; first < n; first += 100) {
        const int64_t count = n - first < 100 ? n - first : 100;
        for (int64_t i = 0; i < count; i++) ids[i] = token_at(first + i, vocab);
        ck_assert_int_eq(tokens_append(w, ids, count, NULL, count - 1), ST_OK);
    }
    ck_assert_int_eq(tokens_publish(w), ST_OK);
}

static void check_round_trip(int64_t n, int64_t vocab, enum dtype dtype)
{
    struct tokens t;
    write_tokens(n, vocab);
    ck_assert_int_eq(tokens_open(path, true, &t), ST_OK);
    ck_assert_int_eq(t.n_tokens, n);
    ck_assert_int_eq(t.n_documents, (n + 99) / 100);
    ck_assert_int_eq(t.text_bytes, n - t.n_documents);
    ck_assert_int_eq(t.vocab, vocab);
    ck_assert_int_eq((int)t.dtype, (int)dtype);
    ck_assert_str_eq(t.tokenizer, "bytes");
    ck_assert(digest_equal(t.tokenizer_digest, (struct digest128){ 1, 2 }));
    ck_assert(isnan(t.entropy0) && isnan(t.entropy1)); /* no text was given */
    int32_t *const all = malloc((size_t)n * sizeof *all);
    ck_assert_int_eq(tokens_read(&t, 0, n, all), ST_OK);
    for (int64_t i = 0; i < n; i++) ck_assert_int_eq(all[i], token_at(i, vocab));
    ck_assert_int_eq(tokens_read(&t, 250, 3, all), ST_OK);
    for (int64_t i = 0; i < 3; i++) ck_assert_int_eq(all[i], token_at(250 + i, vocab));
    ck_assert_int_eq(tokens_read(&t, n, 0, all), ST_OK);
    ck_assert_int_eq(tokens_read(&t, n - 1, 2, all), ST_DATA);
    ck_assert_int_eq(tokens_read(&t, -1, 2, all), ST_DATA);
    free(all);
    tokens_close(&t);
}

START_TEST(narrow_tokens_come_back) { check_round_trip(1234, 257, DT_U16); }
END_TEST
START_TEST(the_largest_narrow_vocabulary_comes_back) { check_round_trip(700, 65536, DT_U16); }
END_TEST
START_TEST(wide_tokens_come_back) { check_round_trip(600123, 128256, DT_I32); }
END_TEST

START_TEST(nothing_appears_under_the_name_before_publishing)
{
    struct tokens_writer *w;
    struct stat info;
    ck_assert_int_eq(tokens_create(path, "bytes", (struct digest128){ 0 }, 257, &w), ST_OK);
    ck_assert_int_eq(tokens_append(w, (int32_t[]){ 1, 256 }, 2, (const unsigned char *)"\1", 1), ST_OK);
    ck_assert_int_ne(stat(path, &info), 0);
    ck_assert_int_eq(tokens_seal(w), ST_OK);
    ck_assert_int_ne(stat(path, &info), 0);
    tokens_abandon(w); /* and remove_folder finds no file of it left but what it can remove */
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

/* --- damage ------------------------------------------------------------------------------------------------------------ */

static unsigned char *slurp(int64_t *n)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    *n = (int64_t)info.st_size;
    unsigned char *const bytes = malloc((size_t)*n);
    const int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, bytes, (size_t)*n), *n);
    (void)close(fd);
    return bytes;
}

static void spill(const unsigned char *bytes, int64_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, bytes, (size_t)n), n);
    (void)close(fd);
}

/* Reads all there is; anything but success must be ST_DATA. */
static enum status try_file(bool verify)
{
    struct tokens t;
    int32_t ids[64];
    enum status s = tokens_open(path, verify, &t);
    if (!s) {
        for (int64_t i = 0; i < t.n_tokens && !s; i += 64) s = tokens_read(&t, i, t.n_tokens - i < 64 ? t.n_tokens - i : 64, ids);
        tokens_close(&t);
    }
    ck_assert_msg(s == ST_OK || s == ST_DATA, "%s: %s", status_name(s), status_text());
    return s;
}

START_TEST(every_damaged_byte_is_survived_and_none_passes_verification)
{
    int64_t n;
    write_tokens(900, 257);
    unsigned char *const good = slurp(&n), *const bad = malloc((size_t)n);
    int noticed = 0;
    enum { TRIALS = 600 };
    for (int64_t k = 0; k < TRIALS; k++) {
        const struct rng_key key = { .seed = 5, .purpose = RNG_TEST };
        memcpy(bad, good, (size_t)n);
        const int changes = 1 + (int)(rng_u64(key, k, 0) % 4);
        for (int c = 0; c < changes; c++) {
            const uint64_t r = rng_u64(key, k, 1 + c);
            bad[r % (uint64_t)n] ^= (unsigned char)(1 + (r >> 40) % 255);
        }
        spill(bad, n);
        (void)try_file(false);
        noticed += try_file(true) == ST_DATA;
    }
    spill(good, n);
    ck_assert_int_eq(try_file(true), ST_OK);
    ck_assert_int_ge(noticed, TRIALS / 2); /* the rest hit gaps of the layout, which mean nothing */
    free(good);
    free(bad);
}
END_TEST

START_TEST(a_flipped_token_fails_verification)
{
    int64_t n;
    struct tokens t;
    write_tokens(900, 257);
    ck_assert_int_eq(tokens_open(path, false, &t), ST_OK);
    tokens_close(&t);
    unsigned char *const bytes = slurp(&n);
    bytes[t.data_offset + 900] ^= 1;
    spill(bytes, n);
    ck_assert_int_eq(tokens_open(path, true, &t), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "digest"));
    bytes[t.data_offset + 901] = 0xff; /* now a token of 65,000 */
    spill(bytes, n);
    ck_assert_int_eq(try_file(false), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "vocabulary"));
    free(bytes);
}
END_TEST

START_TEST(a_cut_file_is_refused)
{
    int64_t n;
    write_tokens(900, 257);
    unsigned char *const bytes = slurp(&n);
    for (int64_t keep = 0; keep < n; keep += 97) {
        spill(bytes, keep);
        ck_assert_int_eq(try_file(false), ST_DATA);
    }
    free(bytes);
}
END_TEST

START_TEST(what_is_no_token_file_is_refused_with_its_name)
{
    struct tokens t;
    struct h5 f;
    ck_assert_int_eq(tokens_open(path, false, &t), ST_DATA); /* missing */
    ck_assert_ptr_nonnull(strstr(status_text(), path));
    ck_assert_int_eq(tokens_open(folder, false, &t), ST_DATA);
    spill((const unsigned char *)"hello", 5);
    ck_assert_int_eq(tokens_open(path, false, &t), ST_DATA);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(file_make(path), ST_OK);
    ck_assert_int_eq(h5_create(path, NULL, &f), ST_OK); /* HDF5, and something else */
    ck_assert_int_eq(h5_set_text(&f, "format", "lamina-state"), ST_OK);
    ck_assert_int_eq(h5_set_i64(&f, "version", 1), ST_OK);
    ck_assert_int_eq(h5_close(&f), ST_OK);
    ck_assert_int_eq(tokens_open(path, false, &t), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "lamina-state"));
}
END_TEST

static void put_dataset(const struct h5 *f, const char *name, enum stored type, int64_t n, const void *data)
{
    struct h5_dataset d = { .type = type, .n_dims = 1, .dim = { n, 1 } };
    int64_t handle;
    (void)snprintf(d.name, sizeof d.name, "%s", name);
    ck_assert_int_eq(h5_make(f, &d, &handle), ST_OK);
    ck_assert_int_eq(h5_write(f, handle, &d, false, 0, n, data), ST_OK);
    h5_release(handle);
}

/* As the first builds wrote them: no report, and nothing says which token ends a document. */
START_TEST(files_of_older_builds_are_read)
{
    static const uint16_t tokens[] = { 1, 2, 256, 3, 256 };
    static const int64_t starts[] = { 0, 3 };
    unsigned char both[sizeof tokens + sizeof starts];
    char hex[DIGEST_HEX];
    struct h5 f;
    struct tokens t;
    struct text shown = { 0 };
    memcpy(both, tokens, sizeof tokens);
    memcpy(both + sizeof tokens, starts, sizeof starts);
    ck_assert_int_eq(h5_create(path, NULL, &f), ST_OK);
    put_dataset(&f, "document_starts", STORED_I64, 2, starts);
    put_dataset(&f, "tokens", STORED_U16, 5, tokens);
    ck_assert_int_eq(h5_set_text(&f, "format", "lamina-tokens"), ST_OK);
    ck_assert_int_eq(h5_set_i64(&f, "version", 1), ST_OK);
    ck_assert_int_eq(h5_set_text(&f, "tokenizer", "bytes"), ST_OK);
    ck_assert_int_eq(h5_set_text(&f, "tokenizer_digest", digest_hex((struct digest128){ 1, 2 }, hex)), ST_OK);
    ck_assert_int_eq(h5_set_text(&f, "content_digest", digest_hex(digest_bytes(both, sizeof both), hex)), ST_OK);
    ck_assert_int_eq(h5_set_i64(&f, "vocab", 257), ST_OK);
    ck_assert_int_eq(h5_set_i64(&f, "text_bytes", 3), ST_OK);
    ck_assert_int_eq(h5_set_f64(&f, "entropy0", 1), ST_OK);
    ck_assert_int_eq(h5_set_f64(&f, "entropy1", 1), ST_OK);
    ck_assert_int_eq(h5_close(&f), ST_OK);
    ck_assert_int_eq(tokens_open(path, true, &t), ST_OK);
    ck_assert_int_eq(t.end_of_document, 256);
    ck_assert_int_eq(t.report.duplicate_documents, -1);
    tokens_print(&t, NULL, true, &shown);
    ck_assert_ptr_nonnull(strstr(shown.data, "\"duplicate_documents\": null"));
    text_free(&shown);
    tokens_close(&t);
}
END_TEST

/* --- hostile layouts ----------------------------------------------------------------------------------------------------- */

static hid_t open_to_change(void) { return H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT); }

/* Another dataset under this name. n_dims 0: a group. */
static void replace(const char *name, hid_t type, int n_dims, const hsize_t *dim, hid_t creation)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Ldelete(f, name, H5P_DEFAULT), 0);
    if (n_dims == 0) {
        ck_assert_int_ge(H5Gclose(H5Gcreate2(f, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)), 0);
    } else {
        const hid_t space = H5Screate_simple(n_dims, dim, NULL);
        ck_assert_int_ge(H5Dclose(H5Dcreate2(f, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT)), 0);
        (void)H5Sclose(space);
    }
    ck_assert_int_ge(H5Fclose(f), 0);
}
static void replace_by(hid_t creation, hid_t type)
{
    replace("tokens", type, 1, (hsize_t[]){ 900 }, creation);
    if (creation != H5P_DEFAULT) (void)H5Pclose(creation);
}

static void tokens_are_a_group(void) { replace("tokens", -1, 0, NULL, H5P_DEFAULT); }
static void starts_are_a_group(void) { replace("document_starts", -1, 0, NULL, H5P_DEFAULT); }
static void tokens_are_a_square(void) { replace("tokens", H5T_STD_U16LE, 2, (hsize_t[]){ 30, 30 }, H5P_DEFAULT); }
static void tokens_are_2_to_the_60(void) { replace("tokens", H5T_STD_U16LE, 1, (hsize_t[]){ UINT64_C(1) << 60 }, H5P_DEFAULT); }
static void starts_are_2_to_the_60(void) { replace("document_starts", H5T_STD_I64LE, 1, (hsize_t[]){ UINT64_C(1) << 60 }, H5P_DEFAULT); }
static void tokens_are_wide(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY);
    replace_by(p, H5T_STD_I32LE);
}
static void tokens_are_nowhere(void) { replace_by(H5P_DEFAULT, H5T_STD_U16LE); }
static void tokens_are_of_any_length(void)
{
    const hid_t type = H5Tvlen_create(H5T_STD_U16LE);
    replace_by(H5P_DEFAULT, type);
    (void)H5Tclose(type);
}
static void tokens_are_packed(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(p, 1, (hsize_t[]){ 100 });
    (void)H5Pset_deflate(p, 9);
    replace_by(p, H5T_STD_U16LE);
}
static void tokens_are_outside(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_external(p, "/etc/passwd", 0, 1800);
    replace_by(p, H5T_STD_U16LE);
}
static void tokens_are_virtual(void)
{
    const hid_t p = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){ 900 }, NULL);
    (void)H5Pset_virtual(p, space, "/etc/passwd", "x", space);
    (void)H5Sclose(space);
    replace_by(p, H5T_STD_U16LE);
}
static void tokens_are_a_link(void)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Lmove(f, "tokens", f, "others", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_soft("/others", f, "tokens", H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Fclose(f);
}
static void tokens_are_elsewhere(void)
{
    const hid_t f = open_to_change();
    ck_assert_int_ge(H5Ldelete(f, "tokens", H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_external("other.h5", "tokens", f, "tokens", H5P_DEFAULT, H5P_DEFAULT), 0);
    (void)H5Fclose(f);
}

static void set_number(const char *name, int64_t value)
{
    const hid_t f = open_to_change(), a = H5Aopen(f, name, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(a, H5T_NATIVE_INT64, &value), 0);
    (void)H5Aclose(a);
    (void)H5Fclose(f);
}
static void vocab_is_negative(void) { set_number("vocab", -1); }
static void vocab_is_2_to_the_40(void) { set_number("vocab", INT64_C(1) << 40); }
static void vocab_is_wide(void) { set_number("vocab", 70000); } /* then tokens would be uint32 */
static void the_end_is_beyond(void) { set_number("end_of_document", 257); }
static void text_is_negative(void) { set_number("text_bytes", INT64_MIN); }

static const struct {
    void (*make)(void);
    const char *says;
} hostile[] = {
    { tokens_are_a_group, "tokens" },
    { starts_are_a_group, "document_starts" },
    { tokens_are_a_square, "tokens" },
    { tokens_are_2_to_the_60, "tokens claims more elements than the file can hold" },
    { starts_are_2_to_the_60, "document_starts claims more elements than the file can hold" },
    { tokens_are_wide, "tokens must be" },
    { tokens_are_nowhere, "tokens does not lie inside the file" },
    { tokens_are_of_any_length, "tokens has a type" },
    { tokens_are_packed, "tokens is not stored in one plain piece" },
    { tokens_are_outside, "tokens is not stored in one plain piece" },
    { tokens_are_virtual, "tokens is not stored in one plain piece" },
    { tokens_are_a_link, "tokens is a link to something else" },
    { tokens_are_elsewhere, "tokens is a link to something else" },
    { vocab_is_negative, "vocabulary of -1" },
    { vocab_is_2_to_the_40, "vocabulary of 1099511627776" },
    { vocab_is_wide, "tokens must be a one-dimensional uint32" },
    { the_end_is_beyond, "token 257 of 257" },
    { text_is_negative, "bytes of text" },
};

START_TEST(hostile_layouts_are_refused)
{
    write_tokens(900, 257);
    ck_assert_int_eq(try_file(true), ST_OK);
    hostile[_i].make();
    for (int verify = 0; verify < 2; verify++) {
        ck_assert_int_eq(try_file(verify != 0), ST_DATA);
        ck_assert_msg(strstr(status_text(), hostile[_i].says) != NULL && strstr(status_text(), path) != NULL, "%s", status_text());
    }
}
END_TEST

/* A path too long for the file leaves its last part, and the digest decides. */
START_TEST(a_long_name_of_a_tokenizer_leaves_its_last_part)
{
    struct tokens_writer *w;
    struct tokens t;
    ck_assert_int_eq(tokens_create(path, "/a/path/that/is/longer/than/the/sixty-three/bytes/of/the/attribute/bpe-4096.json",
                                   (struct digest128){ 1, 2 }, 257, &w),
                     ST_OK);
    ck_assert_int_eq(tokens_append(w, (int32_t[]){ 1, 256 }, 2, NULL, 1), ST_OK);
    ck_assert_int_eq(tokens_publish(w), ST_OK);
    ck_assert_int_eq(tokens_open(path, true, &t), ST_OK);
    ck_assert_str_eq(t.tokenizer, "bpe-4096.json");
    tokens_close(&t);
}
END_TEST

/* --- samples ----------------------------------------------------------------------------------------------------------- */

enum { CONTEXT = 8, BATCH = 4 };

static struct corpus open_corpus(int64_t n_tokens)
{
    struct corpus c;
    write_tokens(n_tokens, 257);
    const struct corpus_wish wish = { .seed = 11, .context = CONTEXT, .sequences = BATCH, .n = 1, .source = { { "a", path, 1 } } };
    ck_assert_int_eq(corpus_open(&wish, &c), ST_OK);
    return c;
}

static void check_batch(const struct order *o, struct sample_range range, struct samples s)
{
    for (int64_t b = 0; b < range.count; b++)
        for (int64_t t = 0; t < CONTEXT; t++) {
            const int64_t at = order_position(o, range.first + b) + t;
            ck_assert_int_eq(s.inputs[b * CONTEXT + t], token_at(at, 257));
            ck_assert_int_eq(s.targets[b * CONTEXT + t], token_at(at + 1, 257));
        }
}

START_TEST(batches_are_right_whatever_was_hinted)
{
    struct prefetch *p;
    int32_t inputs[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    const struct samples batch = { inputs, targets, NULL };
    struct corpus c = open_corpus(2000);
    ck_assert_int_eq(prefetch_open(&c, BATCH, &p), ST_OK);
    for (int64_t k = 0; k < 500; k++) {
        const uint64_t r = rng_u64((struct rng_key){ .seed = 9, .purpose = RNG_TEST }, 0, k);
        const struct sample_range wanted = { k * BATCH, 1 + (int64_t)(r % BATCH) };
        const int64_t next = wanted.first + BATCH;
        const struct sample_range hints[] = { { next, BATCH }, { next, 1 }, { next + 1, 2 }, { 0, 1 }, { 0, 0 } };
        ck_assert_int_eq(prefetch_batch(p, wanted, hints[(r >> 20) % 5], batch), ST_OK); /* the first holds all that will be asked for */
        check_batch(&c.stream[0].order, wanted, batch);
    }
    prefetch_close(p);
    corpus_close(&c);
}
END_TEST

START_TEST(padding_has_no_loss)
{
    int32_t inputs[2 * CONTEXT], targets[2 * CONTEXT];
    const struct samples batch = { inputs, targets, NULL };
    struct corpus c = open_corpus(2000);
    ck_assert_int_eq(stream_window(&c.stream[0], 1, batch), ST_OK);
    samples_pad(samples_from(batch, 1, CONTEXT), 1, CONTEXT);
    for (int t = 0; t < 2 * CONTEXT; t++) {
        ck_assert_int_eq(inputs[t], t < CONTEXT ? token_at(CONTEXT + t, 257) : 0);
        ck_assert_int_eq(targets[t], t < CONTEXT ? token_at(CONTEXT + 1 + t, 257) : -1);
    }
    corpus_close(&c);
}
END_TEST

START_TEST(a_damaged_file_is_told_by_the_batch_that_needs_it)
{
    struct prefetch *p;
    int32_t inputs[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    struct corpus c = open_corpus(2000);
    ck_assert_int_eq(prefetch_open(&c, BATCH, &p), ST_OK);
    ck_assert_int_eq(truncate(path, (off_t)c.stream[0].tokens.data_offset), 0);
    enum status s = ST_OK;
    for (int64_t k = 0; k < 3 && !s; k++)
        s = prefetch_batch(p, (struct sample_range){ k * BATCH, BATCH }, (struct sample_range){ (k + 1) * BATCH, BATCH },
                           (struct samples){ .inputs = inputs, .targets = targets });
    ck_assert_int_eq(s, ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), path)); /* though another thread met it first */
    prefetch_close(p);
    corpus_close(&c);
}
END_TEST

START_TEST(a_file_shorter_than_a_window_is_refused)
{
    struct stream s;
    write_tokens(CONTEXT, 257);
    ck_assert_int_eq(stream_open(path, 1, 0, CONTEXT, false, &s), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "one window of context 8 needs 9"));
    write_tokens(CONTEXT + 1, 257);
    ck_assert_int_eq(stream_open(path, 1, 0, CONTEXT, false, &s), ST_OK);
    ck_assert_int_eq(stream_epoch(&s), 1);
    stream_close(&s);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tokens");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, narrow_tokens_come_back);
    tcase_add_test(tc, the_largest_narrow_vocabulary_comes_back);
    tcase_add_test(tc, wide_tokens_come_back);
    tcase_add_test(tc, nothing_appears_under_the_name_before_publishing);
    tcase_add_test(tc, every_damaged_byte_is_survived_and_none_passes_verification);
    tcase_add_test(tc, a_flipped_token_fails_verification);
    tcase_add_test(tc, a_cut_file_is_refused);
    tcase_add_test(tc, what_is_no_token_file_is_refused_with_its_name);
    tcase_add_test(tc, files_of_older_builds_are_read);
    tcase_add_loop_test(tc, hostile_layouts_are_refused, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tc, a_long_name_of_a_tokenizer_leaves_its_last_part);
    tcase_add_test(tc, batches_are_right_whatever_was_hinted);
    tcase_add_test(tc, padding_has_no_loss);
    tcase_add_test(tc, a_damaged_file_is_told_by_the_batch_that_needs_it);
    tcase_add_test(tc, a_file_shorter_than_a_window_is_refused);
    Suite *suite = suite_create("tokens");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
