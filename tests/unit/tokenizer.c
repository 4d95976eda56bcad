/* Every tokenizer of the table gives back what it was given. */
#include "common/data/tokenizer.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

static struct arena arena;
static void open_arena(void) { arena_open_growing(&arena, "test"); }
static void close_arena(void) { arena_close(&arena); }

START_TEST(bytes_has_256_values_and_an_end)
{
    struct tokenizer t;
    ck_assert_int_eq(tokenizer_open(&arena, "bytes", &t), ST_OK);
    ck_assert_int_eq(t.vocab, 257);
    ck_assert_int_eq(t.end_of_document, 256);
    char hex[DIGEST_HEX];
    ck_assert_str_eq(digest_hex(t.digest, hex), "59ae7498e617ff2d94cdd5941f53b1f4"); /* stands in token files: never to change */
}
END_TEST

START_TEST(what_is_encoded_is_decoded)
{
    unsigned char every[513];
    for (int i = 0; i < 513; i++) every[i] = (unsigned char)(i * 7);
    for (int k = 0; tokenizer_table[k] != NULL; k++) {
        if (!tokenizer_table[k]->accepts(tokenizer_table[k]->name)) continue; /* kinds that are read from a file have tests of their own */
        struct tokenizer t;
        struct text out = { 0 };
        ck_assert_int_eq(tokenizer_open(&arena, tokenizer_table[k]->name, &t), ST_OK);
        struct encoder *encoder;
        struct ids ids = { 0 };
        ck_assert_int_eq(encoder_open(&t, &encoder), ST_OK);
        ck_assert_int_eq(encoder_add(encoder, every, 513, &ids), ST_OK);
        for (int64_t i = 0; i < ids.n; i++) ck_assert(ids.id[i] >= 0 && ids.id[i] < t.vocab && ids.id[i] != t.end_of_document);
        ck_assert_int_eq(ids_add(&ids, t.end_of_document), ST_OK); /* decodes to nothing */
        struct decoder decoder = { .tokenizer = &t };
        ck_assert_int_eq(decoder_add(&decoder, ids.id, ids.n, &out), ST_OK);
        ck_assert(!decoder.inside);
        ck_assert_uint_eq(out.length, 513);
        ck_assert_mem_eq(out.data, every, 513);
        text_free(&out);
        ids_close(&ids);
        encoder_close(encoder);
        tokenizer_close(&t);
    }
}
END_TEST

START_TEST(an_id_outside_the_vocabulary_is_told)
{
    struct tokenizer t;
    struct text out = { 0 };
    ck_assert_int_eq(tokenizer_open(&arena, "bytes", &t), ST_OK);
    struct decoder decoder = { .tokenizer = &t };
    ck_assert_int_eq(decoder_add(&decoder, (int32_t[]){ 'a', 257 }, 2, &out), ST_DATA);
    ck_assert_ptr_nonnull(strstr(status_text(), "257 is no token of bytes: they are 0 to 256"));
    ck_assert_uint_eq(out.length, 1);
    ck_assert_int_eq(decoder_add(&decoder, (int32_t[]){ -1 }, 1, &out), ST_DATA);
    text_free(&out);
}
END_TEST

START_TEST(an_unknown_name_is_a_configuration_error)
{
    struct tokenizer t;
    ck_assert_int_eq(tokenizer_open(&arena, "no-such", &t), ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(status_text(), "no-such"));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tokenizer");
    tcase_add_checked_fixture(tc, open_arena, close_arena);
    tcase_add_test(tc, bytes_has_256_values_and_an_end);
    tcase_add_test(tc, what_is_encoded_is_decoded);
    tcase_add_test(tc, an_id_outside_the_vocabulary_is_told);
    tcase_add_test(tc, an_unknown_name_is_a_configuration_error);
    Suite *suite = suite_create("tokenizer");
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_FORK);
}
