#include "worker/models/models.h"

#include <string.h>

const struct model_desc *const model_table[] = { &model_gpt2, &model_llama, NULL };
const struct variant *const model_variants[] = { &model_gpt2.variant, &model_llama.variant, NULL };

const struct model_desc *model_find(const char *family)
{
    for (int i = 0; model_table[i] != NULL; i++)
        if (strcmp(model_table[i]->variant.name, family) == 0) return model_table[i];
    return NULL;
}
