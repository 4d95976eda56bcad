/* later.h: letters, marks, digits, punctuation and symbols that Unicode 15.0, 15.1 and 16.0 added to 14.0, by general category. Expressions
 * get them in addition to what the installed PCRE2 knows, so that a text has the same tokens on every machine, and those that the
 * tokenizers library (0.23, Unicode 16) gives. A character that a later Unicode assigns is none of these in either. */
#ifndef LAMINA_DATA_TOKENIZERS_LATER_H
#define LAMINA_DATA_TOKENIZERS_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct later {
    uint32_t first, last;
    const char *category; /* "Lu"; NULL ends the table */
};
extern const struct later later_characters[]; /* in order */

/* Is this a character that the Unicode forms (NFC ...) of the tokenizers library leave as it is, because its tables for them are those of
 * Unicode 9, while later ones reorder, decompose or compose it? Or one of later_characters? */
bool later_than_forms(uint32_t c);

#endif
