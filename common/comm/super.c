/* The superaccumulator: a sum of doubles as one long integer. All decoding and encoding is by integers, so that denormals count also
 * where the processor reads and writes them as zero (FTZ|DAZ).
 * Source: Kulisch's long accumulator, with the carry-save limbs of Neal
 * 2015 ("small superaccumulator"). */
#include "common/base/check.h"
#include "exact.h"
#include <math.h>
#include <string.h>

/* Limb i has the weight 2^(32 i - 1074). A double's last bit lies at 2^-1074 .. 2^971, limbs 0 to 65; the three above take carries, the
 * last of them with the sign. The one after counts what is not finite. */
enum { TOP = SUPER_LIMBS - 2, NONFINITE = SUPER_LIMBS - 1 };

void super_clear(struct super *s) { *s = (struct super){ 0 }; }

/* Limbs are carried over when one nears the end of int64, so that any number of values may be added. */
static void keep_room(struct super *s, int limb)
{
    const int64_t room = (int64_t)1 << 62;
    if (s->limb[limb] >= room || s->limb[limb] <= -room) super_normalize(s);
}

void super_add(struct super *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t fraction = bits & 0xfffffffffffff, biased = bits >> 52 & 0x7ff;
    if (biased == 0x7ff) {
        s->limb[NONFINITE]++;
        return;
    }
    const uint64_t mantissa = biased > 0 ? fraction | (uint64_t)1 << 52 : fraction; /* |x| = mantissa * 2^(place - 1074) */
    const int place = biased > 0 ? (int)biased - 1 : 0;
    const int limb = place / 32, shift = place % 32;
    const uint64_t low = mantissa << shift;
    const int64_t part[3] = { (int64_t)(low & 0xffffffff), (int64_t)(low >> 32), shift > 0 ? (int64_t)(mantissa >> (64 - shift)) : 0 };
    const int64_t sign = bits >> 63 ? -1 : 1;
    for (int i = 0; i < 3; i++) s->limb[limb + i] += sign * part[i];
    for (int i = 0; i < 3; i++) keep_room(s, limb + i);
}

void super_merge(struct super *s, const struct super *other)
{
    for (int i = 0; i < SUPER_LIMBS; i++) s->limb[i] += other->limb[i];
    for (int i = 0; i < SUPER_LIMBS; i++) keep_room(s, i);
}

/* Carries upwards until every limb below the top is in [0, 2^32): the one form of a value, whatever the order of the terms. */
void super_normalize(struct super *s)
{
    for (int i = 0; i < TOP; i++) {
        s->limb[i + 1] += s->limb[i] >> 32;
        s->limb[i] &= 0xffffffff;
    }
}

/* The 64 bits from position `at` of a normalised, positive sum. */
static uint64_t bits_at(const struct super *s, int at)
{
    const int limb = at / 32, shift = at % 32;
    const uint64_t low = (uint64_t)s->limb[limb] | (limb < TOP ? (uint64_t)s->limb[limb + 1] << 32 : 0);
    const uint64_t high = limb + 1 < TOP ? (uint64_t)s->limb[limb + 2] : 0;
    return shift > 0 ? low >> shift | high << (64 - shift) : low;
}

static bool any_below(const struct super *s, int at)
{
    for (int i = 0; i < at / 32; i++)
        if (s->limb[i] != 0) return true;
    return ((uint64_t)s->limb[at / 32] & (((uint64_t)1 << at % 32) - 1)) != 0;
}

double super_value(const struct super *s)
{
    if (s->limb[NONFINITE] != 0) return (double)NAN;
    struct super t = *s;
    super_normalize(&t);
    const bool negative = t.limb[TOP] < 0;
    for (int i = 0; negative && i <= TOP; i++) t.limb[i] = -t.limb[i];
    super_normalize(&t);

    int top = TOP;
    while (top > 0 && t.limb[top] == 0) top--;
    if (t.limb[top] == 0) return 0;
    const int leading = 32 * top + 63 - __builtin_clzll((uint64_t)t.limb[top]); /* position of the first one bit */

    /* m = the 53 bits from position q on. Then q * 2^52 + m is the encoding: m's leading bit adds 1 to the exponent field, q = 0 gives
     * the denormals and 2^-1022, and a carry of the rounding runs into the exponent as it must. */
    const int q = leading > 52 ? leading - 52 : 0;
    uint64_t encoded = 0x7ff0000000000000; /* infinity, for sums beyond double's range */
    if (q < 2046) {
        uint64_t m = bits_at(&t, q) & 0x1fffffffffffff;
        const bool half = q > 0 && (bits_at(&t, q - 1) & 1);
        if (half && ((m & 1) || any_below(&t, q - 1))) m++; /* to nearest, ties to even */
        encoded = ((uint64_t)q << 52) + m;
    }
    encoded |= (uint64_t)negative << 63;
    double value;
    memcpy(&value, &encoded, sizeof value);
    return value;
}
