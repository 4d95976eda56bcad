/* vec_kernels.c: the kernels of vec.h, compiled once per instruction set (CMakeLists.txt) as the table VEC_TABLE.
 * Plain loops over formulas without branches: the compiler vectorises the body and compiles the tail from the same expression, and with
 * neither contraction nor reassociation (-ffp-contract=off) every element goes through the same roundings wherever it stands. */
#include "common/tensor/convert.h"
#include "private.h"
#include <float.h>
#include <math.h>

#ifdef __FMA__
static inline float fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
static inline float fma_f32(float a, float b, float c) { return a * b + c; } /* two roundings; libm's fmaf is a slow call */
#endif

/* out may be an input itself: every iteration reads its own elements before it writes them. */
#define EACH(i, n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)

static inline uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* ---- exp, log, tanh ---- */

static const float log2e = 1.44269504f;
static const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f; /* high has 9 bits: k * high is exact */
static const float to_integer = 12582912.0f;                           /* 1.5 * 2^23: adding it rounds to an integer in the low bits */

/* e^x = 2^k e^r, k = round(x / ln 2), |r| <= ln 2 / 2; e^r by the minimax polynomial of Cephes' expf.
 * 2^k is applied in two halves, so that results near FLT_MAX do not overflow on the way. NaN passes. */
static inline float exp_f32(float x)
{
    float z = x > 89 ? 89 : x;
    z = z < -88 ? -88 : z;
    const float t = fma_f32(z, log2e, to_integer), k = t - to_integer;
    const float r = fma_f32(-k, ln2_low, fma_f32(-k, ln2_high, z));
    float p = 1.9875691500e-4f;
    p = fma_f32(p, r, 1.3981999507e-3f);
    p = fma_f32(p, r, 8.3334519073e-3f);
    p = fma_f32(p, r, 4.1665795894e-2f);
    p = fma_f32(p, r, 1.6666665459e-1f);
    p = fma_f32(p, r, 5.0000001201e-1f);
    p = fma_f32(p * r, r, r) + 1;
    const int32_t e = (int32_t)(bits_of(t) - bits_of(to_integer)), half = e >> 1;
    const float y = p * float_of((uint32_t)(half + 127) << 23) * float_of((uint32_t)(e - half + 127) << 23);
    return x < -87 ? 0 : y;
}

/* ln x = e ln 2 + ln(1 + f), x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt 2); polynomial of Cephes' logf.
 * 0 and denormals give -inf, negative x NaN. */
static inline float log_f32(float x)
{
    const uint32_t sqrt_half = 0x3f3504f3u;
    const uint32_t u = bits_of(x) - sqrt_half;
    const float e = (float)((int32_t)u >> 23), f = float_of((u & 0x7fffffu) + sqrt_half) - 1, f2 = f * f;
    float p = 7.0376836292e-2f;
    p = fma_f32(p, f, -1.1514610310e-1f);
    p = fma_f32(p, f, 1.1676998740e-1f);
    p = fma_f32(p, f, -1.2420140846e-1f);
    p = fma_f32(p, f, 1.4249322787e-1f);
    p = fma_f32(p, f, -1.6668057665e-1f);
    p = fma_f32(p, f, 2.0000714765e-1f);
    p = fma_f32(p, f, -2.4999993993e-1f);
    p = fma_f32(p, f, 3.3333331174e-1f);
    p = fma_f32(e, ln2_low, p * f * f2);
    p = fma_f32(-0.5f, f2, p);
    float y = fma_f32(e, ln2_high, p + f);
    y = x > FLT_MAX ? x : y; /* +inf */
    y = x < FLT_MIN ? -INFINITY : y;
    y = x < 0 ? NAN : y;
    return x != x ? x : y;
}

/* |x| < 0.625: x + x^3 P(x^2) (Cephes' tanhf), else 1 - 2 / (e^2|x| + 1) with the sign of x. */
static inline float tanh_f32(float x)
{
    const float x2 = x * x, a = float_of(bits_of(x) & 0x7fffffffu);
    float p = -5.70498872745e-3f;
    p = fma_f32(p, x2, 2.06390887954e-2f);
    p = fma_f32(p, x2, -5.37397155531e-2f);
    p = fma_f32(p, x2, 1.33314422036e-1f);
    p = fma_f32(p, x2, -3.33332819422e-1f);
    const float small = fma_f32(p * x2, x, x), large = 1 - 2 / (exp_f32(2 * a) + 1);
    const float y = float_of(bits_of(large) | (bits_of(x) & 0x80000000u));
    return a < 0.625f ? small : y;
}

static void k_exp(float *out, const float *x, int64_t n) { EACH(i, n) out[i] = exp_f32(x[i]); }
static void k_log(float *out, const float *x, int64_t n) { EACH(i, n) out[i] = log_f32(x[i]); }
static void k_tanh(float *out, const float *x, int64_t n) { EACH(i, n) out[i] = tanh_f32(x[i]); }

/* ---- sums: element i goes to lane i mod 16; then lanes j and j + 8, j and j + 4, ... are added ---- */

enum { LANES = 16 };

static inline double tree(double lane[LANES])
{
    for (int w = LANES / 2; w > 0; w /= 2)
        for (int j = 0; j < w; j++) lane[j] += lane[j + w];
    return lane[0];
}
static inline void lanes_add(double lane[LANES], const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += (double)x[i + j];
    for (int j = 0; i + j < n; j++) lane[j] += (double)x[i + j];
}
static double k_sum(const float *x, int64_t n)
{
    double lane[LANES] = { 0 };
    lanes_add(lane, x, n);
    return tree(lane);
}
/* Products of two floats are exact in double, so fused or not gives the same bits. */
static double k_dot(const float *x, const float *y, int64_t n)
{
    double lane[LANES] = { 0 };
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += (double)x[i + j] * (double)y[i + j];
    for (int j = 0; i + j < n; j++) lane[j] += (double)x[i + j] * (double)y[i + j];
    return tree(lane);
}
static double k_sum_squares(const float *x, int64_t n) { return k_dot(x, x, n); }

static float k_max(const float *x, int64_t n)
{
    float lane[LANES];
    for (int j = 0; j < LANES; j++) lane[j] = -INFINITY;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int j = 0; i + j < n; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int j = 1; j < LANES; j++) lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
    return lane[0];
}

/* ---- linear ---- */

static void k_add(float *out, const float *x, int64_t n) { EACH(i, n) out[i] += x[i]; }
static void k_axpy(float *out, float a, const float *x, int64_t n) { EACH(i, n) out[i] = fma_f32(a, x[i], out[i]); }
static void k_scale(float *out, float a, const float *x, int64_t n) { EACH(i, n) out[i] = a * x[i]; }

/* ---- softmax: blocks small enough that the sum reads them from the first cache ---- */

static double k_softmax_body(float *out, const float *x, float max, int64_t n)
{
    enum { BLOCK = 1024 }; /* a multiple of LANES: the lane of an element does not depend on its block */
    double lane[LANES] = { 0 };
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        const float *in = x + first;
        float *to = out + first;
        EACH(i, count) to[i] = exp_f32(in[i] - max);
        lanes_add(lane, to, count);
    }
    return tree(lane);
}

/* ---- gated and smooth units ---- */

static inline float sigmoid_f32(float z) { return 1 / (1 + exp_f32(-z)); }

/* gelu(x) = x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): no cancellation for negative x. */
static const float two_sqrt_2_pi = 1.5957691216f, gelu_cubic = 0.044715f;

static void k_gelu(float *out, const float *x, int64_t n)
{
    EACH(i, n)
    {
        const float v = x[i], z = two_sqrt_2_pi * fma_f32(gelu_cubic * v * v, v, v);
        out[i] = v * sigmoid_f32(z);
    }
}
/* d gelu / dx = s + x s (1 - s) z',  s = sigmoid(z), z = 2u, z' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2) */
static void k_gelu_backward(float *dx, const float *x, const float *dy, int64_t n)
{
    EACH(i, n)
    {
        const float v = x[i], cubic = gelu_cubic * v * v;
        const float s = sigmoid_f32(two_sqrt_2_pi * fma_f32(cubic, v, v)), dz = two_sqrt_2_pi * fma_f32(3, cubic, 1);
        dx[i] = dy[i] * fma_f32(v * s * (1 - s), dz, s);
    }
}
/* silu(a) = a sigmoid(a) */
static void k_swiglu(float *y, const float *a, const float *b, int64_t n) { EACH(i, n) y[i] = a[i] * sigmoid_f32(a[i]) * b[i]; }
/* d silu / da = s + a s (1 - s) */
static void k_swiglu_backward(float *da, float *db, const float *a, const float *b, const float *dy, int64_t n)
{
    EACH(i, n)
    {
        const float v = a[i], w = b[i], d = dy[i], s = sigmoid_f32(v), silu = v * s;
        da[i] = d * w * fma_f32(silu, 1 - s, s);
        db[i] = d * silu;
    }
}

/* ---- storage ---- */

static void k_from_bf16(float *out, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(x[i]);
}
static void k_to_bf16(uint16_t *out, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = f32_to_bf16(x[i]);
}

extern const struct vec_table VEC_TABLE;
const struct vec_table VEC_TABLE = {
    .name = VEC_NAME,
    .exp = k_exp,
    .log = k_log,
    .tanh = k_tanh,
    .sum = k_sum,
    .sum_squares = k_sum_squares,
    .dot = k_dot,
    .max = k_max,
    .add = k_add,
    .axpy = k_axpy,
    .scale = k_scale,
    .softmax_body = k_softmax_body,
    .gelu = k_gelu,
    .gelu_backward = k_gelu_backward,
    .swiglu = k_swiglu,
    .swiglu_backward = k_swiglu_backward,
    .from_bf16 = k_from_bf16,
    .to_bf16 = k_to_bf16,
};
