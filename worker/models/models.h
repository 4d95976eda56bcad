/* models.h: the decoder families. A family writes the tape of each unit kind and says which parameters there are; worker/tape.h is its
 * vocabulary, worker/ops/ops.h its words. */
#ifndef LAMINA_MODELS_MODELS_H
#define LAMINA_MODELS_MODELS_H

#include "common/plan/describe.h"

extern const struct model_desc model_gpt2, model_llama;

/* All of them, NULL-terminated; the variants in the same order are what configuration chooses from. */
extern const struct model_desc *const model_table[];
extern const struct variant *const model_variants[];
const struct model_desc *model_find(const char *family); /* NULL: unknown */

#endif
