/* str.h: small text helpers that libc lacks. */
#ifndef LAMINA_BASE_STR_H
#define LAMINA_BASE_STR_H

#include "status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text that grows. Zero-initialised it is empty. Owns: its memory until text_free. */
struct text {
    char *data;
    size_t length, cap;
};
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_add_bytes(struct text *text, const char *bytes, size_t n);
void text_free(struct text *text);

/* The candidate nearest to word by edit distance (transpositions count one), or NULL when none is near
 * (distance > max(2, length / 3), or nothing of the word is left). */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

/* Shell-like match of the whole name: * any run, ? one character. */
bool str_glob(const char *pattern, const char *name);

/* Whole-string numbers. Fails: ST_USAGE with a sentence; *out untouched. */
enum status str_to_i64(const char *text, int64_t *out) MUST_USE;
enum status str_to_f64(const char *text, double *out) MUST_USE;
/* A size above 0: "4096", "10 GB" (10^9), "1.5GiB" (2^30). Fails: ST_USAGE. */
enum status str_to_bytes(const char *text, int64_t *out) MUST_USE;

/* Human sizes and durations into a caller's buffer: "1.5 GiB", "3 min 20 s". Return buffer. */
char *str_bytes(char *buffer, size_t size, double bytes);
char *str_seconds(char *buffer, size_t size, double seconds);
/* 1234567 -> "1,234,567" */
char *str_count(char *buffer, size_t size, int64_t n);

/* Characters of n bytes of UTF-8: the bytes that begin one. */
int64_t str_characters(const char *text, size_t n);

/* Append bytes with controls, direction marks and invalid UTF-8 written as \xNN, so that data cannot drive a terminal. New
 * line and tab stay as they are. */
void text_add_printable(struct text *text, const char *bytes, size_t n);

#endif
