#include "low_rank.h"
#include "common/base/check.h"
#include "common/math/linalg.h"

static bool wide(const struct param *p) { return p->rows < p->cols; }

int64_t low_rank_short(const struct param *p) { return min_i64(p->rows, p->cols); }

void low_rank_shape(const struct param *p, int64_t rank, int64_t *rows, int64_t *cols)
{
    *rows = wide(p) ? rank : p->rows;
    *cols = wide(p) ? p->cols : rank;
}

void low_rank_down(const struct param *p, int64_t rank, const float *projection, const float *g, float *out)
{
    if (wide(p))
        linalg_product_f32(out, rank, p->cols, p->rows, projection, false, g, false);
    else
        linalg_product_f32(out, p->rows, rank, p->cols, g, false, projection, true);
}

void low_rank_up(const struct param *p, int64_t rank, const float *projection, const float *x, float *out)
{
    if (wide(p))
        linalg_product_f32(out, p->rows, p->cols, rank, projection, true, x, false);
    else
        linalg_product_f32(out, p->rows, p->cols, rank, x, false, projection, false);
}
