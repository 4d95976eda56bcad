/* The norms of gradients, rule by rule, and the factor that a bound makes of one. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/parallel.h"
#include "common/math/vec.h"

struct norm_pass {
    struct driver *d;
    int64_t step;
    const int *exponent;
};

static bool in_norm(const struct norm_pass *pass, const struct task *k)
{
    const struct span *s = &pass->d->spans[k->span];
    return s->rule.common->clip != CLIP_NONE && plan_trained(pass->d->plan, s->piece.param, pass->step);
}

static void norm_task(void *context, int64_t index, int thread)
{
    const struct norm_pass *pass = context;
    struct task *k = &pass->d->tasks[index];
    const struct span *s = &pass->d->spans[k->span];
    float *row_of_g = pass->d->scratch[thread].grad;
    super_clear(k->scalar);
    if (!in_norm(pass, k)) return;
    for (int64_t row = k->row_begin; row < k->row_end; row++) {
        const int64_t *sum = s->piece.sum + (row - s->piece.row_begin) * s->param->cols;
        exact_decode(row_of_g, sum, s->param->cols, pass->exponent[s->piece.param], 1);
        super_add(k->scalar, vec_sum_squares(row_of_g, s->param->cols));
    }
    super_normalize(k->scalar);
}

void driver_norm(struct driver *d, int64_t step, const int exponent[], struct super norm[])
{
    struct norm_pass pass = { d, step, exponent };
    parallel_for(d->n_tasks, norm_task, &pass);
    for (int k = 0; k < d->n_tasks; k++)
        if (in_norm(&pass, &d->tasks[k])) super_merge(&norm[d->spans[d->tasks[k].span].param->rule], d->tasks[k].scalar);
    for (int r = 0; r < d->plan->config->n_rules; r++) super_normalize(&norm[r]);
}

double driver_clip(double limit, double norm)
{
    const double factor = limit / (norm + 1e-6);
    return limit > 0 && factor < 1 ? factor : 1;
}
