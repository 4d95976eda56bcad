/* Event files for TensorBoard: checksums with known answers, and records taken apart again by the rules of their formats. */
#include "coordinator/tfevents.h"
#include "tests/support/suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* RFC 3720, B.4; the last is the check value of the catalogues of CRCs. */
START_TEST(the_crc_has_the_published_values)
{
    unsigned char bytes[32] = { 0 };
    ck_assert_uint_eq(tfevents_crc(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(tfevents_crc(bytes, sizeof bytes), 0x62a8ab43);
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
    ck_assert_uint_eq(tfevents_crc(bytes, sizeof bytes), 0x46dd794e);
    ck_assert_uint_eq(tfevents_crc("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(tfevents_crc("", 0), 0);
    ck_assert_uint_eq(tfevents_crc_masked("", 0), 0xa282ead8);
    ck_assert_uint_eq(tfevents_crc_masked("123456789", 9), 0xc78ab0e5); /* 0xe3069283 turned right by 15, plus the constant */
}
END_TEST

/* --- A reader ------------------------------------------------------------------------------------------------------------- */

struct bytes {
    const unsigned char *at, *end;
};

static uint64_t fixed(struct bytes *b, int n)
{
    uint64_t value = 0;
    ck_assert_int_ge(b->end - b->at, n);
    for (int i = 0; i < n; i++) value |= (uint64_t)*b->at++ << 8 * i;
    return value;
}

static uint64_t varint(struct bytes *b)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint64_t byte = fixed(b, 1);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    ck_abort_msg("a varint without end");
}

static struct bytes part(struct bytes *b, uint64_t n)
{
    ck_assert_uint_le(n, (uint64_t)(b->end - b->at));
    const struct bytes out = { b->at, b->at + n };
    b->at += n;
    return out;
}

/* One field: its number; its value as an integer, or the bytes of a nested one. */
struct item {
    int field, wire;
    uint64_t value;
    struct bytes inside;
};
static struct item item(struct bytes *b)
{
    const uint64_t key = varint(b);
    struct item out = { .field = (int)(key >> 3), .wire = (int)(key & 7) };
    if (out.wire == 0)
        out.value = varint(b);
    else if (out.wire == 1)
        out.value = fixed(b, 8);
    else if (out.wire == 5)
        out.value = fixed(b, 4);
    else
        out.inside = part(b, varint(b));
    return out;
}

static struct bytes record(struct bytes *file)
{
    const unsigned char *head = file->at;
    const uint64_t n = fixed(file, 8);
    ck_assert_uint_eq(fixed(file, 4), tfevents_crc_masked(head, 8));
    const struct bytes event = part(file, n);
    ck_assert_uint_eq(fixed(file, 4), tfevents_crc_masked(event.at, n));
    return event;
}

static double as_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double as_float(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float x;
    memcpy(&x, &low, sizeof x);
    return (double)x;
}

/* The three fields that every event here has; returns what it carries. */
static struct item event(struct bytes *file, double wall_time, int64_t step)
{
    struct bytes e = record(file);
    const struct item wall = item(&e), at = item(&e), what = item(&e);
    ck_assert_int_eq(wall.field, 1);
    ck_assert_double_eq(as_double(wall.value), wall_time);
    ck_assert_int_eq(at.field, 2);
    ck_assert_int_eq((int64_t)at.value, step);
    ck_assert_ptr_eq(e.at, e.end);
    return what;
}

static void expect_scalar(struct bytes *summary, const char *tag, double value)
{
    struct item entry = item(summary);
    ck_assert_int_eq(entry.field, 1);
    const struct item name = item(&entry.inside), number = item(&entry.inside);
    ck_assert_int_eq(name.field, 1);
    ck_assert_uint_eq((size_t)(name.inside.end - name.inside.at), strlen(tag));
    ck_assert_mem_eq(name.inside.at, tag, strlen(tag));
    ck_assert_int_eq(number.field, 2);
    ck_assert_int_eq(number.wire, 5);
    if (isnan(value))
        ck_assert_double_nan(as_float(number.value));
    else
        ck_assert_double_eq(as_float(number.value), value);
    ck_assert_ptr_eq(entry.inside.at, entry.inside.end);
}

START_TEST(a_file_reads_back)
{
    struct text file = { 0 }, summary = { 0 };
    const int64_t far = 1234567890123;
    tfevents_add_version(&file, 1.7e9);
    tfevents_add_restart(&file, 1.7e9 + 0.5, 601);
    tfevents_scalar(&summary, "loss", 1.5);
    tfevents_scalar(&summary, "lr/a\xff", (double)NAN); /* a tag is UTF-8, whatever a name holds */
    tfevents_add_summary(&file, 1.7e9 + 1, far, &summary);
    ck_assert_uint_eq(summary.length, 0);

    struct bytes b = { (const unsigned char *)file.data, (const unsigned char *)file.data + file.length };
    const struct item version = event(&b, 1.7e9, 0);
    ck_assert_int_eq(version.field, 3);
    ck_assert_mem_eq(version.inside.at, "brain.Event:2", 13);
    struct item log = event(&b, 1.7e9 + 0.5, 601);
    ck_assert_int_eq(log.field, 7);
    const struct item status = item(&log.inside);
    ck_assert_int_eq(status.field, 1);
    ck_assert_uint_eq(status.value, 1);
    struct item scalars = event(&b, 1.7e9 + 1, far);
    ck_assert_int_eq(scalars.field, 5);
    expect_scalar(&scalars.inside, "loss", 1.5);
    expect_scalar(&scalars.inside, "lr/a\\xff", (double)NAN);
    ck_assert_ptr_eq(scalars.inside.at, scalars.inside.end);
    ck_assert_ptr_eq(b.at, b.end);
    text_free(&file);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("tfevents");
    tcase_add_test(t, the_crc_has_the_published_values);
    tcase_add_test(t, a_file_reads_back);
    Suite *s = suite_create("tfevents");
    suite_add_tcase(s, t);
    return suite_main(s, CK_FORK);
}
