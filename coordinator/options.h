/* options.h: the command line, parsed from rows. The row that parses an option also prints its help, so the two cannot disagree.
 * Read this before commands.h. */
#ifndef LAMINA_COORDINATOR_OPTIONS_H
#define LAMINA_COORDINATOR_OPTIONS_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_INTEGER,
    OPTION_NUMBER,
    OPTION_LIST /* may be given more than once */
};
struct option_row {
    const char *name; /* without the dashes; NULL ends a table */
    enum option_type type;
    const char *arg;   /* what stands for the value in help, "N"; NULL for a flag */
    const char *value; /* default as text; NULL: none */
    double low, high;  /* bounds of numbers, inclusive */
    const char *help;
};

/* What follows the command's name. Overrides are arguments of the form key.path=value. */
struct option_rules {
    const struct option_row *rows;
    int least, most; /* operands; most -1: any number */
    bool overrides;
    const char *usage; /* "RUN [options]", for messages */
};

enum { OPTIONS_MAX = 64, OPERANDS_MAX = 4096 }; /* a shell makes many operands of one pattern */
struct options {
    const struct option_row *rows;
    int n_operands, n_overrides, n_given;
    const char *operand[OPERANDS_MAX], *override[OPTIONS_MAX];
    struct {
        const struct option_row *row;
        const char *value;
    } given[OPTIONS_MAX];
    bool help;
};

/* Checks names, counts, types and bounds; texts stay in argv. --help (or -h) sets `help` and skips the checks of operand counts.
 * Fails: ST_USAGE with the nearest word. */
enum status options_parse(const struct option_rules *rules, int argc, char *const argv[], struct options *out) MUST_USE;

/* What was given, else the row's default. The name must stand in the table with this type: anything else breaks an invariant. */
bool option_flag(const struct options *o, const char *name);
const char *option_text(const struct options *o, const char *name); /* NULL: not given and no default */
int64_t option_integer(const struct options *o, const char *name);
double option_number(const struct options *o, const char *name);
/* All values of a list in the order given; returns how many (at most OPTIONS_MAX). */
int option_list(const struct options *o, const char *name, const char *out[OPTIONS_MAX]);
bool option_given(const struct options *o, const char *name);

#endif
