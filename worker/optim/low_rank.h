/* low_rank.h: a gradient [n,m] seen through `rank` directions of its short side, the rows of a projection P [rank, short side]:
 * P G [rank,m] where n < m, else G P^T [n,rank]. */
#ifndef LAMINA_OPTIM_LOW_RANK_H
#define LAMINA_OPTIM_LOW_RANK_H

#include "common/plan/optimizer.h"

int64_t low_rank_short(const struct param *p);
void low_rank_shape(const struct param *p, int64_t rank, int64_t *rows, int64_t *cols);
void low_rank_down(const struct param *p, int64_t rank, const float *projection, const float *g, float *out);
/* P^T X or X P, [n,m]. */
void low_rank_up(const struct param *p, int64_t rank, const float *projection, const float *x, float *out);

#endif
