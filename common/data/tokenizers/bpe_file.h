/* bpe_file.h: a Hugging Face tokenizer.json as a struct. Read split.h, normalize.h and merge.h first. */
#ifndef LAMINA_DATA_TOKENIZERS_BPE_FILE_H
#define LAMINA_DATA_TOKENIZERS_BPE_FILE_H

#include "common/base/digest.h"
#include "common/data/tokenizers/merge.h"
#include "common/data/tokenizers/normalize.h"
#include "common/data/tokenizers/split.h"

struct bpe_token {
    const char *text; /* as the file has it: with byte_level in byte letters (byte_letters.h); NULL: the id is not used */
    int64_t bytes;
    bool added_only; /* model.vocab lacks it: it is found as an added token or not at all */
};

/* A text that is a token wherever it stands. `normalized`: it is looked for in the normalized text, and normalized itself; else before.
 * lstrip, rstrip: with the spaces before, after it; single_word: not where a letter or digit adjoins it. */
struct bpe_added {
    int32_t id;
    const char *content;
    bool special, normalized, lstrip, rstrip, single_word;
};

/* How tokens become text. */
enum bpe_spaces {
    SPACES_KEPT,
    SPACES_STRIPPED,
    SPACES_DROPPED
}; /* at the beginning of a document: kept; one is stripped; those of the first token */
struct bpe_decoder {
    bool byte_level;    /* byte letters to bytes; then nothing of what follows */
    bool marks;         /* U+2581 becomes a space */
    bool byte_fallback; /* <0x0A> becomes a byte */
    enum bpe_spaces spaces;
};

extern const char *const bpe_end_names[]; /* NULL-terminated */

struct bpe_model {
    int64_t vocab; /* the largest id, and one */
    struct bpe_token *token;
    struct bpe_merge *merge;
    int64_t n_merges;
    struct bpe_added *added;
    int64_t n_added;
    struct normalize_step normalizer[NORMALIZE_STEPS_MOST];
    int n_normalizer;
    struct split_step split[SPLIT_STEPS_MOST];
    int n_split;
    bool byte_level;    /* pieces become byte letters: each byte is a symbol */
    bool byte_fallback; /* else each character is one, and one that is none becomes the tokens <0x..> of its bytes */
    bool fuse_unknown, ignore_merges;
    int32_t unknown; /* -1: none */
    struct bpe_decoder decoder;
    int32_t end_of_document; /* the first of bpe_end_names that is an added token, or the only special one */
};

/* Reads byte-level BPE (GPT-2, Llama 3, Qwen: pre-tokenizers Split, ByteLevel, Digits, Sequence) and BPE over characters with byte fallback
 * (Llama 2, Mistral: Prepend and Replace, or Metaspace). What post_processor says is known and has no effect, for documents are encoded
 * without the special tokens that it adds (add_special_tokens=False). Anything else in the file is read or refused, by its place in it.
 * All texts live in arena. Fails: ST_DATA. */
enum status bpe_file_read(struct arena *arena, const char *path, struct bpe_model *out) MUST_USE;

/* Of everything that decides ids, whatever the file looks like: the same for merges written "a b" or ["a", "b"], and after another program
 * saved the file anew. The id that ends documents counts too; how tokens become text does not. */
struct digest128 bpe_model_digest(const struct bpe_model *m);

#endif
