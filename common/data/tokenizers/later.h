/* later.h: letters, marks, digits, punctuation and symbols that Unicode 15.0, 15.1 and 16.0 added to 14.0, by general category. Expressions
 * get them in addition to what the installed PCRE2 knows, so that a text has the same tokens on every machine, and those that the
 * tokenizers library (0.23, Unicode 16) gives. A character that a later Unicode assigns is none of these in either. */
#ifndef LAMINA_DATA_TOKENIZERS_LATER_H
#define LAMINA_DATA_TOKENIZERS_LATER_H

#include <stddef.h>
#include <stdint.h>

struct later {
    uint32_t first, last;
    const char *category; /* "Lu"; NULL ends the table */
};
extern const struct later later_characters[];

#endif
