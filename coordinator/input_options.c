#include "input_options.h"
#include "common/base/str.h"

enum status input_options(const struct options *options, struct input_options *out)
{
    *out = (struct input_options){ .document_start = option_text(options, "document-start"), .field = option_text(options, "field") };
    const int n = option_list(options, "text-ending", out->more_text);
    for (int i = 0; i < n; i++)
        if (out->more_text[i][0] != '.' || out->more_text[i][1] == '\0')
            FAIL(ST_USAGE, "--text-ending takes an ending as .md, not \"%s\"", out->more_text[i]);
    out->more_text[n] = NULL;
    if (option_given(options, "max-unpacked")) TRY(str_to_bytes(option_text(options, "max-unpacked"), &out->max_unpacked));
    return ST_OK;
}
