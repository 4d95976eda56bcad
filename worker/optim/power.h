/* power.h: powers of numbers, the same on every machine. The C library's pow picks its code by processor, and these values enter
 * weights on every rank. Double arithmetic in a fixed order, no libm. */
#ifndef LAMINA_OPTIM_POWER_H
#define LAMINA_OPTIM_POWER_H

#include <stdint.h>

/* x^n, n >= 0, by squaring; relative error below n * 2^-53. */
double power_whole(double x, int64_t n);
/* x^y for 0 < x and |y log x| < 700; relative error about |y log x| * 2^-52. */
double power(double x, double y);
/* Natural logarithm of x > 0; relative error about 2^-51. */
double logarithm(double x);

#endif
