/* problem.h: what is wrong with a configuration, collected so that one reading tells everything. */
#ifndef LAMINA_CONFIG_PROBLEM_H
#define LAMINA_CONFIG_PROBLEM_H

#include "common/base/arena.h"
#include "common/base/str.h"

/* A text that values come from: a file, or one override of the command line (which has a name but no line numbers). */
struct source {
    const char *name, *text;
    size_t n;
    int override; /* 0: a file; else which argument of the command line */
};

/* Line and column count from 1, columns in characters; line 0 means the source as a whole. */
struct place {
    const struct source *source;
    int line, column;
};

struct problem {
    struct place place;
    const char *sentence;
};

/* PROBLEMS_BYTES: what is shown fits into the sentence of one failure (status.h), by which it travels between ranks. */
enum { PROBLEMS_KEPT = 500, PROBLEMS_SHOWN = 50, PROBLEMS_BYTES = 7168 };

/* Zero-initialised but for the arena it is empty. Beyond PROBLEMS_KEPT they are only counted. */
struct problems {
    struct arena *arena;
    int n, uncounted;
    struct problem rows[PROBLEMS_KEPT];
};

/* The same sentence about the same place is kept once: inherited values are read by every heir. */
void problem_add(struct problems *problems, struct place place, const char *format, ...) PRINTF_LIKE(3, 4);

/* True when a further problem would only be counted: no need to look for words that are not shown. */
bool problems_full(const struct problems *problems);
/* How many there are in all. */
int problems_count(const struct problems *problems);

/* In the order of the text: "file:line:column: sentence", the line itself, a caret; at most PROBLEMS_SHOWN or PROBLEMS_BYTES of them, then
 * "... and N more". */
void problems_print(struct problems *problems, struct text *out);

/* "file:line:column: ", and the line itself with a caret below (nothing where there is no line). */
void place_print(struct place place, struct text *out);
void place_print_line(struct place place, struct text *out);

#endif
