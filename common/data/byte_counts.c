#include "byte_counts.h"
#include "common/base/check.h"
#include <math.h>

void byte_counts_add(struct byte_counts *c, const unsigned char *document, int64_t n)
{
    int before = BYTE_END;
    for (int64_t i = 0; i < n; i++) {
        c->pair[before][document[i]]++;
        before = document[i];
    }
    c->pair[before][BYTE_END]++;
    c->bytes += n;
}

static void sum_over_contexts(const struct byte_counts *c, int64_t out[BYTE_SYMBOLS])
{
    for (int s = 0; s < BYTE_SYMBOLS; s++) out[s] = 0;
    for (int b = 0; b < BYTE_SYMBOLS; b++)
        for (int s = 0; s < BYTE_SYMBOLS; s++) out[s] += c->pair[b][s];
}

/* Bits of `text` symbols in one context whose counts are `model`. */
static double bits_in_context(const int64_t model[BYTE_SYMBOLS], const int64_t text[BYTE_SYMBOLS])
{
    int64_t total = BYTE_SYMBOLS;
    for (int s = 0; s < BYTE_SYMBOLS; s++) total += model[s];
    double bits = 0;
    for (int s = 0; s < BYTE_SYMBOLS; s++)
        if (text[s] > 0) bits += (double)text[s] * log2((double)total / (double)(model[s] + 1));
    return bits;
}

double byte_counts_bits(const struct byte_counts *model, const struct byte_counts *text, int order)
{
    CHECK(order == 0 || order == 1);
    if (text->bytes == 0) return NAN;
    double bits = 0;
    if (order == 0) {
        int64_t model_sum[BYTE_SYMBOLS], text_sum[BYTE_SYMBOLS];
        sum_over_contexts(model, model_sum);
        sum_over_contexts(text, text_sum);
        bits = bits_in_context(model_sum, text_sum);
    } else
        for (int b = 0; b < BYTE_SYMBOLS; b++) bits += bits_in_context(model->pair[b], text->pair[b]);
    return bits / (double)text->bytes;
}
