#include "manifest.h"
#include "common/base/check.h"
#include "h5.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1 };
static const char format_name[] = "lamina-checkpoint";

int64_t manifest_blocks(int64_t bytes) { return ceil_div(bytes, MANIFEST_BLOCK_BYTES); }

/* XXH3-128 over the hex digests of the blocks, one after the other, without separators. */
static struct digest128 digest_of_digests(const struct manifest *m)
{
    struct digest_stream *const stream = digest_begin();
    char hex[DIGEST_HEX];
    for (int64_t i = 0; i < m->n_blocks; i++) digest_add(stream, digest_hex(m->block[i], hex), DIGEST_HEX - 1);
    return digest_end(stream);
}

static json_t *json_digest(struct digest128 d)
{
    char hex[DIGEST_HEX];
    return json_string(digest_hex(d, hex));
}

void manifest_print(const struct manifest *m, struct text *out)
{
    json_t *const blocks = json_array(), *const datasets = json_array();
    for (int64_t i = 0; i < m->n_blocks; i++) (void)json_array_append_new(blocks, json_digest(m->block[i]));
    for (int i = 0; i < m->n_datasets; i++) {
        const struct manifest_dataset *const d = &m->dataset[i];
        (void)json_array_append_new(
            datasets, json_pack("{s:s, s:I, s:I}", "name", d->name, "offset", (json_int_t)d->offset, "bytes", (json_int_t)d->bytes));
    }
    json_t *const root =
        json_pack("{s:s, s:i, s:I, s:s, s:I, s:i, s:o, s:o, s:o}", "format", format_name, "version", FORMAT_VERSION, "step",
                  (json_int_t)m->step, "file", "state.h5", "bytes", (json_int_t)m->bytes, "block_bytes", MANIFEST_BLOCK_BYTES, "digest",
                  json_digest(digest_of_digests(m)), "blocks", blocks, "datasets", datasets);
    char *const text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    CHECK(text != NULL); /* only memory or a name that is not UTF-8 could prevent it */
    text_add_bytes(out, text, strlen(text));
    text_add_bytes(out, "\n", 1);
    free(text);
    json_decref(root);
}

static enum status parse_blocks(struct arena *arena, const char *name, const json_t *list, struct manifest *out)
{
    if ((int64_t)json_array_size(list) != out->n_blocks)
        FAIL(ST_DAMAGED, "%s: lists %zu blocks, and %" PRId64 " bytes have %" PRId64, name, json_array_size(list), out->bytes,
             out->n_blocks);
    out->block = arena_place_n(arena, (size_t)out->n_blocks, sizeof *out->block);
    for (int64_t i = 0; i < out->n_blocks; i++) {
        const char *const hex = json_string_value(json_array_get(list, (size_t)i));
        if (hex == NULL || digest_parse(hex, &out->block[i]))
            FAIL(ST_DAMAGED, "%s: the digest of block %" PRId64 " is not 32 hex digits", name, i);
    }
    return ST_OK;
}

static enum status parse_datasets(struct arena *arena, const char *name, json_t *list, struct manifest *out)
{
    out->n_datasets = (int)json_array_size(list);
    out->dataset = arena_place_n(arena, (size_t)out->n_datasets + 1, sizeof *out->dataset);
    for (int i = 0; i < out->n_datasets; i++) {
        const char *dataset;
        json_int_t offset, bytes;
        if (json_unpack(json_array_get(list, (size_t)i), "{s:s, s:I, s:I !}", "name", &dataset, "offset", &offset, "bytes", &bytes) != 0 ||
            !h5_is_name(dataset, strlen(dataset)) || offset < 0 || bytes < 0 || bytes > out->bytes || offset > out->bytes - bytes)
            FAIL(ST_DAMAGED, "%s: dataset %d is not described by name, offset and bytes inside the file", name, i);
        out->dataset[i] = (struct manifest_dataset){ .name = arena_strdup(arena, dataset), .offset = offset, .bytes = bytes };
    }
    return ST_OK;
}

static enum status parse_root(struct arena *arena, const char *name, json_t *root, struct manifest *out)
{
    const char *format, *file, *digest;
    int version, block_bytes;
    json_int_t step, bytes;
    json_t *blocks, *datasets;
    json_error_t error;
    if (json_unpack_ex(root, &error, 0, "{s:s, s:i, s:I, s:s, s:I, s:i, s:s, s:o, s:o !}", "format", &format, "version", &version, "step",
                       &step, "file", &file, "bytes", &bytes, "block_bytes", &block_bytes, "digest", &digest, "blocks", &blocks, "datasets",
                       &datasets) != 0)
        FAIL(ST_DAMAGED, "%s: is not a manifest: %s", name, error.text);
    if (strcmp(format, format_name) != 0 || version != FORMAT_VERSION || strcmp(file, "state.h5") != 0 ||
        block_bytes != MANIFEST_BLOCK_BYTES || step < 0 || bytes <= 0)
        FAIL(ST_DAMAGED, "%s: is not a manifest of version %d that describes state.h5 in blocks of 4 MiB", name, FORMAT_VERSION);
    if (!json_is_array(blocks) || !json_is_array(datasets)) FAIL(ST_DAMAGED, "%s: blocks or datasets are not lists", name);
    *out = (struct manifest){ .step = step, .bytes = bytes, .n_blocks = manifest_blocks(bytes) };
    TRY(parse_blocks(arena, name, blocks, out));
    TRY(parse_datasets(arena, name, datasets, out));
    struct digest128 whole;
    if (digest_parse(digest, &whole) || !digest_equal(whole, digest_of_digests(out)))
        FAIL(ST_DAMAGED, "%s: is damaged itself: its digest of digests is another", name);
    return ST_OK;
}

enum status manifest_parse(struct arena *arena, const char *name, const char *text, size_t n, struct manifest *out)
{
    json_error_t error;
    json_t *const root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) FAIL(ST_DAMAGED, "%s:%d: is not JSON: %s", name, error.line, error.text);
    const enum status s = parse_root(arena, name, root, out);
    json_decref(root);
    return s;
}
