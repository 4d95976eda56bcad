#include "format.h"
#include "common/data/packed.h"
#include <stdio.h>
#include <string.h>

const struct format_desc *const format_table[] = { &format_text, &format_jsonl, NULL };

static bool ends_with(const char *path, size_t n, const char *ending)
{
    const size_t length = strlen(ending);
    return length > 0 && n > length && strncmp(path + n - length, ending, length) == 0;
}

const struct format_desc *format_of(const char *path, const char *const *more)
{
    static const char *const no_text[] = { ".tar", ".zip", NULL }; /* archives of many files */
    size_t stem;
    const struct packed_desc *const kind = packed_kind(path, &stem);
    for (const struct format_desc *const *row = format_table; *row != NULL; row++)
        for (const char *const *ending = (*row)->endings; *ending != NULL; ending++)
            if (ends_with(path, stem, *ending)) return *row;
    for (; more != NULL && *more != NULL; more++)
        if (ends_with(path, stem, *more)) return &format_text;
    for (const char *const *ending = no_text; *ending != NULL; ending++)
        if (ends_with(path, stem, *ending)) return NULL;
    return kind->begins != NULL || kind->lacking != NULL ? &format_text : NULL; /* one that cannot be unpacked is told when it is opened */
}

static void add(char *out, size_t size, const char *before, const char *name)
{
    const size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s%s", before, name);
}

char *format_names(char *out, size_t size)
{
    out[0] = '\0';
    for (const struct format_desc *const *row = format_table; *row != NULL; row++)
        for (const char *const *ending = (*row)->endings; *ending != NULL; ending++) add(out, size, out[0] != '\0' ? ", " : "", *ending);
    const char *before = ", also packed as ";
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++) {
        for (const char *const *ending = (*row)->endings; *ending != NULL; ending++) {
            add(out, size, before, *ending);
            before = ", ";
        }
    }
    return out;
}
