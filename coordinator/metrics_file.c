#include "metrics_file.h"
#include "common/base/check.h"
#include "coordinator/file.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MOST = 1 << 20 };
static const int64_t metrics_most = INT64_C(4) << 30; /* ten million steps; a hole as large as a disk is none of ours */

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

/* The next line with its end, of which the first LINE_MOST bytes are kept: longer ones are none of ours. False at the end of the file.
 * Line by line, because the file of a long run is larger than anybody wants to hold. */
static bool next_line(FILE *f, char *line, size_t *n, bool *whole)
{
    int c;
    for (*n = 0, *whole = false; !*whole && (c = getc_unlocked(f)) != EOF;) {
        if (*n < LINE_MOST) line[(*n)++] = (char)c;
        *whole = c == '\n';
    }
    return *n > 0;
}

typedef void (*take_fn)(void *context, const char *line, size_t n, const json_t *object);

static enum status each_of(FILE *f, const char *path, take_fn take, void *context, struct metrics_unread *unread)
{
    char *line = malloc(LINE_MOST);
    size_t n;
    bool whole;
    CHECK(line != NULL);
    while (next_line(f, line, &n, &whole)) {
        json_t *object = whole ? json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (whole) take(context, line, n, object);
        unread->lines += whole && !json_is_object(object);
        unread->cut |= !whole;
        json_decref(object);
    }
    free(line);
    if (ferror(f)) FAIL(ST_IO, "%s: cannot be read", path);
    return ST_OK;
}

/* Calls take with each whole line and its object (NULL when it does not read). A last line without an end was cut by a kill. */
static enum status each_line(const char *path, take_fn take, void *context, struct metrics_unread *unread)
{
    *unread = (struct metrics_unread){ 0 };
    if (!file_exists(path)) return ST_OK;
    int fd;
    int64_t bytes;
    TRY(file_open(path, ST_IO, &fd, &bytes));
    FILE *const f = bytes <= metrics_most ? fdopen(fd, "r") : NULL;
    if (f == NULL) {
        (void)close(fd);
        FAIL(ST_IO, "%s: is larger than %lld bytes, or cannot be read", path, (long long)metrics_most);
    }
    const enum status s = each_of(f, path, take, context, unread);
    (void)fclose(f);
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
    struct metrics_unread unread;
    enum status s = each_line(path, keep_line, &cut, &unread);
    if (s == ST_OK && file_exists(path)) s = file_replace(path, cut.kept.data != NULL ? cut.kept.data : "", cut.kept.length);
    text_free(&cut.kept);
    return s;
}

struct each {
    void (*object)(void *context, const json_t *object);
    void (*point)(void *context, const struct metrics_point *point);
    void *context;
};

static void take_object(void *context, const char *line, size_t n, const json_t *object)
{
    const struct each *each = context;
    if (json_is_object(object)) each->object(each->context, object);
}

enum status metrics_objects(const char *path, void (*take)(void *context, const struct json_t *object), void *context,
                            struct metrics_unread *unread)
{
    struct each each = { .object = take, .context = context };
    return each_line(path, take_object, &each, unread);
}

double metrics_value(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void take_point(void *context, const json_t *object)
{
    const struct each *each = context;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const double weight = metrics_value(object, "weight");
    const struct metrics_point point = {
        .step = json_integer_value(json_object_get(object, "step")),
        .loss = metrics_value(object, "loss"),
        .bits_per_byte = metrics_value(object, "bits_per_byte"),
        .weight = weight > 0 ? weight : 1,
        .evaluation = kind != NULL && strcmp(kind, "evaluation") == 0,
        .source = json_string_value(json_object_get(object, "source")),
        .tokens = json_integer_value(json_object_get(object, "tokens")),
        .seconds = metrics_value(object, "seconds"),
    };
    each->point(each->context, &point);
}

enum status metrics_each(const char *path, void (*take)(void *context, const struct metrics_point *point), void *context)
{
    struct each each = { .point = take, .context = context };
    struct metrics_unread unread;
    return metrics_objects(path, take_point, &each, &unread);
}
