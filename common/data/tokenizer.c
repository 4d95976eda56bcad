#include "tokenizer.h"

const struct tokenizer_desc *const tokenizer_table[] = { &tokenizer_bytes, NULL };

enum status tokenizer_open(struct arena *arena, const char *name, struct tokenizer *out)
{
    for (const struct tokenizer_desc *const *row = tokenizer_table; *row != NULL; row++)
        if ((*row)->accepts(name)) return (*row)->open(arena, name, out);
    FAIL(ST_CONFIG, "there is no tokenizer '%.200s'; built in is: bytes", name);
}
