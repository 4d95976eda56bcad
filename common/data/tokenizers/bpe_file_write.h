/* bpe_file_write.h: learned merges as a Hugging Face tokenizer.json: byte-level BPE as GPT-2, Llama 3 and Qwen have it. Read learn.h first.
 *
 * Ids: the 256 bytes in the order of their letters, the merges in the order learned, the special tokens in the order given. So a
 * smaller vocabulary of the same text is the beginning of a larger one, but for its special tokens. */
#ifndef LAMINA_DATA_TOKENIZERS_BPE_FILE_WRITE_H
#define LAMINA_DATA_TOKENIZERS_BPE_FILE_WRITE_H

#include "common/base/str.h"
#include "common/data/tokenizers/learn.h"

struct bpe_file_write {
    const struct learned *learned;
    const char *pattern; /* what cuts text into pieces; NULL: GPT-2's, which the format knows by the name ByteLevel */
    const char *const *special;
    int n_special;
};
/* Appends the file, the same bytes for the same vocabulary. */
void bpe_file_write(const struct bpe_file_write *what, struct text *out);

#endif
