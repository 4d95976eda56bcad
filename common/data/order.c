#include "order.h"
#include "common/base/check.h"
#include "common/base/rng.h"

enum { ROUNDS = 8 };

/* What the blocks of a stream serve: one range of indices for the shift, one for each Feistel round. */
enum { BLOCK_SHIFT = 0, BLOCK_ROUND = 1 };
static int64_t block_index(int range, uint64_t half) { return (int64_t)((uint64_t)range << 32 | half); }

static uint64_t draw(const struct order *o, int64_t epoch, int range, uint64_t half)
{
    return rng_u64((struct rng_key){ .seed = o->seed, .purpose = RNG_ORDER, .stream = o->stream }, epoch, block_index(range, half));
}

struct order order_make(uint64_t seed, uint32_t stream, int64_t n_tokens, int64_t context)
{
    CHECK(context > 0 && n_tokens >= 0);
    const int64_t fit = n_tokens > 0 ? (n_tokens - 1) / context : 0;
    return (struct order){
        .seed = seed, .stream = stream, .n_tokens = n_tokens, .context = context, .windows = fit >= ORDER_LONG ? fit - 1 : fit
    };
}

struct order order_of_windows(uint64_t seed, uint32_t stream, int64_t windows)
{
    return (struct order){ .seed = seed, .stream = stream, .windows = windows };
}

int64_t order_shift(const struct order *o, int64_t epoch)
{
    const int64_t choices = o->n_tokens - o->windows * o->context;
    return (int64_t)(draw(o, epoch, BLOCK_SHIFT, 0) % (uint64_t)choices); /* the bias is below 2 context / 2^64 */
}

/* Half of the bits of the smallest power of four >= n. */
static int half_bits(int64_t n)
{
    int bits = 0;
    while (bits < 31 && (INT64_C(1) << (2 * bits)) < n) bits++;
    return bits;
}

static uint64_t feistel(const struct order *o, int64_t epoch, uint64_t x, int bits)
{
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    uint64_t left = x >> bits, right = x & mask;
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t next = left ^ (draw(o, epoch, BLOCK_ROUND + round, right) & mask);
        left = right;
        right = next;
    }
    return left << bits | right;
}

int64_t order_permute(const struct order *o, int64_t epoch, int64_t index)
{
    CHECK(index >= 0 && index < o->windows);
    const int bits = half_bits(o->windows);
    uint64_t x = (uint64_t)index;
    do /* the cycle through a member of [0, windows) comes back to it, so this ends */
        x = feistel(o, epoch, x, bits);
    while (x >= (uint64_t)o->windows);
    return (int64_t)x;
}

int64_t order_window(const struct order *o, int64_t sample)
{
    CHECK(sample >= 0 && o->windows > 0);
    return order_permute(o, sample / o->windows, sample % o->windows);
}

int64_t order_position(const struct order *o, int64_t sample)
{
    return order_shift(o, sample / o->windows) + order_window(o, sample) * o->context;
}
