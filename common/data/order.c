#include "order.h"

#include "common/base/check.h"
#include "common/base/rng.h"

struct order order_make(uint64_t seed, uint32_t stream, int64_t n_tokens, int64_t context)
{
    struct order o = { .seed = seed, .stream = stream, .n_tokens = n_tokens, .context = context };
    /* with the largest shift, context - 1, the last window must still end inside: shift + windows * context + 1 <= n_tokens */
    const int64_t usable = n_tokens - 1 - (context - 1);
    if (context > 0 && usable >= context)
        o.windows = usable / context;
    else if (context > 0 && n_tokens >= context + 1)
        o.windows = 1;
    return o;
}

/* Balanced Feistel network on 2h bits, four rounds of Philox. Bijective for any round function; values outside [0, n) walk on until they
 * are inside. */
static int64_t feistel(const struct order *o, int64_t epoch, int half_bits, int64_t index)
{
    const uint32_t mask = half_bits >= 32 ? UINT32_MAX : ((uint32_t)1 << half_bits) - 1;
    uint32_t left = (uint32_t)(index >> half_bits) & mask, right = (uint32_t)index & mask;
    const uint32_t key[2] = { (uint32_t)o->seed, (uint32_t)(o->seed >> 32) };
    for (uint32_t round = 0; round < 4; round++) {
        const uint32_t counter[4] = { right, (uint32_t)epoch, round | o->stream << 8, (uint32_t)RNG_ORDER };
        uint32_t out[4];
        rng_philox4x32(counter, key, out);
        const uint32_t next = left ^ (out[0] & mask);
        left = right;
        right = next;
    }
    return (int64_t)left << half_bits | right;
}

int64_t order_permute(const struct order *o, int64_t epoch, int64_t index)
{
    CHECK(index >= 0 && index < o->windows);
    int half_bits = 1;
    while (half_bits < 31 && (int64_t)1 << (2 * half_bits) < o->windows) half_bits++;
    int64_t at = index;
    do at = feistel(o, epoch, half_bits, at);
    while (at >= o->windows); /* the domain is at most four times as large: four turns on average */
    return at;
}

static int64_t shift_of(const struct order *o, int64_t epoch)
{
    const int64_t room = o->n_tokens - 1 - o->windows * o->context; /* shifts 0 .. room fit; at most context - 1 are different */
    const int64_t choices = min_i64(room, o->context - 1) + 1;
    const struct rng_key key = { o->seed, RNG_ORDER, o->stream };
    return epoch == 0 ? 0 : (int64_t)(rng_u64(key, epoch, 0) % (uint64_t)choices);
}

int64_t order_position(const struct order *o, int64_t sample)
{
    const int64_t epoch = sample / o->windows;
    return shift_of(o, epoch) + order_permute(o, epoch, sample % o->windows) * o->context;
}
