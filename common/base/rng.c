#include "rng.h"
#include "clones.h"

#include <math.h>
#include <string.h>

/* Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3": multipliers and key increments of Philox4x32. */
enum { ROUNDS = 10 };
static const uint32_t multiplier[2] = { 0xd2511f53u, 0xcd9e8d57u };
static const uint32_t weyl[2] = { 0x9e3779b9u, 0xbb67ae85u };

void rng_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)multiplier[0] * c0, p1 = (uint64_t)multiplier[1] * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += weyl[0];
        k1 += weyl[1];
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void rng_block(struct rng_key key, int64_t step, int64_t index, uint32_t out[4])
{
    const uint32_t counter[4] = { (uint32_t)index, (uint32_t)((uint64_t)index >> 32), (uint32_t)step, key.purpose << 24 ^ key.stream };
    rng_philox4x32(counter, (uint32_t[2]){ (uint32_t)key.seed, (uint32_t)(key.seed >> 32) }, out);
}

/* LANES counters through the rounds together, in loops that the compiler turns into vectors (it unrolls 16 instead). */
enum { LANES = 32 };
VECTOR_CLONES static void cipher_lanes(struct rng_key key, int64_t step, uint64_t index, uint32_t out[restrict 4 * LANES])
{
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
    for (uint32_t i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(index + i), c1[i] = (uint32_t)((index + i) >> 32);
        c2[i] = (uint32_t)step, c3[i] = key.purpose << 24 ^ key.stream;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LANES; i++) {
            const uint64_t p0 = (uint64_t)multiplier[0] * c0[i], p1 = (uint64_t)multiplier[1] * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += weyl[0];
        k1 += weyl[1];
    }
    for (int i = 0; i < LANES; i++) out[4 * i] = c0[i], out[4 * i + 1] = c1[i], out[4 * i + 2] = c2[i], out[4 * i + 3] = c3[i];
}

void rng_blocks(struct rng_key key, int64_t step, int64_t index, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) cipher_lanes(key, step, (uint64_t)(index + i), out + 4 * i);
    for (; i < n; i++) rng_block(key, step, index + i, out + 4 * i);
}

static uint64_t join(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }

uint64_t rng_u64(struct rng_key key, int64_t step, int64_t index)
{
    uint32_t word[4];
    rng_block(key, step, index, word);
    return join(word[0], word[1]);
}

double rng_uniform(struct rng_key key, int64_t step, int64_t index) { return (double)(rng_u64(key, step, index) >> 11) * 0x1p-53; }

/* ln x for normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh f, f = (m-1)/(m+1), |f| < 0.172.
 * The series in f^2 < 0.0295 is below one place after 11 terms. */
static double natural_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp0) m *= 0.5, e += 1;
    const double f = (m - 1) / (m + 1), f2 = f * f;
    double series = 0;
    for (int k = 10; k >= 0; k--) series = series * f2 + 1.0 / (2 * k + 1);
    return 2 * f * series + (double)e * 0x1.62e42fefa39efp-1; /* ln 2 */
}

/* cos(2 pi x) for x in [0, 1): the nearest quarter turn q is taken off exactly; Taylor series of sine and cosine on
 * [-pi/4, pi/4] serve the rest. */
static double cosine_of_turns(double x)
{
    const int q = (int)(4 * x + 0.5);
    const double a = (x - 0.25 * q) * 0x1.921fb54442d18p2, a2 = a * a; /* 2 pi */
    double series = 1;                                                 /* nested: 1 - a2/(n(n-1)) (1 - a2/((n-2)(n-3)) (...)) */
    if (q % 2 == 0) {
        for (int n = 18; n >= 2; n -= 2) series = 1 - a2 / (n * (n - 1)) * series;
        return q % 4 == 0 ? series : -series;
    }
    for (int n = 19; n >= 3; n -= 2) series = 1 - a2 / (n * (n - 1)) * series;
    return q % 4 == 3 ? a * series : -a * series;
}

double rng_normal(struct rng_key key, int64_t step, int64_t index)
{
    uint32_t word[4];
    rng_block(key, step, index, word);
    const double u = (double)((join(word[0], word[1]) >> 11) + 1) * 0x1p-53; /* in (0, 1] */
    const double v = (double)(join(word[2], word[3]) >> 11) * 0x1p-53;       /* in [0, 1) */
    return sqrt(-2 * natural_log(u)) * cosine_of_turns(v);                   /* sqrt is exact by IEEE 754 */
}
