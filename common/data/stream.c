#include "stream.h"
#include <string.h>

struct samples samples_from(struct samples s, int64_t i, int64_t context)
{
    return (struct samples){ s.inputs + i * context, s.targets + i * context };
}

void samples_copy(struct samples to, struct samples from, int64_t n, int64_t context)
{
    const size_t bytes = (size_t)(n * context) * sizeof(int32_t);
    if (bytes == 0) return;
    memcpy(to.inputs, from.inputs, bytes);
    memcpy(to.targets, from.targets, bytes);
}

void samples_pad(struct samples s, int64_t n, int64_t context)
{
    for (int64_t i = 0; i < n * context; i++) s.inputs[i] = 0, s.targets[i] = -1;
}

enum status samples_window(const struct tokens *t, int64_t first, int64_t context, struct samples out)
{
    TRY(tokens_read(t, first + 1, context, out.targets));
    memcpy(out.inputs + 1, out.targets, (size_t)(context - 1) * sizeof *out.inputs);
    return tokens_read(t, first, 1, out.inputs);
}

enum status stream_open(const char *path, uint64_t seed, uint32_t key, int64_t context, struct stream *out)
{
    TRY(tokens_open(path, false, &out->tokens));
    out->order = order_make(seed, key, out->tokens.n_tokens, context);
    if (out->order.windows > 0) return ST_OK;
    stream_close(out);
    FAIL(ST_DATA, "%s: holds %lld tokens, and one window of context %lld needs %lld; give more text or a shorter context", path,
         (long long)out->tokens.n_tokens, (long long)context, (long long)context + 1);
}

void stream_close(struct stream *s) { tokens_close(&s->tokens); }

int64_t stream_epoch(const struct stream *s) { return s->order.windows; }

enum status stream_sample(const struct stream *s, int64_t index, struct samples out)
{
    return samples_window(&s->tokens, order_position(&s->order, index), s->order.context, out);
}
