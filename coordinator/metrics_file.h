/* metrics_file.h: metrics.jsonl, one JSON object per line; written by sinks/jsonl.c, read back when a run goes on or is reported on.
 * events.jsonl has the same form (journal.h). */
#ifndef LAMINA_COORDINATOR_METRICS_FILE_H
#define LAMINA_COORDINATOR_METRICS_FILE_H

#include "coordinator/sinks/sink.h"

struct json_t;
/* A number, or null where JSON has none (NaN, infinities). */
struct json_t *metrics_number(double x);
/* Appends the object as one line with one write, and frees it. Fails: ST_IO. */
enum status metrics_append(const char *path, struct json_t *object) MUST_USE;

/* Drops lines of steps after `step`, which a killed process wrote and the resumed one will do again. Fails: ST_IO. */
enum status metrics_cut(const char *path, int64_t step) MUST_USE;

/* Every line that holds an object, in the order of the file, read line by line: its size does not matter. A file that does not exist has no
 * lines. unread: lines that hold none, and whether the last has no end (its process was killed, or is writing it). Fails: ST_IO. */
struct metrics_unread {
    int64_t lines;
    bool cut;
};
enum status metrics_objects(const char *path, void (*take)(void *context, const struct json_t *object), void *context,
                            struct metrics_unread *unread) MUST_USE;
/* A number of an object; NAN where there is none. */
double metrics_value(const struct json_t *object, const char *key);

/* What a plot needs of every line; evaluation: the loss is of a valid source. Fails: ST_IO. */
struct metrics_point {
    int64_t step;
    double loss, bits_per_byte;
    double weight; /* of an evaluation, in the mean over sources; 1 where a line says none */
    bool evaluation;
    const char *source; /* of an evaluation; it lives as long as the call */
    int64_t tokens;
    double seconds;
};
enum status metrics_each(const char *path, void (*take)(void *context, const struct metrics_point *point), void *context) MUST_USE;

#endif
