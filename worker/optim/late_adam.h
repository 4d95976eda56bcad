/* late_adam.h: Adam as SOAP, GaLore and APOLLO have it: eps is added to the root as it is, and the corrections of both moments are one
 * factor of the step. So eps weighs 1 / sqrt(1 - b2^t) more than in Kingma & Ba. */
#ifndef LAMINA_OPTIM_LATE_ADAM_H
#define LAMINA_OPTIM_LATE_ADAM_H

#include <stdint.h>

/* sqrt(1 - b2^t) / (1 - b1^t) */
double late_adam_gain(const double betas[2], int64_t t);
/* m and v take in g; u = gain m / (sqrt(v) + eps). u may be g. */
void late_adam(const double betas[2], double eps, double gain, float *m, float *v, const float *g, float *u, int64_t n);

#endif
