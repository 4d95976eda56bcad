/* Cuts fall on rows, spans cover every element once, and any number of ranks works. */
#include "common/plan/partition.h"
#include "common/base/check.h"
#include "tests/support/suite.h"

#include <check.h>
#include <stdlib.h>

static struct arena arena;

static const struct unit_shape shapes[UNIT_KINDS] = {
    [UNIT_EMBEDDING] = { 1, { { .name = "token.weight", .role = ROLE_HEAD, .n_dims = 2, .rows = 37, .cols = 12 } } },
    [UNIT_BLOCK] = { 3,
                     { { .name = "norm.weight", .role = ROLE_NORM, .n_dims = 1, .rows = 1, .cols = 12 },
                       { .name = "attn.q.weight", .role = ROLE_ATTN_Q, .n_dims = 2, .rows = 12, .cols = 12 },
                       { .name = "mlp.in.weight", .role = ROLE_MLP_IN, .n_dims = 2, .rows = 29, .cols = 12 } } },
    [UNIT_HEAD] = { 1, { { .name = "norm.weight", .role = ROLE_NORM, .n_dims = 1, .rows = 1, .cols = 12 } } },
};

static struct partition cut_over(int group)
{
    struct partition p;
    partition_units(&arena, shapes, 2, true, &p);
    p.params[2].row_align = 4; /* attn.q of block 0 */
    partition_cut(&arena, &p, group);
    return p;
}

START_TEST(pieces_of_all_ranks_cover_every_row_once)
{
    const struct partition p = cut_over(_i);
    int rows[16] = { 0 };
    for (int u = 0; u < p.n_units; u++) {
        for (int r = 0; r < _i; r++) {
            struct piece piece[UNIT_MAX_PARAMS];
            const int n = partition_pieces(&p, u, r, piece);
            int64_t elements = 0;
            for (int i = 0; i < n; i++) {
                const struct param *q = &p.params[piece[i].param];
                ck_assert_int_lt(piece[i].row_begin, piece[i].row_end);
                ck_assert(piece[i].row_begin % q->row_align == 0);
                rows[piece[i].param] += (int)(piece[i].row_end - piece[i].row_begin);
                elements += (piece[i].row_end - piece[i].row_begin) * q->cols;
            }
            ck_assert_int_eq(elements, p.units[u].cut[r + 1] - p.units[u].cut[r]);
        }
    }
    for (int i = 0; i < p.n_params; i++) ck_assert_int_eq(rows[i], p.params[i].rows);
}
END_TEST

START_TEST(spans_are_balanced_to_about_a_row)
{
    const struct partition p = cut_over(_i);
    for (int u = 0; u < p.n_units; u++)
        for (int r = 0; r < _i; r++)
            ck_assert_int_le(llabs(p.units[u].cut[r + 1] - p.units[u].cut[r] - p.units[u].count / _i), 4 * 12 + 12);
}
END_TEST

START_TEST(parameters_have_full_names_and_an_order)
{
    const struct partition p = cut_over(1);
    ck_assert_int_eq(p.n_params, 8);
    ck_assert_str_eq(p.params[0].name, "embedding.token.weight");
    ck_assert_str_eq(p.params[5].name, "blocks.1.attn.q.weight");
    ck_assert_str_eq(p.params[p.by_name[0]].name, "blocks.0.attn.q.weight");
    ck_assert_str_eq(p.params[p.by_name[7]].name, "head.norm.weight");
    for (int i = 0; i < p.n_params; i++) ck_assert_int_eq(p.by_name[p.params[i].name_order], i);
    ck_assert_int_eq(p.n_elements, 37 * 12 + 2 * (12 + 144 + 29 * 12) + 12);
    ck_assert_int_eq(p.params[5].layer, 1);
    ck_assert_int_eq(p.params[7].layer, -1);
}
END_TEST

int main(void)
{
    arena_open_growing(&arena, "test");
    Suite *suite = suite_create("partition");
    TCase *tc = tcase_create("partition");
    tcase_add_loop_test(tc, pieces_of_all_ranks_cover_every_row_once, 1, 60);
    tcase_add_loop_test(tc, spans_are_balanced_to_about_a_row, 1, 8);
    tcase_add_test(tc, parameters_have_full_names_and_an_order);
    suite_add_tcase(suite, tc);
    const int code = suite_main(suite, CK_FORK);
    arena_close(&arena);
    return code;
}
