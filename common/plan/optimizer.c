#include "optimizer.h"
#include "common/base/check.h"

enum extent opt_extent(const struct opt_desc *opt, int slot, const struct param *param, const void *hyper)
{
    const struct opt_slot *s = &opt->slots[slot];
    return s->extent_of != NULL ? s->extent_of(param, hyper) : s->extent;
}

int64_t opt_extent_values(enum extent extent, int64_t n_rows, int64_t cols)
{
    switch (extent) {
    case EXTENT_NONE: return 0;
    case PER_ELEMENT: return n_rows * cols;
    case PER_ROW: return n_rows;
    case PER_BLOCK:
    case AT_OWNER: CHECK(!"an extent that the driver keeps");
    case PER_COL: return cols;
    case PER_TENSOR: return 1;
    }
    CHECK(!"an extent of the list");
}

size_t opt_slot_bytes(const struct opt_desc *opt, const struct param *param, const void *hyper)
{
    size_t bytes = 0;
    if (param->frozen_until < 0) return 0;
    for (int s = 0; s < opt->n_slots; s++)
        bytes += sizeof(float) * (size_t)opt_extent_values(opt_extent(opt, s, param, hyper), param->rows, param->cols);
    return bytes;
}

enum decay_place opt_decay(const struct opt_desc *opt, const void *hyper)
{
    return opt->decay_of != NULL ? opt->decay_of(hyper) : opt->decay;
}

struct opt_need opt_needs(const struct opt_desc *opt, const struct param *param, const void *hyper)
{
    struct opt_need need = { 0 };
    if (opt->need != NULL) opt->need(param, hyper, &need);
    return need;
}

int64_t opt_row_align(const struct opt_desc *opt, const struct param *param, const void *hyper)
{
    return opt->row_align != NULL ? opt->row_align(param, hyper) : 1;
}

static bool round_used(const struct opt_need *need, int round)
{
    return round < OPT_ROUNDS && (need->scalars[round] > 0 || need->column[round] > 0);
}

static int rounds_used(const struct opt_need *need)
{
    int n = 0;
    while (round_used(need, n)) n++;
    return n;
}

int opt_exchanges(const struct opt_rule *rule, const struct param *param)
{
    if (param->frozen_until < 0) return 0;
    const struct opt_need need = opt_needs(rule->opt, param, rule->hyper);
    return rounds_used(&need) + (rule->common->cautious ? 1 : 0);
}

int64_t opt_exchange_values(const struct opt_rule *rule, const struct param *param, int exchange)
{
    if (exchange >= opt_exchanges(rule, param)) return 0;
    const struct opt_need need = opt_needs(rule->opt, param, rule->hyper);
    if (exchange == rounds_used(&need)) return 1; /* the count of agreeing signs */
    return (int64_t)need.scalars[exchange] * SUPER_LIMBS + (need.column[exchange] > 0 ? 2 * param->cols : 0);
}

const char *opt_problem(const struct opt_rule *rule)
{
    const enum decay_place place = opt_decay(rule->opt, rule->hyper);
    const bool on_weights = place == DECAY_BEFORE || place == DECAY_AFTER;
    if (!on_weights && rule->common->decay_mode != DECAY_MODE_LR)
        return "decay_mode must be lr, because this optimizer's weight decay goes through the gradient or its own formula";
    if (!on_weights && rule->common->cautious_decay)
        return "cautious_decay needs an optimizer that decays the weights themselves (for sgd: decay: before)";
    return rule->opt->problem != NULL ? rule->opt->problem(rule->hyper) : NULL;
}
