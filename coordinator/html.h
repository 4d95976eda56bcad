/* html.h: text of others inside HTML and SVG (names, configuration, messages of libraries), and numbers. */
#ifndef LAMINA_COORDINATOR_HTML_H
#define LAMINA_COORDINATOR_HTML_H

#include "common/base/str.h"

/* Appends bytes so that they are shown and never obeyed, between tags and inside quoted attributes: < > & " ' become entities; controls,
 * direction marks and what is not UTF-8 become \xNN. */
void html_add_bytes(struct text *out, const char *bytes, size_t n);
void html_add(struct text *out, const char *text);
/* The same of what a format makes. */
void html_print(struct text *out, const char *format, ...) PRINTF_LIKE(2, 3);

enum html_form {
    HTML_COUNT,   /* 1,234 */
    HTML_FIXED2,  /* 4.02 */
    HTML_FIXED4,  /* 1.4770 */
    HTML_RATE,    /* 4.00e-03 */
    HTML_PLAIN,   /* 0.1 */
    HTML_PERCENT, /* 73 %, of a share */
    HTML_BYTES,   /* 85.0 MiB */
    HTML_SECONDS  /* 3 min 20 s */
};
/* A number, or a dash where it is not finite; html_cell: as a cell of a table. */
void html_number(struct text *out, enum html_form form, double value);
void html_cell(struct text *out, enum html_form form, double value);

#endif
