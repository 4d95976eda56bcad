#include "ledger.h"
#include "common/base/check.h"
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void ledger_write(const struct ledger *l, struct text *out)
{
    json_t *rows = json_array();
    for (int i = 0; i < l->n; i++) {
        const struct ledger_row *r = &l->row[i];
        char hex[DIGEST_HEX];
        CHECK(json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "name", r->name, "content",
                                                    digest_hex(r->content, hex), "key", (json_int_t)r->key, "share", (json_int_t)r->share,
                                                    "before", (json_int_t)r->before, "taken", (json_int_t)r->taken)) == 0);
    }
    json_t *o =
        json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "orders", (json_int_t)l->orders, "first_step", (json_int_t)l->first_step, "sequences",
                  (json_int_t)l->sequences, "context", (json_int_t)l->context, "separate", l->separate, "sources", rows);
    char *json = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    CHECK(json != NULL);
    text_add(out, "%s", json);
    free(json);
    json_decref(o);
}

/* --- Reading ------------------------------------------------------------------------------------------------------------ */

static enum status bad(const char *what) { FAIL(ST_DAMAGED, "data/ledger of a checkpoint: %s", what); }

/* low .. 2^50, so that sums over all sources are numbers. */
static bool take_i64(const json_t *o, const char *key, int64_t low, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_is_integer(v) ? json_integer_value(v) : -1;
    return json_is_integer(v) && *out >= low && *out <= INT64_C(1) << 50;
}

static enum status take_row(const json_t *o, struct ledger_row *r)
{
    const char *name = json_string_value(json_object_get(o, "name")), *content = json_string_value(json_object_get(o, "content"));
    int64_t key;
    if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof r->name) return bad("a source without a name");
    for (const char *c = name; *c != '\0'; c++) /* as a configuration may name sources; it is printed */
        if ((unsigned char)*c >= 0x80 || (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL))
            return bad("a source with a name that is none");
    memcpy(r->name, name, strlen(name) + 1);
    if (content == NULL || digest_parse(content, &r->content) != ST_OK) return bad("the content of a source is no digest");
    if (!take_i64(o, "key", 0, &key) || key > UINT32_MAX || !take_i64(o, "share", 0, &r->share) || r->share > mix_whole ||
        !take_i64(o, "before", 0, &r->before) || !take_i64(o, "taken", r->before, &r->taken))
        return bad("the numbers of a source are none");
    r->key = (uint32_t)key;
    return ST_OK;
}

static enum status take_rows(const json_t *rows, struct ledger *l)
{
    int64_t shares = 0;
    if (!json_is_array(rows) || json_array_size(rows) < 1 || json_array_size(rows) > LEDGER_MOST) return bad("it has no list of sources");
    for (l->n = 0; l->n < (int)json_array_size(rows); l->n++) {
        struct ledger_row *r = &l->row[l->n];
        TRY(take_row(json_array_get(rows, (size_t)l->n), r));
        for (int i = 0; i < l->n; i++)
            if (strcmp(l->row[i].name, r->name) == 0) return bad("a source stands twice");
        if (r->share > 0 && l->n_read < l->n) return bad("sources that are read stand behind others");
        l->n_read += r->share > 0;
        shares += r->share;
    }
    return shares == mix_whole && l->n_read <= MIX_MOST ? ST_OK : bad("its shares do not add up");
}

static enum status take(const json_t *o, struct ledger *l)
{
    *l = (struct ledger){ 0 };
    if (!take_i64(o, "orders", 0, &l->orders) || !take_i64(o, "first_step", 0, &l->first_step) ||
        !take_i64(o, "sequences", 1, &l->sequences) || !take_i64(o, "context", 1, &l->context))
        return bad("its numbers are none");
    const json_t *separate = json_object_get(o, "separate"); /* not in older ones */
    if (separate != NULL && !json_is_boolean(separate)) return bad("separate is neither true nor false");
    l->separate = json_is_true(separate);
    return take_rows(json_object_get(o, "sources"), l);
}

enum status ledger_read(const char *text, size_t n, struct ledger *out)
{
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        return bad("it is no JSON object");
    }
    const enum status s = take(o, out);
    json_decref(o);
    return s;
}
