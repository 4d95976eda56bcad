/* What every row of the optimizer table must keep, and each of its settings that changes state or sums. */
#include "worker/optim/optim.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/linalg.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beside the defaults of each row: settings that store other slots or need other sums. */
static const struct variation {
    const char *name, *settings;
    struct storage state; /* of the slots; of every other one: fp32 */
    double average;
} variations[] = { { .name = "sgd", .settings = "momentum=0.9" },
                   { .name = "sgd", .settings = "momentum=0.9:ema:debias nesterov=true decay=before" },
                   { .name = "adam", .settings = "amsgrad=true nadam=torch" },
                   { .name = "adamw", .settings = "granularity=row" },
                   { .name = "adamw", .settings = "granularity=tensor amsgrad=true" },
                   { .name = "adalayer", .settings = "granularity=row amsgrad=true" },
                   { .name = "adalayer", .settings = "nadam=torch" },
                   { .name = "adamw", .settings = "", .state = { STORAGE_BF16, 256, 4096 }, .average = 0.9 },
                   { .name = "adamw", .settings = "amsgrad=true", .state = { STORAGE_Q8, 256, 256 } },
                   { .name = "sophia", .settings = "every=2", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "lion", .settings = "", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "adalayer", .settings = "granularity=head head_rows=4 amsgrad=true" },
                   { .name = "adalayer", .settings = "granularity=model" },
                   { .name = "adalayer", .settings = "split=[5,1,11] amsgrad=true" },
                   { .name = "adalayer", .settings = "frozen_after=2" },
                   { .name = "adam-mini", .settings = "granularity=head head_rows=6", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "adafactor", .settings = "variant=hf beta1=0.9", .state = { STORAGE_BF16, 256, 4096 }, .average = 0.9 },
                   { .name = "adafactor", .settings = "variant=t5x beta1=0.9", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "adafactor", .settings = "variant=t5x min_dim=2 scale_parameter=false" },
                   { .name = "schedule-free", .settings = "warmup=3 r=1", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "signum", .settings = "beta=0" },
                   { .name = "lamb", .settings = "variant=deepspeed" },
                   { .name = "lamb", .settings = "clamp=[0.5,2] eps=1e-4" },
                   { .name = "lars", .settings = "variant=joint nesterov=true" },
                   { .name = "lars", .settings = "momentum=0" },
                   { .name = "ademamix", .settings = "betas=[0,0.999,0.9999] alpha_warmup=3 beta3_warmup=5" },
                   { .name = "mars", .settings = "variant=lion" },
                   { .name = "mars", .settings = "variant=muon" },
                   { .name = "sophia", .settings = "every=2 batch_tokens=7" },
                   { .name = "mars", .settings = "", .state = { STORAGE_Q8, 256, 256 } },
                   { .name = "lars", .settings = "", .state = { STORAGE_BF16, 256, 4096 } },
                   { .name = "ademamix", .settings = "", .state = { STORAGE_Q8, 64, 0 } },
                   { .name = "muon", .settings = "nesterov=false steps=7 coefficients=quintic scale=rms" },
                   { .name = "soap", .settings = "every=2 max_dim=200" },
                   { .name = "soap", .settings = "every=1 max_dim=100" },
                   { .name = "shampoo", .settings = "every=2 block=16 graft=adam" },
                   { .name = "shampoo", .settings = "betas=[0,0.9] graft=sgd" },
                   { .name = "galore", .settings = "rank=4 every=2" },
                   { .name = "apollo", .settings = "rank=1 scope=tensor scale=128 every=2" } };

enum { MOST_HYPER = 32, STEPS = 4 };
static const struct virtual_tensor shapes[] = { { 1, 7, 1, 0 }, { 7, 1, 2, 0 }, { 17, 31, 2, 0 }, { 257, 129, 2, 0 }, { 1, 300, 1, 0 } };
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static int n_rows(void)
{
    int n = 0;
    while (opt_table[n] != NULL) n++;
    return n;
}
static int n_cases(void) { return n_rows() + (int)(sizeof variations / sizeof variations[0]); }

/* Case i: the defaults of row i, then the variations. False where this build cannot have it. */
static bool setup_of(int i, struct virtual_setup *setup, double hyper[MOST_HYPER])
{
    const char *settings = "";
    *setup = (struct virtual_setup){ .n_tensors = N_SHAPES, .hyper = hyper, .clip = 1, .common = { .lr = 0.01, .weight_decay = 0.1 } };
    if (i < n_rows()) {
        setup->opt = opt_table[i];
    } else {
        const struct variation *v = &variations[i - n_rows()];
        settings = v->settings;
        setup->common.state = v->state;
        setup->common.average = v->average;
        for (int k = 0; opt_table[k] != NULL; k++)
            if (strcmp(opt_table[k]->variant.name, v->name) == 0) setup->opt = opt_table[k];
    }
    setup->common.clip = CLIP_GLOBAL;
    setup->common.cautious = i % 2 == 1;
    ck_assert(setup->opt != NULL && setup->opt->variant.bytes <= MOST_HYPER * sizeof(double));
    fields_fill(&setup->opt->variant, settings, hyper);
    memcpy(setup->tensor, shapes, sizeof shapes);
    const struct opt_rule rule = { setup->opt, hyper, &setup->common };
    if (opt_problem(&rule) != NULL) setup->common.cautious = false; /* not every rule can be */
    const char *problem = opt_problem(&rule);
    if (problem != NULL && strstr(problem, "LAPACK") != NULL) return !suite_without(linalg_has_lapack(), "LAPACKE");
    ck_assert_ptr_null(problem);
    return true;
}

static void train(struct virtual_world *w, int steps)
{
    for (int i = 0; i < steps; i++) {
        if (driver_observes(w->driver[0], w->step + 1)) {
            virtual_random_gradients(w, 0.2f);
            virtual_observe(w);
        }
        virtual_random_gradients(w, 0.3f);
        virtual_step(w, 0.01);
    }
}

START_TEST(any_cut_over_one_to_four_ranks_gives_the_same_bits)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world whole, sharded;
    if (!setup_of(_i, &setup, hyper)) return;
    virtual_open(&whole, &setup, 1, 0);
    train(&whole, STEPS);
    for (int64_t i = 0; i < 17 * 31; i++) ck_assert(isfinite(whole.theta[2][i]));
    for (int ranks = 2; ranks <= VIRTUAL_RANKS; ranks++)
        for (uint64_t cut = 1; cut <= 3; cut++) {
            virtual_open(&sharded, &setup, ranks, cut);
            train(&sharded, STEPS);
            const char *difference = virtual_difference(&whole, &sharded);
            ck_assert_msg(difference == NULL, "%s at %d ranks, cut %d: %s", setup.opt->variant.name, ranks, (int)cut, difference);
            virtual_close(&sharded);
        }
    virtual_close(&whole);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    static const int threads[] = { 1, 2, 16 };
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world w[3];
    if (!setup_of(_i, &setup, hyper)) return;
    for (int i = 0; i < 3; i++) {
        parallel_set_threads(threads[i]);
        virtual_open(&w[i], &setup, 1, 0);
        train(&w[i], 2);
        if (i > 0) ck_assert_ptr_null(virtual_difference(&w[0], &w[i]));
    }
    parallel_set_threads(1);
    for (int i = 0; i < 3; i++) virtual_close(&w[i]);
}
END_TEST

START_TEST(saved_and_resumed_at_another_cut_it_goes_on_with_the_same_bits)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world straight, before, after;
    if (!setup_of(_i, &setup, hyper)) return;
    virtual_open(&straight, &setup, 1, 0);
    virtual_open(&before, &setup, 3, 5);
    virtual_open(&after, &setup, 2, 6);
    train(&straight, STEPS);
    train(&before, STEPS - 2);
    virtual_carry(&before, &after);
    train(&after, 2);
    const char *difference = virtual_difference(&straight, &after);
    ck_assert_msg(difference == NULL, "%s: %s", setup.opt->variant.name, difference);
    virtual_close(&straight);
    virtual_close(&before);
    virtual_close(&after);
}
END_TEST

START_TEST(stored_slots_take_the_bytes_that_the_plan_counts)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world w;
    if (!setup_of(_i, &setup, hyper)) return;
    virtual_open(&w, &setup, VIRTUAL_RANKS, 2);
    for (int t = 0; t < N_SHAPES; t++) {
        size_t bytes = 0;
        for (int k = 0; k < DRIVER_SLOTS; k++) {
            struct driver_slot s;
            for (int r = 0; r < VIRTUAL_RANKS; r++)
                if (driver_slot(w.driver[r], t, k, &s) && s.writes)
                    bytes += (size_t)((s.row_end - s.row_begin) * s.cols) * dtype_bytes(s.dtype);
        }
        const struct opt_rule rule = plan_rule(&w.plan, t);
        ck_assert_uint_eq(bytes, opt_slot_bytes(&rule, &w.plan.partition.params[t]));
    }
    virtual_close(&w);
}
END_TEST

START_TEST(a_measured_driver_needs_exactly_what_it_places)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world w;
    struct arena measuring, tables;
    if (!setup_of(_i, &setup, hyper)) return;
    virtual_open(&w, &setup, 1, 0);
    struct driver_piece piece[N_SHAPES];
    for (int t = 0; t < N_SHAPES; t++) piece[t] = (struct driver_piece){ .param = t, .row_end = shapes[t].rows };
    arena_open_measuring(&measuring, "measuring");
    arena_open_growing(&tables, "tables");
    const struct driver_group alone = { 0, 1, NULL };
    (void)driver_place(&measuring, &tables, &w.plan, parallel_threads(), &alone, piece, N_SHAPES);
    ck_assert_uint_eq(measuring.peak, w.memory.used);
    arena_close(&measuring);
    arena_close(&tables);
    virtual_close(&w);
}
END_TEST

START_TEST(a_zero_gradient_gives_no_nan)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world w;
    if (!setup_of(_i, &setup, hyper)) return;
    virtual_open(&w, &setup, 2, 3);
    for (int step = 0; step < 3; step++) {
        virtual_random_gradients(&w, step < 2 ? 0 : 0.1f);
        virtual_step(&w, 0.01);
        for (int t = 0; t < N_SHAPES; t++)
            for (int64_t i = 0; i < shapes[t].rows * shapes[t].cols; i++)
                ck_assert_msg(isfinite(w.theta[t][i]), "%s, tensor %d, element %d", setup.opt->variant.name, t, (int)i);
    }
    virtual_close(&w);
}
END_TEST

START_TEST(learning_rate_zero_moves_nothing)
{
    double hyper[MOST_HYPER];
    struct virtual_setup setup;
    struct virtual_world still, w;
    if (!setup_of(_i, &setup, hyper)) return;
    if (opt_decay(setup.opt, hyper) == DECAY_INSIDE)
        setup.common.weight_decay = 0; /* a formula may decay without the rate (adafactor, t5x) */
    virtual_open(&still, &setup, 1, 0);
    virtual_open(&w, &setup, 1, 0);
    virtual_random_gradients(&w, 1);
    virtual_step(&w, 0);
    for (int t = 0; t < N_SHAPES; t++)
        ck_assert_mem_eq(still.theta[t], w.theta[t], (size_t)(shapes[t].rows * shapes[t].cols) * sizeof(float));
    virtual_close(&still);
    virtual_close(&w);
}
END_TEST

START_TEST(every_setting_is_explained_and_its_default_is_inside_its_bounds)
{
    const struct opt_desc *opt = opt_table[_i];
    double hyper[MOST_HYPER];
    ck_assert(opt->variant.name[0] != '\0' && opt->variant.summary[0] != '\0' && opt->variant.source[0] != '\0');
    ck_assert_msg(opt->equations != NULL && opt->equations[0] != '\0', "%s: equations, for `lamina optim show`", opt->variant.name);
    ck_assert(opt->propose != NULL && opt->n_slots <= OPT_MAX_SLOTS);
    ck_assert_str_eq(opt->variant.preset[0], "lr");
    ck_assert_str_eq(opt->variant.preset[2], "weight_decay");
    fields_fill(&opt->variant, "", hyper);
    for (const struct field *f = opt->variant.fields; f->key != NULL; f++) {
        ck_assert_msg(f->help != NULL && f->help[0] != '\0' && f->value != NULL && f->trajectory, "%s.%s", opt->variant.name, f->key);
        const double *value = (const double *)(const void *)((const char *)hyper + f->offset);
        const int n = f->type == FIELD_F64x3 ? 3 : f->type == FIELD_F64x2 ? 2 : f->type == FIELD_F64 ? 1 : 0;
        const bool word = n > 0 && f->words != NULL && value[0] <= 0;
        for (int k = 0; !word && k < n; k++) ck_assert_msg(f->low <= value[k] && value[k] <= f->high, "%s.%s", opt->variant.name, f->key);
    }
    for (int k = 0; k < _i; k++) ck_assert_str_ne(opt_table[k]->variant.name, opt->variant.name);
}
END_TEST

int main(void)
{
    parallel_set_threads(1); /* tiny tensors: waking threads would cost more than the work */
    TCase *t = tcase_create("every row");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, any_cut_over_one_to_four_ranks_gives_the_same_bits, 0, n_cases());
    tcase_add_loop_test(t, any_number_of_threads_gives_the_same_bits, 0, n_cases());
    tcase_add_loop_test(t, saved_and_resumed_at_another_cut_it_goes_on_with_the_same_bits, 0, n_cases());
    tcase_add_loop_test(t, stored_slots_take_the_bytes_that_the_plan_counts, 0, n_cases());
    tcase_add_loop_test(t, a_measured_driver_needs_exactly_what_it_places, 0, n_cases());
    tcase_add_loop_test(t, a_zero_gradient_gives_no_nan, 0, n_cases());
    tcase_add_loop_test(t, learning_rate_zero_moves_nothing, 0, n_cases());
    tcase_add_loop_test(t, every_setting_is_explained_and_its_default_is_inside_its_bounds, 0, n_rows());
    Suite *suite = suite_create("contract optim");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
