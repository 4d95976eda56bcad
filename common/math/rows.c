/* rows.c: rows of a tensor as fp32, whatever its stored type (fp32 or bf16). */
#include "common/base/check.h"
#include "private.h"
#include "vec.h"

const float *row_load(const struct tensor *t, int64_t first, int64_t n, float *scratch)
{
    if (t->dtype == DT_F32) return tensor_f32(t) + first;
    vec_table()->from_bf16(scratch, tensor_bf16(t) + first, n);
    return scratch;
}

float *row_open(const struct tensor *t, int64_t first, int64_t n, float *scratch)
{
    CHECK(t->dtype == DT_F32 || t->dtype == DT_BF16);
    return t->dtype == DT_F32 ? tensor_f32(t) + first : scratch;
}

void row_store(const struct tensor *t, int64_t first, int64_t n, const float *row)
{
    if (t->dtype == DT_F32) return; /* row_open gave the tensor itself */
    vec_table()->to_bf16(tensor_bf16(t) + first, row, n);
}
