#include "common/data/format.h"

/* Plain text: a document per file, or cut by --document-start. */
static enum status text_of(const char *field, const unsigned char *record, int64_t n, struct text *scratch, const unsigned char **text,
                           int64_t *text_bytes)
{
    *text = record;
    *text_bytes = n;
    return ST_OK;
}

const struct format_desc format_text = { .name = "text",
                                         .summary = "plain text: a document per file, or cut by --document-start",
                                         .endings = { ".txt", NULL },
                                         .record_most = (int64_t)1 << 30,
                                         .text = text_of };
