/* split.h: pre-tokenization: a text into the pieces inside which tokens are looked for. Read after expression.h. */
#ifndef LAMINA_DATA_TOKENIZERS_SPLIT_H
#define LAMINA_DATA_TOKENIZERS_SPLIT_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Patterns with names. The expression is what a tokenizer.json of that family holds, to the letter. */
struct split_pattern {
    const char *name, *expression, *summary;
};
extern const struct split_pattern split_patterns[];                     /* gpt2, llama3, qwen2; a NULL name ends it */
const struct split_pattern *split_pattern_named(const char *name);      /* NULL: none of this name */
const struct split_pattern *split_pattern_like(const char *expression); /* NULL: none to the letter */

/* What becomes of a match, and of the text between matches: both are pieces; matches vanish; a match joins the piece before it, or after
 * it (one match behind another stays by itself); neighbours of the same sort (match, no match) are one piece. `invert` exchanges matches
 * and what is between them. As the Split of the tokenizers library has them. */
enum split_behaviour {
    SPLIT_ISOLATED,
    SPLIT_REMOVED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
    SPLIT_BEHAVIOURS
};
extern const char *const split_behaviour_names[SPLIT_BEHAVIOURS]; /* "Isolated" ... */

enum split_kind {
    SPLIT_MATCH,        /* by an expression, or at a text */
    SPLIT_PREFIX_SPACE, /* a space before a piece that begins with none */
    SPLIT_METASPACE     /* each space becomes U+2581, and one is put in front (see prepend) where none stands */
};
enum split_prepend { PREPEND_NEVER, PREPEND_FIRST, PREPEND_ALWAYS }; /* FIRST: before the first piece of a document only */

/* One step works on each piece that the step before it made. */
struct split_step {
    enum split_kind kind;
    const char *pattern; /* SPLIT_MATCH: a name of split_patterns, or an expression, or (literal) a text that is not empty */
    bool literal, invert;
    enum split_behaviour behaviour;
    enum split_prepend prepend; /* SPLIT_METASPACE */
};

/* Immutable, shared by threads. No steps: the text is one piece. Owns: until split_close.
 * Fails: ST_DATA (expression_open); ST_LAUNCH without PCRE2; ST_IO (no memory). */
enum { SPLIT_STEPS_MOST = 16 };
struct split;
enum status split_open(const struct split_step *steps, int n_steps, struct split **out) MUST_USE;
void split_close(struct split *s); /* legal on NULL */

/* What one thread needs; s must outlive it. Owns: until splitter_close. */
struct splitter;
enum status splitter_open(const struct split *s, struct splitter **out) MUST_USE;
void splitter_close(struct splitter *w); /* legal on NULL */

/* Hands every piece of the text to `take`, in order; none is empty. A piece lies in the text, or where a step changed it in memory of w
 * that is good until take returns. Any bytes: what is not UTF-8 is a piece of its own that no step sees (a run of such bytes is one piece),
 * and the text around it is split by itself. first: the text is the beginning of a document. Fails: ST_DATA (expression_find), ST_IO, and
 * what take returns, which ends it. Memory: the longest piece that a step changed. */
typedef enum status (*split_take_fn)(void *context, const unsigned char *piece, int64_t n);
enum status splitter_pieces(struct splitter *w, const unsigned char *text, int64_t n, bool first, split_take_fn take,
                            void *context) MUST_USE;

/* The longest beginning of a longer text (less than n bytes) after which it may be cut: the pieces of the two parts, one after the other,
 * are those of the whole, whatever follows the n bytes. It is before a space or a line end that stands between two ASCII letters. 0: there
 * is none, or the steps are others than one Isolated match of a named pattern (SPLIT_PREFIX_SPACE puts a space before each part).
 * So a document is cut into tasks, and a stream is read in bounded memory. */
int64_t split_cut(const struct split *s, const unsigned char *text, int64_t n);

#endif
