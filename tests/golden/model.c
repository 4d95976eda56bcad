/* Small GPT-2 and LLaMA against PyTorch in fp32 (model_NAME.txt, written by generate_model.py): losses, logits, every gradient, the losses
 * of 20 AdamW steps. |a - b| <= 1e-4 * largest |b| of the tensor. */
#include "common/base/arena.h"
#include "common/base/parallel.h"
#include "tests/support/model_step.h"
#include "tests/support/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "gpt2", "llama", "llama_tied", "gpt2_separate", "llama_separate" };
enum { N_MODELS = sizeof names / sizeof *names, MOST_IDS = 64, MOST_SAMPLES = 256 };

struct golden {
    FILE *file;
    struct model_config config;
    int64_t batch, time, steps;
    double lr, beta1, beta2, eps, decay;
    int32_t ids[MOST_IDS], *starts; /* [B,T]; NULL: a window is one document */
};

/* Where the documents of each window begin, if the file says so. */
static void read_starts(struct golden *g)
{
    int found = 0;
    (void)fscanf(g->file, " starts%n", &found);
    if (found == 0) return;
    for (int64_t i = 0; i < g->batch * g->time; i++) {
        int start;
        ck_assert_int_eq(fscanf(g->file, "%d", &start), 1);
        g->ids[i] = start;
    }
    g->starts = g->ids;
}

static void golden_open(const char *name, struct golden *out)
{
    const char *root = getenv("LAMINA_ROOT"); /* the project; set by CTest */
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/tests/golden/model_%s.txt", root != NULL ? root : ".", name);
    struct golden g = { .file = fopen(path, "r") };
    ck_assert_msg(g.file != NULL, "%s cannot be read: start in the project's folder or set LAMINA_ROOT", path);
    struct model_config *c = &g.config;
    long long n[12];
    char tail[32];
    int flags[3];
    ck_assert_int_eq(fscanf(g.file, "# %*[^\n] model %31s %lld %lld %lld %lld %lld %lld %d %d %d %lld %lld %lld %lf %lf", tail, &n[0],
                            &n[1], &n[2], &n[3], &n[4], &n[5], &flags[0], &flags[1], &flags[2], &n[6], &n[7], &n[8], &c->norm_eps,
                            &c->rope_base),
                     15);
    (void)snprintf(c->family, sizeof c->family, "%s", tail);
    c->width = n[0], c->layers = n[1], c->heads = n[2], c->kv_heads = n[3], c->mlp = n[4], c->context = n[5];
    c->tie = flags[0] != 0, c->qkv_bias = flags[1] != 0, c->qk_norm = flags[2] != 0;
    c->vocab = n[6], g.batch = n[7], g.time = n[8];
    ck_assert_int_eq(fscanf(g.file, " adamw %lld %lf %lf %lf %lf %lf", &n[9], &g.lr, &g.beta1, &g.beta2, &g.eps, &g.decay), 6);
    g.steps = n[9];
    ck_assert_int_le(g.batch * g.time, MOST_IDS);
    *out = g;
    read_starts(out);
}

/* The next tensor of the file: its facts, and every stride-th value. */
struct expected {
    char name[96];
    long long count, stride;
    int n;
    double largest, norm, sum, value[MOST_SAMPLES];
};

static bool expected_read(FILE *file, struct expected *e)
{
    if (fscanf(file, " tensor %95s %lld %lld %lf %lf %lf", e->name, &e->count, &e->stride, &e->largest, &e->norm, &e->sum) != 6)
        return false;
    e->n = (int)((e->count + e->stride - 1) / e->stride);
    ck_assert_int_le(e->n, MOST_SAMPLES);
    for (int i = 0; i < e->n; i++) ck_assert_int_eq(fscanf(file, "%lf", &e->value[i]), 1);
    return true;
}

static void assert_values(const struct expected *e, const float *values, double tolerance)
{
    double squares = 0;
    for (int64_t i = 0; i < e->count; i++) squares += (double)values[i] * (double)values[i];
    for (int i = 0; i < e->n; i++)
        ck_assert_msg(fabs((double)values[i * e->stride] - e->value[i]) <= tolerance, "%s[%lld]: %.9g, expected %.9g within %.3g", e->name,
                      i * e->stride, (double)values[i * e->stride], e->value[i], tolerance);
    ck_assert_double_le(fabs(sqrt(squares) - e->norm), tolerance * sqrt((double)e->count)); /* values between the samples count here */
}

static int param_of(const struct model_step *m, const char *name)
{
    for (int p = 0; p < m->partition.n_params; p++)
        if (strcmp(m->partition.params[p].name, name) == 0) return p;
    ck_abort_msg("the model has no tensor %s", name);
    return -1;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* Scores shift alike for all keys when the bias of k changes and no rotation follows, so its gradient is zero: both sides show rounding
 * only, which is held against the gradient of q's bias instead. */
static double tolerance_of(const struct model_step *m, const struct expected *e)
{
    if (strcmp(m->config.family, "gpt2") != 0 || !ends_with(e->name, "attn.k.bias")) return 1e-4 * e->largest;
    char q[sizeof e->name];
    memcpy(q, e->name, sizeof q);
    q[strlen(q) - strlen("k.bias")] = 'q';
    double largest = 0;
    const int p = param_of(m, q);
    for (int64_t i = 0; i < m->partition.params[p].cols; i++) largest = fmax(largest, fabs((double)model_step_gradients(m, p)[i]));
    return 1e-4 * largest;
}

static struct arena arena;
static void setup(void) { arena_open_growing(&arena, "golden"); }
static void teardown(void) { arena_close(&arena); }

START_TEST(losses_logits_and_gradients_are_torchs)
{
    struct golden g;
    golden_open(names[_i], &g);
    struct model_step m;
    model_step_init(&m, &arena, &g.config, DT_F32, g.batch, g.time, g.starts);
    int32_t tokens[MOST_IDS], targets[MOST_IDS];
    model_step_batch("golden", g.batch * g.time, g.config.vocab, tokens, targets);
    (void)model_step_run(&m, tokens, targets);
    model_step_logits(&m, tokens);
    struct expected e;
    int seen = 0;
    while (expected_read(g.file, &e)) {
        if (strcmp(e.name, "steps") == 0) continue;
        if (strcmp(e.name, "losses") == 0)
            assert_values(&e, m.nll, 1e-4 * e.largest);
        else if (strcmp(e.name, "logits") == 0)
            assert_values(&e, m.last, 1e-4 * e.largest);
        else
            assert_values(&e, model_step_gradients(&m, param_of(&m, e.name)), tolerance_of(&m, &e)), seen++;
    }
    ck_assert_int_eq(seen, m.partition.n_params);
    (void)fclose(g.file);
}
END_TEST

/* Loshchilov & Hutter 2019, alg. 2, in double. */
static void adamw(const struct golden *g, float *w, const float *gradient, double *m, double *v, int64_t n, int64_t step, double divisor)
{
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)gradient[i] / divisor;
        m[i] = g->beta1 * m[i] + (1 - g->beta1) * d;
        v[i] = g->beta2 * v[i] + (1 - g->beta2) * d * d;
        const double first = m[i] / (1 - pow(g->beta1, (double)step)), second = v[i] / (1 - pow(g->beta2, (double)step));
        w[i] = (float)((double)w[i] * (1 - g->lr * g->decay) - g->lr * first / (sqrt(second) + g->eps));
    }
}

START_TEST(the_losses_of_twenty_steps_are_torchs)
{
    struct golden g;
    golden_open(names[_i], &g);
    struct expected e;
    do ck_assert(expected_read(g.file, &e));
    while (strcmp(e.name, "steps") != 0);
    struct model_step m;
    model_step_init(&m, &arena, &g.config, DT_F32, g.batch, g.time, g.starts);
    double *moments = arena_place_n(&arena, 2 * (size_t)m.partition.n_elements, sizeof *moments);
    for (int64_t step = 1; step <= g.steps; step++) {
        int32_t tokens[MOST_IDS], targets[MOST_IDS];
        char name[32];
        (void)snprintf(name, sizeof name, "step.%lld", (long long)step);
        model_step_batch(name, g.batch * g.time, g.config.vocab, tokens, targets);
        double with_target = 0;
        for (int64_t i = 0; i < g.batch * g.time; i++) with_target += targets[i] >= 0;
        const double loss = model_step_run(&m, tokens, targets) / with_target;
        ck_assert_double_eq_tol(loss, e.value[step - 1], 1e-4);
        double *at = moments;
        for (int p = 0; p < m.partition.n_params; p++) {
            const int64_t n = m.partition.params[p].rows * m.partition.params[p].cols;
            adamw(&g, model_step_weights(&m, p), model_step_gradients(&m, p), at, at + n, n, step, with_target);
            at += 2 * n;
        }
    }
    (void)fclose(g.file);
}
END_TEST

/* bf16 has no golden of its own: it must stay near fp32. */
START_TEST(bf16_is_near)
{
    struct golden g;
    golden_open(names[_i], &g);
    (void)fclose(g.file);
    int32_t tokens[MOST_IDS], targets[MOST_IDS];
    model_step_batch("golden", g.batch * g.time, g.config.vocab, tokens, targets);
    struct model_step single, half;
    model_step_init(&single, &arena, &g.config, DT_F32, g.batch, g.time, g.starts);
    model_step_init(&half, &arena, &g.config, DT_BF16, g.batch, g.time, g.starts);
    const double expected = model_step_run(&single, tokens, targets), loss = model_step_run(&half, tokens, targets);
    ck_assert_double_eq_tol(loss, expected, 0.01 * expected);
    for (int p = 0; p < single.partition.n_params; p++) {
        const struct param *q = &single.partition.params[p];
        double difference = 0, norm = 0;
        for (int64_t i = 0; i < q->rows * q->cols; i++) {
            const double a = (double)model_step_gradients(&half, p)[i], b = (double)model_step_gradients(&single, p)[i];
            difference += (a - b) * (a - b);
            norm += b * b;
        }
        if (norm > 1e-6) ck_assert_msg(difference <= 0.1 * 0.1 * norm, "%s: off by %.3g of its norm", q->name, sqrt(difference / norm));
    }
}
END_TEST

int main(void)
{
    parallel_init();
    parallel_set_threads(2);
    TCase *c = tcase_create("model");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, losses_logits_and_gradients_are_torchs, 0, N_MODELS);
    tcase_add_loop_test(c, the_losses_of_twenty_steps_are_torchs, 0, N_MODELS);
    tcase_add_loop_test(c, bf16_is_near, 0, N_MODELS);
    Suite *s = suite_create("golden model");
    suite_add_tcase(s, c);
    return suite_main(s, CK_NOFORK);
}
