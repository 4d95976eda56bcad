/* Every optimizer against the numbers of optim*.txt: PyTorch's own classes and float64 formulas (generate_optim*.py). A file is problems,
 * each with its cases. A problem's weights and gradients stand in the file, or follow from a seed (then so does the projection):
 *   steps N tensors N [seed N projection N report STEP ...] */
#include "worker/optim/optim.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/math/linalg.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/virtual.h"

#include <check.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 1024, MOST_STEPS = 40 };

struct problem {
    int n_steps, n_tensors, n_projection;
    bool report[MOST_STEPS + 1];
    struct virtual_tensor shape[VIRTUAL_TENSORS];
    float projection[MOST_VALUES], theta[VIRTUAL_TENSORS][MOST_VALUES], grad[MOST_STEPS][VIRTUAL_TENSORS][MOST_VALUES];
};

/* Sums of three uniform numbers, multiples of 2^-21: exact in fp32 and in the driver's fixed point. */
static void make_values(uint32_t *state, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (int k = 0; k < 3; k++) {
            *state = *state * 1664525u + 1013904223u;
            sum += (int32_t)(*state >> 11) - (1 << 20);
        }
        out[i] = (float)sum * 0x1p-21f;
    }
}

static void read_values(FILE *f, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) ck_assert_int_eq(fscanf(f, "%f", &out[i]), 1);
}

static void read_values_or_make(FILE *f, bool seeded, uint32_t *state, float *out, int64_t n)
{
    seeded ? make_values(state, out, n) : read_values(f, out, n);
}

/* The first line is read already. */
static void read_problem(FILE *f, const char *line, struct problem *p)
{
    uint32_t state = 0;
    *p = (struct problem){ 0 };
    ck_assert_int_ge(sscanf(line, "steps %d tensors %d seed %u projection %d", &p->n_steps, &p->n_tensors, &state, &p->n_projection), 2);
    ck_assert(p->n_steps <= MOST_STEPS && p->n_tensors <= VIRTUAL_TENSORS && p->n_projection <= MOST_VALUES);
    const char *report = strstr(line, "report");
    p->report[1] = p->report[3] = p->report[p->n_steps] = report == NULL;
    for (char *at = report != NULL ? strchr(report, ' ') : NULL; at != NULL; at = strchr(at + 1, ' '))
        p->report[strtol(at, NULL, 10)] = true;
    for (int t = 0; t < p->n_tensors; t++) {
        struct virtual_tensor *s = &p->shape[t];
        ck_assert_int_eq(fscanf(f, " tensor %ld %ld %d", &s->rows, &s->cols, &s->n_dims), 3);
        ck_assert(s->rows * s->cols <= MOST_VALUES);
        if (report == NULL) read_values(f, p->theta[t], s->rows * s->cols);
    }
    if (report != NULL) make_values(&state, p->projection, p->n_projection);
    for (int t = 0; t < p->n_tensors && report != NULL; t++) make_values(&state, p->theta[t], p->shape[t].rows * p->shape[t].cols);
    for (int step = 0; step < p->n_steps; step++)
        for (int t = 0; t < p->n_tensors; t++)
            read_values_or_make(f, report != NULL, &state, p->grad[step][t], p->shape[t].rows * p->shape[t].cols);
}

static void compare(FILE *f, const struct virtual_world *w, int t, double tolerance, const char *what)
{
    const int64_t n = w->setup.tensor[t].rows * w->setup.tensor[t].cols;
    float expected[MOST_VALUES];
    double most = 0;
    read_values(f, expected, n);
    for (int64_t i = 0; i < n; i++) most = fabs((double)expected[i]) > most ? fabs((double)expected[i]) : most;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs((double)w->theta[t][i] - (double)expected[i]);
        ck_assert_msg(error <= tolerance * most, "%s, step %ld, tensor %d [%ld]: %.9g, expected %.9g", what, w->step, t, i,
                      (double)w->theta[t][i], (double)expected[i]);
    }
}

static const struct opt_desc *find(const char *name)
{
    for (int i = 0; opt_table[i] != NULL; i++)
        if (strcmp(opt_table[i]->variant.name, name) == 0) return opt_table[i];
    return NULL;
}

/* Small tensors take it, too. */
static struct storage state_of(const char *driver)
{
    const int dtype = strstr(driver, "q8") != NULL ? STORAGE_Q8 : strstr(driver, "bf16") != NULL ? STORAGE_BF16 : STORAGE_FP32;
    return (struct storage){ .dtype = dtype, .block = 256, .min_size = 0 };
}

/* One case on this many virtual ranks: the first line is read already. */
static void run_case(FILE *f, const struct problem *p, char *line, int ranks)
{
    char name[32], settings[256] = "", driver[64] = "";
    double lr, decay, clip, tolerance, hyper[32];
    char *bar[3];
    for (int i = 0; i < 3; i++) bar[i] = strchr(i == 0 ? line : bar[i - 1] + 1, '|');
    ck_assert_int_eq(sscanf(line, "case %31s", name), 1);
    snprintf(settings, sizeof settings, "%.*s", (int)(bar[1] - bar[0] - 2), bar[0] + 2);
    ck_assert_int_eq(sscanf(bar[1], "| lr %lf decay %lf clip %lf tolerance %lf", &lr, &decay, &clip, &tolerance), 4);
    snprintf(driver, sizeof driver, "%s", bar[2]);

    const struct opt_desc *opt = find(name);
    ck_assert_msg(opt != NULL && opt->variant.bytes <= sizeof hyper, "%s", name);
    fields_fill(&opt->variant, settings, hyper);
    struct virtual_setup setup = { .n_tensors = p->n_tensors,
                                   .opt = opt,
                                   .hyper = hyper,
                                   .clip = clip,
                                   .common = { .lr = lr,
                                               .weight_decay = decay,
                                               .clip = strstr(driver, "clip") != NULL ? CLIP_GLOBAL : CLIP_NONE,
                                               .cautious = strstr(driver, "cautious ") != NULL || strstr(driver, "cautious\n") != NULL,
                                               .cautious_decay = strstr(driver, "cautious_decay") != NULL,
                                               .state = state_of(driver) } };
    memcpy(setup.tensor, p->shape, sizeof p->shape);
    const char *problem = opt_problem(&(struct opt_rule){ opt, hyper, &setup.common });
    if (problem != NULL && strstr(problem, "LAPACK") != NULL && suite_without(linalg_has_lapack(), "LAPACKE")) return;
    struct virtual_world w;
    virtual_open(&w, &setup, ranks, 11);
    if (p->n_projection > 0) w.projection = p->projection;
    for (int t = 0; t < p->n_tensors; t++) memcpy(w.theta[t], p->theta[t], (size_t)(p->shape[t].rows * p->shape[t].cols) * sizeof(float));
    for (int step = 0; step < p->n_steps; step++) {
        if (driver_observes(w.driver[0], step + 1)) { /* the second gradient: that of the step after, of step 1 at the last */
            for (int t = 0; t < p->n_tensors; t++) virtual_gradient(&w, t, p->grad[(step + 1) % p->n_steps][t]);
            virtual_observe(&w);
        }
        for (int t = 0; t < p->n_tensors; t++) virtual_gradient(&w, t, p->grad[step][t]);
        virtual_step(&w, lr < 0 ? 1 : lr); /* without a rate: the schedule's factor */
        if (!p->report[step + 1]) continue;
        for (int t = 0; t < p->n_tensors; t++) compare(f, &w, t, tolerance, line);
    }
    virtual_close(&w);
}

static int run_file(const char *path, int ranks)
{
    static struct problem p;
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    char line[512];
    int cases = 0;
    while (fgets(line, sizeof line, f) != NULL && strcmp(line, "end\n") != 0) {
        if (strncmp(line, "steps ", 6) == 0) read_problem(f, line, &p);
        if (strncmp(line, "case ", 5) != 0) continue;
        run_case(f, &p, line, ranks);
        cases++;
    }
    ck_assert_str_eq(line, "end\n");
    fclose(f);
    return cases;
}

START_TEST(every_rule_moves_the_weights_as_its_reference_does)
{
    const char *root = getenv("LAMINA_ROOT"); /* the project; set by CTest */
    char pattern[1024];
    snprintf(pattern, sizeof pattern, "%s/tests/golden/optim*.txt", root != NULL ? root : ".");
    glob_t files;
    int cases = 0;
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) cases += run_file(files.gl_pathv[i], _i);
    globfree(&files);
    ck_assert_int_ge(cases, 20);
}
END_TEST

int main(void)
{
    parallel_set_threads(1); /* tiny tensors: waking threads would cost more than the work */
    Suite *suite = suite_create("golden optim");
    TCase *tc = tcase_create("reference");
    tcase_add_loop_test(tc, every_rule_moves_the_weights_as_its_reference_does, 1, VIRTUAL_RANKS + 1);
    suite_add_tcase(suite, tc);
    return suite_main(suite, CK_NOFORK);
}
