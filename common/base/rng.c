#include "rng.h"
#include "clones.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define LAMINA_CIPHER_AVX2 1
#endif

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

#ifdef LAMINA_CIPHER_AVX2
enum { GROUPS = 2 }; /* groups of four blocks that hide each other's latency */

/* The same twice as fast. Each word has a lane of 64 bits, of which the products read the lower half: what stands in the upper half
 * need not be taken away, nor halves be put together again before the end. */
__attribute__((target("avx2"))) static void cipher_avx2(struct rng_key key, int64_t step, uint64_t index, uint32_t out[4 * LANES])
{
    const __m256i m0 = _mm256_set1_epi64x((int64_t)multiplier[0]), m1 = _mm256_set1_epi64x((int64_t)multiplier[1]);
    __m256i keys[ROUNDS][2];
    uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
    for (int round = 0; round < ROUNDS; round++, k0 += weyl[0], k1 += weyl[1]) {
        keys[round][0] = _mm256_set1_epi64x((int64_t)k0);
        keys[round][1] = _mm256_set1_epi64x((int64_t)k1);
    }
    for (int i = 0; i < LANES; i += 4 * GROUPS, index += 4 * GROUPS) {
        __m256i c[GROUPS][4];
        for (int k = 0; k < GROUPS; k++) {
            c[k][0] = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)index), _mm256_setr_epi64x(4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3));
            c[k][1] = _mm256_srli_epi64(c[k][0], 32);
            c[k][2] = _mm256_set1_epi64x((int64_t)(uint32_t)step);
            c[k][3] = _mm256_set1_epi64x((int64_t)(key.purpose << 24 ^ key.stream));
        }
        for (int round = 0; round < ROUNDS; round++)
            for (int k = 0; k < GROUPS; k++) {
                const __m256i p0 = _mm256_mul_epu32(m0, c[k][0]), p1 = _mm256_mul_epu32(m1, c[k][2]);
                c[k][0] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(c[k][1], keys[round][0]));
                c[k][2] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(c[k][3], keys[round][1]));
                c[k][1] = p1;
                c[k][3] = p0;
            }
        for (int k = 0; k < GROUPS; k++, out += 16) {
            const __m256i first = _mm256_blend_epi32(c[k][0], _mm256_slli_epi64(c[k][1], 32), 0xaa);
            const __m256i second = _mm256_blend_epi32(c[k][2], _mm256_slli_epi64(c[k][3], 32), 0xaa);
            const __m256i even = _mm256_unpacklo_epi64(first, second),
                          odd = _mm256_unpackhi_epi64(first, second); /* blocks 0, 2 and 1, 3 */
            _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(even, odd, 0x20));
            _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
        }
    }
}
#endif

static void cipher(struct rng_key key, int64_t step, uint64_t index, uint32_t out[4 * LANES])
{
#ifdef LAMINA_CIPHER_AVX2
    if (__builtin_cpu_supports("avx2")) {
        cipher_avx2(key, step, index, out);
        return;
    }
#endif
    cipher_lanes(key, step, index, out);
}

void rng_blocks(struct rng_key key, int64_t step, int64_t index, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) cipher(key, step, (uint64_t)(index + i), out + 4 * i);
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
