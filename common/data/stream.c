#include "stream.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

/* --- samples ------------------------------------------------------------------------------------------------------------- */

struct samples samples_from(struct samples s, int64_t i, int64_t context)
{
    const int64_t at = i * context;
    return (struct samples){ s.inputs + at, s.targets + at, s.starts != NULL ? s.starts + at : NULL };
}

void samples_copy(struct samples to, struct samples from, int64_t n, int64_t context)
{
    const size_t bytes = (size_t)(n * context) * sizeof(int32_t);
    if (bytes == 0) return;
    memcpy(to.inputs, from.inputs, bytes);
    memcpy(to.targets, from.targets, bytes);
    if (to.starts != NULL) memcpy(to.starts, from.starts, bytes);
}

void samples_pad(struct samples s, int64_t n, int64_t context)
{
    for (int64_t i = 0; i < n * context; i++) s.inputs[i] = 0, s.targets[i] = -1;
    if (s.starts != NULL && n > 0) memset(s.starts, 0, (size_t)(n * context) * sizeof *s.starts);
}

/* Tokens [first, first + n) as targets, each beside the one before it. before: what stands before the first; -1: what does in the file. */
static enum status read_run(const struct tokens *t, int64_t first, int64_t n, int32_t before, int32_t *inputs, int32_t *targets)
{
    TRY(tokens_read(t, first, n, targets));
    memcpy(inputs + 1, targets, (size_t)(n - 1) * sizeof *inputs);
    inputs[0] = before;
    return before < 0 ? tokens_read(t, first - 1, 1, inputs) : ST_OK;
}

/* Places that no document fills see each other and nothing else, and predict nothing. */
static void pad_rest(const struct stream *s, int64_t from, struct samples out)
{
    for (int64_t t = from; t < s->context; t++) {
        out.inputs[t] = s->tokens.end_of_document;
        out.targets[t] = -1;
        out.starts[t] = (int32_t)from;
    }
}

static enum status packed_window(const struct stream *s, int64_t window, struct samples out)
{
    const struct pack *p = &s->pack;
    int64_t at = 0;
    for (int64_t i = p->window[window]; i < p->window[window + 1]; i++) {
        const struct pack_piece *piece = &p->pieces[i];
        TRY(read_run(&s->tokens, piece->first, piece->n, piece->begins ? s->tokens.end_of_document : -1, out.inputs + at,
                     out.targets + at));
        for (int64_t t = at; t < at + piece->n; t++) out.starts[t] = (int32_t)at;
        at += piece->n;
    }
    pad_rest(s, at, out);
    return ST_OK;
}

/* --- a source ------------------------------------------------------------------------------------------------------------ */

static enum status open_packed(struct stream *s, uint64_t seed, uint32_t key)
{
    int64_t *starts;
    TRY(tokens_starts(&s->tokens, &starts));
    pack_open(starts, s->tokens.n_documents, s->tokens.n_tokens, s->context, &s->pack);
    free(starts);
    s->order = order_of_windows(seed, key, s->pack.n_windows);
    return ST_OK;
}

static enum status open_whole(struct stream *s, uint64_t seed, uint32_t key)
{
    s->order = order_make(seed, key, s->tokens.n_tokens, s->context);
    if (s->order.windows == 0)
        FAIL(ST_DATA, "%s: holds %lld tokens, and one window of context %lld needs %lld; give more text or a shorter context",
             s->tokens.path, (long long)s->tokens.n_tokens, (long long)s->context, (long long)s->context + 1);
    return ST_OK;
}

enum status stream_open(const char *path, uint64_t seed, uint32_t key, int64_t context, bool separate, struct stream *out)
{
    *out = (struct stream){ .context = context, .separate = separate };
    TRY(tokens_open(path, false, &out->tokens));
    const enum status s = separate ? open_packed(out, seed, key) : open_whole(out, seed, key);
    if (s) stream_close(out);
    return s;
}

void stream_close(struct stream *s)
{
    if (s->context > 0) tokens_close(&s->tokens);
    pack_close(&s->pack);
}

int64_t stream_epoch(const struct stream *s) { return s->order.windows; }

enum status stream_sample(const struct stream *s, int64_t index, struct samples out)
{
    CHECK((out.starts != NULL) == s->separate);
    if (s->separate) return packed_window(s, order_window(&s->order, index), out);
    return read_run(&s->tokens, order_position(&s->order, index) + 1, s->context, -1, out.inputs, out.targets);
}

int64_t stream_windows(const struct stream *s) { return s->separate ? s->pack.n_windows : (s->tokens.n_tokens - 1) / s->context; }

enum status stream_window(const struct stream *s, int64_t i, struct samples out)
{
    CHECK((out.starts != NULL) == s->separate);
    const struct order fixed = order_of_windows(0, 0, stream_windows(s));
    if (s->separate) return packed_window(s, order_window(&fixed, i), out);
    return read_run(&s->tokens, i * s->context + 1, s->context, -1, out.inputs, out.targets);
}
