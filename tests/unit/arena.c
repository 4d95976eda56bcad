/* Arenas: one builder gives the same bytes measured and placed; marks nest; nothing is placed beyond the plan. */
#include "common/base/arena.h"
#include "common/base/check.h"
#include "tests/support/suite.h"
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

static struct arena arena;

static void build(struct arena *a) /* sizes with every remainder of the alignment */
{
    for (size_t bytes = 0; bytes < 300; bytes += 7) ck_assert_uint_eq((uintptr_t)arena_place(a, bytes) % ARENA_ALIGN, 0);
    (void)arena_place_n(a, 1000, sizeof(double));
}

START_TEST(a_measured_builder_needs_exactly_what_it_measured)
{
    struct arena measuring;
    arena_open_measuring(&measuring, "m");
    build(&measuring);
    ck_assert_int_eq(arena_open(&arena, "a", measuring.peak), ST_OK);
    build(&arena);
    ck_assert_uint_eq(arena.peak, measuring.peak);
    arena_close(&arena);
    arena_close(&measuring);
}
END_TEST

START_TEST(objects_do_not_overlap)
{
    ck_assert_int_eq(arena_open(&arena, "a", 1 << 16), ST_OK);
    unsigned char *at[40];
    for (size_t i = 0; i < 40; i++) memset(at[i] = arena_place(&arena, i * 13), (int)i, i * 13);
    for (size_t i = 0; i < 40; i++)
        for (size_t k = 0; k < i * 13; k++) ck_assert_uint_eq(at[i][k], i);
    arena_close(&arena);
}
END_TEST

START_TEST(marks_nest_and_the_peak_stays)
{
    ck_assert_int_eq(arena_open(&arena, "a", 4096), ST_OK);
    (void)arena_place(&arena, 100);
    const size_t outer = arena_mark(&arena);
    unsigned char *first = arena_place(&arena, 200);
    const size_t inner = arena_mark(&arena);
    (void)arena_place(&arena, 300);
    arena_release(&arena, inner);
    ck_assert_uint_eq(arena.used, inner);
    arena_release(&arena, outer);
    ck_assert_ptr_eq(arena_place(&arena, 200), first);
    ck_assert_uint_eq(arena.peak, 128 + 256 + 300);
    arena_reset(&arena);
    ck_assert_uint_eq(arena.used, 0);
    arena_close(&arena);
}
END_TEST

START_TEST(an_arena_can_be_filled_to_its_last_byte_and_not_beyond)
{
    ck_assert_int_eq(arena_open(&arena, "a", 4096), ST_OK);
    memset(arena_place(&arena, 4096), 1, 4096);
    ck_assert_ptr_nonnull(arena_place(&arena, 0));
    (void)arena_place(&arena, 1); /* breaks the invariant */
}
END_TEST

START_TEST(touching_what_was_only_measured_faults)
{
    arena_open_measuring(&arena, "m");
    volatile unsigned char *p = arena_place(&arena, 10);
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler of its own */
    p[0] = 1;
}
END_TEST

START_TEST(a_growing_arena_is_zero_and_takes_any_size)
{
    arena_open_growing(&arena, "g");
    static const unsigned char zeros[1 << 20];
    for (size_t bytes = 1; bytes < sizeof zeros; bytes = bytes * 3 + 1) {
        unsigned char *p = arena_place(&arena, bytes);
        ck_assert_mem_eq(p, zeros, bytes);
        memset(p, 0xab, bytes);
    }
    const char *copy = arena_strdup(&arena, "abc"), *printed = arena_printf(&arena, "%s-%d", "layer", 12);
    ck_assert_str_eq(copy, "abc");
    ck_assert_str_eq(printed, "layer-12");
    arena_reset(&arena);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_eq(((unsigned char *)arena_place(&arena, 64))[0], 0);
    arena_close(&arena);
}
END_TEST

START_TEST(a_product_of_sizes_that_overflows_is_an_invariant)
{
    arena_open_growing(&arena, "g");
    (void)arena_place_n(&arena, SIZE_MAX / 2, 4);
}
END_TEST

START_TEST(memory_that_the_system_has_not_is_a_failure)
{
    ck_assert_int_eq(arena_open(&arena, "run", (size_t)1 << 60), ST_IO);
    ck_assert_ptr_nonnull(strstr(status_text(), "run: the system refuses"));
}
END_TEST

#ifdef LAMINA_DEBUG
START_TEST(debug_builds_poison_what_is_released)
{
    ck_assert_int_eq(arena_open(&arena, "a", 4096), ST_OK);
    const size_t mark = arena_mark(&arena);
    memset(arena_place(&arena, 64), 0, 64);
    arena_release(&arena, mark);
    ck_assert_uint_eq(((unsigned char *)arena_place(&arena, 64))[63], 0xff);
    arena_close(&arena);
}
END_TEST
#endif

int main(void)
{
    TCase *t = tcase_create("arena");
    tcase_add_test(t, a_measured_builder_needs_exactly_what_it_measured);
    tcase_add_test(t, objects_do_not_overlap);
    tcase_add_test(t, marks_nest_and_the_peak_stays);
    tcase_add_test_raise_signal(t, an_arena_can_be_filled_to_its_last_byte_and_not_beyond, SIGABRT);
    tcase_add_test_raise_signal(t, touching_what_was_only_measured_faults, SIGSEGV);
    tcase_add_test(t, a_growing_arena_is_zero_and_takes_any_size);
    tcase_add_test_raise_signal(t, a_product_of_sizes_that_overflows_is_an_invariant, SIGABRT);
    tcase_add_test(t, memory_that_the_system_has_not_is_a_failure);
#ifdef LAMINA_DEBUG
    tcase_add_test(t, debug_builds_poison_what_is_released);
#endif
    Suite *suite = suite_create("arena");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_FORK);
}
