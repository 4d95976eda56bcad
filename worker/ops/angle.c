/* Powers, sines and cosines for rotary positions. Only +, -, *, / on doubles: the same bits wherever IEEE arithmetic is. */
#define LAMINA_OPS_INSIDE
#include "private.h"

static const double LN2 = 0.693147180559945309417;

/* ln x = k ln 2 + 2 (t + t^3/3 + t^5/5 + ...), t = (m - 1) / (m + 1), x = m 2^k with m in [3/4, 3/2). */
static double natural_log(double x)
{
    int k = 0;
    for (; x >= 1.5; k++) x /= 2;
    for (; x < 0.75; k--) x *= 2;
    const double t = (x - 1) / (x + 1), t2 = t * t;
    double sum = 0;
    for (int i = 27; i >= 1; i -= 2) sum = sum * t2 + 1.0 / i;
    return k * LN2 + 2 * t * sum;
}

/* e^x for x <= 0: e^r / 2^k with r = x + k ln 2 in [0, ln 2), by its series. */
static double exponential(double x)
{
    const int k = (int)(-x / LN2) + 1;
    const double r = x + k * LN2;
    double sum = 1;
    for (int i = 20; i >= 1; i--) sum = 1 + sum * r / i;
    for (int i = 0; i < k; i++) sum /= 2;
    return sum;
}

double angle_power(double base, double exponent) { return exponential(exponent * natural_log(base)); }

/* x = k pi/2 + r, |r| <= pi/4, with pi/2 in two parts (the first has 33 bits, so k times it is exact), then both series. */
void angle_sin_cos(double x, float *sine, float *cosine)
{
    static const double PI_2_HIGH = 1.57079632673412561417, PI_2_LOW = 6.07710050650619224932e-11;
    const int64_t k = (int64_t)(x * 0.636619772367581343076 + 0.5);
    const double r = (x - (double)k * PI_2_HIGH) - (double)k * PI_2_LOW, r2 = r * r;
    double s = 1, c = 1;
    for (int i = 16; i >= 2; i -= 2) {
        s = 1 - s * r2 / (i * (i + 1));
        c = 1 - c * r2 / (i * (i - 1));
    }
    s *= r;
    const double sines[4] = { s, c, -s, -c };
    *sine = (float)sines[k & 3];
    *cosine = (float)sines[(k + 1) & 3];
}
