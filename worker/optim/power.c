#include "power.h"

#include <math.h>

double power_whole(double x, int64_t n)
{
    double result = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2 == 1) result *= x;
    return result;
}

static const double log_2 = 0.69314718055994530942;

/* log x = k log 2 + 2 artanh((m - 1) / (m + 1)), m = x 2^-k in [1/sqrt 2, sqrt 2): the artanh series has |z| < 0.172. */
double logarithm(double x)
{
    int k;
    double m = frexp(x, &k); /* exact, as ldexp below: integers and no rounding */
    if (m < 0.70710678118654752440) {
        m *= 2;
        k--;
    }
    const double z = (m - 1) / (m + 1), z2 = z * z;
    double sum = 0;
    for (int i = 23; i >= 1; i -= 2) sum = sum * z2 + 1.0 / i;
    return k * log_2 + 2 * z * sum;
}

/* exp x = 2^k exp r, |r| <= log 2 / 2: the Taylor series to r^15 / 15!. */
static double exponential(double x)
{
    const double k = floor(x / log_2 + 0.5), r = x - k * log_2;
    double sum = 1;
    for (int i = 15; i >= 1; i--) sum = 1 + r / i * sum;
    return ldexp(sum, (int)k);
}

double power(double x, double y) { return exponential(y * logarithm(x)); }
