/* expression.h: regular expressions as tokenizer.json files hold them: written for Oniguruma (Ruby syntax, UTF-8), run by PCRE2. */
#ifndef LAMINA_DATA_TOKENIZERS_EXPRESSION_H
#define LAMINA_DATA_TOKENIZERS_EXPRESSION_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stddef.h>

/* Compiled once, then shared by threads. */
struct expression;
/* The expression is written anew where the two engines differ, so that it finds the same: \s is the 25 characters of Oniguruma (U+180E is
 * none), \p{L} and the other general categories are those of Unicode 16 whatever the installed PCRE2 knows (later.h), ^ and $ are those of
 * lines. What may mean something else is refused by name: \w \W \b \B \h \H \R \X \A \Z \z \G \k \g \1, scripts and other properties, sets
 * within sets, [:names:], {n}+, and an expression that can match nothing. Owns: until expression_close.
 * Fails: ST_DATA with the place in the expression; ST_LAUNCH where Lamina was built without PCRE2. */
enum status expression_open(const char *pattern, struct expression **out) MUST_USE;
void expression_close(struct expression *e); /* legal on NULL */

/* What one thread needs to match, whatever the expression. Owns: until matcher_close. */
struct matcher;
enum status matcher_open(struct matcher **out) MUST_USE;
void matcher_close(struct matcher *m); /* legal on NULL */

/* The first match in text[from, n), which ends after it begins; what stands before `from` is seen by assertions. text must be UTF-8 and
 * `from` the beginning of a character. Under match limits that grow with n. Fails: ST_DATA where they are reached. */
struct found {
    size_t begin, end;
    bool any;
};
enum status expression_find(const struct expression *e, struct matcher *m, const unsigned char *text, size_t n, size_t from,
                            struct found *out) MUST_USE;

#endif
