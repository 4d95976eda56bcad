/* private.h: what the families share: short forms of tape calls. */
#ifndef LAMINA_MODELS_INSIDE
#error "private to worker/models"
#endif
#ifndef LAMINA_MODELS_PRIVATE_H
#define LAMINA_MODELS_PRIVATE_H

#include "worker/models/models.h"
#include "worker/ops/ops.h"
#include "worker/tape.h"

/* A weight [rows, cols] that starts normal; a vector [cols] that starts at one or zero. */
int weight(struct tape *t, const char *name, enum role role, int64_t rows, int64_t cols, double std);
int vector(struct tape *t, const char *name, enum role role, int64_t cols, enum init init);

/* One linear op over n adjacent weights, and as many biases where bias is not NULL. */
int linear(struct tape *t, int x, int n, const int weights[], const int bias[]);
/* q, k and v of x in one product: [B,T,(H+2Hk)*D]. */
int query_key_value(struct tape *t, int x, const struct model_config *config, bool bias);
/* An op that depends on where in its document a token stands, on x: where documents are kept apart it takes their starts as well. */
int placed(struct tape *t, const struct op_desc *op, const void *attr, size_t attr_bytes, int x, int n_param, const int param[]);
/* An op on one or two values without parameters. */
int unary(struct tape *t, const struct op_desc *op, int x);
int add(struct tape *t, int a, int b);

/* The last op of a head: the loss per token, or logits of the last position. */
void head_end(struct tape *t, int x, int weights);

/* Outputs that are added to the residual stream start smaller, so that its variance does not grow with depth. Radford et al. 2019, 2.3. */
double residual_std(const struct model_config *config);

#endif
