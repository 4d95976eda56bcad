/* tokenizer.h: between bytes and token ids. One file per kind in tokenizers/, one row in the table. */
#ifndef LAMINA_DATA_TOKENIZER_H
#define LAMINA_DATA_TOKENIZER_H

#include "common/base/arena.h"
#include "common/base/digest.h"
#include "common/base/str.h"

struct json_t; /* jansson's */

/* Immutable from tokenizer_open to tokenizer_close, and shared by threads: what one thread writes is in its own encoder or decoder. */
struct tokenizer {
    const struct tokenizer_desc *desc;
    const char *name; /* "bytes", or the path it was read from */
    int64_t vocab;
    int32_t end_of_document;
    struct digest128 digest;
    void *state;
};

/* A list of ids that grows. Zero-initialised it is empty. Owns: its memory until ids_close. */
struct ids {
    int32_t *id;
    int64_t n, cap;
};
/* Room for `more` ids behind the n that are there. Fails: ST_IO where there is no memory. */
enum status ids_reserve(struct ids *ids, int64_t more) MUST_USE;
enum status ids_add(struct ids *ids, int32_t id) MUST_USE;
void ids_close(struct ids *ids); /* empty again */

struct tokenizer_desc {
    const char *name, *summary;
    bool of_file; /* what `tokenizer:` names is the path of a file */
    /* Does this kind read the thing that `tokenizer:` names? */
    bool (*accepts)(const char *name);
    enum status (*open)(struct arena *arena, const char *name, struct tokenizer *out);
    void (*close)(struct tokenizer *t); /* NULL: nothing is held outside the arena */
    /* What one thread needs to encode; NULL, NULL: nothing. */
    enum status (*encoder_open)(const struct tokenizer *t, void **state);
    void (*encoder_close)(void *state);
    enum status (*encode)(const struct tokenizer *t, void *state, const unsigned char *bytes, int64_t n, struct ids *out);
    /* Appends the bytes of one id in [0, vocab) other than the end of a document. `first`: nothing of its document was decoded before.
     * Fails: ST_DATA where the id stands for no token. */
    enum status (*decode)(const struct tokenizer *t, bool first, int32_t id, struct text *out);
    /* The text that stands for the end of a document in this vocabulary; NULL: none does. */
    const char *(*end_text)(const struct tokenizer *t);
    /* See tokenizer_cut; NULL: anywhere. */
    int64_t (*cut)(const struct tokenizer *t, const unsigned char *bytes, int64_t n);
    void (*describe)(const struct tokenizer *t,
                     struct json_t *facts); /* adds what this kind has beside vocabulary and digest; NULL: nothing */
};

extern const struct tokenizer_desc tokenizer_bytes;          /* 256 byte values and the end of a document */
extern const struct tokenizer_desc tokenizer_bpe;            /* a tokenizer.json */
extern const struct tokenizer_desc *const tokenizer_table[]; /* NULL-terminated */

/* Owns: state lives in arena, and outside it what tokenizer_close frees. Fails: ST_CONFIG for a name no kind accepts; ST_DATA for a file
 * that is broken or asks for what is not there. */
enum status tokenizer_open(struct arena *arena, const char *name, struct tokenizer *out) MUST_USE;
void tokenizer_close(struct tokenizer *t); /* legal on a zeroed one, and twice */

/* Would a kind that reads files read this one? */
bool tokenizer_of_file(const char *name);
/* Its facts, for people (lines) or for programs (one JSON object). */
void tokenizer_print(const struct tokenizer *t, bool json, struct text *out);

/* What one thread needs to encode: match data, caches, scratch. t must outlive it. Owns: until encoder_close. */
struct encoder;
enum status encoder_open(const struct tokenizer *t, struct encoder **out) MUST_USE;
/* Appends the ids of one document, without the end mark. The ids depend on the bytes alone, not on what was encoded before. Any bytes:
 * those that are not UTF-8 become tokens of their own where the vocabulary has such. Fails: ST_DATA where the vocabulary has no token for a
 * character; ST_IO (no memory). */
enum status encoder_add(struct encoder *e, const unsigned char *bytes, int64_t n, struct ids *out) MUST_USE;
void encoder_close(struct encoder *e); /* legal on NULL */

/* The longest beginning of a longer text (less than n bytes, 0: none) after which it may be cut: the ids of the two parts, one after the
 * other, are those of the whole, whatever follows the n bytes. For texts that are not in memory as a whole. */
int64_t tokenizer_cut(const struct tokenizer *t, const unsigned char *bytes, int64_t n);

/* Ids back to bytes, piece by piece: a token may end in the middle of a character, so what was appended so far may too. Set up as
 * { .tokenizer = t }. */
struct decoder {
    const struct tokenizer *tokenizer;
    bool inside;   /* something of this document came before: a space that encoding put before it is not to be taken away any more */
    bool ends_too; /* the end of a document is a token like others, where it has a text; else it gives nothing, and a document begins */
};
/* Appends the bytes of n ids to out. Fails: ST_DATA for an id outside [0, vocab) or one without a token; what stands before it was
 * appended. */
enum status decoder_add(struct decoder *d, const int32_t *ids, int64_t n, struct text *out) MUST_USE;

#endif
