#include "optimizer.h"
#include "common/base/check.h"

static enum extent extent_of(const struct opt_slot *slot, const struct param *param, const void *hyper)
{
    return slot->extent_of != NULL ? slot->extent_of(param, hyper) : slot->extent;
}

/* 8-bit codes are for large tensors: the whole tensor's size decides, never a shard's. */
static enum storage_dtype storage_of(const struct opt_slot *slot, const struct storage *state, const struct param *param)
{
    if (slot->precise) return STORAGE_FP32;
    if (state->dtype == STORAGE_Q8 && param->rows * param->cols < state->min_size) return STORAGE_FP32;
    return (enum storage_dtype)state->dtype;
}

struct opt_stored opt_stored(const struct opt_rule *rule, int slot, const struct param *param)
{
    const struct opt_slot *s = &rule->opt->slots[slot];
    struct opt_stored out = { .extent = extent_of(s, param, rule->hyper), .dtype = STORAGE_FP32, .rows = 1, .cols = 1 };
    if (out.extent == AT_OWNER && !opt_needs(rule->opt, param, rule->hyper).whole) out.extent = EXTENT_NONE;
    switch (out.extent) {
    case EXTENT_NONE: break;
    case PER_ELEMENT:
        out.rows = param->rows;
        out.cols = param->cols;
        out.dtype = storage_of(s, &rule->common->state, param);
        out.block = rule->common->state.block;
        break;
    case PER_ROW: out.rows = param->rows; break;
    case PER_BLOCK: out.rows = ceil_div(param->rows, opt_block_rows(rule, param)); break;
    case PER_COL: out.cols = param->cols; break;
    case PER_TENSOR:
    case AT_OWNER:
        if (s->shape != NULL) s->shape(param, rule->hyper, &out.rows, &out.cols);
        break;
    }
    return out;
}

/* With the scales of 8-bit ones. */
static size_t slot_bytes(const struct opt_stored *s)
{
    static const size_t element[] = { [STORAGE_FP32] = sizeof(float), [STORAGE_BF16] = 2, [STORAGE_Q8] = 1 };
    const int64_t n = s->rows * s->cols;
    if (s->extent == EXTENT_NONE) return 0;
    return element[s->dtype] * (size_t)n + (s->dtype == STORAGE_Q8 ? sizeof(float) * (size_t)ceil_div(n, s->block) : 0);
}

size_t opt_slot_bytes(const struct opt_rule *rule, const struct param *param)
{
    size_t bytes = 0;
    if (param->frozen_until < 0) return 0;
    for (int i = 0; i < rule->opt->n_slots; i++) {
        const struct opt_stored s = opt_stored(rule, i, param);
        bytes += slot_bytes(&s);
    }
    if (rule->common->average > 0) bytes += sizeof(float) * (size_t)(param->rows * param->cols);
    return bytes;
}

/* A span's directions are written by propose, rewritten by every absorb, and read once more after a whole matrix was seen; a cautious rule
 * reads them again beside the gradient. */
static double direction_bytes(const struct opt_rule *rule, const struct opt_need *need)
{
    const int rounds = opt_rounds(need);
    double bytes = 0;
    for (int k = 0; k < rounds; k++) bytes += rule->opt->rounds[k].absorb != NULL ? 2 * sizeof(float) : sizeof(float);
    if (need->whole) bytes += sizeof(float);
    if (rule->common->cautious) bytes += 2 * sizeof(float) + sizeof(int64_t);
    return bytes > 0 ? bytes + sizeof(float) : 0;
}

double opt_step_bytes(const struct opt_rule *rule, const struct param *param, size_t rounded)
{
    if (param->frozen_until < 0) return 0;
    const struct opt_need need = opt_needs(rule->opt, param, rule->hyper);
    const double weights = 2 * sizeof(float) + (double)rounded;
    double bytes = (double)(param->rows * param->cols) * (sizeof(int64_t) + weights + direction_bytes(rule, &need));
    bytes += 2 * (double)opt_slot_bytes(rule, param);
    for (int i = 0; i < rule->opt->n_slots; i++) {
        const struct opt_stored s = opt_stored(rule, i, param);
        const double once = (double)slot_bytes(&s);
        if (s.extent == AT_OWNER) bytes -= 2 * once;
        if (rule->opt->slots[i].observed) bytes -= once; /* read, and written by `observe` alone */
    }
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

int64_t opt_block_rows(const struct opt_rule *rule, const struct param *param)
{
    return rule->opt->row_align != NULL ? rule->opt->row_align(param, rule->hyper) : 1;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int64_t opt_row_align(const struct opt_rule *rule, const struct param *param)
{
    int64_t align = opt_block_rows(rule, param);
    for (int i = 0; i < rule->opt->n_slots; i++) {
        const struct opt_stored s = opt_stored(rule, i, param);
        if (s.extent == EXTENT_NONE || s.dtype != STORAGE_Q8) continue;
        const int64_t rows = s.block / common_divisor(s.block, param->cols); /* the fewest that are whole blocks of scales */
        align = align / common_divisor(align, rows) * rows;
    }
    return align;
}

struct opt_base opt_base(const struct opt_rule *rule, const struct param *param, int n_units)
{
    struct opt_base base = { rule->common->lr, rule->common->weight_decay };
    if (rule->opt->base != NULL) rule->opt->base(param, rule->hyper, &base);
    const double factor = rule->common->layer_decay;
    if (factor == 1 || factor == 0 || param->role == ROLE_HEAD) return base;
    for (int unit = param->unit; unit + 1 < n_units; unit++) base.lr *= factor;
    return base;
}

double opt_whole_flops(const struct opt_rule *rule, const struct param *param)
{
    if (param->frozen_until < 0 || !opt_needs(rule->opt, param, rule->hyper).whole) return 0;
    return rule->opt->whole_flops(param, rule->hyper);
}

bool opt_has_eval(const struct opt_rule *rule) { return rule->opt->eval_weights != NULL || rule->common->average > 0; }

static bool round_used(const struct opt_need *need, int round)
{
    return round < OPT_ROUNDS && (need->scalars[round] > 0 || need->column[round] > 0);
}

int opt_rounds(const struct opt_need *need)
{
    int n = 0;
    while (round_used(need, n)) n++;
    return n;
}

int64_t opt_exchange_values(const struct opt_rule *rule, const struct param *param, int exchange)
{
    if (param->frozen_until < 0) return 0;
    if (exchange == OPT_COUNT_SIGNS) return rule->common->cautious ? 1 : 0;
    const struct opt_need need = opt_needs(rule->opt, param, rule->hyper);
    if (exchange >= opt_rounds(&need)) return 0;
    return (int64_t)need.scalars[exchange] * SUPER_LIMBS + (need.column[exchange] > 0 ? 2 * param->cols : 0);
}

/* State of a whole matrix, which is computed in double and stored as it is: no codes. */
static bool keeps_at_owner(const struct opt_rule *rule)
{
    const struct param matrix = { .n_dims = 2, .rows = 2, .cols = 2 };
    for (int i = 0; i < rule->opt->n_slots; i++)
        if (extent_of(&rule->opt->slots[i], &matrix, rule->hyper) == AT_OWNER) return true;
    return false;
}

const char *opt_problem(const struct opt_rule *rule)
{
    const struct rule_common *common = rule->common;
    const enum decay_place place = opt_decay(rule->opt, rule->hyper);
    const bool on_weights = place == DECAY_BEFORE || place == DECAY_AFTER;
    if (!on_weights && common->decay_mode != DECAY_MODE_LR)
        return "decay_mode must be lr, because this optimizer's weight decay goes through the gradient or its own formula";
    if (!on_weights && common->cautious_decay)
        return "cautious_decay needs an optimizer that decays the weights themselves (for sgd: decay: before)";
    if (common->lr < 0 && !(rule->opt->flags & OPT_RATE_OPTIONAL)) return "this optimizer needs a number for lr";
    if (common->cautious && place == DECAY_INSIDE && common->weight_decay > 0)
        return "cautious would mask this optimizer's weight decay too, which is part of its direction: set weight_decay to 0";
    if (common->cautious && rule->opt->flags & OPT_PLAIN) return "cautious has no meaning for this optimizer";
    if (common->state.dtype != STORAGE_FP32 && keeps_at_owner(rule))
        return "state must be fp32, because this optimizer keeps whole matrices at their owners, uncoded";
    if (common->average > 0 && rule->opt->eval_weights != NULL) return "this optimizer averages its weights itself: leave average out";
    return rule->opt->problem != NULL ? rule->opt->problem(rule) : NULL;
}
