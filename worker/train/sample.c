#include "sample.h"

#include <math.h>
#include <stdlib.h>

struct sampler sampler_place(struct arena *arena, int64_t vocab)
{
    return (struct sampler){ arena_place_n(arena, (size_t)vocab, sizeof(int32_t)), arena_place_n(arena, (size_t)vocab, sizeof(double)) };
}

static int32_t largest(const float *logits, int64_t vocab)
{
    int32_t best = 0;
    for (int32_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static int by_logit(const void *a, const void *b, void *logits)
{
    const int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    const float x = ((const float *)logits)[i], y = ((const float *)logits)[j];
    return x > y ? -1 : x < y ? 1 : (i > j) - (i < j);
}

int32_t sampler_draw(struct sampler *s, const float *logits, int64_t vocab, const struct generate_options *o, double u)
{
    if (o->temperature <= 0) return largest(logits, vocab);
    for (int32_t i = 0; i < vocab; i++) s->order[i] = i;
    qsort_r(s->order, (size_t)vocab, sizeof *s->order, by_logit, (void *)(uintptr_t)logits);

    int64_t kept = o->top_k > 0 && o->top_k < vocab ? o->top_k : vocab;
    double total = 0;
    for (int64_t i = 0; i < kept; i++) {
        s->weight[i] = exp(((double)logits[s->order[i]] - (double)logits[s->order[0]]) / o->temperature);
        total += s->weight[i];
    }
    double sum = 0;
    for (int64_t i = 0; i < kept; i++) {
        sum += s->weight[i];
        if (sum >= o->top_p * total) kept = i + 1; /* the smallest set that reaches top_p */
    }
    double left = u * sum;
    for (int64_t i = 0; i < kept - 1; i++) {
        left -= s->weight[i];
        if (left < 0) return s->order[i];
    }
    return s->order[kept - 1];
}
