/* bpe_parts.h: the parts of a tokenizer.json around its model; for bpe_file.c alone. */
#ifndef LAMINA_DATA_TOKENIZERS_BPE_PARTS_H
#define LAMINA_DATA_TOKENIZERS_BPE_PARTS_H

#include "common/data/tokenizers/bpe_file.h"
#include "common/data/tokenizers/json_place.h"

/* normalizer, pre_tokenizer, post_processor and decoder of the file into m, which has its byte_fallback already. Fails: ST_DATA. */
enum status bpe_parts_read(struct place file, struct bpe_model *m) MUST_USE;

#endif
