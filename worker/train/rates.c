/* The rate that a tensor is moved with. */
#include "worker/schedules/schedules.h"
#include "worker/worker.h"

#include <math.h>

double worker_tensor_lr(const struct plan *plan, int param, int64_t step)
{
    const struct param *p = &plan->partition.params[param];
    const struct opt_rule rule = plan_rule(plan, param);
    const struct opt_base base = opt_base(&rule, p, plan->partition.n_units);
    const struct schedule_config *schedule = &plan->config->schedules[plan->config->rules[p->rule].schedule];
    return base.lr < 0 ? (double)NAN : base.lr * schedule_factor(schedule, step, plan->config->run.steps);
}
