/* vec.c: the functions of vec.h, by the table of the instruction set in use. */
#include "vec.h"
#include "private.h"

extern const struct vec_table vec_table_generic;
#if defined(__x86_64__)
extern const struct vec_table vec_table_avx2, vec_table_avx512;
static const struct vec_table *const tables[ISA_COUNT] = { &vec_table_generic, &vec_table_avx2, &vec_table_avx512, &vec_table_avx512,
                                                           &vec_table_avx512 };
#else
static const struct vec_table *const tables[ISA_COUNT] = { &vec_table_generic, &vec_table_generic, &vec_table_generic, &vec_table_generic,
                                                           &vec_table_generic };
#endif

const struct vec_table *vec_table_of(enum isa isa) { return tables[isa]; }

const struct vec_table *vec_table(void) { return tables[isa_current()]; }

void vec_exp(float *out, const float *x, int64_t n) { vec_table()->exp(out, x, n); }
void vec_log(float *out, const float *x, int64_t n) { vec_table()->log(out, x, n); }
void vec_tanh(float *out, const float *x, int64_t n) { vec_table()->tanh(out, x, n); }

/* One element through the row kernel: the same bits as anywhere in a row. */
float scalar_exp(float x)
{
    float y;
    vec_exp(&y, &x, 1);
    return y;
}
float scalar_log(float x)
{
    float y;
    vec_log(&y, &x, 1);
    return y;
}
float scalar_tanh(float x)
{
    float y;
    vec_tanh(&y, &x, 1);
    return y;
}

double vec_sum(const float *x, int64_t n) { return vec_table()->sum(x, n); }
double vec_sum_squares(const float *x, int64_t n) { return vec_table()->sum_squares(x, n); }
double vec_dot(const float *x, const float *y, int64_t n) { return vec_table()->dot(x, y, n); }
float vec_max(const float *x, int64_t n) { return vec_table()->max(x, n); }

void vec_add(float *out, const float *x, int64_t n) { vec_table()->add(out, x, n); }
void vec_axpy(float *out, float a, const float *x, int64_t n) { vec_table()->axpy(out, a, x, n); }
void vec_scale(float *out, float a, const float *x, int64_t n) { vec_table()->scale(out, a, x, n); }
double vec_softmax_body(float *out, const float *x, float max, int64_t n) { return vec_table()->softmax_body(out, x, max, n); }

void vec_gelu(float *out, const float *x, int64_t n) { vec_table()->gelu(out, x, n); }
void vec_gelu_backward(float *dx, const float *x, const float *dy, int64_t n) { vec_table()->gelu_backward(dx, x, dy, n); }
void vec_swiglu(float *y, const float *a, const float *b, int64_t n) { vec_table()->swiglu(y, a, b, n); }
void vec_swiglu_backward(float *da, float *db, const float *a, const float *b, const float *dy, int64_t n)
{
    vec_table()->swiglu_backward(da, db, a, b, dy, n);
}
