/* Tapes: who writes a gradient and who adds, what is kept for backward, and that no two things alive at one time share memory. */
#include "common/base/arena.h"
#include "common/base/parallel.h"
#include "common/base/str.h"
#include "tests/support/model_step.h"
#include "tests/support/suite.h"
#include "worker/models/models.h"
#include "worker/ops/ops.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct model_config configs[] = {
    { .family = "gpt2",
      .width = 24,
      .layers = 2,
      .heads = 3,
      .kv_heads = 3,
      .mlp = 40,
      .context = 16,
      .tie = true,
      .vocab = 31,
      .norm_eps = 1e-5 },
    { .family = "llama",
      .width = 24,
      .layers = 2,
      .heads = 6,
      .kv_heads = 2,
      .mlp = 40,
      .context = 16,
      .vocab = 31,
      .norm_eps = 1e-5,
      .rope_base = 1e4,
      .qkv_bias = true,
      .qk_norm = true },
    { .family = "llama",
      .width = 24,
      .layers = 2,
      .heads = 6,
      .kv_heads = 3,
      .mlp = 40,
      .context = 16,
      .vocab = 31,
      .norm_eps = 1e-5,
      .rope_base = 1e4,
      .tie = true },
};
enum { N_CONFIGS = sizeof configs / sizeof *configs, B = 2, T = 16 };

static struct arena arena;
static struct unit_shape embedding;
static void setup(void)
{
    arena_open_growing(&arena, "tape");
    memset(&embedding, 0, sizeof embedding);
}
static void teardown(void) { arena_close(&arena); }

static struct tape *write(const struct model_config *c, enum unit_kind kind, enum tape_end end)
{
    struct tape *t = arena_place(&arena, sizeof *t);
    const struct model_desc *model = model_find(c->family);
    if (model->check != NULL) ck_assert_int_eq(model->check(c), ST_OK);
    tape_begin(t, &arena, kind, end, DT_F32, c, B, T, 0, kind == UNIT_EMBEDDING ? NULL : &embedding);
    model->write(t, kind, c);
    if (kind == UNIT_EMBEDDING) embedding = t->unit;
    return t;
}

static bool apart(size_t a, size_t a_bytes, size_t b, size_t b_bytes) { return a + a_bytes <= b || b + b_bytes <= a; }

/* Two temporaries that share memory are never alive at one time; nor are two gradients. */
static void assert_no_overlap(const struct tape *t)
{
    for (int a = 0; a < t->n_values; a++)
        for (int b = 0; b < a; b++) {
            const struct tape_value *x = &t->value[a], *y = &t->value[b];
            const size_t x_bytes = tensor_bytes(&x->shape), y_bytes = tensor_bytes(&y->shape);
            const bool together = x->first_op <= y->last_op && y->first_op <= x->last_op;
            const bool x_saved = x->kind == VALUE_SAVED, y_saved = y->kind == VALUE_SAVED;
            const bool x_passes = x->kind == VALUE_TEMPORARY, y_passes = y->kind == VALUE_TEMPORARY;
            if (x_saved && y_saved) ck_assert(apart(x->offset, x_bytes, y->offset, y_bytes));
            if (together && x_passes && y_passes) ck_assert(apart(x->offset, x_bytes, y->offset, y_bytes));
            if (together && (x_saved || x_passes) && (y_saved || y_passes) && x->needs_grad && y->needs_grad)
                ck_assert(apart(x->grad_offset, x_bytes, y->grad_offset, y_bytes));
        }
}

static void assert_inside(const struct tape *t)
{
    for (int v = 0; v < t->n_values; v++) {
        const struct tape_value *x = &t->value[v];
        if (x->kind == VALUE_SAVED) ck_assert_uint_le(x->offset + tensor_bytes(&x->shape), t->saved_bytes);
        if (x->kind == VALUE_TEMPORARY) ck_assert_uint_le(x->offset + tensor_bytes(&x->shape), t->forward_bytes);
        if (x->needs_grad && (x->kind == VALUE_SAVED || x->kind == VALUE_TEMPORARY))
            ck_assert_uint_le(x->grad_offset + tensor_bytes(&x->shape), t->backward_bytes);
    }
}

START_TEST(values_alive_together_do_not_share_memory)
{
    for (int kind = 0; kind < UNIT_KINDS; kind++)
        for (int train = 0; train < 2; train++) {
            if (kind == UNIT_EMBEDDING || kind == UNIT_HEAD) (void)write(&configs[_i], UNIT_EMBEDDING, TAPE_LOSS);
            struct tape *t = write(&configs[_i], (enum unit_kind)kind, TAPE_LOSS);
            tape_layout(t, train == 1, kind != UNIT_EMBEDDING);
            assert_no_overlap(t);
            assert_inside(t);
            if (train == 0) ck_assert_uint_eq(t->saved_bytes, 0);
        }
}
END_TEST

/* Of the consumers of a value the last in the tape writes its gradient; the earlier ones add. */
START_TEST(the_first_in_reverse_writes_and_the_others_add)
{
    struct tape *t = write(&configs[_i], UNIT_BLOCK, TAPE_LOSS);
    tape_layout(t, true, true);
    bool written[TAPE_MAX_VALUES] = { false };
    for (int o = t->n_ops - 1; o >= 0; o--)
        for (int i = 0; i < t->op[o].shape.n_in; i++) {
            const int v = t->op[o].in[i];
            ck_assert(t->op[o].want[i]);
            ck_assert_int_eq(t->op[o].add[i], written[v]);
            written[v] = true;
        }
    ck_assert(written[t->input]);
}
END_TEST

START_TEST(a_frozen_floor_needs_no_input_gradient)
{
    struct tape *t = write(&configs[_i], UNIT_BLOCK, TAPE_LOSS), *all = write(&configs[_i], UNIT_BLOCK, TAPE_LOSS);
    tape_layout(t, true, false);
    tape_layout(all, true, true);
    for (int o = 0; o < t->n_ops; o++)
        for (int i = 0; i < t->op[o].shape.n_in; i++) ck_assert(t->op[o].want[i] == (t->op[o].in[i] != t->input));
    ck_assert_uint_eq(t->saved_bytes, all->saved_bytes);
}
END_TEST

/* What one product serves stands without gaps; offsets follow the order of declaration. */
START_TEST(parameters_stand_in_tape_order)
{
    const struct tape *t = write(&configs[_i], UNIT_BLOCK, TAPE_LOSS);
    size_t offset = 0;
    int param = 0;
    for (int v = 0; v < t->n_values; v++) {
        if (t->value[v].kind != VALUE_PARAM) continue;
        ck_assert_int_eq(t->value[v].param, param++);
        ck_assert_uint_eq(t->value[v].offset, offset);
        offset += tensor_bytes(&t->value[v].shape);
    }
    ck_assert_int_eq(param, t->unit.n_params);
    int q = 0;
    while (strcmp(t->unit.param[q].name, "attn.q.weight") != 0) q++;
    ck_assert_str_eq(t->unit.param[q + 1].name, "attn.k.weight");
    ck_assert_str_eq(t->unit.param[q + 2].name, "attn.v.weight");
}
END_TEST

START_TEST(roles_are_declared)
{
    const struct tape *e = write(&configs[_i], UNIT_EMBEDDING, TAPE_LOSS), *h = write(&configs[_i], UNIT_HEAD, TAPE_LOSS);
    ck_assert_int_eq(e->unit.param[0].role, configs[_i].tie ? ROLE_HEAD : ROLE_EMBEDDING);
    const struct param_shape *last = &h->unit.param[h->unit.n_params - 1];
    if (configs[_i].tie)
        ck_assert_int_ne(last->role, ROLE_HEAD);
    else
        ck_assert_int_eq(last->role, ROLE_HEAD);
}
END_TEST

START_TEST(families_refuse_what_they_cannot_do)
{
    struct model_config odd = configs[1];
    odd.heads = 8; /* heads of three values */
    ck_assert_int_eq(model_find("llama")->check(&odd), ST_CONFIG);
    ck_assert_ptr_nonnull(strstr(status_text(), "even"));
    ck_assert_ptr_null(model_find("mamba"));
}
END_TEST

/* Memory filled with NaN before each walk changes nothing: nothing is read that was not written, forward or backward. */
START_TEST(no_walk_reads_what_it_did_not_write)
{
    struct model_step m;
    model_step_init(&m, &arena, &configs[_i], DT_F32, B, T, NULL);
    int32_t tokens[B * T], targets[B * T];
    model_step_batch("tape", B * T, configs[_i].vocab, tokens, targets);
    const double loss = model_step_run(&m, tokens, targets);
    ck_assert(isfinite(loss) && loss > 0);
    size_t pass = 0;
    for (int k = 0; k < UNIT_KINDS; k++) {
        if (m.tape[k].forward_bytes > pass) pass = m.tape[k].forward_bytes;
        if (m.tape[k].backward_bytes > pass) pass = m.tape[k].backward_bytes;
    }
    float **first = arena_place_n(&arena, (size_t)m.partition.n_units, sizeof *first);
    for (int u = 0; u < m.partition.n_units; u++) {
        const size_t bytes = (size_t)m.partition.units[u].count * sizeof(float);
        first[u] = arena_place(&arena, bytes);
        memcpy(first[u], m.gradients[u], bytes);
        memset(m.saved[u], 0xff, m.tape[m.partition.units[u].kind].saved_bytes);
    }
    memset(m.pass, 0xff, pass);
    ck_assert_double_eq(model_step_run(&m, tokens, targets), loss);
    for (int u = 0; u < m.partition.n_units; u++)
        ck_assert_mem_eq(first[u], m.gradients[u], (size_t)m.partition.units[u].count * sizeof(float));
}
END_TEST

START_TEST(a_tape_prints_a_line_per_op)
{
    (void)write(&configs[_i], UNIT_EMBEDDING, TAPE_LOSS);
    struct tape *t = write(&configs[_i], UNIT_HEAD, TAPE_LOSS);
    tape_layout(t, true, true);
    struct text text = { 0 };
    tape_print(t, &text);
    ck_assert_ptr_nonnull(strstr(text.data, "head_loss"));
    ck_assert_ptr_nonnull(strstr(text.data, configs[_i].tie ? "tied:token.weight" : " weight ->"));
    int lines = 0;
    for (size_t i = 0; i < text.length; i++) lines += text.data[i] == '\n';
    ck_assert_int_eq(lines, t->n_ops);
    text_free(&text);
}
END_TEST

/* One token at `position` through all units; what came before is in the caches. */
static void next_logits(const struct model_step *m, const struct tape tape[UNIT_KINDS], unsigned char **caches, const int32_t *token,
                        int64_t position, float *logits)
{
    unsigned char *boundary[2] = { arena_place(&arena, 4096), arena_place(&arena, 4096) };
    for (int u = 0; u < m->partition.n_units; u++) {
        const struct tape *t = &tape[m->partition.units[u].kind];
        struct tape_run run = { .weights = m->stored[u], .tied_weights = m->stored[0], .tokens = token, .position = position };
        run.input = boundary[u % 2];
        run.output = u == m->partition.n_units - 1 ? (void *)logits : boundary[(u + 1) % 2];
        run.pass = arena_place(&arena, t->forward_bytes);
        run.scratch = arena_place(&arena, (size_t)parallel_threads() * t->scratch_bytes);
        run.shared = arena_place(&arena, t->shared_bytes);
        run.cache = caches[u];
        tape_forward(t, &run);
    }
}

/* Token by token through the cache gives the logits of the whole context, so greedy generation is the same either way. */
START_TEST(cached_logits_are_those_of_the_whole_context)
{
    const struct model_config *c = &configs[_i];
    struct model_step m;
    model_step_init(&m, &arena, c, DT_F32, 1, T, NULL);
    int32_t tokens[T], targets[T];
    model_step_batch("cache", T, c->vocab, tokens, targets);
    model_step_logits(&m, tokens);
    struct tape *tape = arena_place_n(&arena, UNIT_KINDS, sizeof *tape);
    for (int k = 0; k < UNIT_KINDS; k++) {
        tape_begin(&tape[k], &arena, (enum unit_kind)k, TAPE_LOGITS, DT_F32, c, 1, 1, T, &m.shapes[UNIT_EMBEDDING]);
        model_find(c->family)->write(&tape[k], (enum unit_kind)k, c);
        tape_layout(&tape[k], false, false);
    }
    unsigned char *caches[8] = { NULL };
    for (int u = 0; u < m.partition.n_units; u++) caches[u] = arena_place(&arena, tape[m.partition.units[u].kind].cache_bytes);
    ck_assert_uint_ge(tape[UNIT_BLOCK].cache_bytes, (size_t)(2 * T * c->width / c->heads * c->kv_heads) * sizeof(float));
    float logits[64];
    ck_assert_int_le(c->vocab, 64);
    for (int64_t t = 0; t < T; t++) next_logits(&m, tape, caches, tokens + t, t, logits);
    for (int64_t v = 0; v < c->vocab; v++) ck_assert_double_eq_tol((double)logits[v], (double)m.last[v], 1e-5);
}
END_TEST

/* A tape of separate documents hands starts to what numbers or mixes tokens, and to nothing else. */
START_TEST(starts_reach_what_is_placed)
{
    const bool learned = strcmp(configs[_i].family, "gpt2") == 0;
    for (int kind = 0; kind < UNIT_KINDS; kind++) {
        struct tape *t = arena_place(&arena, sizeof *t);
        tape_begin(t, &arena, (enum unit_kind)kind, TAPE_LOSS, DT_F32, &configs[_i], B, T, 0, kind == UNIT_EMBEDDING ? NULL : &embedding);
        tape_separate(t);
        model_find(configs[_i].family)->write(t, (enum unit_kind)kind, &configs[_i]);
        if (kind == UNIT_EMBEDDING) embedding = t->unit;
        for (int o = 0; o < t->n_ops; o++) {
            const char *name = t->op[o].desc->name;
            const bool takes = strcmp(name, "attention") == 0 || strcmp(name, learned ? "embedding" : "rope") == 0;
            ck_assert_int_eq(t->op[o].shape.n_in > 1 && t->value[t->op[o].in[1]].kind == VALUE_STARTS, takes);
        }
    }
}
END_TEST

/* A model on a window of packed documents: losses and gradients are those of the documents in windows of their own. */
START_TEST(packed_documents_are_documents_alone)
{
    static const int64_t lengths[] = { 5, 1, 7, 3 }; /* T in all */
    int32_t tokens[T], targets[T], starts[T], zeros[T] = { 0 };
    for (int64_t d = 0, t = 0, begin = 0; d < 4; begin += lengths[d++])
        for (; t < begin + lengths[d]; t++) starts[t] = (int32_t)begin;
    model_step_batch("packed", T, configs[_i].vocab, tokens, targets);
    struct model_step packed;
    model_step_init(&packed, &arena, &configs[_i], DT_F32, 1, T, starts);
    (void)model_step_run(&packed, tokens, targets);
    double *sums = arena_place_n(&arena, (size_t)packed.partition.n_elements, sizeof *sums);
    for (int64_t d = 0, begin = 0; d < 4; begin += lengths[d++]) {
        struct model_step alone;
        model_step_init(&alone, &arena, &configs[_i], DT_F32, 1, lengths[d], d % 2 == 0 ? NULL : zeros);
        (void)model_step_run(&alone, tokens + begin, targets + begin);
        for (int64_t t = 0; t < lengths[d]; t++) ck_assert_double_eq_tol((double)packed.nll[begin + t], (double)alone.nll[t], 1e-5);
        double *sum = sums;
        for (int p = 0; p < alone.partition.n_params; p++)
            for (int64_t i = 0; i < alone.partition.params[p].rows * alone.partition.params[p].cols; i++)
                *sum++ += (double)model_step_gradients(&alone, p)[i];
    }
    const double *sum = sums;
    for (int p = 0; p < packed.partition.n_params; p++)
        for (int64_t i = 0; i < packed.partition.params[p].rows * packed.partition.params[p].cols; i++)
            ck_assert_double_eq_tol((double)model_step_gradients(&packed, p)[i], *sum++, 1e-4);
}
END_TEST

int main(void)
{
    parallel_init();
    parallel_set_threads(2);
    TCase *c = tcase_create("tape");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, values_alive_together_do_not_share_memory, 0, N_CONFIGS);
    tcase_add_loop_test(c, the_first_in_reverse_writes_and_the_others_add, 0, N_CONFIGS);
    tcase_add_loop_test(c, a_frozen_floor_needs_no_input_gradient, 0, N_CONFIGS);
    tcase_add_loop_test(c, parameters_stand_in_tape_order, 0, N_CONFIGS);
    tcase_add_loop_test(c, roles_are_declared, 0, N_CONFIGS);
    tcase_add_test(c, families_refuse_what_they_cannot_do);
    tcase_add_loop_test(c, no_walk_reads_what_it_did_not_write, 0, N_CONFIGS);
    tcase_add_loop_test(c, a_tape_prints_a_line_per_op, 0, N_CONFIGS);
    tcase_add_loop_test(c, cached_logits_are_those_of_the_whole_context, 0, N_CONFIGS);
    tcase_add_loop_test(c, starts_reach_what_is_placed, 0, N_CONFIGS);
    tcase_add_loop_test(c, packed_documents_are_documents_alone, 0, N_CONFIGS);
    Suite *s = suite_create("tape");
    suite_add_tcase(s, c);
    return suite_main(s, CK_NOFORK);
}
