/* json_place.h: a value in a JSON file of somebody, with the way to it, so that what is refused is refused by name and place. */
#ifndef LAMINA_DATA_TOKENIZERS_JSON_PLACE_H
#define LAMINA_DATA_TOKENIZERS_JSON_PLACE_H

#include "common/base/arena.h"
#include <jansson.h>
#include <stdint.h>

struct place {
    struct arena *arena;    /* of the ways */
    const char *file, *way; /* "pre_tokenizer.pretokenizers[1]"; "" for the file itself */
    const json_t *value;    /* NULL: missing */
};

/* The file as an object: at most `most` bytes, no key twice, nothing behind it. Owns: *root until json_decref.
 * Fails: ST_DATA with line and column. */
enum status place_open(struct arena *arena, const char *file, size_t most, json_t **root, struct place *out) MUST_USE;

struct place place_member(struct place p, const char *key); /* of an object; value NULL where it is not there */
struct place place_element(struct place p, size_t i);       /* of an array */
bool place_none(struct place p);                            /* missing or null */

/* "FILE: WAY: ..." as ST_DATA. */
enum status place_refuse(struct place p, const char *format, ...) PRINTF_LIKE(2, 3);
/* An object whose keys all stand in `known` (NULL-terminated); a key that does not is refused, with the nearest that does. */
enum status place_keys(struct place p, const char *const *known) MUST_USE;
/* The value must be there and of this type. */
enum status place_text(struct place p, const char **out) MUST_USE;
enum status place_integer(struct place p, int64_t low, int64_t high, int64_t *out) MUST_USE;
enum status place_array(struct place p, size_t *n) MUST_USE;
/* A missing one (or null) is `otherwise`. */
enum status place_bool(struct place p, bool otherwise, bool *out) MUST_USE;

#endif
