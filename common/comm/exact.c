#include "exact.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

/* --- 1. Fixed point -------------------------------------------------------------------------------------------------- */

int exact_bits(int64_t contributions)
{
    int log2_up = 0;
    while (log2_up < 62 && ((int64_t)1 << log2_up) < contributions) log2_up++;
    return 62 - log2_up < 51 ? 62 - log2_up : 51;
}

/* Exponent e of a positive fp32 given by its bits: 2^e <= x < 2^(e+1). */
static int exponent_of(uint32_t bits)
{
    if (bits >= 0x00800000u) return (int)(bits >> 23) - 127;
    int e = -149;
    while (bits >>= 1) e++;
    return e;
}

int exact_exponent(uint32_t max_bits, int bits, int before)
{
    if (max_bits == 0) return before;
    return bits - 8 - (exponent_of(max_bits) + 1);
}

/* 2^e as a double, for -1022 <= e <= 1023. */
static double power_of_two(int e)
{
    CHECK(e >= -1022 && e <= 1023);
    const uint64_t bits = (uint64_t)(e + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |g| below this scales to less than 2^b. fp32 exponents reach from -149 to 127, F from about -136 to 200: no overflow in double. */
static double limit_of(int exponent, int bits) { return power_of_two(bits - exponent); }

/* Adding 1.5 * 2^52 to |x| < 2^51 leaves round-to-nearest-even(x) in the low bits of the sum. */
static const double magic = 6755399441055744.0;

static uint32_t add_row(int64_t *restrict sum, const float *restrict g, int64_t n, double scale, double limit)
{
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &g[i], sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
        const double x = (double)g[i];
        const double y = (x < limit && x > -limit ? x * scale : 0.0) + magic; /* NaN fails both comparisons */
        int64_t fixed, zero;
        memcpy(&fixed, &y, sizeof fixed);
        memcpy(&zero, &magic, sizeof zero);
        sum[i] = (int64_t)((uint64_t)sum[i] + ((uint64_t)fixed - (uint64_t)zero));
    }
    return most;
}

void exact_add(const struct exact_sink *sink, int64_t row, int64_t col, const float *g, int64_t ld, int64_t rows, int64_t cols)
{
    const double scale = power_of_two(sink->exponent), limit = limit_of(sink->exponent, sink->bits);
    uint32_t most = 0;
    for (int64_t r = 0; r < rows; r++) {
        const uint32_t m = add_row(sink->sum + (row + r) * sink->cols + col, g + r * ld, cols, scale, limit);
        most = m > most ? m : most;
    }
    uint32_t seen = __atomic_load_n(sink->max_bits, __ATOMIC_RELAXED);
    while (most > seen && !__atomic_compare_exchange_n(sink->max_bits, &seen, most, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

enum exact_verdict exact_judge(uint32_t max_bits, uint32_t before_max, int exponent, int bits)
{
    if (max_bits >= 0x7f800000u) return EXACT_NONFINITE;
    if (max_bits == 0) return EXACT_GOOD;
    if (before_max == 0) return EXACT_FIRST;
    if (exponent_of(max_bits) + exponent >= bits) return EXACT_OVERFLOW;
    float now, before;
    memcpy(&now, &max_bits, sizeof now);
    memcpy(&before, &before_max, sizeof before);
    return (double)now * 65536.0 < (double)before ? EXACT_SHRUNK : EXACT_GOOD;
}

void exact_decode(float *restrict out, const int64_t *restrict sum, int64_t n, int exponent, double divisor)
{
    const double scale = power_of_two(-exponent) / divisor;
    for (int64_t i = 0; i < n; i++) out[i] = (float)((double)sum[i] * scale);
}

/* --- 2. Superaccumulator --------------------------------------------------------------------------------------------- */

/* Limb k carries weight 2^(32 k - 1088); a double's 53 bits at 2^-1074 or above fall on three neighbours. The last limb counts what is not
 * finite. */
enum { SUPER_BIAS = 1088, SUPER_NONFINITE = SUPER_LIMBS - 1 };

void super_clear(struct super *s) { memset(s, 0, sizeof *s); }

void super_add(struct super *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int biased = (int)(bits >> 52 & 0x7ff);
    uint64_t mantissa = bits & 0xfffffffffffffu;
    if (biased == 0x7ff) {
        s->limb[SUPER_NONFINITE]++;
        return;
    }
    if (biased) mantissa |= (uint64_t)1 << 52;
    const int place = (biased ? biased : 1) - 1075 + SUPER_BIAS; /* x = mantissa * 2^(place - SUPER_BIAS) */
    const int limb = place / 32, shift = place % 32;
    const uint64_t low = mantissa << shift, high = shift ? mantissa >> (64 - shift) : 0;
    const int64_t part[3] = { (int64_t)(low & 0xffffffffu), (int64_t)(low >> 32), (int64_t)high };
    for (int i = 0; i < 3; i++) s->limb[limb + i] += bits >> 63 ? -part[i] : part[i];
    /* Each addition puts less than 2^32 on a limb: normalise long before 2^31 of them. The count of additions is not kept: callers that add
     * more than 2^30 values normalise in between. */
}

void super_merge(struct super *s, const struct super *other)
{
    for (int i = 0; i < SUPER_LIMBS; i++) s->limb[i] += other->limb[i];
}

/* Carries upwards until every limb but the top one is in [0, 2^32): the one representation of a value. */
void super_normalize(struct super *s)
{
    int64_t carry = 0;
    for (int i = 0; i < SUPER_NONFINITE; i++) {
        const int64_t v = s->limb[i] + carry;
        if (i == SUPER_NONFINITE - 1) {
            s->limb[i] = v;
            break;
        }
        carry = v >> 32;
        s->limb[i] = v & 0xffffffff;
    }
}

double super_value(const struct super *s)
{
    if (s->limb[SUPER_NONFINITE] != 0) return (double)NAN;
    struct super t = *s;
    super_normalize(&t);
    const bool negative = t.limb[SUPER_NONFINITE - 1] < 0;
    if (negative) {
        for (int i = 0; i < SUPER_NONFINITE; i++) t.limb[i] = -t.limb[i];
        super_normalize(&t);
    }
    int top = SUPER_NONFINITE - 1;
    while (top > 0 && t.limb[top] == 0) top--;
    /* The upper 64 bits as an integer, and whether anything is left below (sticky), then one rounding. */
    const uint64_t a = (uint64_t)t.limb[top], b = top > 0 ? (uint64_t)t.limb[top - 1] : 0, c = top > 1 ? (uint64_t)t.limb[top - 2] : 0;
    bool sticky = false;
    for (int i = 0; i < top - 2; i++) sticky |= t.limb[i] != 0;
    if (a == 0) return 0;
    const int lead = __builtin_clzll(a); /* a < 2^32 unless the top limb overflowed its payload */
    CHECK(lead >= 32 || top == SUPER_NONFINITE - 1);
    if (lead < 32) return negative ? -(double)INFINITY : (double)INFINITY;
    const int shift = lead - 32;
    uint64_t m = (a << 32 | b) << shift;
    if (shift) m |= c >> (32 - shift);
    sticky |= shift ? (uint32_t)(c << shift) != 0 : c != 0;
    int exponent = 32 * (top - 1) - SUPER_BIAS - shift; /* value = m * 2^exponent, m in [2^63, 2^64) */
    int drop = 11;
    if (exponent + drop < -1074) drop = -1074 - exponent; /* denormal results keep fewer bits */
    if (drop > 63) return 0;
    const uint64_t half = (uint64_t)1 << (drop - 1), rest = m & ((half << 1) - 1);
    uint64_t q = m >> drop;
    if (rest > half || (rest == half && (sticky || (q & 1)))) q++;
    exponent += drop;
    const double x = ldexp((double)q, exponent);
    return negative ? -x : x;
}

/* --- 3. Vectors ------------------------------------------------------------------------------------------------------- */

struct wide wide_from(double x, int exponent)
{
    const double y = x * power_of_two(exponent);
    CHECK(fabs(y) < 9903520314283042199192993792.0); /* 2^93 */
    const double high = floor(y * 0x1p-32), low = rint(y - high * 0x1p32);
    return (struct wide){ (int64_t)high, (int64_t)low };
}

void wide_add(struct wide *a, struct wide b)
{
    a->high += b.high;
    a->low += b.low;
}

double wide_value(struct wide a, int exponent)
{
    const int64_t carry = a.low >> 32;
    __extension__ typedef __int128 wide_int;
    const wide_int value = (((wide_int)a.high + carry) << 32) + (a.low & 0xffffffff);
    return (double)value * power_of_two(-exponent);
}
