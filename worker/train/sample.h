/* sample.h: from logits to one token. Pure. */
#ifndef LAMINA_WORKER_TRAIN_SAMPLE_H
#define LAMINA_WORKER_TRAIN_SAMPLE_H

#include "worker/worker.h"

/* temperature 0: the largest logit, the lowest id on a tie. Else softmax(logits / temperature) over the top_k largest, then over the
 * smallest set of them whose probability reaches top_p (nucleus sampling, Holtzman et al. 2020), drawn with u in [0, 1). */
struct sampler {
    int32_t *order;
    double *weight;
};
struct sampler sampler_place(struct arena *arena, int64_t vocab);
int32_t sampler_draw(struct sampler *s, const float *logits, int64_t vocab, const struct generate_options *options, double u);

#endif
