/* bpe.h: what the kind "bpe" keeps of a tokenizer.json; for bpe.c, bpe_encode.c and bpe_show.c alone. */
#ifndef LAMINA_DATA_TOKENIZERS_BPE_H
#define LAMINA_DATA_TOKENIZERS_BPE_H

#include "common/data/tokenizer.h"
#include "common/data/tokenizers/bpe_file.h"
#include "common/data/tokenizers/expression.h"
#include "common/data/tokenizers/finder.h"
#include <jansson.h>

enum { CHARACTERS = 0x110000 };

struct bpe {
    struct bpe_model model;
    struct bpe_token *text;  /* [vocab]: what a token stands for */
    struct bpe_token *found; /* [n_added]: what is looked for in their place */
    struct normalizer *normalizer;
    struct split *split;
    struct expression *word;       /* a character of a word; NULL: no added token asks for it */
    struct finder raw, normalized; /* added tokens: `what` is an index into model.added */
    struct merges merges;
    int32_t byte_id[256];  /* the symbol of a byte: by byte letter, or <0x..>; -1: none */
    int32_t *character_id; /* [CHARACTERS]: the symbol of a character, and one; NULL: byte-level */
    int32_t *whole;        /* a hash table of ids and one, by text; NULL: pieces are always merged (ignore_merges false) */
    uint64_t whole_mask;
    uint64_t *joins; /* a hash table of pairs of characters that a merge may join; NULL: no piece is divided further */
    uint64_t joins_mask;
    bool cuts; /* tokenizer_cut may go by the split alone */
};

uint64_t bpe_hash(const unsigned char *bytes, int64_t n);
/* The id of a whole piece in the vocabulary, or -1. */
int32_t bpe_whole(const struct bpe *b, const unsigned char *piece, int64_t n);
/* May a merge join two symbols where character `left` ends one and `right` begins the other? */
bool bpe_joins(const struct bpe *b, uint32_t left, uint32_t right);

enum status bpe_encoder_open(const struct tokenizer *t, void **state);
void bpe_encoder_close(void *state);
enum status bpe_encode(const struct tokenizer *t, void *state, const unsigned char *bytes, int64_t n, struct ids *out);
void bpe_describe(const struct tokenizer *t, json_t *facts);

#endif
