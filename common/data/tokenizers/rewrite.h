/* rewrite.h: an expression of Oniguruma's Ruby syntax in the words of PCRE2. See expression.h for what is changed and what is refused. */
#ifndef LAMINA_DATA_TOKENIZERS_REWRITE_H
#define LAMINA_DATA_TOKENIZERS_REWRITE_H

#include "common/base/str.h"

/* Appends the expression for PCRE2 with UTF and UCP to out. Fails: ST_DATA with the character's place. */
enum status rewrite_expression(const char *pattern, struct text *out) MUST_USE;

#endif
