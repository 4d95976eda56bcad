#include "units.h"
#include "common/base/check.h"
#include <string.h>

/* A thousandth of the inputs, so that a folder of segments stays a folder that one can list; not so small that files become many, not so
 * large that little is done when a build is killed. A power of two: another file more does not move all borders. */
static int64_t choose_shard_bytes(int64_t inputs_bytes)
{
    const int64_t least = (int64_t)4 << 20, most = (int64_t)256 << 20;
    int64_t bytes = least;
    while (bytes < most && bytes < inputs_bytes / 1024) bytes *= 2;
    return bytes;
}

static struct digest128 key_of(const struct setting *s, const struct units *units, const struct unit *u)
{
    struct digest_stream *const d = digest_begin();
    digest_add(d, &s->digest, sizeof s->digest);
    digest_add(d, &units->shard_bytes, sizeof units->shard_bytes);
    for (int64_t i = u->first; i < u->first + u->n_files; i++) {
        const struct input *const f = &s->inputs.file[i];
        digest_add(d, f->path, strlen(f->path) + 1);
        digest_add(d, f->format->name, strlen(f->format->name) + 1);
        digest_add(d, &f->bytes, sizeof f->bytes);
        digest_add(d, &f->changed_ns, sizeof f->changed_ns);
    }
    return digest_end(d);
}

static void share_out(const struct setting *s, struct units *units, int ranks, int64_t *load)
{
    for (int64_t i = 0; i < units->n; i++) {
        struct unit *const u = &units->unit[i];
        u->shared = u->cut && ranks > 1 && u->bytes > s->inputs.bytes / (2 * ranks);
        for (int r = 1; r < ranks && !u->shared; r++)
            if (load[r] < load[u->owner]) u->owner = r;
        for (int r = 0; r < ranks; r++) load[r] += u->shared ? u->bytes / ranks : r == u->owner ? max_i64(1, u->bytes) : 0;
    }
}

void units_cut(struct arena *arena, const struct setting *s, int ranks, struct units *out)
{
    const struct inputs *const in = &s->inputs;
    *out = (struct units){ .unit = arena_place_n(arena, (size_t)in->n + 1, sizeof *out->unit),
                           .shard_bytes = s->options->shard_bytes > 0 ? s->options->shard_bytes : choose_shard_bytes(in->bytes) };
    for (int64_t i = 0; i < in->n; i++) {
        const struct input *const f = &in->file[i];
        const bool large = f->bytes >= out->shard_bytes;
        struct unit *const last = out->n > 0 ? &out->unit[out->n - 1] : NULL;
        if (last == NULL || large || last->cut || last->bytes >= out->shard_bytes)
            out->unit[out->n++] =
                (struct unit){ .first = i, .n_files = 1, .bytes = f->bytes, .cut = large && (f->format->lines || s->cutter) };
        else
            last->n_files++, last->bytes += f->bytes;
    }
    for (int64_t i = 0; i < out->n; i++) out->unit[i].key = key_of(s, out, &out->unit[i]);
    share_out(s, out, ranks, arena_place_n(arena, (size_t)ranks, sizeof(int64_t)));
}
