#include "json_place.h"
#include "common/base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum status place_open(struct arena *arena, const char *file, size_t most, json_t **root, struct place *out)
{
    struct stat info;
    json_error_t error;
    *root = NULL;
    const int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* not to wait for the writer of a pipe, which is refused below */
    FILE *f = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (f == NULL) FAIL(ST_DATA, "%s: cannot be opened: %s", file, strerror(errno));
    const bool plain = fstat(fileno(f), &info) == 0 && S_ISREG(info.st_mode);
    if (plain && (size_t)info.st_size <= most) *root = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(f);
    if (!plain) FAIL(ST_DATA, "%s: is not a plain file", file);
    if ((size_t)info.st_size > most) FAIL(ST_DATA, "%s: has %lld bytes; %zu is the most that is read", file, (long long)info.st_size, most);
    if (*root == NULL) FAIL(ST_DATA, "%s:%d:%d: is not JSON that is read: %s", file, error.line, error.column, error.text);
    *out = (struct place){ .arena = arena, .file = file, .way = "", .value = *root };
    if (json_is_object(*root)) return ST_OK;
    json_decref(*root);
    *root = NULL;
    FAIL(ST_DATA, "%s: is not a JSON object", file);
}

struct place place_member(struct place p, const char *key)
{
    p.value = json_object_get(p.value, key);
    p.way = p.way[0] == '\0' ? arena_strdup(p.arena, key) : arena_printf(p.arena, "%s.%s", p.way, key);
    return p;
}

struct place place_element(struct place p, size_t i)
{
    p.value = json_array_get(p.value, i);
    p.way = arena_printf(p.arena, "%s[%zu]", p.way, i);
    return p;
}

bool place_none(struct place p) { return p.value == NULL || json_is_null(p.value); }

enum status place_refuse(struct place p, const char *format, ...)
{
    char why[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    FAIL(ST_DATA, "%s: %s%s%s", p.file, p.way, p.way[0] == '\0' ? "" : ": ", why);
}

enum status place_keys(struct place p, const char *const *known)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    if (!json_is_object(p.value)) return place_refuse(p, "an object is expected here");
    while (known[n] != NULL) n++;
    json_object_foreach((json_t *)(uintptr_t)p.value, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++) found = strcmp(known[i], key) == 0;
        if (found) continue;
        const char *const near = str_nearest(key, known, n);
        return place_refuse(p, "the key '%.60s' is not known here%s%s%s", key, near != NULL ? "; is '" : "", near != NULL ? near : "",
                            near != NULL ? "' meant?" : "");
    }
    return ST_OK;
}

enum status place_text(struct place p, const char **out)
{
    if (!json_is_string(p.value)) return place_refuse(p, p.value == NULL ? "a text must be given" : "a text is expected here");
    *out = json_string_value(p.value);
    return ST_OK;
}

enum status place_integer(struct place p, int64_t low, int64_t high, int64_t *out)
{
    if (!json_is_integer(p.value)) return place_refuse(p, p.value == NULL ? "a number must be given" : "a whole number is expected here");
    const int64_t value = json_integer_value(p.value);
    if (value < low || value > high)
        return place_refuse(p, "%lld is not between %lld and %lld", (long long)value, (long long)low, (long long)high);
    *out = value;
    return ST_OK;
}

enum status place_array(struct place p, size_t *n)
{
    if (!json_is_array(p.value)) return place_refuse(p, p.value == NULL ? "a list must be given" : "a list is expected here");
    *n = json_array_size(p.value);
    return ST_OK;
}

enum status place_bool(struct place p, bool otherwise, bool *out)
{
    *out = otherwise;
    if (place_none(p)) return ST_OK;
    if (!json_is_boolean(p.value)) return place_refuse(p, "true or false is expected here");
    *out = json_is_true(p.value);
    return ST_OK;
}
