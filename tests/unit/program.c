/* The generator of a step's actions: what must hold in every layout, found by walking the list as a machine would. */
#include "common/plan/program.h"
#include "common/base/check.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNITS = 5 };

struct machine {
    bool arriving[UNITS], held[UNITS], forwarded[UNITS][8], backwarded[UNITS][8];
    int reducing, gathers, reductions[UNITS];
};

static void step_machine(struct machine *m, const struct program_shape *s, const struct action *a)
{
    const bool head = a->unit == UNITS - 1;
    switch (a->kind) {
    case ACTION_GATHER_BEGIN:
        ck_assert(!m->arriving[a->unit] && !m->held[a->unit]);
        m->arriving[a->unit] = true;
        m->gathers++;
        break;
    case ACTION_GATHER_WAIT:
        ck_assert(m->arriving[a->unit]);
        m->arriving[a->unit] = false;
        m->held[a->unit] = true;
        break;
    case ACTION_RELEASE:
        ck_assert(m->held[a->unit]);
        m->held[a->unit] = false;
        break;
    case ACTION_FORWARD:
        ck_assert(!s->gathered || m->held[a->unit]);
        ck_assert(a->unit == 0 || m->forwarded[a->unit - 1][a->local]);
        m->forwarded[a->unit][a->local] = true;
        break;
    case ACTION_BACKWARD:
        ck_assert(!s->gathered || a->unit == 0 || m->held[a->unit]);
        if (head && s->tied && s->gathered) ck_assert(m->held[0]);
        if (head)
            ck_assert(m->forwarded[a->unit - 1][a->local]);
        else
            ck_assert(m->backwarded[a->unit + 1][a->local]);
        m->backwarded[a->unit][a->local] = true;
        break;
    case ACTION_REDUCE_BEGIN:
        ck_assert_int_eq(m->reducing, -1);
        m->reducing = a->unit;
        m->reductions[a->unit]++;
        break;
    case ACTION_REDUCE_WAIT:
        ck_assert_int_eq(m->reducing, a->unit);
        m->reducing = -1;
        break;
    case ACTION_KINDS: ck_abort_msg("no such action");
    }
}

static struct machine run_program(const struct program_shape *s, const struct program *p)
{
    struct machine m = { .reducing = -1 };
    for (int i = 0; i < p->n; i++) step_machine(&m, s, &p->actions[i]);
    ck_assert_int_eq(m.reducing, -1);
    for (int u = 0; u < UNITS; u++) ck_assert(!m.arriving[u] && !m.held[u]);
    return m;
}

static const bool all_trained[UNITS] = { true, true, true, true, true };

static struct program_shape shape_of(int bits)
{
    return (struct program_shape){ .phase = PHASE_TRAIN,
                                   .n_units = UNITS,
                                   .tied = bits & 1,
                                   .gathered = bits & 2,
                                   .reduced = true,
                                   .to_owner = bits & 4,
                                   .window = 3,

                                   .n_most = 3,
                                   .trains = all_trained };
}

static struct arena arena;

START_TEST(every_layout_computes_every_microbatch_once_with_weights_at_hand)
{
    const struct program_shape s = shape_of(_i);
    struct program p;
    program_pass(&arena, &s, 3, &p);
    const struct machine m = run_program(&s, &p);
    for (int u = 0; u < UNITS; u++)
        for (int i = 0; i < 3; i++) ck_assert(m.backwarded[u][i] && (u == UNITS - 1 || m.forwarded[u][i]));
    ck_assert_int_le(program_gathered_most(&p), s.gathered ? 2 : 0);
    if (s.gathered) ck_assert_int_eq(program_gathered_most(&p), 2);
}
END_TEST

START_TEST(a_rank_without_work_gathers_and_reduces_as_often_as_the_others)
{
    const struct program_shape s = shape_of(_i);
    struct program busy, idle;
    program_pass(&arena, &s, 3, &busy);
    program_pass(&arena, &s, 0, &idle);
    const struct machine a = run_program(&s, &busy), b = run_program(&s, &idle);
    ck_assert_int_eq(a.gathers, b.gathers);
    for (int u = 0; u < UNITS; u++) ck_assert_int_eq(a.reductions[u], b.reductions[u]);
}
END_TEST

START_TEST(contributions_of_every_unit_leave_once_and_a_tied_embeddings_twice)
{
    const struct program_shape s = shape_of(_i);
    struct program pass, finish;
    program_pass(&arena, &s, 2, &pass);
    program_finish(&arena, &s, &finish);
    const struct machine a = run_program(&s, &pass), b = run_program(&s, &finish);
    for (int u = 0; u < UNITS; u++) ck_assert_int_eq(a.reductions[u] + b.reductions[u], u == 0 && s.tied && s.to_owner ? 2 : 1);
}
END_TEST

START_TEST(backward_stops_at_the_lowest_trained_unit)
{
    struct program_shape s = shape_of(_i);
    const bool upper[UNITS] = { false, false, true, false, true };
    s.trains = upper;
    struct program p;
    program_pass(&arena, &s, 3, &p);
    const struct machine m = run_program(&s, &p);
    for (int u = 0; u < UNITS; u++) ck_assert_int_eq(m.backwarded[u][0], u >= 2);
    for (int u = 0; u < UNITS; u++) ck_assert_int_eq(m.reductions[u], s.to_owner && upper[u]);
}
END_TEST

START_TEST(evaluation_goes_forward_only)
{
    struct program_shape s = shape_of(_i);
    s.phase = PHASE_EVALUATE;
    struct program p;
    program_pass(&arena, &s, 3, &p);
    const struct machine m = run_program(&s, &p);
    for (int u = 0; u < UNITS; u++) ck_assert(m.forwarded[u][2] && !m.backwarded[u][2] && m.reductions[u] == 0);
}
END_TEST

int main(void)
{
    arena_open_growing(&arena, "test");
    Suite *suite = suite_create("program");
    TCase *tc = tcase_create("program");
    tcase_add_loop_test(tc, every_layout_computes_every_microbatch_once_with_weights_at_hand, 0, 8);
    tcase_add_loop_test(tc, a_rank_without_work_gathers_and_reduces_as_often_as_the_others, 0, 8);
    tcase_add_loop_test(tc, contributions_of_every_unit_leave_once_and_a_tied_embeddings_twice, 0, 8);
    tcase_add_loop_test(tc, backward_stops_at_the_lowest_trained_unit, 0, 8);
    tcase_add_loop_test(tc, evaluation_goes_forward_only, 0, 8);
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_FORK);
    arena_close(&arena);
    return code;
}
