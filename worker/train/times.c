/* What the last step cost, for people who make it faster. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"

#include <math.h>

static double bytes_of(const struct tensor t[], int n)
{
    double bytes = 0;
    for (int i = 0; i < n; i++) bytes += (double)tensor_bytes(&t[i]);
    return bytes;
}

/* Of a table that is looked up only the rows that came out. */
static double param_bytes(const struct op_shape *s)
{
    const double bytes = bytes_of(s->param, s->n_param);
    const double most = (double)s->n_param * (double)tensor_bytes(&s->out[0]);
    return s->in[0].dtype == DT_I32 ? fmin(bytes, most) : bytes;
}

static struct op_time time_of(const struct tape_op *op, const struct op_seconds *spent)
{
    const struct op_shape *s = &op->shape;
    const double in = bytes_of(s->in, s->n_in), out = bytes_of(s->out, s->n_out), param = param_bytes(s);
    const double sums = param * 2 * (double)sizeof(int64_t) / (double)dtype_bytes(s->out[0].dtype); /* a gradient adds to int64 */
    const double forwards = (double)spent->forwards, backwards = (double)spent->backwards;
    return (struct op_time){ .op = op->desc->name,
                             .cols_in = tensor_cols(&s->in[0]),
                             .cols_out = op->desc->loss ? s->param[0].dim[0] : tensor_cols(&s->out[0]),
                             .forward = { spent->forward, forwards * s->flops_forward, forwards * (in + out + param) },
                             .backward = { spent->backward, backwards * s->flops_backward, backwards * (2 * in + out + param + sums) } };
}

int worker_op_times(const struct worker *w, enum unit_kind kind, struct op_time out[WORKER_MAX_OPS])
{
    const struct tape *t = &w->tapes[kind];
    CHECK(t->n_ops <= WORKER_MAX_OPS);
    for (int o = 0; o < t->n_ops; o++) out[o] = time_of(&t->op[o], &w->op_seconds[kind][o]);
    return t->n_ops;
}

struct phase_times worker_phases(const struct worker *w) { return w->last_times; }
