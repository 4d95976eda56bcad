/* problem.c: see problem.h. */
#include "common/config/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCE_MAX = 1024, LINE_SHOWN = 120, LINE_BEFORE = 80 }; /* bytes; characters of a line shown, and of them before the caret */

void problem_add(struct problems *problems, struct place place, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);

    for (int i = 0; i < problems->n; i++) {
        const struct problem *told = &problems->rows[i];
        if (told->place.source == place.source && told->place.line == place.line && told->place.column == place.column &&
            strcmp(told->sentence, sentence) == 0)
            return;
    }
    if (problems_full(problems)) {
        problems->uncounted++;
        return;
    }
    problems->rows[problems->n++] = (struct problem){ place, arena_strdup(problems->arena, sentence) };
}

bool problems_full(const struct problems *problems) { return problems->n == PROBLEMS_KEPT; }

int problems_count(const struct problems *problems) { return problems->n + problems->uncounted; }

/* The file before the command line, then by line and column. */
static int by_place(const void *left, const void *right)
{
    const struct place *a = &((const struct problem *)left)->place, *b = &((const struct problem *)right)->place;
    if (a->source->override != b->source->override) return a->source->override < b->source->override ? -1 : 1;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

static bool starts_character(char byte) { return ((unsigned char)byte & 0xC0) != 0x80; }

/* Where `count` characters of text end, in bytes. */
static size_t skip_characters(const char *text, size_t n, int count)
{
    size_t i = 0;
    while (i < n && count > 0) {
        i++;
        while (i < n && !starts_character(text[i])) i++;
        count--;
    }
    return i;
}

/* As it will stand on the terminal, in one line: a tab takes one column, so that the caret stays below its character. */
static void add_visible(struct text *out, const char *text, size_t n)
{
    for (size_t i = 0, run; i < n; i += run + 1) {
        for (run = 0; i + run < n && text[i + run] != '\t' && text[i + run] != '\n';) run++;
        text_add_printable(out, text + i, run);
        if (i + run < n) text_add(out, "%s", text[i + run] == '\t' ? " " : "\\x0a");
    }
}

void place_print_line(struct place place, struct text *out)
{
    if (place.line == 0) return;
    const char *line = place.source->text, *end = line + place.source->n;
    for (int i = 1; i < place.line && line != NULL; i++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line != NULL) line++;
    }
    if (line == NULL || line >= end) return; /* a problem at the end of the text has no line to show */
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (stop == NULL) stop = end;
    if (stop > line && stop[-1] == '\r') stop--;

    int before = place.column - 1;
    const bool cut_left = before > LINE_BEFORE;
    if (cut_left) {
        line += skip_characters(line, (size_t)(stop - line), before - LINE_BEFORE);
        before = LINE_BEFORE;
    }
    const size_t n = (size_t)(stop - line), shown = skip_characters(line, n, LINE_SHOWN), head = skip_characters(line, shown, before);
    struct text visible = { 0 };
    add_visible(&visible, line, head);
    const int64_t indent = str_characters(visible.data, visible.length) + (cut_left ? 3 : 0);
    add_visible(&visible, line + head, shown - head);
    text_add(out, "  %s", cut_left ? "..." : "");
    text_add_bytes(out, visible.data, visible.length);
    text_add(out, "%s\n  %*s^\n", shown < n ? "..." : "", (int)indent, "");
    text_free(&visible);
}

void place_print(struct place place, struct text *out)
{
    text_add_printable(out, place.source->name, strlen(place.source->name));
    if (place.line > 0 && place.source->override == 0) text_add(out, ":%d:%d", place.line, place.column);
    text_add(out, ": ");
}

static void print_problem(const struct problem *problem, struct text *out)
{
    place_print(problem->place, out);
    add_visible(out, problem->sentence, strlen(problem->sentence));
    text_add(out, "\n");
    place_print_line(problem->place, out);
}

void problems_print(struct problems *problems, struct text *out)
{
    qsort(problems->rows, (size_t)problems->n, sizeof problems->rows[0], by_place);
    int shown = 0;
    for (const size_t begin = out->length; shown < problems->n && shown < PROBLEMS_SHOWN; shown++) {
        const size_t before = out->length;
        print_problem(&problems->rows[shown], out);
        if (shown == 0 || out->length - begin <= PROBLEMS_BYTES) continue;
        out->length = before;
        break;
    }
    const int more = problems_count(problems) - shown;
    if (more > 0) text_add(out, "... and %d more\n", more);
}
