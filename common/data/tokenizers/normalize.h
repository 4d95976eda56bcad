/* normalize.h: what a tokenizer does to a text before it looks for tokens. Read after expression.h. */
#ifndef LAMINA_DATA_TOKENIZERS_NORMALIZE_H
#define LAMINA_DATA_TOKENIZERS_NORMALIZE_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stdint.h>

enum normalize_kind {
    NORMALIZE_NFC,
    NORMALIZE_NFD,
    NORMALIZE_NFKC,
    NORMALIZE_NFKD,
    NORMALIZE_LOWERCASE,
    NORMALIZE_REPLACE,
    NORMALIZE_PREPEND
};
struct normalize_step {
    enum normalize_kind kind;
    const char *pattern; /* REPLACE: an expression, or (literal) a text that is not empty */
    bool literal;
    const char *content; /* REPLACE: what stands for each match; PREPEND: what is put in front of a text that is not empty */
};

/* The Unicode forms are those of Unicode 9 (later.h), as in the tokenizers library: characters that came later stay as they are. Lower case
 * is that of utf8proc. Immutable, shared by threads. Owns: until normalizer_close.
 * Fails: ST_DATA (expression_open); ST_LAUNCH where Lamina was built without utf8proc or PCRE2 and a step needs it; ST_IO (no memory). */
struct normalizer;
enum { NORMALIZE_STEPS_MOST = 16 };
enum status normalizer_open(const struct normalize_step *steps, int n_steps, struct normalizer **out) MUST_USE;
void normalizer_close(struct normalizer *n); /* legal on NULL */

/* What one thread needs; n must outlive it. Owns: until normalizing_close. */
struct normalizing;
enum status normalizing_open(const struct normalizer *n, struct normalizing **out) MUST_USE;
void normalizing_close(struct normalizing *w); /* legal on NULL */

/* The text after all steps: itself where none changes it, else memory of w that is good until the next call. Bytes that are not UTF-8 stay
 * as they are, and the text around them is normalized by itself. Fails: ST_DATA (expression_find), ST_IO (no memory). */
enum status normalize_text(struct normalizing *w, const unsigned char *text, int64_t n, const unsigned char **out, int64_t *out_n) MUST_USE;

#endif
