#include "report.h"

#include "common/base/check.h"

size_t report_bytes(int n_rules, int n_params)
{
    return sizeof(struct report_record) + (size_t)n_rules * sizeof(struct super) + (size_t)n_params * sizeof(uint32_t);
}

uint32_t *report_max_bits(struct report_record *r) { return (uint32_t *)(void *)(r->norm + r->n_rules); }
static const uint32_t *max_bits_of(const struct report_record *r) { return (const uint32_t *)(const void *)(r->norm + r->n_rules); }

static void combine_times(const struct report_record *a, struct report_record *b)
{
    for (int i = 0; i < TIME_COUNT; i++) {
        b->least_ns[i] = min_i64(a->least_ns[i], b->least_ns[i]);
        b->most_ns[i] = max_i64(a->most_ns[i], b->most_ns[i]);
        b->sum_ns[i] += a->sum_ns[i];
    }
    b->slowest = max_i64(a->slowest, b->slowest);
}

void report_combine(const void *in, void *inout, size_t n)
{
    const struct report_record *a = in;
    struct report_record *b = inout;
    CHECK(a->n_rules == b->n_rules && a->n_params == b->n_params && n == report_bytes((int)a->n_rules, (int)a->n_params));
    const uint32_t *most_a = max_bits_of(a);
    uint32_t *most_b = report_max_bits(b);
    if (a->code > b->code || (a->code == b->code && a->code_rank < b->code_rank)) {
        b->code = a->code;
        b->code_rank = a->code_rank;
    }
    b->signals |= a->signals;
    b->tokens += a->tokens;
    super_merge(&b->loss, &a->loss);
    for (int64_t i = 0; i < a->n_rules; i++) super_merge(&b->norm[i], &a->norm[i]);
    combine_times(a, b);
    for (int64_t i = 0; i < a->n_params; i++)
        if (most_a[i] > most_b[i]) most_b[i] = most_a[i];
}

enum verdict report_judge(const struct report_record *r, const struct verdict_input *in, int *nonfinite)
{
    enum verdict v = VERDICT_APPLY;
    *nonfinite = -1;
    for (int k = 0; k < in->n_params; k++) {
        const int i = in->by_name[k];
        if (!in->trained[i]) continue;
        const enum exact_verdict e = exact_judge(max_bits_of(r)[i], in->before_max[i], in->exponent[i], in->bits);
        if (e == EXACT_NONFINITE && *nonfinite < 0) *nonfinite = i;
        if (e != EXACT_GOOD) v = VERDICT_REDO;
    }
    if (v == VERDICT_REDO && in->attempt > 0) v = *nonfinite >= 0 ? VERDICT_SKIP : VERDICT_FAIL;
    return v;
}
