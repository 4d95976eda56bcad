/* permute_tokens IN OUT: the tokens of a file in random order, as one document. Nothing but their frequencies is left to learn, so a model
 * trained on it must end at the order-0 count: below it would mean that it sees what it predicts, far above it that it does not learn. */
#include "common/base/rng.h"
#include "common/data/tokens.h"

#include <stdio.h>

/* Fisher and Yates, from the last place down. The remainder favours low places by less than 2^-32: nothing here could see it. */
static void permute(int32_t *token, int64_t n)
{
    const struct rng_key key = { .seed = 1, .purpose = RNG_TEST };
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)(rng_u64(key, 0, i) % (uint64_t)(i + 1));
        const int32_t kept = token[i];
        token[i] = token[j];
        token[j] = kept;
    }
}

static enum status copy_permuted(struct arena *arena, const struct tokens *in, const char *out)
{
    struct tokens_writer *w;
    int32_t *token = arena_place_n(arena, (size_t)in->n_tokens, sizeof *token);
    TRY(tokens_read(in, 0, in->n_tokens, token));
    permute(token, in->n_tokens);
    TRY(tokens_create(out, in->tokenizer, in->tokenizer_digest, in->vocab, &w));
    const enum status s = tokens_append(w, token, in->n_tokens, NULL, in->text_bytes);
    if (s) {
        tokens_abandon(w);
        return s;
    }
    return tokens_publish(w);
}

int main(int argc, char **argv)
{
    struct tokens in;
    struct arena arena;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: permute_tokens IN.h5 OUT.h5\n");
        return 2;
    }
    enum status s = tokens_open(argv[1], true, &in);
    if (!s) {
        arena_open_growing(&arena, "permute");
        s = copy_permuted(&arena, &in, argv[2]);
        arena_close(&arena);
        tokens_close(&in);
    }
    if (s) (void)fprintf(stderr, "permute_tokens: %s\n", status_text());
    return status_exit_code(s);
}
