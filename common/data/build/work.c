#include "work.h"
#include "common/base/check.h"
#include "common/data/packed.h"
#include <string.h>

enum { STEP_SHARDS = 8 }; /* passed over at one time: 32 MiB of text or more, a fraction of a second */

struct work work_begin(const struct setting *s, const struct units *units, int rank, int ranks)
{
    return (struct work){ .setting = s, .units = units, .rank = rank, .ranks = ranks, .unit = -1 };
}

static void close_file(struct work *w)
{
    reader_close(w->reader);
    w->reader = NULL;
}

void work_close(struct work *w) { close_file(w); }

static double part_of(const struct work *w, const struct unit *u) { return u->shared ? 1.0 / w->ranks : 1.0; }

double work_done(const struct work *w)
{
    if (w->unit < 0 || w->unit >= w->units->n) return w->done;
    const int64_t here = w->file_done + (w->reader != NULL ? reader_position(w->reader) : 0);
    return w->done + (double)here * part_of(w, &w->units->unit[w->unit]);
}

/* --- shards ------------------------------------------------------------------------------------------------------------- */

/* Shards that complete segments tell of, or that the size of a plain file tells; 0: unknown. */
static int64_t known_shards(const struct work *w, const struct unit *u)
{
    const struct input *const f = &w->setting->inputs.file[u->first];
    size_t stem;
    if (!u->cut) return 1;
    const struct packed_desc *const kind = packed_kind(f->path, &stem);
    if (kind->begins == NULL && kind->lacking == NULL) return max_i64(1, ceil_div(f->bytes, w->units->shard_bytes));
    struct segment_head head;
    bool found = true;
    for (int64_t k = 0;; k++) {
        segment_look(w->setting, u->key, k, &head, &found);
        if (!found) return 0;
        if (head.last) return k + 1;
    }
}

static void next_unit(struct work *w)
{
    close_file(w);
    if (w->unit >= 0) w->done += (double)w->units->unit[w->unit].bytes * part_of(w, &w->units->unit[w->unit]);
    w->file_done = 0;
    do w->unit++;
    while (w->unit < w->units->n && !w->units->unit[w->unit].shared && w->units->unit[w->unit].owner != w->rank);
    w->shard = -1;
    w->n_shards = w->unit < w->units->n ? known_shards(w, &w->units->unit[w->unit]) : 0;
}

static bool complete(struct work *w, const struct unit *u)
{
    struct segment_head head;
    bool found;
    segment_look(w->setting, u->key, w->shard, &head, &found);
    if (!found || !segment_verify(w->setting, u->key, w->shard)) return false;
    if (head.last) w->n_shards = w->shard + 1;
    for (int i = 0; i < w->setting->n_sides; i++) w->taken_up += head.side[i].text_bytes;
    return true;
}

static enum status open_file(struct work *w, int64_t file)
{
    const struct setting *const s = w->setting;
    const struct input *const f = &s->inputs.file[file];
    w->file = file;
    return reader_open(f, f->format->lines ? NULL : s->cutter, s->options->max_unpacked, &w->reader);
}

/* Reader and range for the shard at hand; *beyond: the file ends before it. */
static enum status enter(struct work *w, const struct unit *u, bool *beyond)
{
    *beyond = false;
    if (w->reader == NULL) TRY(open_file(w, u->first));
    if (!u->cut) return ST_OK;
    const int64_t from = w->shard * w->units->shard_bytes;
    bool there;
    TRY(reader_approach(w->reader, from, STEP_SHARDS * w->units->shard_bytes, &there));
    w->approaching = !there;
    if (!there) return ST_OK;
    TRY(reader_range(w->reader, from, from + w->units->shard_bytes));
    *beyond = w->shard > 0 && reader_bytes(w->reader) >= 0 && reader_bytes(w->reader) <= from;
    return ST_OK;
}

/* The next shard of this rank that is not complete; w->unit is the number of units where there is none. */
static enum status next_shard(struct work *w)
{
    if (w->unit < 0) next_unit(w);
    while (w->unit < w->units->n) {
        const struct unit *const u = &w->units->unit[w->unit];
        const int64_t next = !u->shared ? w->shard + 1 : w->shard < 0 ? w->rank : w->shard + w->ranks;
        bool beyond = !w->approaching && w->n_shards > 0 && next >= w->n_shards;
        if (!beyond) {
            if (!w->approaching) {
                w->shard = next;
                if (complete(w, u)) continue;
            }
            TRY(enter(w, u, &beyond));
            if (w->approaching) return ST_OK;
        }
        if (!beyond) {
            w->inside = w->begins = true;
            return ST_OK;
        }
        next_unit(w);
    }
    return ST_OK;
}

/* --- filling ------------------------------------------------------------------------------------------------------------ */

/* The file that is open has no more for this shard: the next one of a bundle, or the shard ends. */
static enum status file_ends(struct work *w, struct batch *b)
{
    const struct unit *const u = &w->units->unit[w->unit];
    if (!u->cut) {
        w->file_done += w->setting->inputs.file[w->file].bytes;
        close_file(w);
        if (w->file + 1 < u->first + u->n_files) return open_file(w, w->file + 1);
        b->last = true;
    } else {
        TRY(reader_ends(w->reader, &b->last));
        if (b->last) w->n_shards = w->shard + 1;
    }
    b->ends = true;
    w->inside = false;
    return ST_OK;
}

enum status work_fill(struct work *w, struct batch *b)
{
    batch_empty(b);
    if (!w->inside) TRY(next_shard(w));
    b->more = w->approaching;
    if (b->more || w->unit >= w->units->n) return ST_OK;
    b->unit = w->unit;
    b->shard = w->shard;
    b->begins = w->begins;
    w->begins = false;
    while (b->used < BATCH_BYTES && !b->ends) {
        struct record record;
        bool found;
        TRY(reader_next(w->reader, &record, &found));
        if (found)
            TRY(batch_add(b, w->file, &record));
        else
            TRY(file_ends(w, b));
    }
    return ST_OK;
}
