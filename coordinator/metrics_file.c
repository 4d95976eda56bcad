#include "metrics_file.h"
#include "common/base/check.h"
#include "coordinator/file.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MOST = 1 << 30 };

json_t *metrics_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

enum status metrics_append(const char *path, json_t *object)
{
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    CHECK(line != NULL); /* our own objects: finite numbers and UTF-8 */
    struct text text = { 0 };
    text_add(&text, "%s\n", line);
    const enum status s = file_append(path, text.data, text.length);
    text_free(&text);
    free(line);
    json_decref(object);
    return s;
}

/* Calls take with each whole line and its object (NULL when it does not read). A last line without an end was cut by a kill. */
static enum status each_line(const char *path, void (*take)(void *, const char *line, size_t n, const json_t *object), void *context)
{
    struct text all = { 0 };
    if (!file_exists(path)) return ST_OK;
    const enum status s = file_read(path, METRICS_MOST, &all);
    for (size_t at = 0; s == ST_OK && at < all.length;) {
        const char *end = memchr(all.data + at, '\n', all.length - at);
        if (end == NULL) break;
        const size_t n = (size_t)(end - (all.data + at));
        json_t *object = json_loadb(all.data + at, n, JSON_REJECT_DUPLICATES, NULL);
        take(context, all.data + at, n + 1, object);
        json_decref(object);
        at += n + 1;
    }
    text_free(&all);
    return s;
}

struct cut {
    int64_t step;
    struct text kept;
};

static void keep_line(void *context, const char *line, size_t n, const json_t *object)
{
    struct cut *cut = context;
    if (object != NULL && json_integer_value(json_object_get(object, "step")) <= cut->step) text_add_bytes(&cut->kept, line, n);
}

enum status metrics_cut(const char *path, int64_t step)
{
    struct cut cut = { .step = step };
    enum status s = ST_OK;
    if (file_exists(path)) s = each_line(path, keep_line, &cut);
    if (s == ST_OK && file_exists(path)) s = file_replace(path, cut.kept.data != NULL ? cut.kept.data : "", cut.kept.length);
    text_free(&cut.kept);
    return s;
}

struct each {
    void (*take)(void *context, const struct metrics_point *point);
    void *context;
};

static void take_point(void *context, const char *line, size_t n, const json_t *object)
{
    const struct each *each = context;
    if (object == NULL) return;
    const json_t *bits = json_object_get(object, "bits_per_byte"), *loss = json_object_get(object, "loss");
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const struct metrics_point point = {
        .step = json_integer_value(json_object_get(object, "step")),
        .loss = json_is_number(loss) ? json_number_value(loss) : (double)NAN,
        .bits_per_byte = json_is_number(bits) ? json_number_value(bits) : (double)NAN,
        .evaluation = kind != NULL && strcmp(kind, "evaluation") == 0,
    };
    each->take(each->context, &point);
}

enum status metrics_each(const char *path, void (*take)(void *context, const struct metrics_point *point), void *context)
{
    struct each each = { take, context };
    return each_line(path, take_point, &each);
}
