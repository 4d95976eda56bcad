/* Labels drawn from the model's own probabilities: right on average, and a function of the token's number alone. */
#include "common/base/parallel.h"
#include "tests/support/suite.h"
#include "worker/ops/ops.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { V = 4, TOKENS = 6000, EXPONENT = 40 };
static const double probability[V] = { 0.5, 0.3, 0.15, 0.05 };

/* How often each label was drawn for tokens [first, first + n): the head sees one channel of ones, so the logits are the weights, and the
 * gradient's sum over tokens is n p - count. */
static void draw(int64_t first, int64_t n, int64_t step, double count[V])
{
    float *x = malloc((size_t)n * sizeof *x), *nll = malloc((size_t)n * sizeof *nll), w[V];
    int32_t *targets = calloc((size_t)n, sizeof *targets);
    int64_t sum[V] = { 0 };
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++) x[i] = 1;
    for (int v = 0; v < V; v++) w[v] = logf((float)probability[v]);
    struct op_shape shape = { .compute = DT_F32, .n_in = 2, .n_param = 1 };
    shape.in[0] = tensor_make(DT_F32, 3, (int64_t[]){ 1, n, 1 }, x);
    shape.in[1] = tensor_make(DT_I32, 2, (int64_t[]){ 1, n }, targets);
    shape.param[0] = tensor_make(DT_F32, 2, (int64_t[]){ V, 1 }, w);
    op_head_loss.infer(&shape);
    const struct label_draw labels = { { 7, RNG_LABEL, 0 }, step, first };
    struct op_call call = { .shape = &shape, .draw = &labels };
    memcpy(call.in, shape.in, sizeof call.in);
    memcpy(call.param, shape.param, sizeof call.param);
    call.out[0] = shape.out[0];
    call.out[0].data = nll;
    call.scratch = malloc((size_t)parallel_threads() * shape.scratch_bytes);
    call.shared = malloc(shape.shared_bytes);
    call.sink[0] = (struct exact_sink){ sum, 1, EXPONENT, 51, &most };
    op_head_loss.backward(&call);
    for (int v = 0; v < V; v++) count[v] = (double)n * probability[v] - ldexp((double)sum[v], -EXPONENT);
    free(x);
    free(nll);
    free(targets);
    free(call.scratch);
    free(call.shared);
}

START_TEST(labels_come_as_often_as_the_model_says)
{
    double count[V];
    draw(0, TOKENS, 1, count);
    for (int v = 0; v < V; v++) {
        const double sigma = sqrt(TOKENS * probability[v] * (1 - probability[v]));
        ck_assert_msg(fabs(count[v] - TOKENS * probability[v]) < 4 * sigma, "label %d was drawn %.1f times of %d", v, count[v], TOKENS);
    }
}
END_TEST

START_TEST(a_label_depends_on_the_number_of_its_token_and_on_the_step)
{
    double whole[V], low[V], high[V], later[V];
    draw(0, 1000, 1, whole);
    draw(0, 437, 1, low);
    draw(437, 563, 1, high);
    draw(0, 1000, 2, later);
    bool differs = false;
    for (int v = 0; v < V; v++) {
        ck_assert_double_eq_tol(low[v] + high[v], whole[v], 0.01);
        differs |= fabs(later[v] - whole[v]) > 0.5;
    }
    ck_assert(differs);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("draw");
    tcase_add_test(t, labels_come_as_often_as_the_model_says);
    tcase_add_test(t, a_label_depends_on_the_number_of_its_token_and_on_the_step);
    Suite *suite = suite_create("label draw");
    suite_add_tcase(suite, t);
    return suite_main(suite, CK_NOFORK);
}
